#ifndef ICERT_OPERATE_UP_H
#define ICERT_OPERATE_UP_H
#include "operate/instance.h"

#define UP_PORT_BASE 8443

struct up_options {
	const char *prefix;
	int port_base;		/* 0: the instance's own, or UP_PORT_BASE */
	int detach;		/* return when ready, and go on supervising */
	int spool_on_disk;
	int prepare;		/* make all that a first start makes, and end: no program of the edge has run */
	int keep_tokens;	/* a first ceremony signs with the keys that are in the tokens */
};

/* Start an instance and supervise it; an exit status. */
int	up_run(const struct up_options *options);

#endif
