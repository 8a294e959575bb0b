#ifndef ICERT_OPERATE_DEMO_SIGNER_H
#define ICERT_OPERATE_DEMO_SIGNER_H

#include <jansson.h>

#include "libicert/buf.h"
#include "operate/instance.h"

/*
 * A sample certificate for a director, or whoever may stand in for one, to sign contracts with: made here, trusted by
 * nobody.  It is written with its key to PREFIX/demo/LOGIN.p12 (0600, under the samples' password), named in
 * the account as "p12", and the row that registers it is appended to sql.  0 or -1.
 */
int	demo_signer(const struct instance *i, json_t *account, const char *password, struct buf *sql);

#endif
