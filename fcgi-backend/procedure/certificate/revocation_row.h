#ifndef ICERT_PROCEDURE_REVOCATION_ROW_H
#define ICERT_PROCEDURE_REVOCATION_ROW_H
/*
 * What every revocation writes, whoever decides it: the certificate's row, the change that the
 * publisher makes public, the mail to the holder.  For this room alone, inside the open
 * transaction.  The certificate's row is taken before its case's, by everybody.
 */
#include <stdint.h>

#include "procedure/mailing.h"

/* CRLReason, RFC 5280, 5.3.1. */
#define REASON_UNSPECIFIED		0
#define REASON_KEY_COMPROMISE		1
#define REASON_AFFILIATION_CHANGED	3
#define REASON_SUPERSEDED		4
#define REASON_CESSATION		5
#define REASON_PRIVILEGE_WITHDRAWN	9

/* good → revoked, and the publisher is woken at the commit.  by: "holder", "national", "deadline";
 * code: stable, why; at: real time.  ICERT_E_CONFLICT: it is not good. */
int	revocation_write(struct act *, const char *certificate, const char *by, const char *code, int reason,
	    int64_t at);

/* docs/money.md: which sentence of ending.money.* says what becomes of the money, by the same code. */
const char *revocation_money(const char *code);

/* Held until the revocation is public.  The holder is always told, and what becomes of the money. */
int	revocation_tell(struct act *, const struct mailing *, const char *certificate, const char *code,
	    const char *serial, int64_t at);

#endif
