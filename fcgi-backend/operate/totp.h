#ifndef ICERT_OPERATE_TOTP_H
#define ICERT_OPERATE_TOTP_H
#include "libicert/id.h"
#include "libicert/keyproto.h"
#include "operate/instance.h"

/*
 * Print a TOTP code of a sample account that was neither used nor printed
 * before: of this time step or the next.  When both are gone, waits for the
 * next to come into reach (at most 30 s); or, with renew and when all that was
 * printed has been used, the keeper enrols the account anew, and the code is
 * of its new seed: what is in somebody's authenticator counts no more, so this
 * is for tests.  0 or -1.
 */
int	totp_print(const struct instance *i, const char *login, int renew);

/* The same code taken instead of printed, with the account's id. */
int	totp_take(const struct instance *i, const char *login, int renew, char code[TOTP_DIGITS + 1],
	    char id[ID_TEXT]);

#endif
