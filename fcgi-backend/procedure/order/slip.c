#include "procedure/order/slip.h"

#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"

#define READERS	(BY_APPLICANT | BY_FINANCE | BY_NATIONAL | BY_AUDITOR)
#define OPENERS	(BY_FINANCE | BY_NATIONAL)

static const struct db_stmt standing = { "slip_standing",
	"select count(*), coalesce(bool_or(original_sha256 = $2), false) from icert.slip where purchase_id = $1" };
static const struct db_stmt add = { "slip_add",
	"insert into icert.slip (id, purchase_id, place, file, type, size, sha256, original_sha256, created_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing" };
#define COLUMNS \
	"select r.id, r.purchase_id, p.key_id, r.file, r.type, r.size, r.created_at from icert.slip r join icert.purchase p on p.id = r.purchase_id"
static const struct db_stmt list = { "slip_list", COLUMNS " where r.purchase_id = $1 order by r.place" };
static const struct db_stmt one = { "slip_one", COLUMNS " where r.purchase_id = $1 and r.id = $2" };

int
slip_wanted(const struct purchase *p)
{
	return strcmp(p->state, "created") == 0 || strcmp(p->state, "pending") == 0 || strcmp(p->state, "expired") == 0;
}

/* The place of the next one. */
static int
next_place(struct act *act, const struct slip *s, int64_t *place)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &standing, &r, P_TEXT(s->order), P_BYTES(s->original_sha256, sizeof s->original_sha256))) != 0)
		return error;
	*place = db_int(r, 0, 0) + 1;
	if (db_bool(r, 0, 1))
		error = ICERT_E_EXISTS;
	else if (*place > SLIPS_MAX)
		error = ICERT_E_CEILING;
	db_result_free(r);
	return error;
}

static int
insert(struct act *act, struct slip *s, int64_t place)
{
	struct db_result *r;
	int error;

	s->at = clock_business();
	if ((error = id_new(s->id)) != 0 ||
	    (error = DB_QUERY(act->db, &add, &r, P_TEXT(s->id), P_TEXT(s->order), P_INT(place), P_TEXT(s->file), P_TEXT(s->type),
	    P_INT(s->size), P_BYTES(s->sha256, sizeof s->sha256), P_BYTES(s->original_sha256, sizeof s->original_sha256),
	    P_INT(s->at))) != 0)
		return error;
	/* Another one has the place. */
	error = db_affected(r) == 1 ? 0 : ICERT_E_BUSY;
	db_result_free(r);
	return error;
}

/* Two at once: whoever comes second finds the place taken, and either the same file in it or the next place free. */
static int
insert_next(struct act *act, struct slip *s)
{
	int64_t place;
	int error = ICERT_E_BUSY;

	for (int tries = 0; error == ICERT_E_BUSY && tries < SLIPS_MAX; tries++)
		if ((error = next_place(act, s, &place)) == 0)
			error = insert(act, s, place);
	return error;
}

int
slip_add(struct act *act, const struct purchase *p, struct slip *s)
{
	int error = ICERT_E_DENIED;

	snprintf(s->order, sizeof s->order, "%s", p->id);
	if ((act->roles & BY_APPLICANT) && (error = slip_wanted(p) ? 0 : ICERT_E_STATE) == 0 && (error = act_begin(act)) == 0 &&
	    (error = insert_next(act, s)) == 0 &&
	    (error = act_audit(act, "order.slip_add", "order", p->id, NULL, 0, NULL, NULL)) == 0)
		return db_commit(act->db);
	if (error == ICERT_E_EXISTS) {
		db_rollback(act->db);
		return error;
	}
	return act_refuse(act, "order.slip_add", "order", p->id, 0, error);
}

#define COPY(field, column) snprintf(s->field, sizeof s->field, "%s", db_text(r, row, column))

static void
fill(struct slip *s, const struct db_result *r, int row)
{
	memset(s, 0, sizeof *s);
	COPY(id, 0);
	COPY(order, 1);
	COPY(key, 2);
	COPY(file, 3);
	COPY(type, 4);
	s->size = db_int(r, row, 5);
	s->at = db_int(r, row, 6);
}

int
slip_list(struct act *act, const char *order, struct slip *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!id_valid(order))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & READERS))
		return act_refuse(act, "order.slip_read", "order", order, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_TEXT(order))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

static int
find(struct act *act, const char *order, const char *id, struct slip *s)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &one, &r, P_TEXT(order), P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(s, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
slip_read(struct act *act, const struct document_store *store, const char *order, const char *id, struct slip *s, struct buf *out)
{
	uint8_t key[DATAKEY_BYTES];
	int error = ICERT_E_DENIED;

	if (!id_valid(order) || !id_valid(id))
		return ICERT_E_NOT_FOUND;
	if (!(act->roles & OPENERS) || (error = act_begin(act)) != 0 || (error = find(act, order, id, s)) != 0 ||
	    (error = act_audit(act, "order.slip_read", "order", order, NULL, 0, NULL, NULL)) != 0 || (error = db_commit(act->db)) != 0)
		return act_refuse(act, "order.slip_read", "order", order, 0, error);
	if ((error = datakey_open(act, s->key, key)) != 0)
		return error;
	error = document_get_bytes(store, key, s->file, (size_t)s->size, out);
	bytes_wipe(key, sizeof key);
	return error;
}
