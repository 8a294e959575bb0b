#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/receipt.h"
#include "documents/package.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "pki/proof.h"
#include "procedure/contract/contract_signature.h"
#include "procedure/contract/evidence_form.h"
#include "procedure/contract/evidence_verify.h"
#include "views/view.h"

#define MICRO INT64_C(1000000)
#define SLACK_S 172800	/* approvals count for a day, and the certificate begins at its issuance */

struct checking {
	struct package p;
	const struct evidence_trust *trust;
	evidence_tell *tell;
	void *arg;
	unsigned faults;

	json_t *manifest;
	const char *case_id, *number, *contract;
	struct pdf_original original;
	char original_hex[65];
	int64_t made_at, not_before;
	int64_t signed_at;		/* when the applicant's signature was found valid; 0: no row says so */
	struct cert_fields fields;
	struct buf words[CERT_FIELDS_COUNT];
	int has_fields;
	uint8_t spki_sha256[32];
	struct receipt receipt;
};

static const struct buf empty = BUF_INIT;

static void
told(struct checking *c, const char *check, const char *fault, const char *const *facts)
{
	c->faults += fault != NULL;
	c->tell(c->arg, check, fault, facts);
}

static const struct buf *
member(const struct checking *c, const char *name)
{
	const struct buf *b = package_get(&c->p, name);

	return b != NULL ? b : &empty;
}

static const char *
digest_hex(const struct buf *b, char hex[65])
{
	uint8_t sha256[32] = { 0 };

	EVP_Digest(b->p, b->len, sha256, NULL, EVP_sha256(), NULL);
	bytes_to_hex(hex, sha256, sizeof sha256);
	return hex;
}

/* --- the list of files ------------------------------------------------------------ */

static const char *
manifest_head(struct checking *c)
{
	const char *format = json_string_value(json_object_get(c->manifest, "format"));
	json_t *original = json_object_get(c->manifest, "original");
	const char *hex = json_string_value(json_object_get(original, "sha256"));

	c->case_id = json_string_value(json_object_get(c->manifest, "case"));
	c->number = json_string_value(json_object_get(c->manifest, "number"));
	c->contract = json_string_value(json_object_get(c->manifest, "contract"));
	c->made_at = json_integer_value(json_object_get(c->manifest, "made_at"));
	if (format == NULL || strcmp(format, EVIDENCE_FORMAT) != 0 || c->case_id == NULL || !id_valid(c->case_id) ||
	    c->number == NULL || c->contract == NULL || c->made_at <= 0 || hex == NULL || strlen(hex) != 64 ||
	    bytes_from_hex(c->original.sha256, 32, hex) != 0 || json_integer_value(json_object_get(original, "octets")) <= 0)
		return "manifest-format";
	c->original.len = (size_t)json_integer_value(json_object_get(original, "octets"));
	bytes_to_hex(c->original_hex, c->original.sha256, 32);
	return NULL;
}

static void
check_manifest(struct checking *c)
{
	const struct buf *text = member(c, EVIDENCE_MANIFEST);
	json_t *files, *sum;
	const char *name, *fault;
	char hex[65], count[24];

	c->manifest = json_loadb((const char *)text->p, text->len, JSON_REJECT_DUPLICATES, NULL);
	fault = c->manifest == NULL || !json_is_object(c->manifest) ? "manifest-format" : manifest_head(c);
	files = json_object_get(c->manifest, "files");
	if (fault != NULL || json_object_size(files) == 0) {
		told(c, "manifest", "manifest-format", NULL);
		return;
	}
	json_object_foreach(files, name, sum) {
		const struct buf *b = package_get(&c->p, name);

		if (b == NULL)
			fault = "manifest-missing";
		else if (json_string_value(sum) == NULL || strcmp(json_string_value(sum), digest_hex(b, hex)) != 0)
			fault = "manifest-sum";
		else
			continue;
		told(c, "manifest", fault, (const char *const[]){ "name", name, NULL });
	}
	for (size_t i = 0; i < c->p.n; i++)
		if (strcmp(c->p.file[i].name, EVIDENCE_MANIFEST) != 0 && json_object_get(files, c->p.file[i].name) == NULL)
			told(c, "manifest", fault = "manifest-extra", (const char *const[]){ "name", c->p.file[i].name, NULL });
	snprintf(count, sizeof count, "%zu", c->p.n - 1);
	if (fault == NULL)
		told(c, "manifest", NULL, (const char *const[]){ "n", count, "number", c->number, "contract", c->contract, NULL });
}

