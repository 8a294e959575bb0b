#include "operate/ceremony_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "operate/files.h"
#include "pki/crl.h"
#include "pki/issuer_list.h"
#include "pki/keyfile.h"
#include "pki/lint.h"
#include "pki/lint_crl.h"
#include "pki/pkcs11.h"
#include "pki/profile.h"

#define KEY_BITS 4096
#define ROOT_KEY "icert-root"
#define SPKI_MAX_OCTETS 4096

#define CEREMONY_HEADSTART 3600	/* seconds */

static int
failed(const char *what, int error)
{
	complain("ceremony: %s: %s", what, icert_err_code(error));
	return 1;
}

/*
 * A fresh SoftHSM2 token of this label in dir, with a PIN of its own in
 * pin_path, and an RSA key in it, chosen for signing.
 */
static int
token_make(struct pkcs11 **token, const char *module, const char *dir, const char *pin_path, const char *label,
    const char *key)
{
	char path[CEREMONY_PATH], conf[2 * CEREMONY_PATH], pin[CEREMONY_PIN];
	uint8_t random[16];
	int n, error;

	if (path_join(path, "%s/tokens", dir) != 0)
		return ICERT_E_INVALID;
	if (mkdir(path, 0700) != 0)
		return ICERT_E_SYSTEM;
	n = snprintf(conf, sizeof(conf), "directories.tokendir = %s\nobjectstore.backend = file\n"
	    "log.level = ERROR\nslots.removable = false\n", path);
	if (path_join(path, "%s/softhsm2.conf", dir) != 0)
		return ICERT_E_INVALID;
	if ((error = bytes_random(random, sizeof(random))) != 0)
		return error;
	bytes_to_hex(pin, random, sizeof(random));
	if ((error = keyfile_write(path, conf, (size_t)n, 0600)) == 0 &&
	    (error = keyfile_write(pin_path, pin, strlen(pin), 0400)) == 0 &&
	    (error = pkcs11_load(token, module, path)) == 0 &&
	    (error = pkcs11_init_token(*token, label, pin)) == 0 &&
	    (error = pkcs11_login(*token, label, pin)) == 0 &&
	    (error = pkcs11_make_rsa(*token, key, KEY_BITS)) == 0)
		error = pkcs11_choose(*token, key);
	bytes_wipe(pin, sizeof(pin));
	if (error != 0 && *token != NULL)
		complain("ceremony: %s", pkcs11_detail(*token));
	return error;
}

/*
 * A token that is there, made by an earlier ceremony (softhsm_conf) or by the HSM's own tools (NULL), with its PIN in pin_path.
 * A key that is there is taken.
 */
static int
token_take(struct pkcs11 **token, const char *module, const char *softhsm_conf, const char *pin_path, const char *label,
    const char *key)
{
	char pin[CEREMONY_PIN_MAX];
	struct buf text = BUF_INIT;
	int error = keyfile_read(pin_path, sizeof(pin) - 1, &text);

	if (error != 0) {
		buf_free(&text);
		complain("ceremony: the PIN of the token %s cannot be read from %s", label, pin_path);
		return error;
	}
	snprintf(pin, sizeof(pin), "%.*s", (int)strcspn(buf_str(&text), "\r\n"), buf_str(&text));
	if ((error = pkcs11_load(token, module, softhsm_conf)) == 0 && (error = pkcs11_login(*token, label, pin)) == 0 &&
	    ((error = pkcs11_make_rsa(*token, key, KEY_BITS)) == 0 || error == ICERT_E_EXISTS))
		error = pkcs11_choose(*token, key);
	bytes_wipe(pin, sizeof(pin));
	buf_free(&text);
	if (error != 0)
		complain("ceremony: %s: %s", module, *token != NULL ? pkcs11_detail(*token) : "does not load");
	return error;
}

int
ceremony_prepared(const struct config *config, const char *section)
{
	const char *prepared = config_get(config, section, "prepared");

	return prepared != NULL && strcmp(prepared, "yes") == 0;
}

/* The token of [signer] or [root], with its key chosen. */
static int
token_open(struct pkcs11 **token, const struct config *config, const char *section, const char *dir, const char *key)
{
	const char *module = config_require(config, section, "module"), *label = config_require(config, section, "token");
	const char *pin_path = config_require(config, section, "pin_file");

	char conf[CEREMONY_PATH];

	if (ceremony_prepared(config, section))
		return token_take(token, module, NULL, pin_path, label, key);
	if (path_join(conf, "%s/softhsm2.conf", dir) != 0)
		return ICERT_E_INVALID;
	/* The first ceremony clears what a broken-off one left, so what is there is to be kept. */
	return file_exists(conf) ? token_take(token, module, conf, pin_path, label, key) :
	    token_make(token, module, dir, pin_path, label, key);
}

