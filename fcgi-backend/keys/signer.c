#include "keys/signer.h"
#include "keys/responder_word.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/lint.h"
#include "pki/spki.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR 3600
#define DETAIL 256
#define REFUSALS_PER_HOUR 600	/* journalled; further ones are only logged */
#define RESPONDERS_PER_HOUR 10

static int
sha256(const void *p, size_t len, uint8_t out[32])
{
	return EVP_Digest(p, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : ICERT_E_CRYPTO;
}

/* The order a journalled certificate answers; approvals are not in it, so that fresh ones find the same. */
static int
order_hash(const struct signer_request *r, uint8_t out[32])
{
	struct buf b = BUF_INIT;
	int error;

	buf_put(&b, r->serial, sizeof(r->serial));
	buf_u64be(&b, (uint64_t)r->not_before);
	buf_put(&b, r->fields_hash, sizeof(r->fields_hash));
	buf_put(&b, r->spki_hash, sizeof(r->spki_hash));
	if ((error = buf_error(&b)) == 0)
		error = sha256(b.p, b.len, out);
	buf_free(&b);
	return error;
}

int
signer_sign(struct signer *s, const struct signer_ca *ca, const struct buf *tbs, struct buf *der)
{
	struct buf signature = BUF_INIT;
	uint8_t digest[32];
	int error;

	if ((error = sha256(tbs->p, tbs->len, digest)) == 0 && s->chosen != ca) {
		s->chosen = NULL;
		if ((error = pkcs11_choose(s->token, ca->key)) == 0)
			s->chosen = ca;
	}
	if (error == 0)
		error = pkcs11_sign(s->token, digest, &signature);
	/*
	 * A token that has gone (an HSM started anew, a connection lost) does not come back to this process, whose doors
	 * are closed: the next one opens it again.  Nothing was signed, so nothing stands in the journal.
	 */
	if (error != 0) {
		log_error("token_failed", "%s", pkcs11_detail(s->token));
		_exit(1);
	}
	error = profile_signed(tbs->p, tbs->len, signature.p, signature.len, der);
	buf_free(&signature);
	return error;
}

/* Lint, signature, lint: whatever is to be signed as a certificate goes through here. */
static int
sign_linted(struct signer *s, const struct signer_ca *ca, const struct lint_expect *expect, const struct buf *tbs, struct buf *der, char *detail)
{
	struct lint_finding finding;
	int error;

	error = lint_tbs(expect, tbs->p, tbs->len, &finding);
	if (error == 0)
		error = signer_sign(s, ca, tbs, der);
	if (error == 0)
		error = lint_certificate(expect, tbs->p, tbs->len, der->p, der->len, &finding);
	if (error == ICERT_E_LINT)
		snprintf(detail, DETAIL, "%s (%s): %s", finding.rule, finding.source, finding.detail);
	return error;
}

static int
make(struct signer *s, const struct signer_request *r, struct buf *der, char *detail)
{
	const struct signer_ca *ca = s->issuing;
	struct profile_issuer issuer = ca->issuer;
	char crl_url[ISSUER_URL];
	struct lint_expect expect = { .kind = LINT_PERSON, .issuer = ca->der.p, .issuer_len = ca->der.len,
	    .serial = r->serial, .not_before = r->not_before, .spki = r->spki, .spki_len = r->spki_len,
	    .organization = s->organization, .ocsp_url = issuer.ocsp_url, .issuer_url = issuer.issuer_url,
	    .crl_url = crl_url, .cps_url = issuer.cps_url, .fields = &r->fields };
	struct buf tbs = BUF_INIT;
	int error;

	/* Where its revocation will be read stands in it for its whole life. */
	if ((error = issuer_name(crl_url, sizeof(crl_url), ca->crl_url, ISSUER_FIRST,
	    issuer_partition_of(r->serial, ca->partitions))) != 0)
		return error;
	issuer.crl_url = crl_url;
	error = profile_person(&issuer, &r->fields, r->serial, r->not_before, r->spki, r->spki_len, &tbs);
	if (error == ICERT_E_INVALID || error == ICERT_E_MALFORMED) {
		snprintf(detail, DETAIL, "the fields or the key cannot be encoded");
		error = ICERT_E_LINT;
	} else if (error == 0) {
		error = sign_linted(s, ca, &expect, &tbs, der, detail);
	}
	buf_free(&tbs);
	return error;
}

/* What the journals say against it: a serial or key that was used, with whichever CA. */
static int
check_journals(struct signer *s, const struct signer_request *r, int64_t now, char *detail)
{
	size_t i, count = 0;

	for (i = 0; i < s->n; i++) {
		if (journal_by_serial(s->ca[i].journal, r->serial) != NULL) {
			snprintf(detail, DETAIL, "the serial number was used before");
			return ICERT_E_EXISTS;
		}
		if (journal_by_spki(s->ca[i].journal, r->spki_hash) != NULL) {
			snprintf(detail, DETAIL, "the key was certified before");
			return ICERT_E_EXISTS;
		}
		count += journal_certificates_since(s->ca[i].journal, now - HOUR);
	}
	if (count >= s->ceiling) {
		snprintf(detail, DETAIL, "%zu certificates in an hour", s->ceiling);
		return ICERT_E_CEILING;
	}
	return 0;
}

static const struct journal_certificate *
of_case(struct signer *s, const uint8_t case_id[16], struct journal **journal)
{
	const struct journal_certificate *c;
	size_t i;

	for (i = 0; i < s->n; i++) {
		if ((c = journal_by_case(s->ca[i].journal, case_id)) != NULL) {
			*journal = s->ca[i].journal;
			return c;
		}
	}
	return NULL;
}

int
signer_issue(struct signer *s, const struct signer_request *r, int64_t now, struct buf *der, char *detail)
{
	struct journal_certificate c;
	const struct journal_certificate *before;
	struct journal *journal;
	const char *why = "";
	int error;

	if ((error = order_hash(r, c.order)) != 0)
		return error;
	if ((before = of_case(s, r->case_id, &journal)) != NULL) {
		if (memcmp(before->order, c.order, sizeof(c.order)) == 0)
			return journal_read(journal, before, der);
		snprintf(detail, DETAIL, "the case has a certificate already");
		return ICERT_E_EXISTS;
	}
	if (s->issuing == NULL) {
		snprintf(detail, DETAIL, "no CA issues any more");
		return ICERT_E_STATE;
	}
	if ((error = signer_approved(s, r, now, &why)) != 0) {
		snprintf(detail, DETAIL, "%s", why);
		return error;
	}
	if (r->not_before > now + SIGNER_CLOCK_SKEW || r->not_before < now - SIGNER_APPROVAL_AGE) {
		snprintf(detail, DETAIL, "notBefore is not of today");
		return ICERT_E_STALE;
	}
	if ((error = check_journals(s, r, now, detail)) != 0)
		return error;
	if ((error = make(s, r, der, detail)) != 0)
		return error;
	memcpy(c.case_id, r->case_id, sizeof(c.case_id));
	memcpy(c.serial, r->serial, sizeof(c.serial));
	memcpy(c.spki, r->spki_hash, sizeof(c.spki));
	return journal_certificate(s->issuing->journal, now, &c, der->p, der->len);
}

struct signer_ca *
signer_ca_of(struct signer *s, const struct message *m)
{
	uint64_t number = message_number(m, TAG_ISSUER, ISSUER_FIRST);
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->ca[i].number == number)
			return &s->ca[i];
	return NULL;
}

