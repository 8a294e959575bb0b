#include "pki/ocsp_answer.h"
#include "pki/der_write.h"
#include "pki/oid.h"
#include "pki/spki.h"
#include "libicert/error.h"
#include "libicert/status.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

#define REASON_CERTIFICATE_HOLD 6	/* RFC 5280, 5.3.1 */

static const size_t hash_length[OCSP_HASHES] = { 20, 32 };

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* Fetched once: to look an algorithm up takes longer than to hash an answer. */
static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *
hash_of(enum ocsp_hash hash)
{
	return hash == OCSP_SHA1 ? EVP_sha1() : EVP_sha256();
}

/* A short piece of DER into its place in the template. */
static int
keep(struct buf *b, uint8_t *out, size_t size, size_t *len)
{
	int error = buf_error(b);

	if (error == 0 && b->len > size)
		error = ICERT_E_TOO_LARGE;
	if (error == 0) {
		memcpy(out, b->p, b->len);
		*len = b->len;
	}
	buf_free(b);
	return error;
}

static int
certid_make(struct ocsp_template *t, enum ocsp_hash hash)
{
	struct buf b = BUF_INIT;
	size_t algorithm = der_open(&b, DER_SEQUENCE);

	der_oid(&b, hash == OCSP_SHA1 ? OID_SHA1 : OID_SHA256);
	der_null(&b);
	der_close(&b, algorithm);
	der_value(&b, DER_OCTET_STRING, t->name_hash[hash], hash_length[hash]);
	der_value(&b, DER_OCTET_STRING, t->key_hash[hash], hash_length[hash]);
	return keep(&b, t->certid[hash], sizeof(t->certid[hash]), &t->certid_len[hash]);
}

static int
algorithm_make(struct ocsp_template *t)
{
	struct buf b = BUF_INIT;
	size_t algorithm = der_open(&b, DER_SEQUENCE);

	if (t->signature == OCSP_SHA256_RSA) {
		der_oid(&b, OID_SHA256_RSA);
		der_null(&b);
	} else {
		der_oid(&b, OID_SHA256_ECDSA);
	}
	der_close(&b, algorithm);
	return keep(&b, t->algorithm, sizeof(t->algorithm), &t->algorithm_len);
}

static int
read_issuer(struct ocsp_template *t, X509 *issuer)
{
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer);
	unsigned char *name = NULL;
	int i, n, error = ICERT_E_CRYPTO;
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notBefore(issuer), &tm) != 1)
		return ICERT_E_MALFORMED;
	t->issuer_not_before = (int64_t)timegm(&tm);
	if (key == NULL || (n = i2d_X509_NAME(X509_get_subject_name(issuer), &name)) <= 0)
		return ICERT_E_MALFORMED;
	buf_put(&t->issuer_name, name, (size_t)n);
	buf_put(&t->issuer_key, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key));
	for (i = 0; i < OCSP_HASHES; i++) {
		if (EVP_Digest(name, (size_t)n, t->name_hash[i], NULL, hash_of(i), NULL) != 1 ||
		    EVP_Digest(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key), t->key_hash[i],
		    NULL, hash_of(i), NULL) != 1)
			goto out;
		if ((error = certid_make(t, (enum ocsp_hash)i)) != 0)
			goto out;
		error = ICERT_E_CRYPTO;
	}
	error = 0;
out:
	OPENSSL_free(name);
	return error;
}

static int
read_responder(struct ocsp_template *t, X509 *responder, const uint8_t *der, size_t len)
{
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(responder);
	EVP_PKEY *pkey = X509_get0_pubkey(responder);
	size_t explicit, list;
	struct tm tm;

	if (key == NULL || pkey == NULL)
		return ICERT_E_MALFORMED;
	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_RSA:
		t->signature = OCSP_SHA256_RSA;
		break;
	case EVP_PKEY_EC:
		t->signature = OCSP_SHA256_ECDSA;
		break;
	default:
		return ICERT_E_UNSUPPORTED;
	}
	if (EVP_Digest(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key), t->responder, NULL,
	    EVP_sha1(), NULL) != 1)
		return ICERT_E_CRYPTO;
	if (EVP_Digest(der, len, t->certificate_sha256, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(responder), &tm) != 1)
		return ICERT_E_MALFORMED;
	t->responder_not_after = (int64_t)timegm(&tm);
	explicit = der_open(&t->tail, DER_CONTEXT_CONSTRUCTED(0));
	list = der_open(&t->tail, DER_SEQUENCE);
	buf_put(&t->tail, der, len);
	der_close(&t->tail, list);
	der_close(&t->tail, explicit);
	return algorithm_make(t);
}