int
ceremony_issuing_half(const struct ceremony_order *order, int spki_out)
{
	const struct config *config = order->config;
	struct pkcs11 *token = NULL;
	struct buf spki = BUF_INIT;
	char key[ISSUER_NAME];
	int error;

	error = issuer_name(key, sizeof(key), ISSUER_KEY, order->number, 0);
	if (error == 0)
		error = token_open(&token, config, "signer", config_require(config, "paths", "signer_dir"), key);
	if (error == 0)
		error = pkcs11_spki(token, &spki);
	if (error == 0 && write(spki_out, spki.p, spki.len) != (ssize_t)spki.len)
		error = ICERT_E_SYSTEM;
	close(spki_out);
	pkcs11_free(token);
	buf_free(&spki);
	return error == 0 ? 0 : failed("the issuing CA's key", error);
}

static int
sign(struct pkcs11 *token, const struct buf *tbs, struct buf *der)
{
	struct buf signature = BUF_INIT;
	uint8_t digest[32];
	int error = ICERT_E_CRYPTO;

	if (EVP_Digest(tbs->p, tbs->len, digest, NULL, EVP_sha256(), NULL) == 1 &&
	    (error = pkcs11_sign(token, digest, &signature)) == 0)
		error = profile_signed(tbs->p, tbs->len, signature.p, signature.len, der);
	buf_free(&signature);
	return error;
}

/* Lint, sign, lint again, and put it into the public folder. */
static int
sign_certificate(struct pkcs11 *token, const struct lint_expect *expect, const struct buf *tbs, struct buf *der,
    const char *folder, const char *name)
{
	struct lint_finding finding;
	char path[CEREMONY_PATH];
	int error;

	if ((error = lint_tbs(expect, tbs->p, tbs->len, &finding)) == 0 && (error = sign(token, tbs, der)) == 0)
		error = lint_certificate(expect, tbs->p, tbs->len, der->p, der->len, &finding);
	if (error == ICERT_E_LINT)
		complain("ceremony: %s: %s (%s): %s", name, finding.rule, finding.source, finding.detail);
	if (error == 0 && path_join(path, "%s/%s", folder, name) != 0)
		error = ICERT_E_INVALID;
	return error != 0 ? error : keyfile_write(path, der->p, der->len, 0644);
}

/* What the root's half holds while it works. */
struct root {
	const struct ceremony_order *order;
	const struct config *config;
	const char *folder;		/* public */
	struct pkcs11 *token;
	struct profile_issuer issuer;
	struct buf der;			/* the root's certificate */
	struct buf issuing;		/* the issuing CA's */
	int64_t now, until;
};

static void
name_of(const struct config *config, const char *key, struct profile_name *name)
{
	name->country = config_require(config, "ca", "country");
	name->locality = config_require(config, "ca", "locality");
	name->organization = config_require(config, "ca", "organization");
	name->organizational_unit = config_require(config, "ca", "unit");
	name->common_name = config_require(config, "ca", key);
}

static int
make_root(struct root *r)
{
	struct buf spki = BUF_INIT, tbs = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];
	struct profile_name name;
	struct lint_expect expect = { .kind = LINT_ROOT, .serial = serial, .not_before = r->now, .not_after = r->until,
	    .organization = config_require(r->config, "ca", "organization"), .ocsp_url = "", .issuer_url = "",
	    .crl_url = "", .cps_url = r->issuer.cps_url };
	int error;

	name_of(r->config, "root_name", &name);
	if ((error = profile_serial(serial)) == 0 && (error = pkcs11_spki(r->token, &spki)) == 0)
		error = profile_root(&name, r->issuer.cps_url, serial, r->now, r->until, spki.p, spki.len, &tbs);
	expect.spki = spki.p;
	expect.spki_len = spki.len;
	if (error == 0)
		error = sign_certificate(r->token, &expect, &tbs, &r->der, r->folder, CEREMONY_ROOT);
	if (error == 0)
		error = profile_issuer_read(&r->issuer, r->der.p, r->der.len);
	buf_free(&spki);
	buf_free(&tbs);
	return error;
}

