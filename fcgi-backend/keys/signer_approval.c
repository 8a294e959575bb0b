#include "keys/signer.h"
#include "libicert/error.h"
#include "pki/oid.h"
#include "pki/possession.h"

#include <string.h>

/* What the signer asks of statements: nothing here knows a key of its own. */

static int
check_age(int64_t time, int64_t now, const char **why)
{
	if (time > now + SIGNER_CLOCK_SKEW) {
		*why = "a statement lies in the future";
		return ICERT_E_STALE;
	}
	if (time < now - SIGNER_APPROVAL_AGE) {
		*why = "a statement is above 24 hours old";
		return ICERT_E_STALE;
	}
	return 0;
}

static int
check_statement(const struct signer *s, const struct signer_request *r, const struct statement *statement, int64_t now,
    struct approval *out, const char **why)
{
	if (statement_verify(statement, s->keeper) != 0) {
		*why = "an approval is not signed by the keeper";
		return ICERT_E_FORGED;
	}
	if (approval_parse(statement, out) != 0) {
		*why = "an approval does not parse";
		return ICERT_E_MALFORMED;
	}
	if (memcmp(out->case_id, r->case_id, sizeof(r->case_id)) != 0) {
		*why = "an approval is for another case";
		return ICERT_E_MISMATCH;
	}
	if (memcmp(out->fields_hash, r->fields_hash, sizeof(r->fields_hash)) != 0) {
		*why = "an approval is for other fields";
		return ICERT_E_MISMATCH;
	}
	return check_age(out->time, now, why);
}

/* The policy says where the private key is; pki/lint holds the container to it. */
static int
in_token(const struct signer_request *r)
{
	return strcmp(r->fields.policy_oid, OID_POLICY_TOKEN) == 0;
}

/*
 * A key that was made in a token: nobody's word is needed.  The request proves that whoever asks holds the
 * private key, and the approvals, whose fields name the key, that this holder showed it for this case.
 */
static int
check_request(const struct signer_request *r, const char **why)
{
	struct possession p;
	char hex[65];
	int error;

	if (!in_token(r)) {
		*why = "a request, for a key that the keymaker makes";
		return ICERT_E_MISMATCH;
	}
	if ((error = possession_check(&p, r->csr, r->csr_len)) != 0) {
		*why = p.why != NULL ? p.why : "the request cannot be checked";
		return error;
	}
	bytes_to_hex(hex, p.spki_sha256, sizeof(p.spki_sha256));
	if (memcmp(p.spki_sha256, r->spki_hash, sizeof(r->spki_hash)) != 0 || strcmp(r->fields.spki_sha256_hex, hex) != 0) {
		*why = "the request is for another key than the one approved";
		return ICERT_E_MISMATCH;
	}
	return 0;
}

static int
check_word(const struct signer *s, const struct signer_request *r, int64_t now, const char **why)
{
	struct key_word word;
	char hex[65];

	if (in_token(r)) {
		*why = "a certificate for a token asks for the token's own request";
		return ICERT_E_MISMATCH;
	}
	if (statement_verify(&r->word, s->keymaker) != 0) {
		*why = "the word for the key is not signed by the keymaker";
		return ICERT_E_FORGED;
	}
	if (key_word_parse(&r->word, &word) != 0) {
		*why = "the word for the key does not parse";
		return ICERT_E_MALFORMED;
	}
	if (memcmp(word.case_id, r->case_id, sizeof(r->case_id)) != 0 ||
	    memcmp(word.spki_sha256, r->spki_hash, sizeof(r->spki_hash)) != 0) {
		*why = "the keymaker's word is for another case or key";
		return ICERT_E_MISMATCH;
	}
	bytes_to_hex(hex, r->spki_hash, sizeof(r->spki_hash));
	if (r->fields.spki_sha256_hex[0] != '\0' && strcmp(r->fields.spki_sha256_hex, hex) != 0) {
		*why = "another key than the one approved";
		return ICERT_E_MISMATCH;
	}
	return check_age(word.time, now, why);
}

/* Nobody approves their own case, and two approvals come from two people. */
static int
check_persons(const struct approval by_kind[4], const int seen[4], const char **why)
{
	if (memcmp(by_kind[APPROVAL_ISSUE].person_hash, by_kind[APPROVAL_ACCEPT].person_hash, 32) == 0) {
		*why = "the holder issues their own certificate";
		return ICERT_E_OWN_CASE;
	}
	if (!seen[APPROVAL_SECOND])
		return 0;
	if (memcmp(by_kind[APPROVAL_SECOND].person_hash, by_kind[APPROVAL_ACCEPT].person_hash, 32) == 0 ||
	    memcmp(by_kind[APPROVAL_SECOND].person_hash, by_kind[APPROVAL_ISSUE].person_hash, 32) == 0) {
		*why = "the second approval is not a second person's";
		return ICERT_E_OWN_CASE;
	}
	return 0;
}

int
signer_approved(const struct signer *s, const struct signer_request *r, int64_t now, const char **why)
{
	struct approval approval, by_kind[4];
	int seen[4] = { 0, 0, 0, 0 }, error;
	size_t i;

	memset(by_kind, 0, sizeof(by_kind));
	for (i = 0; i < r->statements_n; i++) {
		if ((error = check_statement(s, r, &r->statements[i], now, &approval, why)) != 0)
			return error;
		if (approval.kind < APPROVAL_ACCEPT || approval.kind > APPROVAL_SECOND || seen[approval.kind]) {
			*why = "two approvals of one kind";
			return ICERT_E_MALFORMED;
		}
		seen[approval.kind] = 1;
		by_kind[approval.kind] = approval;
	}
	if (!seen[APPROVAL_ACCEPT] || !seen[APPROVAL_ISSUE] || (s->require_second && !seen[APPROVAL_SECOND])) {
		*why = !seen[APPROVAL_ACCEPT] ? "the applicant's acceptance is missing"
		    : !seen[APPROVAL_ISSUE] ? "the operator's approval is missing" : "the second approval is missing";
		return ICERT_E_MISSING;
	}
	if ((error = check_persons(by_kind, seen, why)) != 0)
		return error;
	return r->csr != NULL ? check_request(r, why) : check_word(s, r, now, why);
}
