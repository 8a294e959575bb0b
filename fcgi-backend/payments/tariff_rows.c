/* Reading the tariff's rows; the arithmetic is in tariff.c, which needs no database. */
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "payments/tariff.h"
#include "store/db.h"

#define COLUMNS "id::text, container, kind, years, net, tax_bp, currency, on_sale, coalesce(sale_from, 0), ruc"
#define IN_FORCE "valid_from <= $1 and (valid_until is null or valid_until > $1)"

/* Of several rows for one product the newest counts; of one day, what was approved last. */
static const struct db_stmt list = { "tariff_list",
	"select " COLUMNS " from (select distinct on (container, kind, years, ruc) * from icert.tariff where " IN_FORCE
	" order by container, kind, years, ruc, valid_from desc, written desc) t"
	" order by array_position(array['file', 'token', 'remote'], container), kind, years desc, ruc" };

static const struct db_stmt one = { "tariff_get",
	"select " COLUMNS " from (select distinct on (container, kind, years, ruc) * from icert.tariff where " IN_FORCE
	" order by container, kind, years, ruc, valid_from desc, written desc) t where id = $2 and on_sale" };

static const struct db_stmt now_of = { "tariff_now",
	"select " COLUMNS " from icert.tariff where " IN_FORCE " and (container, kind, years, ruc) in"
	" (select container, kind, years, ruc from icert.tariff where id = $2) order by valid_from desc, written desc limit 1" };

static void
read_item(const struct db_result *r, int row, struct tariff_item *item)
{
	memset(item, 0, sizeof(*item));
	snprintf(item->id, sizeof(item->id), "%s", db_text(r, row, 0));
	snprintf(item->container, sizeof(item->container), "%s", db_text(r, row, 1));
	snprintf(item->kind, sizeof(item->kind), "%s", db_text(r, row, 2));
	item->years = (int)db_int(r, row, 3);
	item->net = db_int(r, row, 4);
	item->tax_bp = (int)db_int(r, row, 5);
	snprintf(item->currency, sizeof(item->currency), "%s", db_text(r, row, 6));
	item->on_sale = db_bool(r, row, 7);
	item->sale_from = db_int(r, row, 8);
	snprintf(item->ruc, sizeof(item->ruc), "%s", db_text(r, row, 9));
}

int
tariff_list(struct db *db, int64_t at, struct tariff_item *items, size_t *n)
{
	struct db_result *r = NULL;
	size_t i, room = *n;
	int error;

	*n = 0;
	if ((error = DB_QUERY(db, &list, &r, P_INT(at))) < 0)
		return error;
	for (i = 0; i < room && i < (size_t)db_rows(r); i++)
		read_item(r, (int)i, &items[i]);
	*n = i;
	db_result_free(r);
	return 0;
}

static int
get(struct db *db, const struct db_stmt *stmt, int64_t at, const char *id, struct tariff_item *item)
{
	struct db_result *r = NULL;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(db, stmt, &r, P_INT(at), P_TEXT(id))) < 0)
		return error;
	error = db_rows(r) == 1 && db_bool(r, 0, 7) ? 0 : ICERT_E_NOT_FOUND;
	if (error == 0)
		read_item(r, 0, item);
	db_result_free(r);
	return error;
}

int
tariff_get(struct db *db, int64_t at, const char *id, struct tariff_item *item)
{
	return get(db, &one, at, id, item);
}

int
tariff_now(struct db *db, int64_t at, const char *id, struct tariff_item *item)
{
	return get(db, &now_of, at, id, item);
}
