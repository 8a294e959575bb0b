#include "operate/ceremony_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

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

/* A token that the HSM's own tools have made, with its PIN in pin_path.  A key that is there is taken. */
static int
token_take(struct pkcs11 **token, const char *module, const char *pin_path, const char *label, const char *key)
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
	if ((error = pkcs11_load(token, module, NULL)) == 0 && (error = pkcs11_login(*token, label, pin)) == 0 &&
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

	return ceremony_prepared(config, section) ? token_take(token, module, pin_path, label, key) :
	    token_make(token, module, dir, pin_path, label, key);
}

int
ceremony_issuing_half(const struct config *config, int spki_out)
{
	struct pkcs11 *token = NULL;
	struct buf spki = BUF_INIT;
	int error;

	error = token_open(&token, config, "signer", config_require(config, "paths", "signer_dir"), ISSUER_KEY);
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
	struct lint_expect expect = { .kind = LINT_ISSUING, .issuer = r->der.p, .issuer_len = r->der.len,
	    .serial = serial, .not_before = r->now, .not_after = r->until, .spki = spki, .spki_len = spki_len,
	    .organization = config_require(r->config, "ca", "organization"), .ocsp_url = r->issuer.ocsp_url,
	    .issuer_url = r->issuer.issuer_url, .crl_url = r->issuer.crl_url, .cps_url = r->issuer.cps_url };
	int error;

	name_of(r->config, "issuing_name", &name);
	if ((error = profile_serial(serial)) == 0)
		error = profile_issuing(&r->issuer, &name, serial, r->now, r->until, spki, spki_len, &tbs);
	if (error == 0)
		error = sign_certificate(r->token, &expect, &tbs, &r->issuing, r->folder, CEREMONY_ISSUING);
	buf_free(&tbs);
	return error;
}

/* The root's list of revoked CAs: empty, for as many months as configured. */
static int
make_arl(struct root *r)
{
	int64_t months = config_int(r->config, "ca", "arl_months", 12, 1, 60);
	struct crl arl = { .issuer = &r->issuer, .number = 1, .this_update = r->now,
	    .next_update = months % 12 == 0 ? profile_years(r->now, (int)(months / 12)) : r->now + months * 30 * 86400 };
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct lint_finding finding;
	char path[CEREMONY_PATH];
	int error;

	if ((error = crl_compose(&arl, &tbs)) == 0 && (error = sign(r->token, &tbs, &der)) == 0 &&
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

/* Issuing CA and root as PEM, for tools that want one file. */
static int
make_chain(struct root *r)
{
	const struct buf *ders[] = { &r->issuing, &r->der };
	BIO *bio = BIO_new(BIO_s_mem());
	char path[CEREMONY_PATH], *text;
	int i, error = ICERT_E_MEMORY;
	long n;

	for (i = 0; i < 2 && bio != NULL; i++)
		if (PEM_write_bio(bio, "CERTIFICATE", "", ders[i]->p, (long)ders[i]->len) <= 0)
			goto out;
	if (bio != NULL && (n = BIO_get_mem_data(bio, &text)) > 0 &&
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

int
ceremony_root_half(const struct config *config, int spki_in)
{
	const char *dir = config_require(config, "paths", "root_dir");
	struct root r = { .config = config, .folder = config_require(config, "paths", "ca"),
	    .issuer = PROFILE_ISSUER_INIT, .der = BUF_INIT, .issuing = BUF_INIT,
	    /* Earlier than what the CA signs next, which allows for clocks that are behind. */
	    .now = clock_real() - CEREMONY_HEADSTART };
	struct buf spki = BUF_INIT;
	int error;

	r.until = profile_years(r.now, (int)config_int(config, "ca", "root_years", 20, 1, 30));
	r.issuer.issuer_url = config_require(config, "public", "root_url");
	r.issuer.crl_url = config_require(config, "public", "arl_url");
	r.issuer.cps_url = config_require(config, "public", "cps_url");
	if ((error = token_open(&r.token, config, "root", dir, ROOT_KEY)) == 0 &&
	    (error = make_root(&r)) == 0 && (error = receive(spki_in, &spki)) == 0 &&
	    (error = make_issuing(&r, spki.p, spki.len)) == 0 && (error = make_arl(&r)) == 0)
		error = make_chain(&r);
	close(spki_in);
	pkcs11_free(r.token);
	profile_issuer_free(&r.issuer);
	buf_free(&r.der);
	buf_free(&r.issuing);
	buf_free(&spki);
	return error == 0 ? 0 : failed("the root's part", error);
}
