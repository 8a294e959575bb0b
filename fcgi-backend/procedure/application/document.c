#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "documents/store.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"

#define PHOTO_WIDTH	600
#define PHOTO_HEIGHT	500

#define COLUMNS \
	"d.id, d.application_id, d.kind, d.file, d.key_id, d.type, d.size, d.sha256, d.original_sha256, d.width, d.height," \
	" d.pages, d.check_code, d.background, d.created_at, d.by_staff"

static const struct db_stmt add = { "document_add",
	"insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, width, height,"
	" pages, check_code, background, override_reason, caption, by_staff, created_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)" };
static const struct db_stmt replace = { "document_replace",
	"update icert.document set replaced_by = $3 where application_id = $1 and kind = $2 and replaced_by is null" };
static const struct db_stmt list = { "document_list",
	"select " COLUMNS " from icert.document d where d.application_id = $1 and d.replaced_by is null"
	" and d.destroyed_at is null order by d.kind" };
static const struct db_stmt get = { "document_get",
	"select " COLUMNS ", a.province from icert.document d join icert.application a on a.id = d.application_id"
	" where d.id = $1 and d.destroyed_at is null" };
static const struct db_stmt named = { "document_named",
	"select exists (select from icert.observation where application_id = $1 and target = $2"
	" and round = (select max(round) from icert.observation where application_id = $1))" };
static const struct db_stmt mended = { "document_mended",
	"update icert.observation set mended_at = $3 where application_id = $1 and target = $2 and mended_at is null" };

static const struct db_stmt files = { "document_files",
	"select f.file, exists (select from icert.document d where d.file = f.file)"
	" or exists (select from icert.slip r where r.file = f.file)"
	" or exists (select from icert.invoice i where i.pdf = f.file) or exists (select from icert.invoice i where i.xml = f.file), exists (select from icert.document)"
	" from unnest($1::uuid[]) with ordinality f (file, place) order by f.place" };

static int
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void
fill(struct document *d, struct db_result *r, int row)
{
	const uint8_t *p;
	size_t n;

	memset(d, 0, sizeof *d);
	snprintf(d->id, sizeof d->id, "%s", db_text(r, row, 0));
	snprintf(d->application, sizeof d->application, "%s", db_text(r, row, 1));
	snprintf(d->kind, sizeof d->kind, "%s", db_text(r, row, 2));
	snprintf(d->file, sizeof d->file, "%s", db_text(r, row, 3));
	snprintf(d->key, sizeof d->key, "%s", db_text(r, row, 4));
	snprintf(d->type, sizeof d->type, "%s", db_text(r, row, 5));
	d->size = db_int(r, row, 6);
	p = db_bytes(r, row, 7, &n);
	memcpy(d->sha256, p, n == sizeof d->sha256 ? n : 0);
	p = db_bytes(r, row, 8, &n);
	memcpy(d->original_sha256, p, n == sizeof d->original_sha256 ? n : 0);
	d->width = (int)db_int(r, row, 9);
	d->height = (int)db_int(r, row, 10);
	d->pages = (int)db_int(r, row, 11);
	snprintf(d->check, sizeof d->check, "%s", db_text(r, row, 12));
	d->background = (int)db_int(r, row, 13);
	d->at = db_int(r, row, 14);
	d->by_staff = !db_is_null(r, row, 15);
}

/* One of the three papers, by the applicant, while they may still be changed. */
static int
paper_allowed(struct act *act, const struct case_file *c, const char *target)
{
	struct db_result *r;
	int error;

	if (!(act->roles & BY_APPLICANT))
		return ICERT_E_DENIED;
	if (c->a.state == APPLICATION_DRAFT)
		return 0;
	if (c->a.state != APPLICATION_OBSERVED)
		return ICERT_E_STATE;
	if ((error = DB_QUERY(act->db, &named, &r, P_TEXT(c->a.id), P_TEXT(target))) != 0)
		return error;
	error = db_bool(r, 0, 0) ? 0 : ICERT_E_DENIED;
	db_result_free(r);
	return error;
}

