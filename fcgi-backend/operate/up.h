#ifndef ICERT_OPERATE_UP_H
#define ICERT_OPERATE_UP_H
#include "operate/instance.h"

#define UP_PORT_BASE 8443

struct up_options {
	const char *prefix;
	int port_base;		/* 0: the instance's own, or UP_PORT_BASE */
	int detach;		/* return when ready, and go on supervising */
	int spool_on_disk;
};

/* Start an instance and supervise it; an exit status. */
int	up_run(const struct up_options *options);

#endif
