#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/error.h"
#include "procedure/people/staff.h"

#define CODE_DIGITS 6

static const struct db_stmt provinces = { "staff_province_list",
	"select id, name, telephone, hours, address, galapagos from icert.province where ($1::int = 0 or id = $1) order by id" };
static const struct db_stmt operators = { "staff_operators",
	"select s.id, s.name from icert.staff s join icert.staff_role r on r.staff_id = s.id"
	" where r.role = 'operator' and r.province = $1 and s.enabled order by s.name" };
static const struct db_stmt posts = { "staff_posts",
	"select s.id, s.login, s.name, s.email, r.role, p.name, s.enabled from icert.staff s"
	" left join icert.staff_role r on r.staff_id = s.id left join icert.province p on p.id = r.province"
	" order by s.name, s.id, r.role, r.province limit 500" };
static const struct db_stmt mine = { "staff_my_provinces",
	"select unnest(icert.me_provinces()) union select unnest(icert.me_directs()) order by 1" };

/* One statement under the act's identity, in a transaction of its own or in
 * the one that is open. */
static int
read_rows(struct act *act, const struct db_stmt *stmt, const struct db_param *params, size_t n, struct db_result **r)
{
	int error;

	if (db_in_tx(act->db))
		return db_query(act->db, stmt, params, n, r);
	if ((error = act_begin(act)) != 0)
		return error;
	return db_query_commit(act->db, stmt, params, n, r);
}

static void
fill(struct province *p, struct db_result *r, int row)
{
	p->id = (int)db_int(r, row, 0);
	snprintf(p->name, sizeof p->name, "%s", db_text(r, row, 1));
	snprintf(p->telephone, sizeof p->telephone, "%s", db_text(r, row, 2));
	snprintf(p->hours, sizeof p->hours, "%s", db_text(r, row, 3));
	snprintf(p->address, sizeof p->address, "%s", db_text(r, row, 4));
	p->galapagos = db_bool(r, row, 5);
}

int
province_list(struct act *act, struct province *rows, size_t *n)
{
	struct db_result *r;
	int error = read_rows(act, &provinces, DB_PARAMS(P_INT(0)), &r);
	size_t room = *n;

	*n = 0;
	if (error != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

int
province_get(struct act *act, int id, struct province *p)
{
	struct db_result *r;
	int error;

	memset(p, 0, sizeof *p);
	if (id <= 0)
		return ICERT_E_NOT_FOUND;
	if ((error = read_rows(act, &provinces, DB_PARAMS(P_INT(id)), &r)) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(p, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
staff_operators(struct act *act, int province, struct staff *rows, size_t *n)
{
	struct db_result *r;
	int error = read_rows(act, &operators, DB_PARAMS(P_INT(province)), &r);
	size_t room = *n;

	*n = 0;
	if (error != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct staff *s = &rows[(*n)++];

		snprintf(s->id, sizeof s->id, "%s", db_text(r, i, 0));
		snprintf(s->name, sizeof s->name, "%s", db_text(r, i, 1));
		s->roles = BY_OPERATOR;
	}
	db_result_free(r);
	return 0;
}

int
staff_posts(struct act *act, struct staff_post *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & BY_ADMIN))
		return act_refuse(act, "staff.list", "staff", NULL, 0, ICERT_E_DENIED);
	if ((error = read_rows(act, &posts, NULL, 0, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct staff_post *s = &rows[(*n)++];

		snprintf(s->id, sizeof s->id, "%s", db_text(r, i, 0));
		snprintf(s->login, sizeof s->login, "%s", db_text(r, i, 1));
		snprintf(s->name, sizeof s->name, "%s", db_text(r, i, 2));
		snprintf(s->email, sizeof s->email, "%s", db_text(r, i, 3));
		snprintf(s->role, sizeof s->role, "%s", db_text(r, i, 4));
		snprintf(s->province, sizeof s->province, "%s", db_text(r, i, 5));
		s->enabled = db_bool(r, i, 6);
	}
	db_result_free(r);
	return 0;
}

int
staff_provinces(struct act *act, int *out, size_t *n)
{
	struct db_result *r;
	int error = read_rows(act, &mine, NULL, 0, &r);
	size_t room = *n;

	*n = 0;
	if (error != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		out[(*n)++] = (int)db_int(r, i, 0);
	db_result_free(r);
	return 0;
}

int
staff_factor(struct act *act, const char *code)
{
	if (code == NULL || strlen(code) != CODE_DIGITS || strspn(code, "0123456789") != CODE_DIGITS)
		return ICERT_E_INVALID;
	return keeper_totp_verify(act->keeper, act->id, code);
}
