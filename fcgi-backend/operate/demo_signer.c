#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "libicert/id.h"
#include "operate/demo_signer.h"
#include "operate/files.h"
#include "operate/tls.h"

#define SIGNER_DAYS 730
#define SIGNER_BITS 2048
#define DAY 86400L

static int
signs_contracts(json_t *account)
{
	json_t *role;
	size_t n;

	json_array_foreach(json_object_get(account, "roles"), n, role)
		if (strncmp(json_string_value(role), "director", 8) == 0 || strncmp(json_string_value(role), "operator", 8) == 0)
			return 1;
	return 0;
}

static int
fill(X509 *x, EVP_PKEY *key, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	unsigned char serial[16];
	BIGNUM *number = NULL;
	int ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return 0;
	serial[0] = (serial[0] & 0x7f) | 0x40;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL &&
	    X509_set_version(x, X509_VERSION_3) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -DAY) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), SIGNER_DAYS * DAY) != NULL &&
	    X509_NAME_add_entry_by_txt(subject, "C", MBSTRING_UTF8, (const unsigned char *)"EC", -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"ICERT, muestra", -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
	    tls_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    tls_extension(x, NID_key_usage, "critical,digitalSignature,nonRepudiation") &&
	    X509_sign(x, key, EVP_sha256()) > 0;
	BN_free(number);
	return ok;
}

static int
save(const struct instance *i, const char *login, const char *name, const char *password, X509 *x, EVP_PKEY *key, char *path)
{
	PKCS12 *p12 = PKCS12_create(password, name, key, x, NULL, 0, 0, 0, 0, 0);
	unsigned char *der = NULL;
	int n = p12 != NULL ? i2d_PKCS12(p12, &der) : -1, rc = -1;

	if (n > 0 && path_join(path, "%s/demo/%s.p12", i->data, login) == 0)
		rc = file_write(path, der, (size_t)n, geteuid(), getegid(), 0600);
	OPENSSL_free(der);
	PKCS12_free(p12);
	return rc;
}

static int
row(json_t *account, const char *name, X509 *x, struct buf *sql)
{
	unsigned char *der = NULL, *spki = NULL, hash[32], spki_hash[32];
	int n = i2d_X509(x, &der), m = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	char id[ID_TEXT];
	int ok = n > 0 && m > 0 && id_new(id) == 0;

	if (ok) {
		EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL);
		EVP_Digest(spki, (size_t)m, spki_hash, NULL, EVP_sha256(), NULL);
		buf_printf(sql, "insert into icert.staff_certificate (id, staff_id, der, sha256, spki_sha256, subject, not_before,"
		    " not_after, state, asked_at) values ('%s', '%s', decode('", id,
		    json_string_value(json_object_get(account, "id")));
		buf_hex(sql, der, (size_t)n);
		buf_puts(sql, "', 'hex'), decode('");
		buf_hex(sql, hash, sizeof(hash));
		buf_puts(sql, "', 'hex'), decode('");
		buf_hex(sql, spki_hash, sizeof(spki_hash));
		/* Names of the samples have no quotes; the clock's own zero is far enough back. */
		buf_printf(sql, "', 'hex'), 'C = EC, O = \"ICERT, muestra\", CN = %s',"
		    " extract(epoch from now())::bigint - 86400, extract(epoch from now())::bigint + %ld, 'registered', 0);\n",
		    name, SIGNER_DAYS * DAY);
	}
	OPENSSL_free(der);
	OPENSSL_free(spki);
	return ok;
}

int
demo_signer(const struct instance *i, json_t *account, const char *password, struct buf *sql)
{
	const char *login = json_string_value(json_object_get(account, "login"));
	const char *name = json_string_value(json_object_get(account, "name"));
	char path[FILES_PATH];
	EVP_PKEY *key;
	X509 *x;
	int rc = -1;

	if (!signs_contracts(account))
		return 0;
	key = EVP_RSA_gen(SIGNER_BITS);
	x = X509_new();
	if (key == NULL || x == NULL || !fill(x, key, name) || !row(account, name, x, sql))
		complain("the sample certificate of %s could not be made", login);
	else if ((rc = save(i, login, name, password, x, key, path)) == 0)
		json_object_set_new(account, "p12", json_string(path));
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
