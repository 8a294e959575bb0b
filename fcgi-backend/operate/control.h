#ifndef ICERT_OPERATE_CONTROL_H
#define ICERT_OPERATE_CONTROL_H
#include "operate/instance.h"

/*
 * One supervisor an instance: it holds a lock on RUN's lock file as long as it
 * lives, so nobody is misled by a number in an old file.
 */

/* The supervisor's pid, 0 when the instance is down. */
long	control_running(const struct instance *i);

/* Become the supervisor: the descriptor that holds the lock; -1 when another
 * is, or after telling why. */
int	control_lock(const struct instance *i);

/* Stop the instance and wait until all is down; nothing to do is success. */
int	control_down(const struct instance *i);

/* Print each process; 0 when all are up, 1 when some are not, 3 when down. */
int	control_status(const struct instance *i);

/* Remove the instance with all its data; stops it first. */
int	control_reset(const struct instance *i);

#endif
