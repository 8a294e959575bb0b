#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/order/account.h"
#include "procedure/order/transfer.h"
#include "web/desk/desk.h"
#include "web/upload.h"

/* Deposits and transfers: the bank's statement is imported by one, and a line of it taken as a payment by another. */

#define LINES		200
#define ACCOUNTS	100
#define PROFILES	8
#define STATEMENT_BYTES	4194304		/* as the edge has it */
#define WATCHES		(ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR)
#define DECIDES		(ROLE_FINANCE | ROLE_NATIONAL)

static const char *const decimals[] = { "comma", "point", NULL };

static int
fill_form(struct request *rq, struct view_desk_transfers *v)
{
	struct account *list = arena_array(&rq->arena, struct account, ACCOUNTS);
	struct view_option *options = arena_array(&rq->arena, struct view_option, ACCOUNTS);
	const char **names = arena_array(&rq->arena, const char *, PROFILES), *chosen = request_form(rq, "account");
	size_t n = ACCOUNTS, at = 0;
	int rv;

	if (list == NULL || options == NULL || names == NULL)
		return ICERT_E_MEMORY;
	if ((rv = account_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].q.state, "confirmed") != 0)
			continue;
		options[at].value = list[i].q.id;
		options[at].text = arena_printf(&rq->arena, "%s %s", list[i].bank, list[i].number);
		options[at].selected = chosen != NULL && strcmp(chosen, list[i].q.id) == 0;
		at++;
	}
	/* Nothing to choose between. */
	if (at == 1 && chosen == NULL)
		options[0].selected = true;
	v->accounts = options;
	v->naccounts = at;
	for (size_t i = 0; i < PROFILES - 1 && statement_profiles[i].name != NULL; i++)
		names[i] = statement_profiles[i].name;
	v->profiles = desk_options(rq, names, "desk.transfer.profile.", request_form(rq, "profile"), &v->nprofiles);
	v->decimals = desk_options(rq, decimals, "desk.transfer.decimal.", request_form(rq, "decimal"), &v->ndecimals);
	v->account = page_field(rq, "account", NULL);
	v->profile = page_field(rq, "profile", NULL);
	v->decimal = page_field(rq, "decimal", NULL);
	v->statement_error = page_error_of(rq, "statement");
	v->statement_limit = STATEMENT_BYTES;
	v->again = page_has_errors(rq);
	return 0;
}

static int
transfers_page(struct request *rq, int status)
{
	struct transfer *list = arena_array(&rq->arena, struct transfer, LINES);
	struct view_desk_transfers_rows *rows = arena_array(&rq->arena, struct view_desk_transfers_rows, LINES);
	struct view_desk_transfers v = { .imports = (rq->session.roles & ROLE_FINANCE) != 0 };
	size_t n = LINES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = transfer_list(desk_act(rq), NULL, list, &n)) != 0 || (v.imports && (rv = fill_form(rq, &v)) != 0))
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct transfer *t = &list[i];

		rows[i].href = arena_printf(&rq->arena, "/transferencias/%s", t->id);
		rows[i].day = desk_day(t->day);
		rows[i].bank = t->bank;
		rows[i].reference = t->reference[0] != '\0' ? t->reference : NULL;
		rows[i].amount = t->cents;
		rows[i].state = t->state;
		rows[i].waits = strcmp(t->state, "new") == 0;
		rows[i].verdict = t->verdict[0] != '\0' ? t->verdict : NULL;
		rows[i].number = t->order[0] != '\0' ? t->number : NULL;
		rows[i].equal = t->cents == t->total;
		rows[i].total = t->total;
		v.waiting += rows[i].waits;
		v.applying += strcmp(t->state, "confirmed") == 0;
	}
	v.rows = rows;
	v.nrows = n;
	v.cut = n == LINES;
	return page_send(rq, status, desk_transfers, &v);
}

static int
transfers_show(struct request *rq)
{
	const char *own = rq->refusal != NULL ? arena_printf(&rq->arena, "desk.transfer.%s", rq->refusal) : NULL;

	/* What the edge refused, in this page's words where it has some. */
	if (rq->refusal != NULL) {
		rq->nerrors = 0;
		page_field_error(rq, "statement", own != NULL && catalogue(own) != NULL ? own : page_refusal_code(rq));
	}
	return transfers_page(rq, 200);
}

