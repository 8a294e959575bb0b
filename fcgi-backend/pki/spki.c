#include "pki/spki.h"
#include "libicert/error.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

/* Length octets in DER's shortest form; advances *p.  -1 when not. */
static long
der_read(const uint8_t **p, const uint8_t *end, uint8_t tag)
{
	size_t length, n;

	if (end - *p < 2 || **p != tag)
		return -1;
	length = (*p)[1];
	*p += 2;
	if (length >= 0x80) {
		n = length & 0x7F;
		if (n == 0 || n > 2 || (size_t)(end - *p) < n)
			return -1;
		for (length = 0; n > 0; n--)
			length = length << 8 | *(*p)++;
		if (length < 128)
			return -1;
	}
	return length > (size_t)(end - *p) ? -1 : (long)length;
}

int
spki_bits(const uint8_t *spki, size_t len, const uint8_t **bits, size_t *bits_len)
{
	const uint8_t *p = spki, *end = spki + len;
	long n;

	if ((n = der_read(&p, end, 0x30)) < 0 || p + n != end)
		return ICERT_E_MALFORMED;
	if ((n = der_read(&p, end, 0x30)) < 0)
		return ICERT_E_MALFORMED;
	p += n;
	if ((n = der_read(&p, end, 0x03)) < 2 || p + n != end || p[0] != 0)
		return ICERT_E_MALFORMED;
	*bits = p + 1;
	*bits_len = (size_t)n - 1;
	return 0;
}

int
spki_key_id(const uint8_t *spki, size_t len, uint8_t id[SPKI_KEY_ID])
{
	const uint8_t *bits;
	size_t n;
	int error;

	if ((error = spki_bits(spki, len, &bits, &n)) != 0)
		return error;
	return EVP_Digest(bits, n, id, NULL, EVP_sha1(), NULL) == 1 ? 0 : ICERT_E_CRYPTO;
}

/*
 * RSALib's primes are 65537^a mod M for a product M of small primes, so the
 * modulus is a power of 65537 modulo each of them; for a random one that
 * holds with a chance below 2^-27 over these primes (Nemec and others, CCS 2017).
 */
static int
is_rsalib(const BIGNUM *n)
{
	static const unsigned primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127,
	    151, 157 };
	unsigned long r, power;
	unsigned i, k, g;
	int found;

	for (i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
		r = BN_mod_word(n, primes[i]);
		g = 65537 % primes[i];
		found = 0;
		for (power = 1, k = 0; k < primes[i]; k++, power = power * g % primes[i])
			if (power == r) {
				found = 1;
				break;
			}
		if (!found)
			return 0;
	}
	return 1;
}

static int
has_small_factor(const BIGNUM *n)
{
	unsigned d;

	for (d = 3; d < 1000; d += 2)
		if (BN_mod_word(n, d) == 0)
			return 1;
	return 0;
}

static int
integer_sqrt(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
	BIGNUM *x = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);

	if (y == NULL || !BN_one(x) || !BN_lshift(x, x, (BN_num_bits(n) + 1) / 2))
		return -1;
	for (;;) {
		if (!BN_div(y, NULL, n, x, ctx) || !BN_add(y, y, x) || !BN_rshift1(y, y))
			return -1;
		if (BN_cmp(y, x) >= 0)
			break;
		BN_swap(x, y);
	}
	return BN_copy(root, x) != NULL ? 0 : -1;
}