static int
face_allowed(struct act *act, const struct case_file *c, const struct document *d)
{
	if (!(act->roles & BY_OPERATOR))
		return ICERT_E_DENIED;
	if (c->a.state != APPLICATION_SCHEDULED)
		return ICERT_E_STATE;
	if (d->width < policy_int(act, "photo.width", PHOTO_WIDTH) ||
	    d->height < policy_int(act, "photo.height", PHOTO_HEIGHT))
		return ICERT_E_INVALID;
	return d->background == 1 || d->override_reason[0] != '\0' ? 0 : ICERT_E_INVALID;
}

static int
allowed(struct act *act, const struct case_file *c, const struct document *d, const char *target)
{
	if (is(d->kind, DOCUMENT_CEDULA) || is(d->kind, DOCUMENT_VOTING) || is(d->kind, DOCUMENT_UTILITY))
		return paper_allowed(act, c, target);
	if (c->own && act->roles & BY_STAFF)
		return ICERT_E_OWN_CASE;
	if (act->roles & BY_STAFF && strcmp(c->a.operator, act->id) != 0)
		return ICERT_E_DENIED;
	if (is(d->kind, DOCUMENT_FACE))
		return face_allowed(act, c, d);
	if (!is(d->kind, DOCUMENT_SECOND_CEDULA))
		return ICERT_E_INVALID;
	if (!(act->roles & (BY_APPLICANT | BY_OPERATOR)))
		return ICERT_E_DENIED;
	return c->a.state == APPLICATION_ACCEPTED || c->a.state == APPLICATION_SCHEDULED ? 0 : ICERT_E_STATE;
}

/* The three values that go with the photograph, as data and never in a file name. */
static int
seal_caption(const struct case_file *c, const char *id, struct buf *out)
{
	struct buf text = BUF_INIT;
	char name[512];
	int error;

	application_full_name(&c->a.form, name, sizeof name);
	buf_printf(&text, "%s\n%s\n%s", c->a.envelope, c->a.form.id_number, name);
	if ((error = buf_error(&text)) == 0)
		error = case_seal(c, "document|caption", id, buf_str(&text), out);
	buf_free(&text);
	return error;
}

static struct db_param
sealed_or_null(const struct buf *b)
{
	return b->len > 0 ? P_BYTES(b->p, b->len) : P_NULL;
}

static int
insert(struct act *act, const struct case_file *c, struct document *d)
{
	struct buf caption = BUF_INIT, reason = BUF_INIT;
	int error = 0, face = is(d->kind, DOCUMENT_FACE);

	if (face)
		error = seal_caption(c, d->id, &caption);
	if (error == 0 && face && d->override_reason[0] != '\0')
		error = case_seal(c, "document|override_reason", d->id, d->override_reason, &reason);
	d->at = clock_business();
	d->by_staff = (act->roles & BY_STAFF) != 0;
	/* First the old one steps aside: one stands of each kind. */
	if (error == 0 && (error = DB_QUERY(act->db, &replace, NULL, P_TEXT(c->a.id), P_TEXT(d->kind), P_TEXT(d->id))) == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(d->id), P_TEXT(c->a.id), P_TEXT(d->kind), P_TEXT(d->file),
		    P_TEXT(c->a.key), P_TEXT(d->type), P_INT(d->size), P_BYTES(d->sha256, 32), P_BYTES(d->original_sha256, 32),
		    P_INT(d->width), P_INT(d->height), P_INT(d->pages), P_TEXT(d->check[0] != '\0' ? d->check : "ok"),
		    P_INT(d->background), sealed_or_null(&reason), sealed_or_null(&caption),
		    P_TEXT(d->by_staff ? act->id : NULL), P_INT(d->at));
	buf_free(&caption);
	buf_free(&reason);
	return error;
}