int
ocsp_template_init(struct ocsp_template *t, const uint8_t *issuer, size_t issuer_len,
    const uint8_t *responder, size_t responder_len)
{
	const uint8_t *p = issuer, *q = responder;
	X509 *ca = NULL, *own = NULL;
	int error = ICERT_E_MALFORMED;

	memset(t, 0, sizeof(*t));
	ca = d2i_X509(NULL, &p, (long)issuer_len);
	own = d2i_X509(NULL, &q, (long)responder_len);
	if (ca == NULL || own == NULL || p != issuer + issuer_len || q != responder + responder_len)
		goto out;
	if ((error = read_issuer(t, ca)) != 0)
		goto out;
	if ((error = read_responder(t, own, responder, responder_len)) != 0)
		goto out;
	if ((error = buf_error(&t->tail)) == 0 && (error = buf_error(&t->issuer_name)) == 0)
		error = buf_error(&t->issuer_key);
out:
	X509_free(ca);
	X509_free(own);
	if (error != 0)
		ocsp_template_free(t);
	return error;
}

void
ocsp_template_free(struct ocsp_template *t)
{
	buf_free(&t->tail);
	buf_free(&t->issuer_name);
	buf_free(&t->issuer_key);
}

static void
cert_id(struct buf *b, const struct ocsp_template *t, enum ocsp_hash hash, const struct ocsp_single *s)
{
	size_t id = der_open(b, DER_SEQUENCE);

	buf_put(b, t->certid[hash], t->certid_len[hash]);
	der_unsigned(b, DER_INTEGER, s->serial, s->serial_len);
	der_close(b, id);
}

static void
cert_status(struct buf *b, const struct ocsp_single *s)
{
	/* What was never issued is on hold since ever (RFC 6960, 2.2). */
	int reason_code = s->not_issued ? REASON_CERTIFICATE_HOLD : s->reason;
	size_t info, reason;

	if (!s->revoked && !s->not_issued) {
		der_value(b, DER_CONTEXT(0), "", 0);
		return;
	}
	info = der_open(b, DER_CONTEXT_CONSTRUCTED(1));
	der_generalized_time(b, DER_GENERALIZED_TIME, s->not_issued ? 0 : s->revoked_at);
	if (reason_code > 0) {
		reason = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
		der_number(b, DER_ENUMERATED, (uint64_t)reason_code);
		der_close(b, reason);
	}
	der_close(b, info);
}

static int
times_valid(const struct ocsp_template *t, const struct ocsp_single *s)
{
	return s->next_update > s->this_update &&
	    (s->next_update <= t->responder_not_after || s->next_update == STATUS_NEVER) &&
	    (!s->revoked || s->not_issued || s->revoked_at <= s->this_update);
}

static void
extension(struct buf *b, const char *oid, const uint8_t *value, size_t len)
{
	size_t seq = der_open(b, DER_SEQUENCE);

	der_oid(b, oid);
	der_value(b, DER_OCTET_STRING, value, len);
	der_close(b, seq);
}

/* Answers go on after the certificate's end, for everything this CA ever issued (EN 319 411-2, CSS-6.3.10). */
static void
archive_cutoff(struct buf *b, const struct ocsp_template *t)
{
	size_t explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(1)), list = der_open(b, DER_SEQUENCE);
	struct buf time = BUF_INIT;

	der_generalized_time(&time, DER_GENERALIZED_TIME, t->issuer_not_before);
	if (buf_error(&time) != 0)
		buf_fail(b, buf_error(&time));
	else
		extension(b, OID_OCSP_ARCHIVE_CUTOFF, time.p, time.len);
	buf_free(&time);
	der_close(b, list);
	der_close(b, explicit);
}

static void
single_response(struct buf *b, const struct ocsp_template *t, const struct ocsp_question *q)
{
	const struct ocsp_single *s = &q->single;
	size_t single = der_open(b, DER_SEQUENCE), next;

	if (q->foreign != NULL) {
		der_value(b, DER_SEQUENCE, q->foreign, q->foreign_len);
		der_value(b, DER_CONTEXT(2), "", 0);
	} else {
		cert_id(b, t, q->hash, s);
		cert_status(b, s);
	}
	der_generalized_time(b, DER_GENERALIZED_TIME, s->this_update);
	next = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	der_generalized_time(b, DER_GENERALIZED_TIME, s->next_update);
	der_close(b, next);
	if (s->ended)
		archive_cutoff(b, t);
	der_close(b, single);
}

