#ifndef ICERT_OPERATE_DEMO_H
#define ICERT_OPERATE_DEMO_H
#include "operate/instance.h"

/*
 * The samples of a private instance: the SQL files of conf/demo, each run once as
 * icert_admin; and every member of staff in them without a password gets
 * one, a made-up cedula and a second factor, enrolled with the keeper.  The
 * accounts are written to PREFIX/demo/staff.json (0600):
 *
 *   { "password": "…", "staff": [ { "login", "name", "email", "id", "roles": ["operator 17"],
 *     "cedula", "totp_secret": base32, "otpauth": URI, "p12": path } … ] }
 *
 * p12: what directors and operators sign contracts with (demo_signer.h), under the same password.
 *
 * The database and the keeper answer.  0 or -1.
 */
int	demo_seed(const struct instance *i);

/* Print the sample accounts and how to get a code. */
void	demo_print(const struct instance *i);

#endif