struct signer_ca *
signer_ca_signs(struct signer *s, const struct message *m)
{
	struct signer_ca *ca = signer_ca_of(s, m);

	return ca != NULL && !ca->keyless ? ca : NULL;
}

/* A refusal is on record, without a name; a flood of them does not fill the disk. */
void
signer_refused(struct signer *s, const char *what, const uint8_t *case_id, int error, const char *detail)
{
	struct journal *journal = s->ca[s->n - 1].journal;
	int64_t now = clock_real();
	char id[ID_TEXT] = "-", text[420], *p;

	if (case_id != NULL)
		id_text(case_id, id);
	log_warn("signer_refused", "%s %s: %s: %s", what, id, icert_err_code(error), detail);
	if (journal_refusals_since(journal, now - HOUR) >= REFUSALS_PER_HOUR)
		return;
	snprintf(text, sizeof(text), "what=%s case=%s code=%s detail=%s", what, id, icert_err_code(error), detail);
	for (p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (journal_append(journal, JOURNAL_REFUSED, now, text) != 0)
		log_error("journal_failed", "a refusal is not in the journal");
}

static int
read_request(const struct message *m, struct signer_request *r, struct buf *store)
{
	const struct message_field *f;
	size_t i;
	int error;

	memset(r, 0, sizeof(*r));
	if ((error = message_bytes(m, TAG_CASE, r->case_id, sizeof(r->case_id))) != 0 ||
	    (error = message_bytes(m, TAG_SERIAL, r->serial, sizeof(r->serial))) != 0)
		return error;
	r->not_before = (int64_t)message_number(m, TAG_TIME, 0);
	f = message_get(m, TAG_FIELDS, 0);
	/* The hash is over what was received, and decoding takes one form only. */
	if ((error = sha256(f->p, f->len, r->fields_hash)) != 0 ||
	    (error = cert_fields_decode(&r->fields, f->p, f->len, store)) != 0)
		return error;
	f = message_get(m, TAG_SPKI, 0);
	r->spki = f->p;
	r->spki_len = f->len;
	if ((error = sha256(f->p, f->len, r->spki_hash)) != 0)
		return error;
	r->statements_n = message_count(m, TAG_STATEMENT);
	for (i = 0; i < r->statements_n && i < 3; i++) {
		f = message_get(m, TAG_STATEMENT, i);
		if ((error = statement_decode(&r->statements[i], f->p, f->len)) != 0)
			return error;
	}
	/* One of both: whoever made the key vouches for it. */
	if (message_count(m, TAG_WORD) + message_count(m, TAG_REQUEST) != 1)
		return ICERT_E_MALFORMED;
	if ((f = message_get(m, TAG_REQUEST, 0)) != NULL) {
		r->csr = f->p;
		r->csr_len = f->len;
		return 0;
	}
	f = message_get(m, TAG_WORD, 0);
	return statement_decode(&r->word, f->p, f->len);
}

static int
on_certificate(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct buf store = BUF_INIT, der = BUF_INIT;
	struct signer *s = ctx;
	struct signer_request r;
	int error;

	if ((error = read_request(request->message, &r, &store)) == 0)
		error = signer_issue(s, &r, clock_real(), &der, reply->detail);
	if (error == 0)
		message_put(&reply->body, TAG_CERT, der.p, der.len);
	else
		signer_refused(s, "certificate", r.case_id, error, reply->detail);
	buf_free(&der);
	buf_free(&store);
	return error;
}

static int
check_responder(struct signer *s, const struct message_field *spki, const struct message_field *proof, int64_t now,
    char *detail)
{
	struct responder_word word;
	struct statement statement;
	const char *why = NULL;
	uint8_t hash[32];
	int error;

	if ((error = statement_decode(&statement, proof->p, proof->len)) != 0 || (error = sha256(spki->p, spki->len, hash)) != 0)
		return error;
	if ((error = statement_verify(&statement, s->status_signer)) != 0) {
		snprintf(detail, DETAIL, "the proof is not the pinned status signer's");
		return error;
	}
	if ((error = responder_word_parse(&statement, &word)) != 0)
		return error;
	if (memcmp(word.spki_sha256, hash, sizeof(hash)) != 0) {
		snprintf(detail, DETAIL, "the proof is for another key");
		return ICERT_E_MISMATCH;
	}
	if (word.time > now + SIGNER_CLOCK_SKEW || word.time < now - SIGNER_RESPONDER_AGE) {
		snprintf(detail, DETAIL, "the proof is above an hour old");
		return ICERT_E_STALE;
	}
	if (spki_check_p256(spki->p, spki->len, &why) != 0 && spki_check_rsa(spki->p, spki->len, 2048, &why) != 0) {
		snprintf(detail, DETAIL, "%s", why);
		return ICERT_E_LINT;
	}
	return 0;
}

static int
sign_responder(struct signer *s, struct signer_ca *ca, const uint8_t *spki, size_t spki_len, int64_t now, struct buf *der, char *detail)
{
	/* A little into the past, for clients whose clocks are behind. */
	int64_t not_before = now - 300, not_after = not_before + (int64_t)s->responder_days * 86400;
	struct buf tbs = BUF_INIT, text = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];
	struct lint_expect expect = { .kind = LINT_RESPONDER, .issuer = ca->der.p, .issuer_len = ca->der.len,
	    .serial = serial, .not_before = not_before, .not_after = not_after, .spki = spki, .spki_len = spki_len,
	    .organization = s->organization, .ocsp_url = "", .issuer_url = "", .crl_url = "", .cps_url = "" };
	int error;

	if ((error = profile_serial(serial)) != 0)
		return error;
	error = profile_responder(&ca->issuer, &s->responder_name, serial, not_before, not_after, spki, spki_len, &tbs);
	if (error == 0)
		error = sign_linted(s, ca, &expect, &tbs, der, detail);
	if (error == 0) {
		buf_puts(&text, "serial=");
		buf_hex(&text, serial, sizeof(serial));
		buf_puts(&text, " der=");
		buf_hex(&text, der->p, der->len);
		if ((error = buf_error(&text)) == 0)
			error = journal_append(ca->journal, JOURNAL_RESPONDER, now, buf_str(&text));
	}
	buf_free(&tbs);
	buf_free(&text);
	return error;
}

