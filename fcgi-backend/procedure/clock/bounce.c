#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/clock/bounce.h"
#include "procedure/case.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/trouble.h"

/* Mails without which nobody can sign in time. */
#define NEEDED "'contract', 'pkcs12', 'envelope'"

static const struct db_stmt list = { "bounce_list",
	"select b.outbox_id, o.template, b.at, b.noticed_by = 'staff' from icert.bounce b join icert.outbox o on o.id = b.outbox_id"
	" where b.application_id = $1 and b.settled_at is null order by b.at" };
static const struct db_stmt mail = { "bounce_mail",
	"select o.state, o.template, o.template in (" NEEDED ") from icert.outbox o where o.id = $1 and o.application_id = $2"
	" and o.contact_id is not null" };
static const struct db_stmt add = { "bounce_add",
	"insert into icert.bounce (id, outbox_id, application_id, noticed_by, staff_id, at) values ($1, $2, $3, $4, $5, $6)"
	" on conflict (outbox_id) do nothing" };
static const struct db_stmt settle = { "bounce_settle",
	"update icert.bounce b set settled_at = $3, settled_by = $4 where b.application_id = $1 and b.settled_at is null"
	" and exists (select from icert.outbox o where o.id = b.outbox_id and o.template = $2)" };
static const struct db_stmt open_needed = { "bounce_open",
	"select from icert.bounce b join icert.outbox o on o.id = b.outbox_id where b.application_id = $1"
	" and b.settled_at is null and o.template in (" NEEDED ") limit 1" };
static const struct db_stmt stands = { "bounce_stands", "select state from icert.application where id = $1" };
static const struct db_stmt refused = { "bounce_refused",
	"select o.id::text, o.application_id::text, o.template in (" NEEDED "), o.template from icert.outbox o"
	" where o.state = 'failed' and o.application_id is not null and o.contact_id is not null"
	" and not exists (select from icert.bounce b where b.outbox_id = o.id)"
	" and" TROUBLE_RESTS_NOT("bounce", "o.id::text", "$1") " limit 20" };

/* The row, and when it was not there: the audit row, and the clock. *fresh. */
static int
write_row(struct act *act, const char *application, const char *outbox, const char *template, int needed, int *fresh)
{
	int staff = (act->roles & BY_STAFF) != 0, error;
	struct db_result *r;
	char id[ID_TEXT];

	*fresh = 0;
	if ((error = id_new(id)) != 0 || (error = DB_QUERY(act->db, &add, &r, P_TEXT(id), P_TEXT(outbox), P_TEXT(application),
	    P_TEXT(staff ? "staff" : "smtp"), P_TEXT(staff ? act->id : NULL), P_INT(clock_business()))) != 0)
		return error;
	*fresh = db_affected(r) == 1;
	db_result_free(r);
	if (!*fresh)
		return 0;
	if ((error = act_audit(act, "mail.bounce", "mail", outbox, application, 0, template, NULL)) != 0)
		return error;
	return needed ? deadline_clock_stop(act, application, "bounce", NULL) : 0;
}

int
bounce_list(struct act *act, const char *application, struct bounce *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_TEXT(application))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct bounce *b = &rows[(*n)++];

		snprintf(b->outbox, sizeof(b->outbox), "%s", db_text(r, i, 0));
		snprintf(b->template, sizeof(b->template), "%s", db_text(r, i, 1));
		b->at = db_int(r, i, 2);
		b->by_staff = db_bool(r, i, 3);
	}
	db_result_free(r);
	return 0;
}

static int
mark_here(struct act *act, const struct case_file *c, const char *outbox)
{
	char state[16], template[32], dedup[16 + ID_TEXT];
	struct db_result *r;
	int error, needed, fresh;

	if (!(act->roles & BY_OPERATOR))
		return ICERT_E_DENIED;
	if (!id_valid(outbox))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &mail, &r, P_TEXT(outbox), P_TEXT(c->a.id))) != 0)
		return error;
	error = db_rows(r) == 1 ? 0 : ICERT_E_NOT_FOUND;
	snprintf(state, sizeof(state), "%s", db_text(r, 0, 0));
	snprintf(template, sizeof(template), "%s", db_text(r, 0, 1));
	needed = db_bool(r, 0, 2);
	db_result_free(r);
	if (error != 0 || (error = strcmp(state, "sent") == 0 ? 0 : ICERT_E_STATE) != 0 ||
	    (error = write_row(act, c->a.id, outbox, template, needed, &fresh)) != 0 || !fresh)
		return error;
	snprintf(dedup, sizeof(dedup), "bounce:%s", outbox);
	return case_mail_staff(act, c, "bounce", dedup);
}

int
bounce_mark(struct act *act, const char *application, const char *outbox)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0)
		error = mark_here(act, &c, outbox);
	bytes_wipe(c.key, sizeof(c.key));
	if (error == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 :
	    act_refuse(act, "mail.bounce", "application", id_valid(application) ? application : NULL, 0, error);
}

int
bounce_run_on(struct act *act, const char *application, const char *reason)
{
	struct db_result *r;
	int error, still;

	if ((error = DB_QUERY(act->db, &open_needed, &r, P_TEXT(application))) != 0)
		return error;
	still = db_rows(r) > 0;
	db_result_free(r);
	if (still || (error = DB_QUERY(act->db, &stands, &r, P_TEXT(application))) != 0)
		return error;
	still = strcmp(db_text(r, 0, 0), "issued") != 0 && strcmp(db_text(r, 0, 0), "contract_sent") != 0;
	db_result_free(r);
	return still ? 0 : deadline_clock_run(act, application, reason, 0, NULL);
}

int
bounce_settle(struct act *act, const char *application, const char *template)
{
	struct db_result *r;
	int error, any;

	if ((error = DB_QUERY(act->db, &settle, &r, P_TEXT(application), P_TEXT(template), P_INT(clock_business()),
	    P_TEXT(act->id))) != 0)
		return error;
	any = db_affected(r) > 0;
	db_result_free(r);
	if (!any)
		return 0;
	if ((error = act_audit(act, "mail.settle", "application", application, application, 0, template, NULL)) != 0)
		return error;
	return bounce_run_on(act, application, "bounce");
}

struct refusals {
	struct act *act;
	struct db_result *r;
	int row;
};

/* trouble_each() goes through the rows in their order. */
static int
refused_one(void *ctx, const char *outbox)
{
	struct refusals *w = ctx;
	struct act *act = w->act;
	int row = w->row++;
	const char *application = db_text(w->r, row, 1);
	char dedup[16 + ID_TEXT];
	struct held held;
	int error, fresh;

	if ((error = act_begin(act)) == 0 && (error = deadline_hold(act, application, &held)) == 0 &&
	    (error = write_row(act, application, outbox, db_text(w->r, row, 3), db_bool(w->r, row, 2), &fresh)) == 0 && fresh) {
		snprintf(dedup, sizeof(dedup), "bounce:%s", outbox);
		error = deadline_mail_staff(act, application, &held, "bounce", dedup);
		/* Of a draft that was removed nobody needs to know. */
		if (error == ICERT_E_DESTROYED)
			error = 0;
	}
	return error == 0 ? db_commit(act->db) : error;
}

int
bounce_watch(struct act *act)
{
	int error, rows;

	do {
		struct refusals w = { .act = act };

		if ((error = DB_QUERY(act->db, &refused, &w.r, P_INT(clock_real()))) != 0)
			return error;
		rows = db_rows(w.r);
		error = trouble_each(act, "bounce", w.r, refused_one, &w, NULL);
	} while (error == 0 && rows > 0);
	return error;
}