static int
make_issuing(struct root *r, const uint8_t *spki, size_t spki_len)
{
	struct buf tbs = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];
	struct profile_name name;
	char file[ISSUER_NAME];
	struct lint_expect expect = { .kind = LINT_ISSUING, .issuer = r->der.p, .issuer_len = r->der.len,
	    .serial = serial, .not_before = r->now, .not_after = r->until, .spki = spki, .spki_len = spki_len,
	    .organization = config_require(r->config, "ca", "organization"), .ocsp_url = r->issuer.ocsp_url,
	    .issuer_url = r->issuer.issuer_url, .crl_url = r->issuer.crl_url, .cps_url = r->issuer.cps_url };
	int error;

	name_of(r->config, "issuing_name", &name);
	if (r->order->common_name != NULL)
		name.common_name = r->order->common_name;
	if ((error = issuer_name(file, sizeof(file), CEREMONY_ISSUING, r->order->number, 0)) != 0)
		return error;
	if ((error = profile_serial(serial)) == 0)
		error = profile_issuing(&r->issuer, &name, serial, r->now, r->until, spki, spki_len, &tbs);
	if (error == 0)
		error = sign_certificate(r->token, &expect, &tbs, &r->issuing, r->folder, file);
	buf_free(&tbs);
	return error;
}

/* One more than the list in place, or the first. */
static int
next_number(const struct buf *before, uint64_t *number)
{
	const uint8_t *p = before->p;
	X509_CRL *list = d2i_X509_CRL(NULL, &p, (long)before->len);
	ASN1_INTEGER *value = list == NULL ? NULL : X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
	int error = value != NULL && ASN1_INTEGER_get_uint64(number, value) == 1 ? 0 : ICERT_E_MALFORMED;

	(*number)++;
	ASN1_INTEGER_free(value);
	X509_CRL_free(list);
	return error;
}

static int
serial_of(const ASN1_INTEGER *serial, uint8_t out[PROFILE_SERIAL])
{
	int n = ASN1_STRING_length(serial);

	if (n > PROFILE_SERIAL)
		return ICERT_E_INVALID;
	memset(out, 0, PROFILE_SERIAL);
	memcpy(out + PROFILE_SERIAL - n, ASN1_STRING_get0_data(serial), (size_t)n);
	return 0;
}

/* A CA that was revoked stays so, and one more may come. */
static int
keep_revoked(const struct buf *before, struct crl_entry *entries, size_t *n)
{
	const uint8_t *p = before->p;
	X509_CRL *list = d2i_X509_CRL(NULL, &p, (long)before->len);
	STACK_OF(X509_REVOKED) *all = list == NULL ? NULL : X509_CRL_get_REVOKED(list);
	ASN1_ENUMERATED *reason;
	X509_REVOKED *one;
	struct tm tm;
	int i, error = list == NULL ? ICERT_E_MALFORMED : 0;

	for (i = 0; error == 0 && i < sk_X509_REVOKED_num(all); i++) {
		one = sk_X509_REVOKED_value(all, i);
		reason = X509_REVOKED_get_ext_d2i(one, NID_crl_reason, NULL, NULL);
		entries[*n].reason = reason == NULL ? CRL_REASON_UNSPECIFIED : (uint8_t)ASN1_ENUMERATED_get(reason);
		ASN1_ENUMERATED_free(reason);
		if (*n == ISSUERS_MAX || ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(one), &tm) != 1)
			error = ICERT_E_TOO_LARGE;
		else if ((error = serial_of(X509_REVOKED_get0_serialNumber(one), entries[*n].serial)) == 0)
			entries[(*n)++].revoked_at = (int64_t)timegm(&tm);
	}
	X509_CRL_free(list);
	return error;
}

static int
revoke_ca(struct root *r, struct crl_entry *entries, size_t *n)
{
	struct buf der = BUF_INIT;
	char path[CEREMONY_PATH], name[ISSUER_NAME];
	const uint8_t *p;
	X509 *x = NULL;
	int error;

	if ((error = issuer_name(name, sizeof(name), CEREMONY_ISSUING, r->order->revoke, 0)) == 0 &&
	    path_join(path, "%s/%s", r->folder, name) == 0 && (error = keyfile_read(path, 65536, &der)) == 0) {
		p = der.p;
		error = (x = d2i_X509(NULL, &p, (long)der.len)) == NULL ? ICERT_E_MALFORMED :
		    serial_of(X509_get0_serialNumber(x), entries[*n].serial);
	}
	if (error == 0) {
		entries[*n].revoked_at = r->now;
		entries[(*n)++].reason = (uint8_t)r->order->reason;
	}
	X509_free(x);
	buf_free(&der);
	return error;
}

