#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/order/account.h"
#include "procedure/people/staff.h"
#include "web/desk/desk.h"

/* Bank accounts for deposits and transfers: one administrator writes, another confirms. */

#define ACCOUNTS	100
#define PROVINCES	32

static struct view_option *
provinces(struct request *rq, size_t *n)
{
	struct province *all = arena_array(&rq->arena, struct province, PROVINCES);
	struct view_option *options = arena_array(&rq->arena, struct view_option, PROVINCES);
	const char *chosen = request_form(rq, "province");

	*n = PROVINCES;
	if (all == NULL || options == NULL || province_list(desk_act(rq), all, n) != 0) {
		*n = 0;
		return options;
	}
	for (size_t i = 0; i < *n; i++) {
		options[i].value = arena_printf(&rq->arena, "%d", all[i].id);
		options[i].text = all[i].name;
		options[i].selected = chosen != NULL && strcmp(chosen, options[i].value) == 0;
	}
	return options;
}

static int
accounts_page(struct request *rq, int status)
{
	struct account *list = arena_array(&rq->arena, struct account, ACCOUNTS);
	struct view_desk_accounts_rows *rows = arena_array(&rq->arena, struct view_desk_accounts_rows, ACCOUNTS);
	struct view_desk_accounts v = { .admin = (rq->session.roles & ROLE_ADMIN) != 0 };
	size_t n = ACCOUNTS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = account_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct account *a = &list[i];
		bool open = strcmp(a->q.state, "open") == 0;

		rows[i].id = a->q.id;
		rows[i].place = a->place[0] != '\0' ? a->place : NULL;
		rows[i].bank = a->bank;
		rows[i].kind = a->kind;
		rows[i].number = a->number;
		rows[i].holder = a->holder;
		rows[i].holder_id = a->holder_id;
		rows[i].state = a->q.state;
		rows[i].by = a->q.requested_name;
		rows[i].at = a->q.requested_at;
		rows[i].decided = a->q.decided_name[0] != '\0' ? a->q.decided_name : NULL;
		rows[i].may_confirm = v.admin && open && a->q.other;
		rows[i].code = desk_code_field(rq, a->q.id);
		rows[i].may_end = v.admin && (open || strcmp(a->q.state, "confirmed") == 0);
	}
	v.rows = rows;
	v.nrows = n;
	v.provinces = provinces(rq, &v.nprovinces);
	v.kinds = desk_options(rq, account_kinds, "desk.account.kind.", request_form(rq, "kind"), &v.nkinds);
	v.kind = page_field(rq, "kind", NULL);
	v.bank = page_field(rq, "bank", NULL);
	v.number = page_field(rq, "number", NULL);
	v.holder = page_field(rq, "holder", NULL);
	v.holder_id = page_field(rq, "holder_id", NULL);
	return page_send(rq, status, desk_accounts, &v);
}

static int
accounts_show(struct request *rq)
{
	return accounts_page(rq, 200);
}

static const struct desk_refusal refusals[] = {
	{ ICERT_E_EXISTS, 409, NULL, "desk.account.exists" },
	{ ICERT_E_DENIED, 403, NULL, "desk.account.same" },
	{ ICERT_E_CONFLICT, 409, NULL, "desk.account.gone" },
	{ 0 }
};

static int
wrong(struct request *rq, int rv)
{
	int status = rq->id[0] != NULL && desk_code_error_of(rq, rv, rq->id[0]) ? 422 : desk_refused(rq, refusals, rv);

	return status != 0 ? accounts_page(rq, status) : rv;
}

/* One text of the form; what is not of its length or its characters is said at its field. */
static void
text(struct request *rq, const char *field, char *out, size_t size, size_t least, const char *allowed, const char *say)
{
	const char *typed = request_form(rq, field);
	size_t n = typed != NULL ? strlen(typed) : 0;

	if (n < least || n >= size || (allowed != NULL && strspn(typed, allowed) != n))
		page_field_error(rq, field, say);
	else
		snprintf(out, size, "%s", typed);
}

static int
account_save(struct request *rq)
{
	static const char numbers[] = "0123456789";
	struct account *a = arena_new(&rq->arena, struct account);
	const char *kind = request_form(rq, "kind"), *province = request_form(rq, "province");
	int rv;

	if (a == NULL)
		return ICERT_E_MEMORY;
	a->province = province != NULL ? atoi(province) : 0;
	text(rq, "bank", a->bank, sizeof a->bank, 2, NULL, "desk.account.bank");
	if (kind == NULL || (strcmp(kind, account_kinds[0]) != 0 && strcmp(kind, account_kinds[1]) != 0))
		page_field_error(rq, "kind", "desk.account.kind");
	else
		snprintf(a->kind, sizeof a->kind, "%s", kind);
	text(rq, "number", a->number, 21, 6, numbers, "desk.account.number");
	text(rq, "holder", a->holder, sizeof a->holder, 2, NULL, "desk.account.holder");
	text(rq, "holder_id", a->holder_id, 14, 10, numbers, "desk.account.holder_id");
	if (a->holder_id[0] != '\0' && strlen(a->holder_id) != 10 && strlen(a->holder_id) != 13)
		page_field_error(rq, "holder_id", "desk.account.holder_id");
	if (page_has_errors(rq))
		return accounts_page(rq, 422);
	rv = account_write(desk_act(rq), a);
	return rv != 0 ? wrong(rq, rv) : response_redirect(rq, "/cuentas?aviso=desk-account-written");
}

static int
confirm(struct request *rq)
{
	int rv = account_confirm(desk_act(rq), rq->id[0], desk_code(rq));

	return rv != 0 ? wrong(rq, rv) : response_redirect(rq, "/cuentas?aviso=desk-account-confirmed");
}

static int
end(struct request *rq)
{
	const char *seen = request_form(rq, "visto");
	int rv = account_end(desk_act(rq), rq->id[0], seen != NULL ? seen : "");

	return rv != 0 ? wrong(rq, rv) : response_redirect(rq, "/cuentas?aviso=desk-account-ended");
}

const struct route desk_account_routes[] = {
	{ METHOD_GET, "/cuentas", ROLE_ADMIN | ROLE_FINANCE | ROLE_AUDITOR, PROVINCE_NONE, 0, accounts_show },
	{ METHOD_POST, "/cuentas", ROLE_ADMIN, PROVINCE_NONE, ROUTE_PARK, account_save },
	{ METHOD_POST, "/cuentas/{id}/confirmar", ROLE_ADMIN, PROVINCE_NONE, 0, confirm },
	{ METHOD_POST, "/cuentas/{id}/retirar", ROLE_ADMIN, PROVINCE_NONE, 0, end },
	{ 0 }
};
