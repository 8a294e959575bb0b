/*
 * The clerk's hand for evidence.  Everything is gathered and stored before the transaction that files
 * the contract; what no row names is swept.
 */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/log.h"
#include "audit/receipt.h"
#include "crypt/seal.h"
#include "documents/package.h"
#include "documents/store.h"
#include "libicert/approval.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/crl.h"
#include "pki/issuer_list.h"
#include "pki/proof.h"
#include "procedure/application/document.h"
#include "procedure/contract/evidence.h"
#include "procedure/contract/evidence_form.h"
#include "procedure/contract/evidence_status.h"
#include "views/view.h"

#define FILE_MAX (64u << 10)
#define DOCUMENTS 64

static const struct db_stmt facts = { "evidence_facts",
	"select id, fields, fields_hash, key_word from icert.certificate where application_id = $1 and state <> 'refused'" };
static const struct db_stmt approvals = { "evidence_approvals",
	"select distinct on (kind) kind, statement from icert.approval where application_id = $1 and fields_hash = $2"
	" order by kind, at desc" };
static const struct db_stmt add = { "evidence_document",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, created_at)"
	" values ($1, $2, 'evidence', $3, $4, 'application/zip', $5, $6, $6, $7)" };

struct gathering {
	struct act *act;
	const struct evidence_case *c;
	struct package *p;
	int64_t at;		/* real time: status answers are compared with it */
	char issuer[ISSUER_NAME], crl_url[ISSUER_URL];	/* of the CA that made the holder's certificate */
};

/* A member with those octets. */
static int
put(struct gathering *g, const char *name, const void *bytes, size_t len)
{
	struct buf *out = package_add(g->p, name);

	if (out == NULL)
		return ICERT_E_INVALID;
	buf_put(out, bytes, len);
	return buf_error(out);
}

static int
put_buf(struct gathering *g, const char *name, const struct buf *bytes)
{
	return put(g, name, bytes->p, bytes->len);
}

/* A public file below a folder of the configuration. */
static int
put_file(struct gathering *g, const char *name, const char *folder, const char *file)
{
	const char *base = config_get(g->act->config, "paths", folder);
	struct buf path = BUF_INIT, *out;
	uint8_t *room;
	FILE *f;
	size_t n;
	int error;

	buf_printf(&path, "%s/%s", base != NULL ? base : "", file);
	f = buf_error(&path) == 0 ? fopen(buf_str(&path), "re") : NULL;
	out = package_add(g->p, name);
	if (f == NULL || out == NULL || (room = buf_room(out, FILE_MAX)) == NULL) {
		log_error("evidence_file", "%s cannot be read", buf_str(&path));
		error = ICERT_E_SYSTEM;
	} else {
		n = fread(room, 1, FILE_MAX, f);
		buf_took(out, n);
		error = n == 0 || n == FILE_MAX ? ICERT_E_SYSTEM : 0;
	}
	if (f != NULL)
		fclose(f);
	buf_free(&path);
	return error;
}

/* What was accepted: name and value, in the order of the canonical form. */
static int
put_fields(struct gathering *g, const char *certificate, const uint8_t *sealed, size_t len)
{
	struct buf plain = BUF_INIT, store = BUF_INIT;
	struct cert_fields fields;
	json_t *all = json_object();
	char place[80], *text = NULL;
	int error = all == NULL ? ICERT_E_MEMORY : 0;

	snprintf(place, sizeof place, "certificate|fields|%s", certificate);
	if (error == 0 && (error = open_field(g->c->key, place, sealed, len, &plain)) == 0)
		error = cert_fields_decode(&fields, plain.p, plain.len, &store);
	for (size_t i = 0; error == 0 && i < CERT_FIELDS_COUNT; i++)
		if (json_object_set_new(all, cert_fields_name(i), json_string(cert_fields_get(&fields, i))) != 0)
			error = ICERT_E_MEMORY;
	if (error == 0)
		error = (text = json_dumps(all, JSON_INDENT(1))) == NULL ? ICERT_E_MEMORY : put(g, EVIDENCE_FIELDS, text, strlen(text));
	free(text);
	json_decref(all);
	buf_free(&plain);
	buf_free(&store);
	return error;
}

static int
put_approvals(struct gathering *g, const uint8_t *hash, size_t len)
{
	static const struct { const char *kind, *name; } files[] = {
		{ "accept", EVIDENCE_ACCEPT }, { "issue", EVIDENCE_ISSUE }, { "second", EVIDENCE_SECOND },
	};
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(g->act->db, &approvals, &r, P_TEXT(g->c->application), P_BYTES(hash, len))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && error == 0; i++)
		for (size_t k = 0; k < sizeof files / sizeof files[0] && error == 0; k++)
			if (strcmp(db_text(r, i, 0), files[k].kind) == 0) {
				size_t n;
				const uint8_t *statement = db_bytes(r, i, 1, &n);

				error = put(g, files[k].name, statement, n);
			}
	db_result_free(r);
	return error;
}