/* The root's list of revoked CAs, for as many months as configured: the first empty, the next ones with what was there. */
static int
make_arl(struct root *r, const struct buf *before)
{
	int64_t months = config_int(r->config, "ca", "arl_months", 12, 1, 60);
	struct crl_entry entries[ISSUERS_MAX + 1];
	struct crl arl = { .issuer = &r->issuer, .number = 1, .this_update = r->now, .entries = entries,
	    .next_update = months % 12 == 0 ? profile_years(r->now, (int)(months / 12)) : r->now + months * 30 * 86400 };
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct lint_finding finding;
	char path[CEREMONY_PATH];
	int error = 0;

	if (before->len > 0 && (error = next_number(before, &arl.number)) == 0)
		error = keep_revoked(before, entries, &arl.n);
	if (error == 0 && r->order->revoke != 0)
		error = revoke_ca(r, entries, &arl.n);
	if (error == 0 && (error = crl_compose(&arl, &tbs)) == 0 && (error = sign(r->token, &tbs, &der)) == 0 &&
	    (error = lint_crl(r->der.p, r->der.len, &arl, der.p, der.len, &finding)) == ICERT_E_LINT)
		complain("ceremony: %s: %s (%s)", CEREMONY_ARL, finding.rule, finding.source);
	if (error == 0 && path_join(path, "%s/%s", r->folder, CEREMONY_ARL) != 0)
		error = ICERT_E_INVALID;
	if (error == 0)
		error = keyfile_write(path, der.p, der.len, 0644);
	buf_free(&tbs);
	buf_free(&der);
	return error;
}

static int
put_former(struct root *r, BIO *bio, unsigned number)
{
	struct buf der = BUF_INIT;
	char path[CEREMONY_PATH], name[ISSUER_NAME];
	int error;

	if ((error = issuer_name(name, sizeof(name), CEREMONY_ISSUING, number, 0)) == 0 &&
	    path_join(path, "%s/%s", r->folder, name) == 0 && (error = keyfile_read(path, 65536, &der)) == 0)
		error = PEM_write_bio(bio, "CERTIFICATE", "", der.p, (long)der.len) > 0 ? 0 : ICERT_E_MEMORY;
	buf_free(&der);
	return error;
}

/* Issuing CAs, the newest first, and root as PEM, for tools that want one file. */
static int
make_chain(struct root *r)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char path[CEREMONY_PATH], *text;
	int error = ICERT_E_MEMORY;
	unsigned i;
	long n;

	if (bio == NULL || PEM_write_bio(bio, "CERTIFICATE", "", r->issuing.p, (long)r->issuing.len) <= 0)
		goto out;
	for (i = r->order->number - 1; i >= ISSUER_FIRST; i--)
		if ((error = put_former(r, bio, i)) != 0)
			goto out;
	error = ICERT_E_MEMORY;
	if (PEM_write_bio(bio, "CERTIFICATE", "", r->der.p, (long)r->der.len) <= 0)
		goto out;
	if ((n = BIO_get_mem_data(bio, &text)) > 0 &&
	    path_join(path, "%s/%s", r->folder, CEREMONY_CHAIN) == 0)
		error = keyfile_write(path, text, (size_t)n, 0644);
out:
	BIO_free(bio);
	return error;
}

static int
receive(int fd, struct buf *out)
{
	uint8_t *p;
	ssize_t n;

	do {
		if ((p = buf_room(out, SPKI_MAX_OCTETS)) == NULL)
			return buf_error(out);
		if ((n = read(fd, p, SPKI_MAX_OCTETS)) < 0)
			return ICERT_E_SYSTEM;
		buf_took(out, (size_t)n);
	} while (n > 0 && out->len < SPKI_MAX_OCTETS);
	return out->len > 0 ? 0 : ICERT_E_MISSING;
}

static void
root_begin(struct root *r, const struct ceremony_order *order)
{
	const struct config *config = order->config;

	memset(r, 0, sizeof(*r));
	r->order = order;
	r->config = config;
	r->folder = config_require(config, "paths", "ca");
	r->issuer = (struct profile_issuer)PROFILE_ISSUER_INIT;
	/* Earlier than what the CA signs next, which allows for clocks that are behind. */
	r->now = clock_real() - CEREMONY_HEADSTART;
	r->issuer.ocsp_url = "";
	r->issuer.issuer_url = config_require(config, "public", "root_url");
	r->issuer.crl_url = config_require(config, "public", "arl_url");
	r->issuer.cps_url = config_require(config, "public", "cps_url");
}

