#include "pki/cms_key.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct cms_key {
	struct cms_range der;	/* the caller's */
	X509 *cert;
	EVP_PKEY *key;
};

static const uint8_t sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
static const uint8_t sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02 };	/* and 1, 2, 3 */
static const uint8_t pkcs1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01 };	/* and what follows */
static const uint8_t ecdsa[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03 };		/* and 2, 3, 4 */

#define RSA_ENCRYPTION 1
#define RSA_MGF1 8
#define RSA_PSS 10

struct cms_key *
cms_key_new(const uint8_t *cert, size_t len)
{
	struct cms_key *k = calloc(1, sizeof(*k));
	const unsigned char *p = cert;

	if (k == NULL)
		return NULL;
	k->der = (struct cms_range){ cert, len };
	k->cert = d2i_X509(NULL, &p, (long)len);
	k->key = k->cert == NULL ? NULL : X509_get0_pubkey(k->cert);
	if (k->key == NULL) {
		cms_key_free(k);
		return NULL;
	}
	return k;
}

void
cms_key_free(struct cms_key *k)
{
	if (k != NULL)
		X509_free(k->cert);
	free(k);
}

static int
same_der(const struct der *d, unsigned char *own, int n)
{
	int same = n > 0 && der_is(d, own, (size_t)n);

	OPENSSL_free(own);
	return same;
}

int
cms_key_is(const struct cms_key *k, struct der sid, int is_key_id)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(k->cert);
	unsigned char *issuer = NULL;
	unsigned char *serial = NULL;
	int issuer_len, serial_len, same;
	struct der name, number, ignored;
	int tag;

	if (is_key_id)
		return id != NULL && der_is(&sid, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	if (der_next(&sid, &tag, &ignored, &name) != 0 || der_next(&sid, &tag, &ignored, &number) != 0 || !der_empty(&sid))
		return 0;
	/* Written first, then handed on: in which order arguments are evaluated is the compiler's choice. */
	issuer_len = i2d_X509_NAME(X509_get_issuer_name(k->cert), &issuer);
	serial_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(k->cert), &serial);
	same = same_der(&name, issuer, issuer_len);
	return same_der(&number, serial, serial_len) && same;
}

/* Parameters are absent or NULL (RFC 5754, 2). */
static int
no_parameters(struct der rest)
{
	struct der null;

	return der_empty(&rest) || (der_take(&rest, DER_NULL, &null) == 0 && null.len == 0 && der_empty(&rest));
}

/* The octet behind an arc of object identifiers, or -1. */
static int
below(const struct der *oid, const uint8_t *arc, size_t len)
{
	return oid->len == len + 1 && memcmp(oid->p, arc, len) == 0 ? oid->p[len] : -1;
}

int
cms_digest_parse(struct der algorithm, struct cms_digest *out)
{
	struct der oid;
	int n;

	if (der_take(&algorithm, DER_OID, &oid) != 0 || !no_parameters(algorithm))
		return ICERT_E_UNSUPPORTED;
	if (der_is(&oid, sha1, sizeof(sha1)))
		out->id = CMS_SHA1;
	else if ((n = below(&oid, sha2, sizeof(sha2))) >= 1 && n <= 3)
		out->id = n == 1 ? CMS_SHA256 : n == 2 ? CMS_SHA384 : CMS_SHA512;
	else
		return ICERT_E_UNSUPPORTED;
	return 0;
}

static const EVP_MD *
md_of(const struct cms_digest *d)
{
	return d->id == CMS_SHA1 ? EVP_sha1() : d->id == CMS_SHA256 ? EVP_sha256() : d->id == CMS_SHA384 ? EVP_sha384() : EVP_sha512();
}