int
document_add(struct act *act, struct document *d)
{
	struct case_file c;
	char target[40], detail[120], hex[65];
	int error;

	snprintf(target, sizeof target, "document.%.24s", d->kind);
	if ((error = case_open(act, d->application, -1, &c)) == 0 && (error = allowed(act, &c, d, target)) == 0 &&
	    (error = id_new(d->id)) == 0 && (error = insert(act, &c, d)) == 0 &&
	    (d->by_staff || (error = DB_QUERY(act->db, &mended, NULL, P_TEXT(c.a.id), P_TEXT(target), P_INT(d->at))) == 0)) {
		snprintf(d->key, sizeof d->key, "%s", c.a.key);
		bytes_to_hex(hex, d->original_sha256, 32);
		snprintf(detail, sizeof detail, "{\"original_sha256\":\"%s\"}", hex);
		error = act_audit(act, "document.add", "document", d->id, c.a.id, c.a.province, d->kind, detail);
	}
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "document.add", "application", id_valid(d->application) ? d->application : NULL, 0, error);
	return 0;
}

static int
read_one(struct act *act, const char *id, struct document *d, int *province)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY(act->db, &get, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		fill(d, r, 0);
		*province = (int)db_int(r, 0, 16);
	}
	db_result_free(r);
	return error;
}

int
document_same(struct act *act, const char *id, const char *kind, char new_id[ID_TEXT])
{
	struct document d;
	int error, province;

	if ((error = read_one(act, id, &d, &province)) != 0) {
		db_rollback(act->db);
		return error;
	}
	db_rollback(act->db);
	snprintf(d.kind, sizeof d.kind, "%s", kind);
	if ((error = document_add(act, &d)) == 0)
		snprintf(new_id, ID_TEXT, "%s", d.id);
	return error;
}

int
document_list(struct act *act, const char *application, struct document *out, size_t *n)
{
	size_t room = *n;
	struct db_result *r;
	int error;

	*n = 0;
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_TEXT(application))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&out[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

int
document_get(struct act *act, const char *id, struct document *d)
{
	int error, province = 0;

	memset(d, 0, sizeof *d);
	if ((error = read_one(act, id, d, &province)) == 0 &&
	    (error = act_audit(act, "document.read", "document", id, d->application, province, d->kind, NULL)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "document.read", "document", id_valid(id) ? id : NULL, province, error);
	return 0;
}

int
document_known(void *ctx, const char (*ids)[ID_TEXT], size_t n, bool *known)
{
	struct db *db = ctx;
	struct buf text = BUF_INIT;
	struct db_result *r;
	int error;

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%c%s", i == 0 ? '{' : ',', ids[i]);
	buf_putc(&text, '}');
	if ((error = buf_error(&text)) == 0 && (error = DB_QUERY(db, &files, &r, P_TEXT(buf_str(&text)))) == 0) {
		if (db_rows(r) != (int)n || !db_bool(r, 0, 2))
			error = ICERT_E_STATE;
		for (size_t i = 0; i < n && error == 0; i++)
			known[i] = db_bool(r, (int)i, 1);
		db_result_free(r);
	}
	buf_free(&text);
	return error;
}

int
document_bytes(struct act *act, const struct document_store *store, const struct document *d, struct buf *out)
{
	uint8_t key[DATAKEY_BYTES];
	int error;

	if ((error = datakey_open(act, d->key, key)) != 0)
		return error;
	error = document_get_bytes(store, key, d->file, (size_t)d->size, out);
	bytes_wipe(key, sizeof key);
	return error;
}

int
document_load(struct act *act, const struct document_store *store, const char *id, struct buf *out)
{
	struct document d;
	int error, province;

	error = read_one(act, id, &d, &province);
	db_rollback(act->db);
	return error != 0 ? error : document_bytes(act, store, &d, out);
}