/* --- contract and certificates ------------------------------------------------------ */

static void
check_contract(struct checking *c)
{
	const struct buf *pdf = member(c, EVIDENCE_CONTRACT), *holder = member(c, EVIDENCE_HOLDER);
	const struct buf *director = member(c, EVIDENCE_DIRECTOR);
	const struct contract_signer signers[2] = { { holder->p, holder->len }, { director->p, director->len } };
	struct contract_signatures *out = calloc(1, sizeof *out);

	if (out == NULL)
		told(c, "contract", "memory", NULL);
	else {
		contract_signatures_verify(pdf->p, pdf->len, &c->original, signers, 2, out);
		told(c, "contract", out->fault, (const char *const[]){ "contract", c->contract, NULL });
	}
	free(out);
}

static void
check_chain(struct checking *c)
{
	const struct buf *holder = member(c, EVIDENCE_HOLDER), *issuer = member(c, EVIDENCE_ISSUER), *root = member(c, EVIDENCE_ROOT);
	struct buf subject = BUF_INIT;
	char hex[65];
	const char *fault = proof_chain(holder, issuer, root, c->made_at);

	if (fault == NULL && c->trust->root != NULL &&
	    (c->trust->root->len != root->len || memcmp(c->trust->root->p, root->p, root->len) != 0))
		fault = "root";
	proof_subject(holder, &subject);
	told(c, "chain", fault, (const char *const[]){ "subject", buf_str(&subject), "root", digest_hex(root, hex), NULL });
	buf_free(&subject);
}

/* A revocation counts from the moment it was made: what was signed before stays signed. */
static const char *
status_fault(const struct checking *c, const char *fault, const struct proof_status *s)
{
	return fault == NULL && s->revoked_at != 0 && (c->signed_at == 0 || s->revoked_at <= c->signed_at) ? "revoked" : fault;
}

static void
tell_status(struct checking *c, const char *check, const char *fault, const struct proof_status *s)
{
	struct buf from = BUF_INIT, to = BUF_INIT, at = BUF_INIT;

	view_put_moment(&from, s->from);
	view_put_moment(&to, s->to);
	view_put_moment(&at, s->revoked_at);
	told(c, check, status_fault(c, fault, s), (const char *const[]){ "from", buf_str(&from), "to", buf_str(&to), "at",
	    s->revoked_at != 0 ? buf_str(&at) : "", NULL });
	buf_free(&from);
	buf_free(&to);
	buf_free(&at);
}

static void
check_status(struct checking *c)
{
	const struct buf *holder = member(c, EVIDENCE_HOLDER), *issuer = member(c, EVIDENCE_ISSUER), *root = member(c, EVIDENCE_ROOT);
	struct proof_status s;
	const char *fault;

	fault = proof_ocsp(member(c, EVIDENCE_OCSP), holder, issuer, root, c->made_at, &s);
	tell_status(c, "ocsp", fault, &s);
	fault = proof_crl(member(c, EVIDENCE_CRL), holder, issuer, c->made_at, &s);
	tell_status(c, "crl", fault, &s);
	fault = proof_crl(member(c, EVIDENCE_ARL), issuer, root, c->made_at, &s);
	tell_status(c, "arl", fault != NULL ? fault : s.revoked_at != 0 ? "revoked" : NULL, &s);
}

/* The director's is one of ours, with its own status, or another authority's, known by what stands on their account. */
static void
check_director(struct checking *c)
{
	const struct buf *director = member(c, EVIDENCE_DIRECTOR), *issuer = member(c, EVIDENCE_ISSUER);
	const struct buf *root = member(c, EVIDENCE_ROOT);
	struct buf subject = BUF_INIT;
	struct proof_status s = { .revoked_at = 0 };
	const char *fault = NULL;
	char hex[65];
	int ours = proof_issued_by(director, issuer);

	if (proof_subject(director, &subject) != 0)
		fault = "chain-format";
	else if (ours && (fault = proof_chain(director, issuer, root, c->made_at)) == NULL) {
		fault = proof_ocsp(member(c, EVIDENCE_OCSP_DIRECTOR), director, issuer, root, c->made_at, &s);
		fault = status_fault(c, fault, &s);
	}
	told(c, ours ? "director" : "director-other", fault, (const char *const[]){ "subject", buf_str(&subject), "sha256",
	    digest_hex(director, hex), NULL });
	buf_free(&subject);
}