size_t
cms_digest_ranges(const struct cms_digest *d, const struct cms_range *ranges, size_t n, uint8_t out[CMS_DIGEST_MAX])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	int ok = ctx != NULL && EVP_DigestInit_ex(ctx, md_of(d), NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, ranges[i].p, ranges[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, &len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? len : 0;
}

size_t
cms_key_hash(const struct cms_key *k, const struct cms_digest *d, uint8_t out[CMS_DIGEST_MAX])
{
	return cms_digest_ranges(d, &k->der, 1, out);
}

void
cms_retag_set(struct buf *out, struct der contents)
{
	uint8_t length[sizeof(size_t)];
	size_t n = 0;

	for (size_t left = contents.len; left > 0; left >>= 8)
		length[sizeof(length) - ++n] = (uint8_t)left;
	buf_putc(out, DER_SET);
	if (contents.len >= 0x80)
		buf_putc(out, (int)(0x80 | n));
	else if (n == 0)
		buf_putc(out, 0);
	buf_put(out, length + sizeof(length) - n, n);
	buf_put(out, contents.p, contents.len);
}

/* RSASSA-PSS-params (RFC 4055, 3.1): the signer's digest throughout, one salt length.  The salt's octets, or -1. */
static int
pss_salt(struct der rest, const struct cms_digest *digest)
{
	struct der params, part, algorithm, oid, number;
	struct cms_digest d;

	if (der_take(&rest, DER_SEQUENCE, &params) != 0 || !der_empty(&rest))
		return -1;
	if (der_take(&params, DER_CONTEXT_CONSTRUCTED, &part) != 0 || der_take(&part, DER_SEQUENCE, &algorithm) != 0 ||
	    cms_digest_parse(algorithm, &d) != 0 || d.id != digest->id)
		return -1;
	if (der_take(&params, DER_CONTEXT_CONSTRUCTED + 1, &part) != 0 || der_take(&part, DER_SEQUENCE, &algorithm) != 0 ||
	    der_take(&algorithm, DER_OID, &oid) != 0 || below(&oid, pkcs1, sizeof(pkcs1)) != RSA_MGF1 ||
	    der_take(&algorithm, DER_SEQUENCE, &part) != 0 || cms_digest_parse(part, &d) != 0 || d.id != digest->id)
		return -1;
	if (der_take_optional(&params, DER_CONTEXT_CONSTRUCTED + 2, &part) == 0)
		return 20;
	/* As long as the key allows, with some writers; libcrypto refuses what does not fit. */
	if (der_take_positive(&part, &number) != 0 || number.len > 2)
		return -1;
	return number.len == 1 ? number.p[0] : number.p[0] << 8 | number.p[1];
}

/* Which scheme the signature is made with, for the kind of key that the certificate has.  1 with *salt (-1: not PSS), or 0. */
static int
scheme(const struct cms_key *k, struct der algorithm, const struct cms_digest *d, int *salt)
{
	static const int rsa_with[] = { 0, 11, 12, 13 };
	int type = EVP_PKEY_get_base_id(k->key);
	struct der oid;
	int n;

	*salt = -1;
	if (der_take(&algorithm, DER_OID, &oid) != 0)
		return 0;
	if (type == EVP_PKEY_EC)
		return below(&oid, ecdsa, sizeof(ecdsa)) == (int)d->id + 1 && no_parameters(algorithm);
	if (type != EVP_PKEY_RSA)
		return 0;
	n = below(&oid, pkcs1, sizeof(pkcs1));
	if (n == RSA_PSS)
		return (*salt = pss_salt(algorithm, d)) >= 0;
	return (n == RSA_ENCRYPTION || n == rsa_with[d->id]) && no_parameters(algorithm);
}

enum cms_fault
cms_key_verify(const struct cms_key *k, struct der algorithm, const struct cms_digest *d, const uint8_t *data, size_t len,
    struct der signature)
{
	EVP_MD_CTX *ctx;
	EVP_PKEY_CTX *pkey = NULL;
	int salt;
	int ok;

	if (!scheme(k, algorithm, d, &salt))
		return CMS_ALGORITHM;
	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return CMS_NO_MEMORY;
	ok = EVP_DigestVerifyInit(ctx, &pkey, md_of(d), NULL, k->key) == 1;
	if (ok && salt >= 0)
		ok = EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, salt) == 1 &&
		    EVP_PKEY_CTX_set_rsa_mgf1_md(pkey, md_of(d)) == 1;
	ok = ok && EVP_DigestVerify(ctx, signature.p, signature.len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? CMS_NO_FAULT : CMS_SIGNATURE;
}
