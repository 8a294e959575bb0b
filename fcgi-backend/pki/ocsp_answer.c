#include "pki/ocsp_answer.h"
#include "pki/der_write.h"
#include "pki/oid.h"
#include "pki/spki.h"
#include "libicert/error.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

static const size_t hash_length[OCSP_HASHES] = { 20, 32 };

static const EVP_MD *
hash_of(enum ocsp_hash hash)
{
	return hash == OCSP_SHA1 ? EVP_sha1() : EVP_sha256();
}

static int
read_issuer(struct ocsp_template *t, X509 *issuer)
{
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer);
	unsigned char *name = NULL;
	int i, n, error = ICERT_E_CRYPTO;

	if (key == NULL || (n = i2d_X509_NAME(X509_get_subject_name(issuer), &name)) <= 0)
		return ICERT_E_MALFORMED;
	buf_put(&t->issuer_name, name, (size_t)n);
	buf_put(&t->issuer_key, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key));
	for (i = 0; i < OCSP_HASHES; i++) {
		if (EVP_Digest(name, (size_t)n, t->name_hash[i], NULL, hash_of(i), NULL) != 1 ||
		    EVP_Digest(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key), t->key_hash[i],
		    NULL, hash_of(i), NULL) != 1)
			goto out;
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
	if (ASN1_TIME_to_tm(X509_get0_notAfter(responder), &tm) != 1)
		return ICERT_E_MALFORMED;
	t->responder_not_after = (int64_t)timegm(&tm);
	explicit = der_open(&t->tail, DER_CONTEXT_CONSTRUCTED(0));
	list = der_open(&t->tail, DER_SEQUENCE);
	buf_put(&t->tail, der, len);
	der_close(&t->tail, list);
	der_close(&t->tail, explicit);
	return 0;
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
	size_t id = der_open(b, DER_SEQUENCE), algorithm;

	algorithm = der_open(b, DER_SEQUENCE);
	der_oid(b, hash == OCSP_SHA1 ? OID_SHA1 : OID_SHA256);
	der_null(b);
	der_close(b, algorithm);
	der_value(b, DER_OCTET_STRING, t->name_hash[hash], hash_length[hash]);
	der_value(b, DER_OCTET_STRING, t->key_hash[hash], hash_length[hash]);
	der_unsigned(b, DER_INTEGER, s->serial, s->serial_len);
	der_close(b, id);
}

static void
cert_status(struct buf *b, const struct ocsp_single *s)
{
	size_t info, reason;

	if (!s->revoked) {
		der_value(b, DER_CONTEXT(0), "", 0);
		return;
	}
	info = der_open(b, DER_CONTEXT_CONSTRUCTED(1));
	der_generalized_time(b, DER_GENERALIZED_TIME, s->revoked_at);
	if (s->reason > 0) {
		reason = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
		der_number(b, DER_ENUMERATED, (uint64_t)s->reason);
		der_close(b, reason);
	}
	der_close(b, info);
}

static int
times_valid(const struct ocsp_template *t, const struct ocsp_single *s)
{
	return s->next_update > s->this_update && s->next_update <= t->responder_not_after &&
	    (!s->revoked || s->revoked_at <= s->this_update);
}

static void
single_response(struct buf *b, const struct ocsp_template *t, enum ocsp_hash hash, const struct ocsp_single *s)
{
	size_t single = der_open(b, DER_SEQUENCE), next;

	cert_id(b, t, hash, s);
	cert_status(b, s);
	der_generalized_time(b, DER_GENERALIZED_TIME, s->this_update);
	next = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
	der_generalized_time(b, DER_GENERALIZED_TIME, s->next_update);
	der_close(b, next);
	der_close(b, single);
}

static void
nonce_extension(struct buf *b, const uint8_t *value, size_t len)
{
	size_t explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(1)), list, extension;

	list = der_open(b, DER_SEQUENCE);
	extension = der_open(b, DER_SEQUENCE);
	der_oid(b, OID_OCSP_NONCE);
	der_value(b, DER_OCTET_STRING, value, len);
	der_close(b, extension);
	der_close(b, list);
	der_close(b, explicit);
}

int
ocsp_live_data(const struct ocsp_template *t, const struct ocsp_question question[], size_t n, const uint8_t *nonce_value,
    size_t nonce_len, struct buf *b, uint8_t digest[32])
{
	size_t start = b->len, seq, by_key, list, i;
	int error;

	for (i = 0; i < n; i++)
		if (!times_valid(t, &question[i].single))
			return ICERT_E_INVALID;
	seq = der_open(b, DER_SEQUENCE);
	by_key = der_open(b, DER_CONTEXT_CONSTRUCTED(2));
	der_value(b, DER_OCTET_STRING, t->responder, sizeof(t->responder));
	der_close(b, by_key);
	der_generalized_time(b, DER_GENERALIZED_TIME, question[0].single.this_update);
	list = der_open(b, DER_SEQUENCE);
	for (i = 0; i < n; i++)
		single_response(b, t, question[i].hash, &question[i].single);
	der_close(b, list);
	if (nonce_value != NULL)
		nonce_extension(b, nonce_value, nonce_len);
	der_close(b, seq);
	if ((error = buf_error(b)) != 0)
		return error;
	return EVP_Digest(b->p + start, b->len - start, digest, NULL, EVP_sha256(), NULL) == 1 ? 0
	    : ICERT_E_CRYPTO;
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

int
ocsp_answer_head(const struct ocsp_template *t, const uint8_t *data, size_t data_len,
    const uint8_t *signature, size_t signature_len, struct buf *head)
{
	struct buf fixed = BUF_INIT, type = BUF_INIT;
	size_t algorithm, basic, bytes;
	int error;

	algorithm = der_open(&fixed, DER_SEQUENCE);
	if (t->signature == OCSP_SHA256_RSA) {
		der_oid(&fixed, OID_SHA256_RSA);
		der_null(&fixed);
	} else {
		der_oid(&fixed, OID_SHA256_ECDSA);
	}
	der_close(&fixed, algorithm);
	der_bits(&fixed, signature, signature_len);
	der_number(&type, DER_ENUMERATED, 0);
	der_oid(&type, OID_OCSP_BASIC);
	if ((error = buf_error(&fixed)) != 0 || (error = buf_error(&type)) != 0)
		goto out;

	/* type holds responseStatus (3 octets) and responseType. */
	basic = data_len + fixed.len + t->tail.len;
	bytes = (type.len - 3) + whole(whole(basic));
	header(head, DER_SEQUENCE, 3 + whole(whole(bytes)));
	buf_put(head, type.p, 3);
	header(head, DER_CONTEXT_CONSTRUCTED(0), whole(bytes));
	header(head, DER_SEQUENCE, bytes);
	buf_put(head, type.p + 3, type.len - 3);
	header(head, DER_OCTET_STRING, whole(basic));
	header(head, DER_SEQUENCE, basic);
	buf_put(head, data, data_len);
	buf_put(head, fixed.p, fixed.len);
	error = buf_error(head);
out:
	buf_free(&fixed);
	buf_free(&type);
	return error;
}
