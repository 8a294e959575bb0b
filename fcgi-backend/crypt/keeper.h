#ifndef CRYPT_KEEPER_H
#define CRYPT_KEEPER_H

#include "crypt/keyclient.h"
#include "libicert/approval.h"

/*
 * The keeper: data keys, look-up hashes, staff's second factor, approvals,
 * delivery keys, opening codes.  In brackets: the sockets on which the keeper answers;
 * on any other it says ICERT_E_DENIED.
 */

/*
 * A fresh data key.  The row stores id, kind and wrapped; the key itself stays in memory and
 * is wiped by the caller.  [portal: contact, order, case; desk: case; clerk, admin: payments-month]
 */
int keeper_datakey_new(struct keyclient *, enum datakey_kind, char id[ID_TEXT], uint8_t key[32],
    uint8_t wrapped[KEEPER_WRAPPED]);
/*
 * Unwraps n data keys in one go (longer lists in batches of KEEPER_BATCH): one call a page,
 * one a list.  ICERT_E_DESTROYED when one of them was destroyed, ICERT_E_FORGED when one is not
 * the keeper's.  [portal, desk, issuer, clerk]
 */
int keeper_datakey_unwrap(struct keyclient *, size_t n, const uint8_t wrapped[][KEEPER_WRAPPED], uint8_t key[][32]);
/* From now on the key with this id is refused for ever, restores included.  [clerk, admin] */
int keeper_datakey_destroy(struct keyclient *, const char *id);

/*
 * HMAC-SHA-256 under the keeper's key and a label.  "person" (cedula, RUC, passport) and "email" are
 * normalised by the keeper (ICERT_E_INVALID when it cannot), other labels
 * (lower-case letters and hyphens, at most 32) hash the text as it is, at most 320 bytes.  [portal, desk, issuer, clerk, admin]
 */
int keeper_lookup(struct keyclient *, const char *label, const char *text, uint8_t out[32]);
int keeper_lookup_many(struct keyclient *, const char *label, size_t n, const char *const text[], uint8_t out[][32]);

/*
 * Checks a staff member's TOTP code (six digits, RFC 6238, 30 s; the step before, this, the next) and uses it up.
 * ICERT_E_CODE_WRONG, ICERT_E_CODE_REPLAYED (this or a later step was used), ICERT_E_CODE_SPENT
 * (ten wrong ones in a row: wait 15 minutes, twice as long
 * after each ten more, a day at most), ICERT_E_NOT_FOUND (not enrolled).  [desk]
 */
int keeper_totp_verify(struct keyclient *, const char *staff_id, const char *code);
/*
 * Enrols (or enrols anew) a staff member with their cedula; the seed, for their authenticator, is told this once.
 * [admin]
 */
int keeper_totp_enrol(struct keyclient *, const char *staff_id, const char *cedula, uint8_t seed[TOTP_SEED]);
/*
 * Notes a staff member's passport (or another document of theirs), so that the holder of a certificate under that number is
 * known as themselves too; in place of the one before.  ICERT_E_NOT_FOUND (not enrolled).  [admin]
 */
int keeper_staff_passport(struct keyclient *, const char *staff_id, const char *number);
/* The last time step (seconds / 30) that was used, 0 for none.  [admin] */
int keeper_totp_last(struct keyclient *, const char *staff_id, uint64_t *step);
/* Forgets a staff member's seed.  [admin] */
int keeper_totp_forget(struct keyclient *, const char *staff_id);

/* The applicant accepts the exact fields.  ICERT_E_INVALID when they have no serial_number.  [portal] */
int keeper_accept(struct keyclient *, const char *case_id, const struct cert_fields *, struct statement *out);
/*
 * A staff member issues (APPROVAL_ISSUE) or seconds (APPROVAL_SECOND) with a code of its own: errors of
 * keeper_totp_verify(), and ICERT_E_OWN_CASE when the person is the holder.  [desk]
 */
int keeper_approve(struct keyclient *, enum approval_kind, const char *case_id, const struct cert_fields *,
    const char *staff_id, const char *code, struct statement *out);

/*
 * The delivery key of a case for DELIVERY_PRIVATE or DELIVERY_PKCS12: made when there is none yet,
 * else the same again, so that issuing can be resumed.  ICERT_E_DESTROYED.  [issuer]
 */
int keeper_delivery_new(struct keyclient *, const char *case_id, const char *label, uint8_t key[32]);
/* ICERT_E_NOT_FOUND, ICERT_E_DESTROYED.  [issuer: any label; clerk, portal: DELIVERY_PKCS12 only] */
int keeper_delivery_get(struct keyclient *, const char *case_id, const char *label, uint8_t key[32]);
/* Unlinks the key for good; one that is not there is no error.  [issuer, clerk] */
int keeper_delivery_destroy(struct keyclient *, const char *case_id, const char *label);

/* The envelope's key, with the opening code made beside it; the same again when asked again.  ICERT_E_DESTROYED.  [issuer] */
int keeper_envelope_new(struct keyclient *, const char *case_id, uint8_t key[32]);
/*
 * The opening code, told once, to the operator who issued: the same person gets it again until keeper_opening_code_told()
 * says that they have it, or until somebody tries a code.  ICERT_E_NOT_FOUND, ICERT_E_STATE (told before, or to another),
 * ICERT_E_DESTROYED.  [desk]
 */
int keeper_opening_code_take(struct keyclient *, const char *case_id, const char *staff_id, char code[OPENING_DIGITS + 1]);
/* The code is on its way to that person's eyes, for the record: from here on it is told to nobody.  Errors as above.  [desk] */
int keeper_opening_code_told(struct keyclient *, const char *case_id, const char *staff_id);
/*
 * Opens the envelope in one applicant's session (hash of its secret) with the spoken code; code NULL shows it again
 * in the same session within 30 minutes.  ICERT_E_CODE_WRONG (tries_left says how many remain),
 * ICERT_E_CODE_SPENT (the fifth wrong one: locked until keeper_envelope_renew()), ICERT_E_STATE (the code was not told yet, or NULL before
 * opening), ICERT_E_DENIED (opened in another session), ICERT_E_DESTROYED (over), ICERT_E_NOT_FOUND.
 * tries_left may be NULL.  [portal]
 */
int keeper_envelope_open(struct keyclient *, const char *case_id, const uint8_t session_hash[32], const char *code,
    uint8_t key[32], int *tries_left);
/*
 * A new opening code, with five tries, for an envelope that is locked or was not opened yet; the former is worthless.  The
 * new one is then taken as the first was.  At most three for a case: ICERT_E_CONFLICT.  ICERT_E_STATE (opened),
 * ICERT_E_DESTROYED, ICERT_E_NOT_FOUND, and those of keeper_totp_verify(), whose code is used up only when a new one is made.  [desk]
 */
int keeper_envelope_renew(struct keyclient *, const char *case_id, const char *staff_id, const char *totp);
/* "Ya lo guarde": destroys it.  Errors as above; once it is gone: 0.  [portal] */
int keeper_envelope_done(struct keyclient *, const char *case_id, const uint8_t session_hash[32]);

#endif
