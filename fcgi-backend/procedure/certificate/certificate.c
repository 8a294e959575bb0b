#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "libicert/sealed.h"
#include "pki/crl.h"
#include "pki/issuer_list.h"
#include "pki/keyfile.h"
#include "pki/pem.h"
#include "procedure/certificate/certificate.h"
#include "procedure/datakey.h"

#define SERIAL_BYTES 16
#define CA_MAX 8192	/* octets of a certificate of the authority */

#define COLUMNS \
	"c.id, c.application_id, c.serial, c.state, c.container, c.not_before, c.not_after, c.issued_at, c.revoked_at," \
	" c.delivery_until, c.reason, c.reason_code, coalesce((select s.published_epoch is not null from icert.status_change s" \
	" where s.certificate_id = c.id order by s.id desc limit 1), false)," \
	" (select string_agg(d.label, ' ') from icert.delivery d where d.certificate_id = c.id and d.destroyed_at is null)"

static const struct db_stmt of_case = { "certificate_of_case",
	"select " COLUMNS " from icert.certificate c where c.application_id = $1 order by c.created_at desc, c.id limit 1" };
static const struct db_stmt get = { "certificate_get", "select " COLUMNS " from icert.certificate c where c.id = $1" };
static const struct db_stmt der = { "certificate_der",
	"select c.der, k.wrapped from icert.certificate c join icert.application a on a.id = c.application_id"
	" join icert.data_key k on k.id = a.key_id where c.id = $1 and c.der is not null" };
static const struct db_stmt pkcs12 = { "certificate_pkcs12",
	"select sealed from icert.delivery where certificate_id = $1 and label = 'pkcs12' and destroyed_at is null" };

static int64_t
or_minus_one(struct db_result *r, int col)
{
	return db_is_null(r, 0, col) ? -1 : db_int(r, 0, col);
}

static void
serial_hex(struct db_result *r, int col, char out[33])
{
	const uint8_t *serial;
	size_t n;

	serial = db_bytes(r, 0, col, &n);
	out[0] = '\0';
	if (n == SERIAL_BYTES)
		bytes_to_hex(out, serial, n);
}

static void
fill(struct certificate *c, struct db_result *r)
{
	memset(c, 0, sizeof *c);
	snprintf(c->id, sizeof c->id, "%s", db_text(r, 0, 0));
	snprintf(c->application, sizeof c->application, "%s", db_text(r, 0, 1));
	serial_hex(r, 2, c->serial);
	snprintf(c->state, sizeof c->state, "%s", db_text(r, 0, 3));
	snprintf(c->container, sizeof c->container, "%s", db_text(r, 0, 4));
	c->not_before = db_int(r, 0, 5);
	c->not_after = db_int(r, 0, 6);
	c->issued_at = db_int(r, 0, 7);
	c->revoked_at = db_int(r, 0, 8);
	c->delivery_until = db_int(r, 0, 9);
	c->reason = (int)or_minus_one(r, 10);
	snprintf(c->reason_code, sizeof c->reason_code, "%s", db_text(r, 0, 11));
	c->published = db_bool(r, 0, 12);
	c->has_pkcs12 = strstr(db_text(r, 0, 13), "pkcs12") != NULL;
	c->has_envelope = strstr(db_text(r, 0, 13), "envelope") != NULL;
}

