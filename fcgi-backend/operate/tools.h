#ifndef ICERT_OPERATE_TOOLS_H
#define ICERT_OPERATE_TOOLS_H
/* Where the distribution keeps the programs that an instance runs. */
#include "operate/files.h"

struct tools {
	char nginx[FILES_PATH];
	char postgres[FILES_PATH];	/* folder of initdb and postgres */
	char redis[FILES_PATH];
	char softhsm[FILES_PATH];	/* the PKCS#11 module */
	char node[FILES_PATH];
};

/* Find them all; -1 after naming what is missing. */
int	tools_find(struct tools *t);

/* One program by its name; -1 after naming it when it is missing. */
int	tools_in_path(char out[FILES_PATH], const char *name);

#endif
