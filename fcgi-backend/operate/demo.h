#ifndef ICERT_OPERATE_DEMO_H
#define ICERT_OPERATE_DEMO_H
#include "operate/instance.h"

/*
 * The samples of a private instance: conf/demo/NN-name.sql, each run once as
 * icert_admin, and sample staff, enrolled with the keeper; their accounts are
 * written to PREFIX/demo/staff.json (0600).  The database and the keeper
 * answer.  0 or -1.
 */
int	demo_seed(const struct instance *i);

/* Print the sample accounts and how to get a code. */
void	demo_print(const struct instance *i);

#endif
