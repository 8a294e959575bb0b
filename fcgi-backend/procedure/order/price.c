#include "procedure/order/price.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/staff.h"

#define READERS		(BY_ADMIN | BY_FINANCE | BY_AUDITOR)
#define PRODUCT		"t.container, t.kind, t.years, t.net, t.tax_bp, t.currency, t.on_sale, coalesce(t.sale_from, 0), t.ruc"

/* As tariff_list() reads them: of the rows in force the newest of each product counts. */
static const struct db_stmt prices = { "price_list",
	"select t.id, " PRODUCT ", t.valid_from, case when t.valid_from > $1 then case when exists (select from icert.tariff o where (o.container, o.kind,"
	" o.years, o.ruc, o.valid_from) = (t.container, t.kind, t.years, t.ruc, t.valid_from) and o.written > t.written) then 2 else 0 end when t.id in (select distinct on (container, kind, years, ruc) id"
	" from icert.tariff where valid_from <= $1 and (valid_until is null or valid_until > $1)"
	" order by container, kind, years, ruc, valid_from desc, written desc) then 1 else 2 end as place from icert.tariff t"
	" order by place, array_position(array['file', 'token', 'remote'], t.container),"
	" t.kind, t.years desc, t.ruc, t.valid_from desc limit $2" };

#define CHANGE \
	"select t.id, " PRODUCT ", coalesce(t.valid_from, 0), t.state, w.name, coalesce(d.name, ''), t.written_at, coalesce(t.decided_at, 0)," \
	" icert.other_person(t.written_by) from icert.tariff_change t join icert.staff w on w.id = t.written_by" \
	" left join icert.staff d on d.id = t.decided_by"
static const struct db_stmt changes = { "price_changes", CHANGE " order by t.state <> 'draft', t.written_at desc, t.id limit $1" };
static const struct db_stmt one = { "price_change_get", CHANGE " where t.id = $1" };
static const struct db_stmt add = { "price_change_add",
	"insert into icert.tariff_change (id, container, kind, years, net, tax_bp, currency, on_sale, sale_from, valid_from, written_by, written_at,"
	" ruc) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)" };
static const struct db_stmt decide = { "price_change_decide",
	"update icert.tariff_change set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'draft'" };
static const struct db_stmt into_tariff = { "price_change_into_tariff",
	"insert into icert.tariff (id, container, kind, years, net, tax_bp, currency, on_sale, sale_from, valid_from, change_id, ruc)"
	" select $2, container, kind, years, net, tax_bp, currency, on_sale, sale_from, coalesce(valid_from, decided_at), id, ruc"
	" from icert.tariff_change where id = $1" };

static void
read_item(const struct db_result *r, int row, struct tariff_item *item)
{
	memset(item, 0, sizeof *item);
	snprintf(item->id, sizeof item->id, "%s", db_text(r, row, 0));
	snprintf(item->container, sizeof item->container, "%s", db_text(r, row, 1));
	snprintf(item->kind, sizeof item->kind, "%s", db_text(r, row, 2));
	item->years = (int)db_int(r, row, 3);
	item->net = db_int(r, row, 4);
	item->tax_bp = (int)db_int(r, row, 5);
	snprintf(item->currency, sizeof item->currency, "%s", db_text(r, row, 6));
	item->on_sale = db_bool(r, row, 7);
	item->sale_from = db_int(r, row, 8);
	snprintf(item->ruc, sizeof item->ruc, "%s", db_text(r, row, 9));
}

static void
read_change(const struct db_result *r, int row, struct price_change *c)
{
	memset(c, 0, sizeof *c);
	read_item(r, row, &c->item);
	c->valid_from = db_int(r, row, 10);
	snprintf(c->state, sizeof c->state, "%s", db_text(r, row, 11));
	snprintf(c->written_name, sizeof c->written_name, "%s", db_text(r, row, 12));
	snprintf(c->decided_name, sizeof c->decided_name, "%s", db_text(r, row, 13));
	c->written_at = db_int(r, row, 14);
	c->decided_at = db_int(r, row, 15);
	c->other = db_bool(r, row, 16);
}

int
price_list(struct act *act, struct price *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & READERS))
		return act_refuse(act, "price.list", "tariff", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &prices, &r, P_INT(clock_business()), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct price *p = &rows[(*n)++];

		read_item(r, i, &p->item);
		p->valid_from = db_int(r, i, 10);
		p->when = db_int(r, i, 11) == 0 ? PRICE_COMING : db_int(r, i, 11) == 1 ? PRICE_NOW : PRICE_PAST;
	}
	db_result_free(r);
	return 0;
}

int
price_changes(struct act *act, struct price_change *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & READERS))
		return act_refuse(act, "price.list", "tariff_change", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &changes, &r, P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		read_change(r, i, &rows[(*n)++]);
	db_result_free(r);
	return 0;
}

