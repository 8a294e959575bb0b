#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <unistd.h>

#include "operate/tls.h"

#define DAY 86400L
#define TLS_DAYS 825
#define TLS_RENEW_DAYS 30

static int
tls_is_good(const char *path)
{
	X509 *certificate = NULL;
	time_t soon = time(NULL) + TLS_RENEW_DAYS * DAY;
	FILE *in = fopen(path, "r");
	int good;

	if (in == NULL)
		return 0;
	certificate = PEM_read_X509(in, NULL, NULL, NULL);
	fclose(in);
	good = certificate != NULL && X509_cmp_time(X509_get0_notAfter(certificate), &soon) > 0;
	X509_free(certificate);
	return good;
}

int
tls_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static int
tls_fill(X509 *certificate, EVP_PKEY *key)
{
	unsigned char serial[16];
	X509_NAME *name = X509_get_subject_name(certificate);
	BIGNUM *number;
	int ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return 0;
	serial[0] = (serial[0] & 0x7f) | 0x40;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number != NULL &&
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL &&
	    X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), TLS_DAYS * DAY) != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(certificate, name) == 1 &&
	    X509_set_pubkey(certificate, key) == 1 &&
	    tls_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	    tls_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
	    tls_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	    tls_extension(certificate, NID_subject_alt_name,
	    "DNS:localhost,IP:127.0.0.1,IP:::1") &&
	    X509_sign(certificate, key, EVP_sha256()) > 0;
	BN_free(number);
	return ok;
}

static int
tls_save(const struct instance *i, const X509 *certificate, const EVP_PKEY *key)
{
	char path[FILES_PATH];
	BIO *pem = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
	char *bytes;
	long len;
	int rc = -1;

	if (pem == NULL || secret == NULL ||
	    PEM_write_bio_X509(pem, certificate) != 1 ||
	    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) != 1)
		goto out;
	len = BIO_get_mem_data(secret, &bytes);
	if (path_join(path, "%s/etc/tls/localhost.key", i->data) != 0 ||
	    file_write(path, bytes, (size_t)len, geteuid(), getegid(), 0600) != 0)
		goto out;
	len = BIO_get_mem_data(pem, &bytes);
	if (path_join(path, "%s/etc/tls/localhost.pem", i->data) != 0)
		goto out;
	rc = file_write(path, bytes, (size_t)len, geteuid(), getegid(), 0644);
out:
	BIO_free(pem);
	BIO_free(secret);
	return rc;
}

int
tls_prepare(const struct instance *i)
{
	char path[FILES_PATH];
	X509 *certificate;
	EVP_PKEY *key;
	int rc = -1;

	if (path_join(path, "%s/etc/tls/localhost.pem", i->data) != 0)
		return -1;
	if (tls_is_good(path))
		return 0;
	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	if (key != NULL && certificate != NULL && tls_fill(certificate, key))
		rc = tls_save(i, certificate, key);
	else
		complain("the certificate for localhost could not be made");
	X509_free(certificate);
	EVP_PKEY_free(key);
	return rc;
}