/* Fields, approvals and the keymaker's word, from the certificate's row. */
static int
put_facts(struct gathering *g)
{
	const uint8_t *bytes;
	struct db_result *r;
	size_t n;
	int error;

	if ((error = DB_QUERY(g->act->db, &facts, &r, P_TEXT(g->c->application))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		bytes = db_bytes(r, 0, 1, &n);
		if ((error = put_fields(g, db_text(r, 0, 0), bytes, n)) == 0) {
			bytes = db_bytes(r, 0, 2, &n);
			error = put_approvals(g, bytes, n);
		}
		/* A key made in a token has no word: its hash stands among the fields. */
		if (error == 0 && !db_is_null(r, 0, 3)) {
			bytes = db_bytes(r, 0, 3, &n);
			error = put(g, EVIDENCE_KEYWORD, bytes, n);
		}
	}
	db_result_free(r);
	return error;
}

static int
receipt_of(struct act *act, const char *application, const char *number, int all, struct buf *out)
{
	uint8_t pub[32];
	int error;

	if ((error = audit_log_public(act->config, pub)) != 0 || (error = act_begin(act)) != 0)
		return error;
	error = receipt_make(act->db, application, number, pub, all, out);
	db_rollback(act->db);
	return error;
}

static int
put_audit(struct gathering *g)
{
	struct buf *out = package_add(g->p, EVIDENCE_AUDIT);

	return out == NULL ? ICERT_E_MEMORY : receipt_of(g->act, g->c->application, g->c->number, 1, out);
}

static int
put_status(struct gathering *g)
{
	const struct config *config = g->act->config;
	const struct buf *issuer = package_get(g->p, EVIDENCE_ISSUER);
	struct buf *out;
	int error;

	if ((out = package_add(g->p, EVIDENCE_OCSP)) == NULL)
		return ICERT_E_MEMORY;
	if ((error = evidence_ocsp(config, g->c->certificate, issuer, out)) != 0)
		return error;
	if (proof_issued_by(g->c->director, issuer)) {
		if ((out = package_add(g->p, EVIDENCE_OCSP_DIRECTOR)) == NULL)
			return ICERT_E_MEMORY;
		if ((error = evidence_ocsp(config, g->c->director, issuer, out)) != 0)
			return error;
	}
	if ((out = package_add(g->p, EVIDENCE_CRL)) == NULL || (error = evidence_list(g->crl_url, out)) != 0)
		return out == NULL ? ICERT_E_MEMORY : error;
	if ((out = package_add(g->p, EVIDENCE_ARL)) == NULL)
		return ICERT_E_MEMORY;
	return evidence_list(config_get(config, "public", "arl_url"), out);
}

static int
put_readme(struct gathering *g)
{
	struct buf *out = package_add(g->p, EVIDENCE_README);

	if (out == NULL)
		return ICERT_E_MEMORY;
	catalogue_put(out, "evidence.readme", (const char *const[]){ "number", g->c->number, "contract", g->c->contract, NULL });
	return buf_error(out);
}

static int
hash_hex(const void *bytes, size_t len, char hex[65])
{
	uint8_t sha256[32];

	if (EVP_Digest(bytes, len, sha256, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	bytes_to_hex(hex, sha256, sizeof sha256);
	return 0;
}

/* The last member: names the sum of every other one. */
static int
put_manifest(struct gathering *g)
{
	json_t *files = json_object(), *all = NULL;
	char hex[65], *text = NULL;
	int error = files == NULL ? ICERT_E_MEMORY : 0;

	for (size_t i = 0; error == 0 && i < g->p->n; i++)
		if ((error = hash_hex(g->p->file[i].bytes.p, g->p->file[i].bytes.len, hex)) == 0 &&
		    json_object_set_new(files, g->p->file[i].name, json_string(hex)) != 0)
			error = ICERT_E_MEMORY;
	if (error == 0) {
		bytes_to_hex(hex, g->c->original_sha256, 32);
		all = json_pack("{s:s, s:s, s:s, s:s, s:I, s:{s:I, s:s}, s:O}", "format", EVIDENCE_FORMAT, "case", g->c->application,
		    "number", g->c->number, "contract", g->c->contract, "made_at", (json_int_t)g->at, "original", "octets",
		    (json_int_t)g->c->original_len, "sha256", hex, "files", files);
		text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(1));
		error = text == NULL ? ICERT_E_MEMORY : put(g, EVIDENCE_MANIFEST, text, strlen(text));
	}
	free(text);
	json_decref(all);
	json_decref(files);
	return error;
}

/* Which CA's certificate and list belong to it: the holder's certificate says it. */
static int
find_issuer(struct gathering *g)
{
	const char *url = config_get(g->act->config, "public", "crl_url");
	unsigned issuer, partition;
	int error = url == NULL ? ICERT_E_CONFIG :
	    crl_point_find(g->c->certificate->p, g->c->certificate->len, url, &issuer, &partition);

	if (error == 0 && (error = issuer_name(g->issuer, sizeof g->issuer, ISSUER_CERTIFICATE, issuer, 0)) == 0)
		error = issuer_name(g->crl_url, sizeof g->crl_url, url, issuer, partition);
	return error;
}

static int
gather(struct gathering *g)
{
	int error;

	/* What may not be there yet comes first. */
	if ((error = find_issuer(g)) != 0 ||
	    (error = put_audit(g)) != 0 ||
	    (error = put_readme(g)) != 0 ||
	    (error = put_buf(g, EVIDENCE_CONTRACT, g->c->contract_pdf)) != 0 ||
	    (error = put_buf(g, EVIDENCE_HOLDER, g->c->certificate)) != 0 ||
	    (error = put_buf(g, EVIDENCE_DIRECTOR, g->c->director)) != 0 ||
	    (error = put_file(g, EVIDENCE_ISSUER, "ca", g->issuer)) != 0 ||
	    (error = put_file(g, EVIDENCE_ROOT, "ca", "raiz.cer")) != 0 ||
	    (error = put_file(g, EVIDENCE_KEEPER, "pins", "keeper.pub")) != 0 ||
	    (error = put_file(g, EVIDENCE_KEYMAKER, "pins", "keymaker.pub")) != 0 ||
	    (error = put_facts(g)) != 0 ||
	    (error = put_status(g)) != 0)
		return error;
	/* After the answers, which name their own second. */
	g->at = clock_real();
	return put_manifest(g);
}

int
evidence_make(struct act *act, const struct document_store *store, const struct evidence_case *c, struct evidence *e)
{
	struct package *p = calloc(1, sizeof *p);
	struct gathering g = { .act = act, .c = c, .p = p };
	struct buf out = BUF_INIT;
	int error;

	memset(e, 0, sizeof *e);
	if (p == NULL)
		return ICERT_E_MEMORY;
	if ((error = gather(&g)) == 0 && (error = package_write(p, &out)) == 0 &&
	    (error = EVP_Digest(out.p, out.len, e->sha256, NULL, EVP_sha256(), NULL) == 1 ? 0 : ICERT_E_CRYPTO) == 0) {
		e->size = out.len;
		error = document_put(store, c->key, out.p, out.len, e->file);
	}
	if (error != 0)
		e->file[0] = '\0';
	package_free(p);
	free(p);
	buf_free(&out);
	return error;
}

int
evidence_keep(struct act *act, const struct evidence_case *c, struct evidence *e)
{
	char hex[65], detail[128];
	int error;

	if ((error = id_new(e->document)) != 0 || (error = DB_QUERY(act->db, &add, NULL, P_TEXT(e->document), P_TEXT(c->application),
	    P_TEXT(e->file), P_TEXT(c->key_id), P_INT((int64_t)e->size), P_BYTES(e->sha256, 32), P_INT(clock_business()))) != 0)
		return error;
	bytes_to_hex(hex, e->sha256, 32);
	snprintf(detail, sizeof detail, "{\"sha256\":\"%s\"}", hex);
	return act_audit(act, "evidence.keep", "document", e->document, c->application, c->province, NULL, detail);
}

void
evidence_drop(const struct document_store *store, const struct evidence *e)
{
	if (e->file[0] != '\0')
		document_drop(store, e->file);
}

int
evidence_read(struct act *act, const struct document_store *store, const char *application, struct buf *out)
{
	struct document *list = calloc(DOCUMENTS, sizeof *list), d;
	size_t n = DOCUMENTS;
	int error;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((error = document_list(act, application, list, &n)) == 0) {
		error = ICERT_E_NOT_FOUND;
		for (size_t i = 0; i < n; i++)
			if (strcmp(list[i].kind, DOCUMENT_EVIDENCE) == 0 && (error = document_get(act, list[i].id, &d)) == 0)
				error = document_bytes(act, store, &d, out);
	}
	free(list);
	return error;
}

int
evidence_receipt(struct act *act, const char *application, const char *number, struct buf *out)
{
	return receipt_of(act, application, number, 0, out);
}
