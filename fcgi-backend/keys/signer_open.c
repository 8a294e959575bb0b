#include "keys/signer.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From the configuration to a signer that may be asked: the order in which things are opened. */

#define PATH 512
#define PIN_MAX 256

static int
open_pin(const char *pins, const char *name, uint8_t key[32])
{
	char path[PATH];
	int error;

	snprintf(path, sizeof(path), "%s/%s.pub", pins, name);
	if ((error = keyfile_read_exact(path, key, 32)) != 0)
		log_error("pin_unreadable", "%s: %s", path, icert_err_code(error));
	return error;
}

static int
open_pins(struct signer *s, const char *pins)
{
	int error;

	if ((error = open_pin(pins, "keeper", s->keeper)) != 0 || (error = open_pin(pins, "keymaker", s->keymaker)) != 0)
		return error;
	return open_pin(pins, "status-signer", s->status_signer);
}

static int
open_issuer(struct signer *s, const char *dir)
{
	char path[PATH];
	int error;

	snprintf(path, sizeof(path), "%s/emisora.cer", dir);
	if ((error = keyfile_read(path, 65536, &s->issuer_der)) == 0)
		error = profile_issuer_read(&s->issuer, s->issuer_der.p, s->issuer_der.len);
	if (error != 0)
		log_error("issuer_unreadable", "%s: %s", path, icert_err_code(error));
	return error;
}

static int
read_pin(const char *path, char pin[PIN_MAX])
{
	struct buf b = BUF_INIT;
	int error;

	if ((error = keyfile_read(path, PIN_MAX - 1, &b)) == 0) {
		snprintf(pin, PIN_MAX, "%s", buf_str(&b));
		pin[strcspn(pin, "\r\n")] = '\0';
	}
	buf_free(&b);
	return error;
}

static int
open_token(struct signer *s, const struct config *config, const char *dir)
{
	const char *module = config_require(config, "signer", "module");
	const char *label = config_require(config, "signer", "token");
	char conf[PATH], pin[PIN_MAX];
	struct stat st;
	int error;

	snprintf(conf, sizeof(conf), "%s/softhsm2.conf", dir);
	if ((error = read_pin(config_require(config, "signer", "pin_file"), pin)) != 0) {
		log_error("pin_file_unreadable", "%s", icert_err_code(error));
		return error;
	}
	if ((error = pkcs11_load(&s->token, module, stat(conf, &st) == 0 ? conf : NULL)) != 0)
		log_error("token_module", "%s does not load", module);
	if (error == 0 && ((error = pkcs11_login(s->token, label, pin)) != 0 ||
	    (error = pkcs11_choose(s->token, SIGNER_KEY_LABEL)) != 0))
		log_error("token_login", "%s", pkcs11_detail(s->token));
	bytes_wipe(pin, sizeof(pin));
	return error;
}

/* The key in the token must be the one the issuing certificate names. */
static int
check_pair(struct signer *s)
{
	struct buf spki = BUF_INIT;
	int error;

	if ((error = pkcs11_spki(s->token, &spki)) == 0 &&
	    memmem(s->issuer_der.p, s->issuer_der.len, spki.p, spki.len) == NULL) {
		log_error("token_key", "the token's key is not the issuing certificate's");
		error = ICERT_E_MISMATCH;
	}
	buf_free(&spki);
	return error;
}

static void
read_policy(struct signer *s, const struct config *config)
{
	const char *second = config_get(config, "signer", "require_second");

	s->issuer.ocsp_url = config_require(config, "public", "ocsp_url");
	s->issuer.issuer_url = config_require(config, "public", "issuer_url");
	s->issuer.crl_url = config_require(config, "public", "crl_url");
	s->issuer.cps_url = config_require(config, "public", "cps_url");
	s->organization = config_require(config, "ca", "organization");
	s->responder_name.country = config_require(config, "ca", "country");
	s->responder_name.locality = config_require(config, "ca", "locality");
	s->responder_name.organization = s->organization;
	s->responder_name.organizational_unit = config_require(config, "ca", "unit");
	s->responder_name.common_name = config_require(config, "ca", "responder_name");
	s->responder_days = (int)config_int(config, "ca", "responder_days", SIGNER_RESPONDER_DAYS, 1, SIGNER_RESPONDER_DAYS);
	s->ceiling = (size_t)config_int(config, "signer", "ceiling_per_hour", 200, 1, 60000);
	s->require_second = second != NULL && strcmp(second, "yes") == 0;
}

int
signer_init(const struct config *config)
{
	char path[PATH];

	snprintf(path, sizeof(path), "%s/journal", config_require(config, "paths", "signer_dir"));
	return journal_make(path, clock_real());
}

int
signer_open(struct signer *s, const struct config *config)
{
	const char *dir = config_require(config, "paths", "signer_dir");
	char path[PATH];
	int error;

	memset(s, 0, sizeof(*s));
	read_policy(s, config);
	if ((error = open_pins(s, config_require(config, "paths", "pins"))) != 0 ||
	    (error = open_issuer(s, dir)) != 0 || (error = open_token(s, config, dir)) != 0 || (error = check_pair(s)) != 0)
		return error;
	snprintf(path, sizeof(path), "%s/journal", dir);
	if ((error = journal_open(&s->journal, path)) != 0) {
		log_error("journal_refused", "%s: %s%s", path, icert_err_code(error), error == ICERT_E_NOT_FOUND ?
		    "; restore it: without it, nothing says what was signed" : "");
		return error;
	}
	return journal_append(s->journal, JOURNAL_BEGIN, clock_real(), "");
}

void
signer_close(struct signer *s)
{
	pkcs11_free(s->token);
	journal_close(s->journal);
	profile_issuer_free(&s->issuer);
	buf_free(&s->issuer_der);
}