static int
root_end(struct root *r, struct buf *other, int error)
{
	pkcs11_free(r->token);
	profile_issuer_free(&r->issuer);
	buf_free(&r->der);
	buf_free(&r->issuing);
	buf_free(other);
	return error == 0 ? 0 : failed("the root's part", error);
}

int
ceremony_root_half(const struct ceremony_order *order, int spki_in)
{
	const char *dir = config_require(order->config, "paths", "root_dir");
	struct buf spki = BUF_INIT, none = BUF_INIT;
	struct root r;
	int error;

	root_begin(&r, order);
	r.until = profile_years(r.now, (int)config_int(r.config, "ca", "root_years", 20, 1, 30));
	if ((error = token_open(&r.token, r.config, "root", dir, ROOT_KEY)) == 0 &&
	    (error = make_root(&r)) == 0 && (error = receive(spki_in, &spki)) == 0 &&
	    (error = make_issuing(&r, spki.p, spki.len)) == 0 && (error = make_arl(&r, &none)) == 0)
		error = make_chain(&r);
	close(spki_in);
	return root_end(&r, &spki, error);
}

/* The root's token is brought back for a ceremony; where it is not, none is made in its place. */
static int
token_there(const struct config *config, const char *dir)
{
	char conf[CEREMONY_PATH];

	if (ceremony_prepared(config, "root") || (path_join(conf, "%s/softhsm2.conf", dir) == 0 && file_exists(conf)))
		return 0;
	complain("ceremony: %s holds no token: bring the root's back first", dir);
	return ICERT_E_NOT_FOUND;
}

/* The root that is there, and its key in the token: the one that its certificate names. */
static int
open_root(struct root *r)
{
	const char *dir = config_require(r->config, "paths", "root_dir");
	struct buf spki = BUF_INIT;
	char path[CEREMONY_PATH];
	struct tm tm;
	const uint8_t *p;
	X509 *x = NULL;
	int error;

	if (path_join(path, "%s/%s", r->folder, CEREMONY_ROOT) != 0)
		return ICERT_E_INVALID;
	if ((error = keyfile_read(path, 65536, &r->der)) == 0 &&
	    (error = profile_issuer_read(&r->issuer, r->der.p, r->der.len)) == 0 &&
	    (error = token_there(r->config, dir)) == 0 &&
	    (error = token_open(&r->token, r->config, "root", dir, ROOT_KEY)) == 0 &&
	    (error = pkcs11_spki(r->token, &spki)) == 0 && memmem(r->der.p, r->der.len, spki.p, spki.len) == NULL) {
		complain("ceremony: the root's token holds another key than the root's certificate");
		error = ICERT_E_MISMATCH;
	}
	if (error == 0) {
		p = r->der.p;
		x = d2i_X509(NULL, &p, (long)r->der.len);
		error = x != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? 0 : ICERT_E_MALFORMED;
		r->until = error == 0 ? (int64_t)timegm(&tm) : 0;
	}
	X509_free(x);
	buf_free(&spki);
	return error;
}

int
ceremony_next_half(const struct ceremony_order *order, int spki_in)
{
	struct buf spki = BUF_INIT;
	struct root r;
	int error;

	root_begin(&r, order);
	if ((error = open_root(&r)) == 0 && (error = receive(spki_in, &spki)) == 0 &&
	    (error = make_issuing(&r, spki.p, spki.len)) == 0)
		error = make_chain(&r);
	close(spki_in);
	return root_end(&r, &spki, error);
}

int
ceremony_list_half(const struct ceremony_order *order, int fd)
{
	struct buf before = BUF_INIT;
	char path[CEREMONY_PATH];
	struct root r;
	int error;

	close(fd);
	root_begin(&r, order);
	/* A list is of now: nobody looks at it before it is published. */
	r.now = clock_real();
	if ((error = open_root(&r)) == 0 && path_join(path, "%s/%s", r.folder, CEREMONY_ARL) == 0 &&
	    (error = keyfile_read(path, 65536, &before)) == 0)
		error = make_arl(&r, &before);
	return root_end(&r, &before, error);
}