/* --- data and approvals --------------------------------------------------------------- */

static int
read_fields(struct checking *c)
{
	const struct buf *text = member(c, EVIDENCE_FIELDS);
	json_t *all = json_loadb((const char *)text->p, text->len, JSON_REJECT_DUPLICATES, NULL);
	int ok = json_is_object(all) && json_object_size(all) == CERT_FIELDS_COUNT;

	for (size_t i = 0; ok && i < CERT_FIELDS_COUNT; i++) {
		const char *value = json_string_value(json_object_get(all, cert_fields_name(i)));

		if ((ok = value != NULL)) {
			buf_puts(&c->words[i], value);
			*cert_fields_at(&c->fields, i) = buf_str(&c->words[i]);
		}
	}
	json_decref(all);
	return ok;
}

static void
check_fields(struct checking *c)
{
	const char *fault = "fields-format";

	c->has_fields = read_fields(c);
	if (c->has_fields)
		fault = proof_fields(member(c, EVIDENCE_HOLDER), member(c, EVIDENCE_ISSUER), &c->fields);
	told(c, "fields", fault, NULL);
}

static const char *
public_key(const struct checking *c, const char *name, const uint8_t *pin, uint8_t key[32])
{
	const struct buf *b = member(c, name);

	if (b->len != 32)
		return "key-format";
	memcpy(key, b->p, 32);
	return pin != NULL && memcmp(pin, key, 32) != 0 ? "key-other" : NULL;
}

/* One statement of the keeper: its signature, and that it speaks of this case and of exactly these fields. */
static const char *
check_approval(const struct checking *c, const char *name, enum approval_kind kind, const uint8_t key[32], struct approval *a)
{
	const struct buf *b = member(c, name);
	uint8_t hash[32], id[ID_RAW];
	struct statement s;

	if (b->len == 0)
		return "approval-missing";
	if (statement_decode(&s, b->p, b->len) != 0 || approval_parse(&s, a) != 0)
		return "approval-format";
	if (statement_verify(&s, key) != 0)
		return "approval-signature";
	if (a->kind != kind)
		return "approval-kind";
	if (id_raw(c->case_id, id) != 0 || memcmp(id, a->case_id, ID_RAW) != 0)
		return "approval-case";
	if (!c->has_fields || cert_fields_hash(&c->fields, hash) != 0 || memcmp(hash, a->fields_hash, 32) != 0)
		return "approval-fields";
	return a->time > c->made_at || a->time < c->not_before - SLACK_S || a->time > c->not_before + SLACK_S ? "approval-time" : NULL;
}

static void
check_approvals(struct checking *c)
{
	struct approval accept = { 0 }, issue = { 0 }, second = { 0 };
	struct buf accepted = BUF_INIT, issued = BUF_INIT;
	int has_second = package_get(&c->p, EVIDENCE_SECOND) != NULL;
	uint8_t key[32];
	const char *fault = public_key(c, EVIDENCE_KEEPER, c->trust->keeper, key);

	if (fault == NULL && (fault = check_approval(c, EVIDENCE_ACCEPT, APPROVAL_ACCEPT, key, &accept)) == NULL &&
	    (fault = check_approval(c, EVIDENCE_ISSUE, APPROVAL_ISSUE, key, &issue)) == NULL && has_second)
		fault = check_approval(c, EVIDENCE_SECOND, APPROVAL_SECOND, key, &second);
	/* Nobody issues their own, and two are two. */
	if (fault == NULL && (memcmp(accept.person_hash, issue.person_hash, 32) == 0 || (has_second &&
	    (memcmp(second.person_hash, issue.person_hash, 32) == 0 || memcmp(second.person_hash, accept.person_hash, 32) == 0))))
		fault = "approval-same";
	view_put_moment(&accepted, accept.time);
	view_put_moment(&issued, issue.time);
	told(c, "approvals", fault, (const char *const[]){ "accepted", buf_str(&accepted), "issued", buf_str(&issued), NULL });
	buf_free(&accepted);
	buf_free(&issued);
}