static int
read_one(struct act *act, const struct db_stmt *stmt, const char *id, struct certificate *c)
{
	struct db_result *r;
	int error, own = !db_in_tx(act->db);

	memset(c, 0, sizeof *c);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if (own && (error = act_begin(act)) != 0)
		return error;
	error = own ? DB_QUERY_COMMIT(act->db, stmt, &r, P_TEXT(id)) : DB_QUERY(act->db, stmt, &r, P_TEXT(id));
	if (error != 0)
		return error;
	if (db_rows(r) == 1)
		fill(c, r);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
certificate_of(struct act *act, const char *application, struct certificate *c)
{
	return read_one(act, &of_case, application, c);
}

int
certificate_get(struct act *act, const char *id, struct certificate *c)
{
	return read_one(act, &get, id, c);
}

static int
open_der(struct act *act, const char *id, struct db_result *r, struct buf *out)
{
	uint8_t key[DATAKEY_BYTES];
	const uint8_t *p;
	char place[80];
	size_t n;
	int error;

	p = db_bytes(r, 0, 1, &n);
	if ((error = datakey_unwrap(act, p, n, key)) != 0)
		return error;
	snprintf(place, sizeof place, "certificate|der|%s", id);
	p = db_bytes(r, 0, 0, &n);
	error = sealed_open(key, place, p, n, out);
	bytes_wipe(key, sizeof key);
	return error;
}

int
certificate_der(struct act *act, const char *id, struct buf *out)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &der, &r, P_TEXT(id))) != 0)
		return error;
	error = db_rows(r) == 1 ? open_der(act, id, r, out) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

static int
add_authority(struct act *act, const char *name, struct buf *chain)
{
	struct buf authority = BUF_INIT;
	char path[512];
	int error;

	snprintf(path, sizeof path, "%s/%s", config_require(act->config, "paths", "ca"), name);
	if ((error = keyfile_read(path, CA_MAX, &authority)) == 0)
		pem_certificate(chain, authority.p, authority.len);
	buf_free(&authority);
	return error != 0 ? error : buf_error(chain);
}

int
certificate_files(struct act *act, const char *id, struct buf *cer, struct buf *chain)
{
	unsigned issuer, partition;
	char name[ISSUER_NAME];
	struct certificate c;
	int error;

	if ((error = certificate_get(act, id, &c)) != 0)
		return error;
	if (!c.published)
		return ICERT_E_STATE;
	if ((error = certificate_der(act, id, cer)) != 0)
		return error;
	pem_certificate(chain, cer->p, cer->len);
	if ((error = crl_point_find(cer->p, cer->len, config_require(act->config, "public", "crl_url"), &issuer, &partition)) == 0 &&
	    (error = issuer_name(name, sizeof name, ISSUER_CERTIFICATE, issuer, 0)) == 0 &&
	    (error = add_authority(act, name, chain)) == 0)
		error = add_authority(act, "raiz.cer", chain);
	return error;
}

static int
open_pkcs12(struct act *act, const struct certificate *c, struct db_result *r, struct buf *out)
{
	char context[DELIVERY_CONTEXT];
	uint8_t key[32], case_id[ID_RAW];
	const uint8_t *sealed;
	size_t n;
	int error;

	sealed = db_bytes(r, 0, 0, &n);
	if (n == 0)
		return ICERT_E_DESTROYED;
	if ((error = id_raw(c->application, case_id)) != 0 ||
	    (error = keeper_delivery_get(act->keeper, c->application, DELIVERY_PKCS12, key)) != 0)
		return error == ICERT_E_NOT_FOUND ? ICERT_E_DESTROYED : error;
	delivery_context(context, case_id, DELIVERY_PKCS12);
	error = sealed_open(key, context, sealed, n, out);
	bytes_wipe(key, sizeof key);
	return error;
}

int
certificate_pkcs12(struct act *act, const char *id, struct buf *out)
{
	struct certificate c;
	struct db_result *r = NULL;
	int error;

	if ((error = act_begin(act)) != 0 || (error = certificate_get(act, id, &c)) != 0)
		goto out;
	if (!c.published || strcmp(c.state, "good") != 0)
		error = ICERT_E_STATE;
	else if ((error = DB_QUERY(act->db, &pkcs12, &r, P_TEXT(id))) == 0 &&
	    (error = open_pkcs12(act, &c, r, out)) == 0)
		error = act_audit(act, "certificate.download", "certificate", id, c.application, 0, "pkcs12", NULL);
out:
	db_result_free(r);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "certificate.download", "certificate", id_valid(id) ? id : NULL, 0, error);
	return 0;
}
