#ifndef ICERT_PROCEDURE_DELIVERY_H
#define ICERT_PROCEDURE_DELIVERY_H
/* What was delivered with a certificate: private key, PKCS#12, envelope. */
#include "procedure/act.h"

/*
 * Destroys all three for good, inside the open transaction: their keys at the keeper first, so that a crash in between only makes
 * the same come again; then the rows, and the audit row that is the receipt.  reason: "deadline", "contract_signed".
 */
int	delivery_destroy(struct act *, const char *certificate, const char *application, const char *reason);

#endif