/* Where the certificate's key comes from: the keymaker's word, or the token whose key was approved. */
static void
check_key(struct checking *c)
{
	const struct buf *b = member(c, EVIDENCE_KEYWORD);
	uint8_t key[32], id[ID_RAW], hash[32];
	const char *fault = NULL, *check = "key";
	struct statement s;
	struct key_word w;

	if (c->has_fields && c->fields.spki_sha256_hex[0] != '\0') {
		check = "key-token";
		if (strlen(c->fields.spki_sha256_hex) != 64 || bytes_from_hex(hash, 32, c->fields.spki_sha256_hex) != 0 ||
		    memcmp(hash, c->spki_sha256, 32) != 0)
			fault = "key-spki";
	} else if ((fault = public_key(c, EVIDENCE_KEYMAKER, c->trust->keymaker, key)) == NULL) {
		if (statement_decode(&s, b->p, b->len) != 0 || key_word_parse(&s, &w) != 0)
			fault = "key-format";
		else if (statement_verify(&s, key) != 0)
			fault = "key-signature";
		else if (id_raw(c->case_id, id) != 0 || memcmp(id, w.case_id, ID_RAW) != 0)
			fault = "key-case";
		else if (memcmp(w.spki_sha256, c->spki_sha256, 32) != 0)
			fault = "key-spki";
	}
	told(c, check, fault, NULL);
}

/* --- the log ---------------------------------------------------------------------------- */

/* The log knows the contract by the hash of what was sent, and that both signatures were found valid. */
static const char *
check_rows(struct checking *c)
{
	int sent = 0, countersigned = 0;

	for (size_t i = 0; i < c->receipt.n; i++) {
		const struct audit_row *row = &c->receipt.rows[i].row;

		if (row->outcome == NULL || strcmp(row->outcome, "done") != 0)
			continue;
		sent |= strcmp(row->action, "application.send_contract") == 0 && row->detail != NULL &&
		    strstr(row->detail, c->original_hex) != NULL;
		countersigned |= strcmp(row->action, "application.countersign") == 0;
		if (strcmp(row->action, "application.sign_contract") == 0)
			c->signed_at = atoll(row->at_us) / MICRO;
	}
	return !sent ? "audit-contract" : !countersigned || c->signed_at == 0 ? "audit-missing" : NULL;
}

static void
check_audit(struct checking *c)
{
	const struct buf *text = member(c, EVIDENCE_AUDIT);
	const char *fault;

	if (receipt_read((const char *)text->p, text->len, c->trust->audit, &c->receipt) != 0)
		fault = "memory";
	else if ((fault = c->receipt.fault) == NULL)
		fault = strcmp(c->receipt.case_id, c->case_id) != 0 ? "audit-case" : check_rows(c);
	c->faults += fault != NULL;
	receipt_tell("audit", &c->receipt, fault, c->tell, c->arg);
}

static void
check_all(struct checking *c)
{
	struct buf spki = BUF_INIT;

	check_manifest(c);
	if (c->contract == NULL || c->original.len == 0)
		return;
	if (proof_key(member(c, EVIDENCE_HOLDER), &spki, &c->not_before) == 0)
		EVP_Digest(spki.p, spki.len, c->spki_sha256, NULL, EVP_sha256(), NULL);
	buf_free(&spki);
	check_contract(c);
	check_chain(c);
	/* The log says when the contract was signed, which a revocation is compared with. */
	check_audit(c);
	check_director(c);
	check_status(c);
	check_fields(c);
	check_approvals(c);
	check_key(c);
}

int
evidence_verify(const void *bytes, size_t len, const struct evidence_trust *trust, evidence_tell *tell, void *arg,
    unsigned *faults)
{
	struct checking *c = calloc(1, sizeof *c);
	int error;

	*faults = 0;
	if (c == NULL)
		return ICERT_E_MEMORY;
	c->trust = trust;
	c->tell = tell;
	c->arg = arg;
	if ((error = package_read(bytes, len, &c->p)) == 0)
		check_all(c);
	else if (error != ICERT_E_MEMORY) {
		told(c, "package", error == ICERT_E_TOO_LARGE ? "package-large" : "package-format", NULL);
		error = 0;
	}
	*faults = c->faults;
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		buf_free(&c->words[i]);
	receipt_free(&c->receipt);
	json_decref(c->manifest);
	package_free(&c->p);
	free(c);
	return error;
}
