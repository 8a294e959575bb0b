#ifndef ICERT_OPERATE_STATUS_PUBLISH_H
#define ICERT_OPERATE_STATUS_PUBLISH_H
/*
 * The running publisher is asked, over a socket that root alone can open, to publish at once what is
 * open together with a new list, or to sign every answer again.
 */
#include <stdio.h>

#include "operate/instance.h"

/*
 * Prints what the publisher says while it works, and what is in place at the end.  base: a new base, which
 * takes minutes where there are millions.  0: all of it is public and was seen at the edge; 1: not, and the step
 * that does not go is named; 2: no publisher was reached.
 */
int	status_publish(const struct instance *i, int base, FILE *out);

#endif
