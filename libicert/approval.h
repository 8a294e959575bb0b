#ifndef LIBICERT_APPROVAL_H
#define LIBICERT_APPROVAL_H

#include "libicert/buf.h"
#include "libicert/id.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What people approve and what the signer believes: the exact fields of one
 * certificate, and Ed25519 statements of the keeper (who approved them, when)
 * and of the keymaker (that this public key was made for this case).  A
 * statement is bytes with a signature, so whoever checks one cannot make one.
 */

/*
 * The fields of one certificate as they are approved.  UTF-8, "" when absent,
 * never NULL; no serial, no dates.  The order here is the order of the canonical form.
 * The strings belong to the caller.
 */
struct cert_fields {
	/* subject */
	const char *country;		/* C, "EC" */
	const char *locality;		/* L */
	const char *serial_number;	/* cedula or passport */
	const char *common_name;	/* CN */
	/* subjectAltName */
	const char *email;		/* rfc822Name */
	const char *identification;	/* .1, cedula or passport */
	const char *given_names;	/* .2 */
	const char *surname1;		/* .3 */
	const char *surname2;		/* .4 */
	const char *address;		/* .7 */
	const char *telephone;		/* .8, E.164 */
	const char *city;		/* .9 */
	const char *ruc;		/* .11 */
	const char *country_name;	/* .12 */
	const char *kind;		/* .50 */
	const char *container;		/* .51 */
	const char *rup;		/* .52 */
	const char *profession;		/* .53 */
	/* the rest */
	const char *policy_oid;		/* dotted */
	const char *years;		/* decimal */
	const char *spki_sha256_hex;	/* for a key that exists before: a token's; else "" */
};

#define CERT_FIELDS_COUNT 21
#define CERT_FIELD_MAX 1024	/* bytes of one field */
#define CERT_FIELDS_MAX 8192	/* bytes of the canonical form */

/* Where the i-th field (0 … CERT_FIELDS_COUNT - 1) stands, and what it is called. */
const char **cert_fields_at(struct cert_fields *, size_t i);
const char *cert_fields_get(const struct cert_fields *, size_t i);
const char *cert_fields_name(size_t i);

/*
 * Appends the canonical form: each field in that order as u32 big-endian length and
 * bytes.  0, ICERT_E_INVALID (NULL, or not UTF-8), ICERT_E_TOO_LARGE, ICERT_E_MEMORY.
 */
int cert_fields_encode(const struct cert_fields *, struct buf *out);
/*
 * Parses a canonical form.  The strings are copied into store (emptied first),
 * which must live as long as the fields.  0, ICERT_E_MALFORMED (also: a NUL, bad
 * UTF-8, trailing bytes), ICERT_E_TOO_LARGE, ICERT_E_MEMORY.
 */
int cert_fields_decode(struct cert_fields *, const uint8_t *, size_t, struct buf *store);
/* SHA-256 of the canonical form.  Errors as cert_fields_encode(), and ICERT_E_CRYPTO. */
int cert_fields_hash(const struct cert_fields *, uint8_t out[32]);

/* Signed bytes: an approval or a keymaker's word.  Plain data, copied freely. */
#define STATEMENT_MAX 160
#define STATEMENT_SIGNATURE 64
struct statement {
	uint32_t len;
	uint8_t bytes[STATEMENT_MAX];
	uint8_t sig[STATEMENT_SIGNATURE];
};

enum approval_kind {
	APPROVAL_ACCEPT = 1,	/* the applicant accepts the fields */
	APPROVAL_ISSUE = 2,	/* an operator issues, with a fresh factor */
	APPROVAL_SECOND = 3	/* a second person approves, where policy asks */
};

struct approval {
	enum approval_kind kind;
	uint8_t case_id[ID_RAW];
	uint8_t fields_hash[32];
	uint8_t person_hash[32];	/* the keeper's look-up hash, label "person", of who approved */
	int64_t time;			/* UTC seconds */
};

/* "accept", "issue", "second"; NULL for another value. */
const char *approval_kind_name(enum approval_kind);

/*
 * The statement's bytes: length-prefixed (u32 big-endian) "icert-approval-v1", kind,
 * case (16), fields hash (32), person hash (32), time (8, big-endian).  Unsigned yet.
 * 0 or ICERT_E_INVALID.
 */
int approval_build(const struct approval *, struct statement *);
/* Reads them back; checks no signature.  0 or ICERT_E_MALFORMED. */
int approval_parse(const struct statement *, struct approval *);

/* The keymaker's word that it made the key with this SPKI for this case. */
struct key_word {
	uint8_t case_id[ID_RAW];
	uint8_t spki_sha256[32];
	int64_t time;
};

/* As above: "icert-key-v1", case (16), SPKI hash (32), time (8). */
int key_word_build(const struct key_word *, struct statement *);
int key_word_parse(const struct statement *, struct key_word *);

/* Ed25519 (RFC 8032) with a 32-byte private key; fills sig.  0 or ICERT_E_CRYPTO. */
int statement_sign(struct statement *, const uint8_t private_key[32]);
/* 0, ICERT_E_FORGED when the signature is not that key's, ICERT_E_CRYPTO, ICERT_E_INVALID. */
int statement_verify(const struct statement *, const uint8_t public_key[32]);
/* The public key of a private one.  0 or ICERT_E_CRYPTO. */
int statement_public(const uint8_t private_key[32], uint8_t public_key[32]);

/*
 * A statement as stored in a row: the bytes followed by the 64-byte signature.
 * decode: 0 or ICERT_E_MALFORMED.
 */
void statement_encode(const struct statement *, struct buf *out);
int statement_decode(struct statement *, const uint8_t *, size_t);

#endif
