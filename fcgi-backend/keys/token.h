#ifndef KEYS_TOKEN_H
#define KEYS_TOKEN_H

#include "pki/pkcs11.h"

struct config;

/*
 * The token that a section of the configuration names ("module", "token", "pin_file"), logged in.  folder: the program's own,
 * where SoftHSM2's configuration lies if that is the module.  0, or the error after telling it in the log; *token may be there
 * all the same, and is the caller's.
 */
int token_open(struct pkcs11 **token, const struct config *, const char *section, const char *folder);

#endif