/* Of the response: the nonce as it came, and that "revoked" may mean "never issued" where it does (RFC 6960, 4.4.8). */
static void
response_extensions(struct buf *b, const uint8_t *nonce_value, size_t nonce_len, int extended_revoke)
{
	static const uint8_t null[] = { DER_NULL, 0 };
	size_t explicit, list;

	if (nonce_value == NULL && !extended_revoke)
		return;
	explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(1));
	list = der_open(b, DER_SEQUENCE);
	if (nonce_value != NULL)
		extension(b, OID_OCSP_NONCE, nonce_value, nonce_len);
	if (extended_revoke)
		extension(b, OID_OCSP_EXTENDED_REVOKE, null, sizeof(null));
	der_close(b, list);
	der_close(b, explicit);
}

int
ocsp_digest(const void *data, size_t len, uint8_t digest[32])
{
	pthread_once(&sha256_once, fetch);
	return sha256 != NULL && EVP_Digest(data, len, digest, NULL, sha256, NULL) == 1 ? 0 : ICERT_E_CRYPTO;
}

int
ocsp_live_data(const struct ocsp_template *t, const struct ocsp_question question[], size_t n, const uint8_t *nonce_value,
    size_t nonce_len, struct buf *b, uint8_t digest[32])
{
	size_t start = b->len, seq, by_key, list, i;
	int error, extended_revoke = 0;

	for (i = 0; i < n; i++) {
		if (!times_valid(t, &question[i].single))
			return ICERT_E_INVALID;
		extended_revoke |= question[i].single.not_issued;
	}
	seq = der_open(b, DER_SEQUENCE);
	by_key = der_open(b, DER_CONTEXT_CONSTRUCTED(2));
	der_value(b, DER_OCTET_STRING, t->responder, sizeof(t->responder));
	der_close(b, by_key);
	der_generalized_time(b, DER_GENERALIZED_TIME, question[0].single.this_update);
	list = der_open(b, DER_SEQUENCE);
	for (i = 0; i < n; i++)
		single_response(b, t, &question[i]);
	der_close(b, list);
	response_extensions(b, nonce_value, nonce_len, extended_revoke);
	der_close(b, seq);
	if ((error = buf_error(b)) != 0)
		return error;
	return ocsp_digest(b->p + start, b->len - start, digest);
}

int
ocsp_answer_data(const struct ocsp_template *t, enum ocsp_hash hash, const struct ocsp_single *s, struct buf *b,
    uint8_t digest[32])
{
	const struct ocsp_question question = { .hash = hash, .single = *s };

	return ocsp_live_data(t, &question, 1, NULL, 0, b, digest);
}

/* Tag and length of a value whose contents come later, some of them elsewhere. */
static void
header(struct buf *b, uint8_t tag, size_t length)
{
	uint8_t octets[9];

	buf_putc(b, tag);
	buf_put(b, octets, der_length(octets, length));
}

static size_t
whole(size_t length)
{
	uint8_t octets[9];

	return 1 + der_length(octets, length) + length;
}

/* responseStatus successful, and responseType: 1.3.6.1.5.5.7.48.1.1 (RFC 6960, 4.2.1). */
static const uint8_t status_octets[] = { DER_ENUMERATED, 1, 0 };
static const uint8_t type_octets[] = { DER_OID, 9, 0x2B, 6, 1, 5, 5, 7, 0x30, 1, 1 };

int
ocsp_answer_head(const struct ocsp_template *t, const uint8_t *data, size_t data_len,
    const uint8_t *signature, size_t signature_len, struct buf *head)
{
	size_t basic, bytes;

	basic = data_len + t->algorithm_len + whole(1 + signature_len) + t->tail.len;
	bytes = sizeof(type_octets) + whole(whole(basic));
	header(head, DER_SEQUENCE, sizeof(status_octets) + whole(whole(bytes)));
	buf_put(head, status_octets, sizeof(status_octets));
	header(head, DER_CONTEXT_CONSTRUCTED(0), whole(bytes));
	header(head, DER_SEQUENCE, bytes);
	buf_put(head, type_octets, sizeof(type_octets));
	header(head, DER_OCTET_STRING, whole(basic));
	header(head, DER_SEQUENCE, basic);
	buf_put(head, data, data_len);
	buf_put(head, t->algorithm, t->algorithm_len);
	header(head, DER_BIT_STRING, 1 + signature_len);
	buf_putc(head, 0);
	buf_put(head, signature, signature_len);
	return buf_error(head);
}