static const struct desk_refusal import_refusals[] = {
	{ ICERT_E_MALFORMED, 422, "statement", "desk.transfer.malformed" },
	{ ICERT_E_TOO_LARGE, 422, "statement", "desk.transfer.large" },
	{ ICERT_E_MISMATCH, 422, "profile", "desk.transfer.heading" },
	{ ICERT_E_EXISTS, 422, "statement", "desk.transfer.elsewhere" },
	{ ICERT_E_DENIED, 422, "account", "desk.transfer.account" },
	{ ICERT_E_INVALID, 422, "account", "desk.transfer.account" },
	{ 0 }
};

/* In which row, where one is to blame. */
static bool
import_refused(struct request *rq, int rv, unsigned record)
{
	if (rv != ICERT_E_MALFORMED || record == 0)
		return desk_refused(rq, import_refusals, rv) != 0;
	page_field_words(rq, "statement", "desk.transfer.row", (const char *const[]){ "row", arena_printf(&rq->arena, "%u", record), NULL });
	return true;
}

/* 0: taken; ICERT_E_INVALID: what is wrong is noted. */
static int
import_file(struct request *rq, const struct upload *u, const char *account, const char *profile, char decimal, struct transfer_imported *got)
{
	struct buf bytes = BUF_INIT;
	const char *reason;
	int rv = upload_bytes(&desk_of(rq)->files, u, STATEMENT_BYTES, &bytes, &reason);

	if (rv == ICERT_E_INVALID)
		page_field_error(rq, "statement", reason);
	else if (rv == 0 && (rv = transfer_import(desk_act(rq), account, profile, decimal, bytes.p, bytes.len, got)) != 0 &&
	    import_refused(rq, rv, got->record))
		rv = ICERT_E_INVALID;
	buf_free(&bytes);
	return rv;
}

static int
import_done(struct request *rq)
{
	const char *account = request_form(rq, "account"), *profile = request_form(rq, "profile"), *decimal = request_form(rq, "decimal");
	const struct upload *u = request_upload(rq, "statement");
	struct transfer_imported got = { .record = 0 };
	int rv;

	if (account == NULL || account[0] == '\0')
		page_field_error(rq, "account", "desk.transfer.account");
	if (profile == NULL || statement_profile(profile) == NULL)
		page_field_error(rq, "profile", "desk.transfer.profile");
	if (decimal == NULL || decimal[0] == '\0')
		page_field_error(rq, "decimal", "desk.transfer.decimal");
	if (u == NULL)
		page_field_error(rq, "statement", "desk.transfer.empty");
	if (page_has_errors(rq))
		return transfers_page(rq, 422);
	rv = import_file(rq, u, account, profile, strcmp(decimal, "comma") == 0 ? ',' : '.', &got);
	if (rv != 0)
		return rv == ICERT_E_INVALID ? transfers_page(rq, 422) : rv;
	return response_redirect(rq, "/transferencias?aviso=%s", got.lines == 0 ? "desk-transfer-none" :
	    got.known == got.lines ? "desk-transfer-again" : got.known > 0 ? "desk-transfer-known" : "desk-transfer-imported");
}

