#include <stdio.h>
#include <string.h>

#include "documents/store.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/application/anew.h"
#include "procedure/case.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"
#include "procedure/order/purchase.h"

#define DAY_S		86400
#define RENEWAL_DAYS	60	/* before its end, where policy says nothing */
#define PAPERS_MAX	16

/* Every page of the form but the privacy notice (web/portal/form.c). */
#define PAGES		"identidad,nombres,domicilio,telefono,ruc,votacion"

static const struct db_stmt read_case = { "anew_case",
	"select a.state, a.container, a.years, coalesce(c.state, ''), coalesce(c.not_after, 0) from icert.application a"
	" left join icert.certificate c on c.application_id = a.id and c.state <> 'refused' where a.id = $1" };
/* A draft, a case or an order that is on its way to renew this one; abandoned orders expire. */
static const struct db_stmt under_way = { "anew_under_way",
	"select coalesce(a.id, p.id)::text from icert.purchase p left join icert.application a on a.purchase_id = p.id"
	" and a.state <> 'removed' where p.origin_id = $1 and p.kind = 'renewal'"
	" and case when a.id is null then p.state in ('created', 'pending', 'paid')"
	" else a.state not in ('rejected', 'cancelled', 'closed_revoked') end limit 1" };

static int
ended(enum application_state s)
{
	return s == APPLICATION_REJECTED || s == APPLICATION_CANCELLED || s == APPLICATION_CLOSED_REVOKED;
}

static int
look(struct act *act, const char *application, struct anew *a)
{
	enum application_state state;
	struct db_result *r;
	int64_t now = clock_business();
	int error, good;

	memset(a, 0, sizeof *a);
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &read_case, &r, P_TEXT(application))) != 0)
		return error;
	error = db_rows(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	state = application_state_find(db_text(r, 0, 0));
	snprintf(a->container, sizeof a->container, "%s", db_text(r, 0, 1));
	a->years = (int)db_int(r, 0, 2);
	good = strcmp(db_text(r, 0, 3), "good") == 0;
	a->not_after = db_int(r, 0, 4);
	db_result_free(r);
	if (error != 0)
		return error;
	if (ended(state) || (state == APPLICATION_ACTIVE && !good))
		snprintf(a->kind, sizeof a->kind, "new");
	if (state != APPLICATION_ACTIVE || !good || strcmp(a->container, "file") != 0)
		return 0;
	a->opens_at = a->not_after - policy_int(act, "renewal.days", RENEWAL_DAYS) * DAY_S;
	if ((error = DB_QUERY(act->db, &under_way, &r, P_TEXT(application))) != 0)
		return error;
	snprintf(a->open, sizeof a->open, "%s", db_text(r, 0, 0));
	db_result_free(r);
	if (now >= a->opens_at && now < a->not_after && a->open[0] == '\0')
		snprintf(a->kind, sizeof a->kind, "renewal");
	return 0;
}

int
anew_of(struct act *act, const char *application, struct anew *a)
{
	int error;

	if ((error = act_begin(act)) == 0 && (error = look(act, application, a)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

int
anew_may(struct act *act, const char *origin, const char *container, const char *kind)
{
	int renewal = strcmp(kind, "renewal") == 0, error;
	struct anew a;

	if (origin[0] == '\0')
		return renewal ? ICERT_E_MISSING : 0;
	if ((error = look(act, origin, &a)) != 0)
		return error;
	if (renewal && a.open[0] != '\0')
		return ICERT_E_EXISTS;
	return strcmp(a.kind, kind) == 0 && (!renewal || strcmp(a.container, container) == 0) ? 0 : ICERT_E_STATE;
}

/* The earlier case's row with its form, in the open transaction. */
static int
origin_case(struct act *act, const char *origin, struct application *a)
{
	struct db_result *r;
	int error;

	memset(a, 0, sizeof *a);
	if ((error = DB_QUERY(act->db, &case_select_portal, &r, P_TEXT(origin))) != 0)
		return error;
	error = db_rows(r) == 1 ? case_fill(act, r, a, 1, NULL) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
anew_form(struct act *act, const char *origin, struct application_form *form)
{
	struct application a;
	int error = origin_case(act, origin, &a);

	memset(form, 0, sizeof *form);
	if (error == 0) {
		*form = a.form;
		form->privacy[0] = '\0';
		snprintf(form->kept, sizeof form->kept, PAGES);
	}
	bytes_wipe(&a, sizeof a);
	return error == ICERT_E_DESTROYED ? 0 : error;
}

int
anew_billing(struct act *act, const char *origin, struct billing *billing)
{
	struct application a;
	struct purchase p;
	int error;

	memset(billing, 0, sizeof *billing);
	if (!id_valid(origin))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) == 0)
		error = origin_case(act, origin, &a);
	db_rollback(act->db);
	if (error == 0 && (error = purchase_get(act, a.purchase, &p)) == 0)
		*billing = p.billing;
	bytes_wipe(&a, sizeof a);
	bytes_wipe(&p, sizeof p);
	return error;
}

int
anew_document(struct act *act, const char *application, const char *kind, struct document *d)
{
	static const struct { const char *kind, *key; int days; } lives[] = {
		{ DOCUMENT_CEDULA, "anew.cedula_days", 365 }, { DOCUMENT_VOTING, "anew.voting_days", 365 },
		{ DOCUMENT_UTILITY, "anew.utility_days", 90 },
	};
	struct document papers[PAPERS_MAX];
	struct application a;
	size_t n = PAPERS_MAX;
	int64_t days = 0;
	int error;

	for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++)
		if (strcmp(lives[i].kind, kind) == 0)
			days = policy_int(act, lives[i].key, lives[i].days);
	if (days <= 0)
		return ICERT_E_NOT_FOUND;
	error = application_get(act, application, &a);
	if (error == 0 && (a.state != APPLICATION_DRAFT || a.origin[0] == '\0'))
		error = ICERT_E_NOT_FOUND;
	if (error == 0)
		error = document_list(act, a.origin, papers, &n);
	bytes_wipe(&a, sizeof a);
	if (error != 0)
		return error;
	for (size_t i = 0; i < n; i++)
		if (strcmp(papers[i].kind, kind) == 0 && papers[i].at > clock_business() - days * DAY_S) {
			*d = papers[i];
			return 0;
		}
	return ICERT_E_NOT_FOUND;
}

/* Under the draft's own key: what destroys the earlier case's leaves this one's. */
static int
take(struct act *act, const struct document_store *store, const char *key_id, const struct document *old,
    struct document *d)
{
	struct buf plain = BUF_INIT;
	uint8_t key[DATAKEY_BYTES];
	int error;

	if ((error = document_get(act, old->id, d)) == 0 && (error = document_bytes(act, store, d, &plain)) == 0 &&
	    (error = datakey_open(act, key_id, key)) == 0)
		error = document_put(store, key, plain.p, plain.len, d->file);
	bytes_wipe(key, sizeof key);
	buf_free(&plain);
	return error;
}

int
anew_document_take(struct act *act, const struct document_store *store, const char *application, const char *kind)
{
	struct application a;
	struct document old, d;
	int error;

	if ((error = anew_document(act, application, kind, &old)) != 0 ||
	    (error = application_get(act, application, &a)) != 0)
		return error;
	if ((error = take(act, store, a.key, &old, &d)) == 0) {
		snprintf(d.application, sizeof d.application, "%s", application);
		if ((error = document_add(act, &d)) != 0 && error != ICERT_E_UNAVAILABLE)
			document_drop(store, d.file);
	}
	bytes_wipe(&a, sizeof a);
	return error;
}
