/* A new opening code, and the end of a lock. */
#include <stdio.h>
#include <string.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/certificate/certificate.h"
#include "procedure/certificate/envelope.h"
#include "procedure/clock/bounce.h"
#include "procedure/clock/deadline.h"

const char *const envelope_seen[] = { "video", "in_person", NULL };

static const struct db_stmt given = { "envelope_given",
	"select r.cause, r.seen, r.staff_id::text, coalesce(s.name, ''), r.at, coalesce(e.locked_at, 0) from icert.envelope e"
	" left join icert.envelope_renewal r on r.application_id = e.application_id left join icert.staff s on s.id = r.staff_id"
	" where e.application_id = $1 order by r.round" };
static const struct db_stmt hold = { "envelope_renew_hold",
	"select coalesce(locked_at, 0) from icert.envelope where application_id = $1 for update" };
static const struct db_stmt add = { "envelope_renew_add",
	"insert into icert.envelope_renewal (application_id, round, cause, seen, staff_id, at) values ($1, $2, $3, $4, $5, $6)" };
static const struct db_stmt unlock = { "envelope_unlock",
	"update icert.envelope set locked_at = null where application_id = $1 and locked_at is not null" };

static int
read_standing(struct act *act, const char *application, struct envelope_standing *out)
{
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	if ((error = DB_QUERY(act->db, &given, &r, P_TEXT(application))) != 0)
		return error;
	out->locked_at = db_int(r, 0, 5);
	for (int i = 0; i < db_rows(r) && out->n < ENVELOPE_RENEWALS && !db_is_null(r, i, 0); i++) {
		struct envelope_renewal *g = &out->list[out->n++];

		snprintf(g->cause, sizeof g->cause, "%s", db_text(r, i, 0));
		snprintf(g->seen, sizeof g->seen, "%s", db_text(r, i, 1));
		snprintf(g->staff, sizeof g->staff, "%s", db_text(r, i, 2));
		snprintf(g->name, sizeof g->name, "%s", db_text(r, i, 3));
		g->at = db_int(r, i, 4);
	}
	error = db_rows(r) > 0 ? 0 : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
envelope_standing(struct act *act, const char *application, struct envelope_standing *out)
{
	int error;

	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if ((error = act_begin(act)) == 0 && (error = read_standing(act, application, out)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
listed(const char *seen)
{
	for (size_t i = 0; envelope_seen[i] != NULL; i++)
		if (seen != NULL && strcmp(envelope_seen[i], seen) == 0)
			return 1;
	return 0;
}

/* Who may, and of which envelope. */
static int
may(struct act *act, const struct case_file *c)
{
	struct certificate certificate;
	int error;

	if (!(act->roles & BY_OPERATOR))
		return ICERT_E_DENIED;
	if (c->own)
		return ICERT_E_OWN_CASE;
	if (!application_is_issued(c->a.state) || c->a.state == APPLICATION_CLOSED_REVOKED)
		return ICERT_E_STATE;
	if ((error = certificate_of(act, c->a.id, &certificate)) != 0)
		return error;
	if (!certificate.published || strcmp(certificate.state, "good") != 0)
		return ICERT_E_STATE;
	return certificate.has_envelope ? 0 : ICERT_E_DESTROYED;
}

static int
tell(struct act *act, const struct case_file *c, size_t round)
{
	char dedup[32], until[MAILING_MOMENT];
	int error = deadline_clock_end(act, c->a.id, until);

	if (error != 0)
		return error;
	snprintf(dedup, sizeof dedup, "envelope_renewed:%zu", round);
	return case_mail(act, c, MAIL_ENVELOPE_CODE, (const struct outbox_variable[]){
	    { "event", "renewed" }, { "until", until } }, 2, dedup);
}

/* The rows first, then the keeper: only a failing commit would leave a code that no row speaks of, and the keeper gives that one again. */
static int
renew(struct act *act, const struct case_file *c, size_t round, int64_t locked_at, const char *seen, const char *totp)
{
	const char *cause = locked_at != 0 ? "locked" : "lost";
	char detail[64];
	int error;

	snprintf(detail, sizeof detail, "{\"seen\":\"%s\",\"round\":%zu}", seen, round);
	if ((error = DB_QUERY(act->db, &add, NULL, P_TEXT(c->a.id), P_INT((int64_t)round), P_TEXT(cause), P_TEXT(seen),
	    P_TEXT(act->id), P_INT(clock_business()))) != 0 ||
	    (error = DB_QUERY(act->db, &unlock, NULL, P_TEXT(c->a.id))) != 0 ||
	    (error = act_audit(act, "envelope.renew", "application", c->a.id, c->a.id, c->a.province, cause, detail)) != 0)
		return error;
	if (locked_at != 0 && (error = bounce_run_on(act, c->a.id, "envelope_renewed")) != 0)
		return error;
	if ((error = tell(act, c, round)) != 0)
		return error;
	return keeper_envelope_renew(act->keeper, c->a.id, act->id, totp);
}

int
envelope_renew(struct act *act, const char *application, size_t round, const char *seen, const char *totp)
{
	struct envelope_standing now;
	struct db_result *r;
	struct case_file c;
	int again = 0, error;

	if ((error = case_open(act, application, -1, &c)) == 0 && (error = may(act, &c)) == 0 &&
	    (error = DB_QUERY(act->db, &hold, &r, P_TEXT(application))) == 0) {
		db_result_free(r);
		error = read_standing(act, application, &now);
	}
	if (error == 0 && round != now.n) {
		/* The same button twice: the first press has given it. */
		again = now.n > round && strcmp(now.list[now.n - 1].staff, act->id) == 0;
		error = again ? 0 : ICERT_E_CONFLICT;
	} else if (error == 0) {
		error = now.n == ENVELOPE_RENEWALS ? ICERT_E_CONFLICT : listed(seen) ?
		    renew(act, &c, now.n + 1, now.locked_at, seen, totp) : ICERT_E_INVALID;
	}
	bytes_wipe(c.key, sizeof c.key);
	if (error == 0 && (error = db_commit(act->db)) == 0)
		return 0;
	return act_refuse(act, "envelope.renew", "application", id_valid(application) ? application : NULL, c.a.province, error);
}

int
envelope_over(struct act *act, const char *application)
{
	struct db_result *r;
	int error, locked;

	if ((error = DB_QUERY(act->db, &unlock, &r, P_TEXT(application))) != 0)
		return error;
	locked = db_affected(r) > 0;
	db_result_free(r);
	return locked ? bounce_run_on(act, application, "envelope_over") : 0;
}
