#ifndef KEYS_SIGNER_H
#define KEYS_SIGNER_H

#include "keys/serve.h"
#include "keys/signer_journal.h"
#include "libicert/approval.h"
#include "pki/issuer_list.h"
#include "pki/pkcs11.h"
#include "pki/profile.h"

/*
 * The signer: the issuing keys behind PKCS#11, typed requests in, certificates and CRLs out.  One of the CAs issues; those
 * before it sign their lists and their responders' certificates, and nothing else.
 * It trusts neither the desk nor the database: what it signs rests on statements verified with the public
 * keys pinned at the ceremony, on the profile and its lint, and on its own journal.
 */

#define SIGNER_APPROVAL_AGE 86400		/* seconds an approval is good for */
#define SIGNER_CLOCK_SKEW 60			/* seconds a statement may lie in the future */
#define SIGNER_RESPONDER_AGE 3600
#define SIGNER_RESPONDER_DAYS 30		/* at most */
#define SIGNER_CRL_SECONDS (7 * 86400)		/* from thisUpdate to nextUpdate at most */

/* One issuing CA. */
struct signer_ca {
	unsigned number;
	enum issuer_state state;
	char key[ISSUER_NAME];			/* CKA_LABEL */
	int keyless;				/* it has ended, and its key was destroyed */
	struct journal *journal;
	struct buf der;				/* its certificate */
	struct profile_issuer issuer;		/* its addresses are the two below */
	char issuer_url[ISSUER_URL], crl_url[ISSUER_URL];
	unsigned partitions;			/* of its list, for what it issues now; 0: none */
};

struct signer {
	struct pkcs11 *token;			/* logged in */
	const struct signer_ca *chosen;		/* whose key is chosen in it */
	struct signer_ca ca[ISSUERS_MAX];
	size_t n;
	struct signer_ca *issuing;		/* NULL: none issues */
	const char *organization;
	struct profile_name responder_name;
	int responder_days;
	int require_second;			/* a second approval is asked for */
	size_t ceiling;				/* certificates in any hour */
	uint8_t keeper[32], keymaker[32], status_signer[32];	/* pinned public keys */
};

/*
 * Everything between the configuration and the first request: pins, issuing certificate, token, journal.
 * Logs what is wrong.  0 or the error; signer_close() either way.
 */
struct config;
int signer_open(struct signer *, const struct config *);
void signer_close(struct signer *);

/*
 * The ceremony's part: an empty journal in the signer's folder for the CA that issues, or (next) for the one that will follow
 * the last.  ICERT_E_EXISTS when there is one.
 */
int signer_init(const struct config *, int next);

/* The operations, for serve_run(); the context is a struct signer. */
extern const struct serve_op signer_ops[];
extern const size_t signer_ops_n;

/* What OP_SIGN_CERTIFICATE asks for, as received. */
struct signer_request {
	uint8_t case_id[16];
	uint8_t serial[16];
	int64_t not_before;
	struct cert_fields fields;
	uint8_t fields_hash[32];
	const uint8_t *spki;
	size_t spki_len;
	uint8_t spki_hash[32];
	size_t statements_n;
	struct statement statements[3];
	struct statement word;		/* of the keymaker; or */
	const uint8_t *csr;		/* the request of a token's key, NULL without one */
	size_t csr_len;
};

/*
 * May this be signed at `now`?  Kinds of statements, signatures, case, fields, age, persons; where the key comes
 * from: the keymaker's word, or for a token the key's own request.
 * 0, ICERT_E_MISSING, ICERT_E_FORGED, ICERT_E_STALE, ICERT_E_MISMATCH, ICERT_E_OWN_CASE, ICERT_E_MALFORMED,
 * of a request also ICERT_E_UNSUPPORTED and ICERT_E_INVALID; why (static) for the log.
 */
int signer_approved(const struct signer *, const struct signer_request *, int64_t now, const char **why);

/* Signs, or gives the journalled certificate again.  Errors as crypt/signer.h; detail has room for 256 bytes. */
int signer_issue(struct signer *, const struct signer_request *, int64_t now, struct buf *der, char *detail);

/* Signs a TBS with this CA's key into a whole certificate or list.  Ends the program when the token has gone. */
int signer_sign(struct signer *, const struct signer_ca *, const struct buf *tbs, struct buf *der);
/* A refusal goes on record, without a name; case_id may be NULL. */
void signer_refused(struct signer *, const char *what, const uint8_t *case_id, int error, const char *detail);
/* The CA that a request names; without a number the first.  NULL: this signer has no such one. */
struct signer_ca *signer_ca_of(struct signer *, const struct message *);
/* The same when its key is there: one that has ended may have none, and its journal is read all the same. */
struct signer_ca *signer_ca_signs(struct signer *, const struct message *);

/* OP_SIGN_CRL (signer_crl.c). */
/* OP_SIGNED_REVOKED. */
int signer_on_revoked(void *ctx, const struct serve_request *, struct serve_reply *);
int signer_on_crl(void *ctx, const struct serve_request *, struct serve_reply *);

#endif