/* Inside the open transaction. */
static int
read_one(struct act *act, const char *id, struct price_change *c)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		read_change(r, 0, c);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
price_change_get(struct act *act, const char *id, struct price_change *c)
{
	int error;

	if (!(act->roles & READERS))
		return act_refuse(act, "price.list", "tariff_change", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) == 0 && (error = read_one(act, id, c)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

/* The amounts stand in the log: who reads it knows what was approved without another table. */
static int
audit(struct act *act, const char *action, const char *id, const struct price_change *c)
{
	char detail[256];

	snprintf(detail, sizeof detail, "{\"container\":\"%s\",\"kind\":\"%s\",\"years\":%d,\"ruc\":\"%s\",\"net\":%" PRId64 ",\"tax_bp\":%d,\"on_sale\":%s,"
	    "\"valid_from\":%" PRId64 "}", c->item.container, c->item.kind, c->item.years, c->item.ruc, c->item.net, c->item.tax_bp,
	    c->item.on_sale ? "true" : "false", c->valid_from);
	return act_audit(act, action, "tariff_change", id, NULL, 0, NULL, detail);
}

static int
sound(const struct price_change *c, int64_t now)
{
	const struct tariff_item *i = &c->item;
	struct tariff_total total;

	return (strcmp(i->container, "file") == 0 || strcmp(i->container, "token") == 0 || strcmp(i->container, "remote") == 0) &&
	    (strcmp(i->kind, "new") == 0 || strcmp(i->kind, "renewal") == 0) && i->years >= 1 && i->years <= 5 &&
	    (strcmp(i->ruc, "any") == 0 || strcmp(i->ruc, "with") == 0 || strcmp(i->ruc, "without") == 0) &&
	    tariff_total(i->net, i->tax_bp, &total) == 0 && (!i->on_sale || (i->sale_from == 0 && tariff_sellable(i->container, i->kind))) && (c->valid_from == 0 || c->valid_from > now);
}

int
price_change_write(struct act *act, const struct price_change *c, char id[ID_TEXT])
{
	const struct tariff_item *i = &c->item;
	int64_t now = clock_business();
	int error = ICERT_E_DENIED;

	if (!sound(c, now))
		return ICERT_E_INVALID;
	if ((act->roles & BY_ADMIN) && (error = id_new(id)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(i->container), P_TEXT(i->kind), P_INT(i->years), P_INT(i->net),
	    P_INT(i->tax_bp), P_TEXT(i->currency), P_BOOL(i->on_sale), i->sale_from != 0 ? P_INT(i->sale_from) : P_NULL,
	    c->valid_from != 0 ? P_INT(c->valid_from) : P_NULL, P_TEXT(act->id), P_INT(now), P_TEXT(i->ruc))) == 0 &&
	    (error = audit(act, "price.draft", id, c)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "price.draft", "tariff_change", NULL, 0, error);
}

static int
decided(struct act *act, const char *id, const char *state)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &decide, &r, P_TEXT(id), P_TEXT(state), P_TEXT(act->id), P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

static int
approve_here(struct act *act, const struct price_change *c)
{
	char id[ID_TEXT];
	int error;

	if (strcmp(c->state, "draft") != 0)
		return ICERT_E_NOT_FOUND;
	if (!c->other)
		return ICERT_E_DENIED;
	/* Nobody's order is priced anew by a day that lies behind. */
	if (c->valid_from != 0 && c->valid_from <= clock_business())
		return ICERT_E_STALE;
	if ((error = id_new(id)) != 0 || (error = decided(act, c->item.id, "approved")) != 0 ||
	    (error = DB_QUERY(act->db, &into_tariff, NULL, P_TEXT(c->item.id), P_TEXT(id))) != 0)
		return error;
	return audit(act, "price.approve", c->item.id, c);
}

int
price_change_approve(struct act *act, const char *id, const char *code)
{
	struct price_change c;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_ADMIN) && (error = id_valid(id) ? 0 : ICERT_E_NOT_FOUND) == 0 && (error = staff_factor(act, code)) == 0 &&
	    (error = act_begin(act)) == 0 && (error = read_one(act, id, &c)) == 0 && (error = approve_here(act, &c)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "price.approve", "tariff_change", id_valid(id) ? id : NULL, 0, error);
}

int
price_change_withdraw(struct act *act, const char *id)
{
	struct price_change c;
	int error = ICERT_E_DENIED;

	if ((act->roles & BY_ADMIN) && (error = act_begin(act)) == 0 && (error = read_one(act, id, &c)) == 0 &&
	    (error = decided(act, id, "withdrawn")) == 0 && (error = audit(act, "price.withdraw", id, &c)) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "price.withdraw", "tariff_change", id_valid(id) ? id : NULL, 0, error);
}