/* late: what was pressed came after another decision, which the page says. */
static int
line_page(struct request *rq, int status, bool late)
{
	struct transfer *t = arena_new(&rq->arena, struct transfer);
	struct view_desk_transfer v = { .back = desk_back(rq, "/transferencias") };
	int rv;

	if (t == NULL)
		return ICERT_E_MEMORY;
	if ((rv = transfer_get(desk_act(rq), rq->id[0], t)) != 0)
		return rv;
	if (late)
		page_field_error(rq, NULL, arena_printf(&rq->arena, "desk.transfer.now.%s", t->state));
	v.id = t->id;
	v.day = desk_day(t->day);
	v.bank = t->bank;
	v.reference = t->reference[0] != '\0' ? t->reference : NULL;
	v.amount = t->cents;
	v.state = t->state;
	v.waits = strcmp(t->state, "new") == 0;
	v.order = t->order[0] != '\0' ? arena_printf(&rq->arena, "/orden/%s", t->order) : NULL;
	v.order_number = t->number;
	v.order_state = t->order_state;
	v.total = t->total;
	v.equal = t->cents == t->total;
	v.verdict = t->verdict[0] != '\0' ? t->verdict : NULL;
	v.by = t->imported_name;
	v.at = t->imported_at;
	v.decided = t->decided_name[0] != '\0' ? t->decided_name : NULL;
	v.decided_at = t->decided_at;
	v.decides = v.waits && (rq->session.roles & DECIDES) != 0;
	v.may_confirm = v.decides && t->other;
	v.aside = strcmp(t->state, "other") == 0 && (rq->session.roles & DECIDES) != 0;
	v.whole = t->whole;
	v.several = t->together > 1;
	v.together = t->together;
	v.seen = arena_printf(&rq->arena, "%d", t->version);
	if (t->order[0] != '\0' && (rv = desk_slips(rq, t->order, &v.slips, &v.nslips)) != 0)
		return rv;
	v.number = page_field(rq, "number", t->number);
	v.code = page_field(rq, "code", NULL);
	v.code.value = NULL;
	return page_send(rq, status, desk_transfer, &v);
}

static int
line_show(struct request *rq)
{
	return line_page(rq, 200, false);
}

static const struct desk_refusal refusals[] = {
	{ ICERT_E_MISSING, 422, "number", "desk.transfer.number" },
	{ ICERT_E_DENIED, 403, NULL, "desk.transfer.same" },
	{ ICERT_E_EXISTS, 409, NULL, "desk.transfer.twice" },
	{ 0 }
};

static int
wrong(struct request *rq, int rv)
{
	int status = desk_code_error(rq, rv) ? 422 : desk_refused(rq, refusals, rv);

	if (rv == ICERT_E_CONFLICT)
		return line_page(rq, 409, true);
	return status != 0 ? line_page(rq, status, false) : rv;
}

/* The line as the page had it; -1 when the form does not say. */
static int
seen(struct request *rq)
{
	const char *text = request_form(rq, "visto");

	return text != NULL && text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10 ? atoi(text) : -1;
}

static int
confirm(struct request *rq)
{
	const char *number = request_form(rq, "number");
	int more, rv = transfer_confirm(desk_act(rq), rq->id[0], number != NULL ? number : "", desk_code(rq), &more);

	return rv != 0 ? wrong(rq, rv) : response_redirect(rq, "/transferencias?aviso=%s", more ? "desk-transfer-confirmed-more" : "desk-transfer-confirmed");
}

static int
set_aside(struct request *rq)
{
	const char *all = request_form(rq, "todo");
	int whole = all != NULL && all[0] != '\0', rv;
	unsigned stay = 0;

	if ((rv = transfer_set_aside(desk_act(rq), rq->id[0], seen(rq), whole, &stay)) != 0)
		return wrong(rq, rv);
	return response_redirect(rq, "/transferencias?aviso=%s", !whole ? "desk-transfer-aside" :
	    stay > 0 ? "desk-transfer-aside-some" : "desk-transfer-aside-all");
}

static int
again(struct request *rq)
{
	int rv = transfer_again(desk_act(rq), rq->id[0], seen(rq));

	return rv != 0 ? wrong(rq, rv) : response_redirect(rq, "/transferencias/%s?aviso=desk-transfer-back", rq->id[0]);
}

const struct route desk_transfer_routes[] = {
	{ METHOD_GET, "/transferencias", WATCHES, PROVINCE_ALL, 0, transfers_show },
	{ METHOD_POST, "/transferencias", ROLE_FINANCE, PROVINCE_ALL, ROUTE_ONCE, import_done },
	{ METHOD_GET, "/transferencias/{id}", WATCHES, PROVINCE_ALL, 0, line_show },
	{ METHOD_POST, "/transferencias/{id}/confirmar", DECIDES, PROVINCE_ALL, 0, confirm },
	{ METHOD_POST, "/transferencias/{id}/apartar", DECIDES, PROVINCE_ALL, 0, set_aside },
	{ METHOD_POST, "/transferencias/{id}/reponer", DECIDES, PROVINCE_ALL, 0, again },
	{ 0 }
};
