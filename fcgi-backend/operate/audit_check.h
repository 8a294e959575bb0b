#ifndef ICERT_OPERATE_AUDIT_CHECK_H
#define ICERT_OPERATE_AUDIT_CHECK_H

#include <stdio.h>

#include "operate/instance.h"

/*
 * `icertctl audit verify`: the auditor's check of a running instance (its
 * database must be up).  heads and key NULL: the instance's own folder of heads and its
 * clerk's key, of which only the public half is read.  An exit status, as audit_verify().
 */
int	audit_check(const struct instance *i, const char *heads, const char *key, FILE *out);

#endif
