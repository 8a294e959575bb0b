#ifndef ICERT_OPERATE_TROUBLES_H
#define ICERT_OPERATE_TROUBLES_H

#include "operate/instance.h"

/*
 * Prints what the clerk could not finish (procedure/trouble.h).  0 there is none, 1 there is, 2 it could not be asked.
 */
int	troubles_print(const struct instance *i);

#endif