static int
on_responder(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	const struct message_field *spki = message_get(request->message, TAG_SPKI, 0);
	const struct message_field *proof = message_get(request->message, TAG_PROOF, 0);
	static int64_t signed_at[RESPONDERS_PER_HOUR];
	static size_t turn;
	struct signer *s = ctx;
	struct signer_ca *ca = signer_ca_signs(s, request->message);
	struct buf der = BUF_INIT;
	int64_t now = clock_real();
	int error;

	if (ca == NULL)
		error = ICERT_E_NOT_FOUND;
	else if (signed_at[turn] > now - HOUR)
		error = ICERT_E_CEILING;
	else if ((error = check_responder(s, spki, proof, now, reply->detail)) == 0)
		error = sign_responder(s, ca, spki->p, spki->len, now, &der, reply->detail);
	if (error == 0) {
		signed_at[turn] = now;
		turn = (turn + 1) % RESPONDERS_PER_HOUR;
		message_put(&reply->body, TAG_CERT, der.p, der.len);
	} else {
		signer_refused(s, "responder", NULL, error, reply->detail);
	}
	buf_free(&der);
	return error;
}

/* How far the journal goes, and what it has at a number: whoever keeps both elsewhere sees that it was cut back. */
static int
on_journal(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	struct signer_ca *ca = signer_ca_of(ctx, request->message);
	uint8_t hash[32], asked[32] = { 0 };
	uint64_t sequence;

	if (ca == NULL)
		return ICERT_E_NOT_FOUND;
	sequence = journal_state(ca->journal, hash);
	(void)journal_hash(ca->journal, message_number(request->message, TAG_NUMBER, 0), asked);
	message_put_number(&reply->body, TAG_NUMBER, sequence);
	message_put(&reply->body, TAG_HASH, hash, sizeof(hash));
	message_put(&reply->body, TAG_DIGEST, asked, sizeof(asked));
	return 0;
}

const struct serve_op signer_ops[] = {
	{ .op = OP_SIGN_CERTIFICATE, .sockets = "signer-issuer", .handler = on_certificate },
	{ .op = OP_SIGN_CRL, .sockets = "signer-publisher", .handler = signer_on_crl },
	{ .op = OP_SIGNED_REVOKED, .sockets = "signer-publisher", .handler = signer_on_revoked },
	{ .op = OP_SIGN_RESPONDER, .sockets = "signer-publisher", .handler = on_responder },
	{ .op = OP_JOURNAL_STATE, .sockets = "signer-publisher", .handler = on_journal },
};
const size_t signer_ops_n = sizeof(signer_ops) / sizeof(signer_ops[0]);
