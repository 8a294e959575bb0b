#include "pki/possession.h"
#include "libicert/error.h"
#include "pki/spki.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

static const EVP_MD *
md_of(enum csr_digest digest)
{
	return digest == CSR_SHA256 ? EVP_sha256() : digest == CSR_SHA384 ? EVP_sha384() : EVP_sha512();
}

/* libcrypto sees a SubjectPublicKeyInfo that our reader has found to be of the one form, and a signature of the right length. */
static int
verify(const struct csr *csr)
{
	const uint8_t *p = csr->spki.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)csr->spki.len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int error = ICERT_E_CRYPTO;

	if (key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, md_of(csr->digest), NULL, key) == 1)
		error = EVP_DigestVerify(ctx, csr->signature.p, csr->signature.len, csr->info.p, csr->info.len) == 1
		    ? 0 : ICERT_E_FORGED;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return error;
}

int
possession_check(struct possession *out, const uint8_t *der, size_t len)
{
	int error;

	memset(out, 0, sizeof(*out));
	if ((error = csr_parse(&out->csr, der, len)) != 0) {
		out->why = error == ICERT_E_UNSUPPORTED ? "certificate profile, 1.2: not an RSA key, or not signed over SHA-2"
		    : "RFC 2986, 4: not a certification request";
		return error;
	}
	if ((error = spki_check_holder(out->csr.spki.p, out->csr.spki.len, 1, &out->bits, &out->why)) != 0)
		return error;
	if (EVP_Digest(out->csr.spki.p, out->csr.spki.len, out->spki_sha256, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	if ((error = verify(&out->csr)) == ICERT_E_FORGED)
		out->why = "RFC 2986, 3: the request is not signed with its own key";
	return error;
}
