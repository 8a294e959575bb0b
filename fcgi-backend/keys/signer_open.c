#include "keys/signer.h"
#include "keys/token.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <string.h>

/* From the configuration to a signer that may be asked: the order in which things are opened. */

#define PATH 512

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
read_certificate(struct signer_ca *ca, const char *dir)
{
	char path[PATH], name[ISSUER_NAME];
	int error;

	if ((error = issuer_name(name, sizeof(name), ISSUER_CERTIFICATE, ca->number, 0)) != 0)
		return error;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((error = keyfile_read(path, 65536, &ca->der)) == 0)
		error = profile_issuer_read(&ca->issuer, ca->der.p, ca->der.len);
	if (error != 0)
		log_error("issuer_unreadable", "%s: %s", path, icert_err_code(error));
	return error;
}

/* The key in the token must be the one that the CA's certificate names. */
static int
check_pair(struct signer *s, const struct signer_ca *ca)
{
	struct buf spki = BUF_INIT;
	int error;

	if ((error = pkcs11_choose(s->token, ca->key)) != 0 || (error = pkcs11_spki(s->token, &spki)) != 0) {
		log_error("token_key", "%s: %s", ca->key, pkcs11_detail(s->token));
	} else if (memmem(ca->der.p, ca->der.len, spki.p, spki.len) == NULL) {
		log_error("token_key", "%s is not the key of its CA's certificate", ca->key);
		error = ICERT_E_MISMATCH;
	}
	buf_free(&spki);
	return error;
}

static int
open_journal(struct signer_ca *ca, const char *dir)
{
	char first[PATH], path[PATH];
	int error;

	snprintf(first, sizeof(first), "%s/journal", dir);
	if ((error = issuer_name(path, sizeof(path), first, ca->number, 0)) != 0)
		return error;
	if ((error = journal_open(&ca->journal, path)) != 0) {
		log_error("journal_refused", "%s: %s%s", path, icert_err_code(error), error == ICERT_E_NOT_FOUND ?
		    "; restore it: without it, nothing says what was signed" : "");
		return error;
	}
	return journal_append(ca->journal, JOURNAL_BEGIN, clock_real(), "");
}

static int
open_ca(struct signer *s, const struct issuer_entry *entry, const struct config *config, const char *dir)
{
	struct signer_ca *ca = &s->ca[s->n++];
	int error;

	ca->number = entry->number;
	ca->state = entry->state;
	ca->partitions = issuer_partitions(config, ca->number);
	if ((error = issuer_name(ca->key, sizeof(ca->key), ISSUER_KEY, ca->number, 0)) != 0 ||
	    (error = issuer_name(ca->issuer_url, sizeof(ca->issuer_url), config_require(config, "public", "issuer_url"),
	    ca->number, 0)) != 0 || (error = issuer_name(ca->crl_url, sizeof(ca->crl_url),
	    config_require(config, "public", "crl_url"), ca->number, 0)) != 0)
		return error;
	ca->issuer.ocsp_url = config_require(config, "public", "ocsp_url");
	ca->issuer.issuer_url = ca->issuer_url;
	ca->issuer.crl_url = ca->crl_url;
	ca->issuer.cps_url = config_require(config, "public", "cps_url");
	if (ca->state == ISSUER_ISSUES)
		s->issuing = ca;
	if ((error = read_certificate(ca, dir)) != 0)
		return error;
	ca->keyless = ca->state == ISSUER_ENDED && pkcs11_choose(s->token, ca->key) == ICERT_E_NOT_FOUND;
	if (!ca->keyless && (error = check_pair(s, ca)) != 0)
		return error;
	return open_journal(ca, dir);
}

static void
read_policy(struct signer *s, const struct config *config)
{
	const char *second = config_get(config, "signer", "require_second");

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
signer_init(const struct config *config, int next)
{
	char first[PATH], path[PATH];
	const struct issuer_entry *issuing;
	struct issuer_list list;
	unsigned number;
	int error;

	if ((error = issuer_list_read(&list, config)) != 0)
		return error;
	if ((issuing = issuer_list_issues(&list)) == NULL && !next)
		return ICERT_E_STATE;
	number = next ? list.at[list.n - 1].number + 1 : issuing->number;
	snprintf(first, sizeof(first), "%s/journal", config_require(config, "paths", "signer_dir"));
	if ((error = issuer_name(path, sizeof(path), first, number, 0)) != 0)
		return error;
	error = journal_make(path, clock_real());
	/* A rollover that was broken off after this: nothing can have been signed. */
	return error == ICERT_E_EXISTS && next ? 0 : error;
}

int
signer_open(struct signer *s, const struct config *config)
{
	const char *dir = config_require(config, "paths", "signer_dir");
	struct issuer_list list;
	size_t i;
	int error;

	memset(s, 0, sizeof(*s));
	read_policy(s, config);
	if ((error = issuer_list_read(&list, config)) != 0 ||
	    (error = open_pins(s, config_require(config, "paths", "pins"))) != 0 ||
	    (error = token_open(&s->token, config, "signer", dir)) != 0)
		return error;
	for (i = 0; i < list.n && error == 0; i++)
		error = open_ca(s, &list.at[i], config, dir);
	s->chosen = NULL;
	return error;
}

void
signer_close(struct signer *s)
{
	size_t i;

	pkcs11_free(s->token);
	for (i = 0; i < s->n; i++) {
		journal_close(s->ca[i].journal);
		profile_issuer_free(&s->ca[i].issuer);
		buf_free(&s->ca[i].der);
	}
}