/* 1: factors found, 0: none in so many rounds, -1: no memory. */
static int
fermat_finds(const BIGNUM *n)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *a, *b2, *root, *square;
	int i, result = -1;

	if (ctx == NULL)
		return -1;
	BN_CTX_start(ctx);
	a = BN_CTX_get(ctx);
	b2 = BN_CTX_get(ctx);
	root = BN_CTX_get(ctx);
	square = BN_CTX_get(ctx);
	if (square == NULL || integer_sqrt(a, n, ctx) != 0)
		goto out;
	for (i = 0; i < 100; i++) {
		if (!BN_add_word(a, 1) || !BN_sqr(b2, a, ctx) || !BN_sub(b2, b2, n))
			goto out;
		/* A square ends in 0, 1, 4, 9 modulo 16: most are ruled out without a root. */
		switch (BN_mod_word(b2, 16)) {
		case 0: case 1: case 4: case 9:
			break;
		default:
			continue;
		}
		if (integer_sqrt(root, b2, ctx) != 0 || !BN_sqr(square, root, ctx))
			goto out;
		if (BN_cmp(square, b2) == 0) {
			result = 1;
			goto out;
		}
	}
	result = 0;
out:
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	return result;
}

static EVP_PKEY *
canonical_key(const uint8_t *spki, size_t len)
{
	const uint8_t *p = spki;
	unsigned char *again = NULL;
	EVP_PKEY *key;
	int n;

	if (len > 4096 || (key = d2i_PUBKEY(NULL, &p, (long)len)) == NULL)
		return NULL;
	n = i2d_PUBKEY(key, &again);
	if (p != spki + len || n < 0 || (size_t)n != len || memcmp(again, spki, len) != 0) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	OPENSSL_free(again);
	return key;
}

static const char *
rsa_fault(EVP_PKEY *key, int bits)
{
	const char *fault = NULL;
	BIGNUM *n = NULL, *e = NULL;

	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) ||
	    !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e))
		fault = "RFC 8017, 3.1: modulus or exponent missing";
	else if (BN_num_bits(n) != bits)
		fault = "certificate profile, 1.2: not the size of modulus of the profile";
	else if (!BN_is_word(e, 65537))
		fault = "CA/B BR 6.1.6: the public exponent is not 65537";
	else if (!BN_is_odd(n) || has_small_factor(n))
		fault = "CA/B BR 6.1.6: the modulus has a small factor";
	else if (is_rsalib(n))
		fault = "CVE-2017-15361: the key was made by a weak generator (ROCA)";
	else if (fermat_finds(n) != 0)
		fault = "CA/B BR 6.1.1.3: the factors are too close (Fermat)";
	BN_free(n);
	BN_free(e);
	return fault;
}

int
spki_check_rsa(const uint8_t *spki, size_t len, int bits, const char **why)
{
	EVP_PKEY *key = canonical_key(spki, len);

	if (key == NULL)
		*why = "RFC 5280, 4.1.2.7: the SubjectPublicKeyInfo is not canonical DER of a known key";
	else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		*why = "certificate profile, 1.2: not an RSA key";
	else
		*why = rsa_fault(key, bits);
	EVP_PKEY_free(key);
	return *why == NULL ? 0 : ICERT_E_INVALID;
}

int
spki_check_holder(const uint8_t *spki, size_t len, int in_token, int *bits, const char **why)
{
	static const int sizes[] = { 2048, 3072, 4096 };
	EVP_PKEY *key = canonical_key(spki, len);
	int i, size = 2048;

	/* Of a key of another size, the rule for the smallest names what is wrong. */
	for (i = 0; key != NULL && in_token && i < 3; i++)
		if (EVP_PKEY_get_bits(key) == sizes[i])
			size = sizes[i];
	EVP_PKEY_free(key);
	if (bits != NULL)
		*bits = size;
	return spki_check_rsa(spki, len, size, why);
}

int
spki_check_p256(const uint8_t *spki, size_t len, const char **why)
{
	EVP_PKEY *key = canonical_key(spki, len);
	char group[32] = "";
	size_t n;

	*why = NULL;
	if (key == NULL)
		*why = "RFC 5480, 2: the SubjectPublicKeyInfo is not canonical DER of a known key";
	else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &n) ||
	    strcmp(group, "prime256v1") != 0 || len != 91)
		*why = "responder profile: not an uncompressed key on P-256";
	EVP_PKEY_free(key);
	return *why == NULL ? 0 : ICERT_E_INVALID;
}
