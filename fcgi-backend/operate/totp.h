#ifndef ICERT_OPERATE_TOTP_H
#define ICERT_OPERATE_TOTP_H
#include "operate/instance.h"

/*
 * Print a TOTP code of a sample account that was neither used nor printed
 * before: of this time step or the next.  When both are gone, waits for the
 * next to come into reach (at most 30 s).  0 or -1.
 */
int	totp_print(const struct instance *i, const char *login);

#endif
