#include <stdio.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/clock/deadline.h"
#include "procedure/application/identification.h"
#include "procedure/policy.h"

#define HOUR_S		3600
#define STALE_HOURS	24

const char *const check_items[CHECK_ITEMS] = {
	"email", "names", "ruc", "cedula", "address", "telephone", "container", "face"
};

static const struct db_stmt items_desk = { "identification_items_desk",
	"select i.item, i.at, s.name from icert.check_item i join icert.staff s on s.id = i.staff_id"
	" where i.application_id = $1" };
static const struct db_stmt papers = { "identification_papers",
	"select kind from icert.document where application_id = $1 and replaced_by is null"
	" and kind in ('second_cedula', 'face')" };
static const struct db_stmt envelope = { "identification_envelope",
	"select number, confirmed_at from icert.envelope where application_id = $1" };
static const struct db_stmt tick = { "identification_tick",
	"insert into icert.check_item (application_id, item, staff_id, at) values ($1, $2, $3, $4) on conflict do nothing" };
static const struct db_stmt untick = { "identification_untick",
	"delete from icert.check_item where application_id = $1 and item = $2" };
static const struct db_stmt confirm_envelope = { "identification_confirm",
	"update icert.envelope set confirmed_at = $2, confirmed_by = $3 where application_id = $1 and used_at is null" };
static const struct db_stmt consent = { "identification_consent",
	"update icert.application set consent_at = $3, version = version + 1 where id = $1 and version = $2"
	" and consent_at is null" };
static const struct db_stmt held = { "identification_held",
	"update icert.appointment set state = 'held' where application_id = $1 and state = 'confirmed'" };

static int
item_index(const char *item)
{
	for (int i = 0; i < CHECK_ITEMS; i++)
		if (strcmp(check_items[i], item) == 0)
			return i;
	return -1;
}

static int
read_ticks(struct act *act, const char *application, struct identification *out)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &items_desk, &r, P_TEXT(application))) != 0)
		return error;
	for (int row = 0; row < db_rows(r); row++) {
		int i = item_index(db_text(r, row, 0));

		if (i < 0)
			continue;
		out->item[i].ticked = 1;
		out->item[i].at = db_int(r, row, 1);
		snprintf(out->item[i].by_name, sizeof out->item[i].by_name, "%s", db_text(r, row, 2));
		out->ticked++;
	}
	db_result_free(r);
	return 0;
}

static int
read_all(struct act *act, const struct case_file *c, struct identification *out)
{
	struct db_result *r;
	int error;

	memset(out, 0, sizeof *out);
	for (int i = 0; i < CHECK_ITEMS; i++)
		out->item[i].item = check_items[i];
	out->consent = c->a.consent_at != 0;
	if (act->roles & BY_STAFF && (error = read_ticks(act, c->a.id, out)) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &papers, &r, P_TEXT(c->a.id))) != 0)
		return error;
	for (int row = 0; row < db_rows(r); row++) {
		if (strcmp(db_text(r, row, 0), "face") == 0)
			out->has_face = 1;
		else
			out->has_second_cedula = 1;
	}
	db_result_free(r);
	if ((error = DB_QUERY(act->db, &envelope, &r, P_TEXT(c->a.id))) != 0)
		return error;
	snprintf(out->envelope, sizeof out->envelope, "%s", db_text(r, 0, 0));
	out->envelope_confirmed = !db_is_null(r, 0, 1);
	db_result_free(r);
	return 0;
}

int
identification_get(struct act *act, const char *application, struct identification *out)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0)
		error = read_all(act, &c, out);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}

/* Ends an act that changes no state. */
static int
finish(struct act *act, const char *action, struct case_file *c, int error, const char *reason)
{
	if (error == 0)
		error = act_audit(act, action, "application", c->a.id, c->a.id, c->a.province, reason, NULL);
	bytes_wipe(c->key, sizeof c->key);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, action, "application", c->a.id[0] != '\0' ? c->a.id : NULL, c->a.province, error);
	return 0;
}

int
identification_tick(struct act *act, const char *application, const char *item, int ticked)
{
	struct case_file c;
	int error;

	if ((error = case_open_staff(act, application, -1, ACTION_IDENTIFY, &c)) == 0) {
		if (item_index(item) < 0)
			error = ICERT_E_INVALID;
		else if (ticked)
			error = DB_QUERY(act->db, &tick, NULL, P_TEXT(application), P_TEXT(item), P_TEXT(act->id),
			    P_INT(clock_business()));
		else
			error = DB_QUERY(act->db, &untick, NULL, P_TEXT(application), P_TEXT(item));
	}
	return finish(act, ticked ? "identification.tick" : "identification.untick", &c, error, item);
}

int
identification_envelope(struct act *act, const char *application, const char *number)
{
	struct identification now;
	struct case_file c;
	char digits[NUMBER_TEXT];
	size_t n = 0;
	int error;

	for (; *number != '\0' && n < sizeof digits - 1; number++)
		if (*number >= '0' && *number <= '9')
			digits[n++] = *number;
	digits[n] = '\0';
	if ((error = case_open_staff(act, application, -1, ACTION_IDENTIFY, &c)) == 0 &&
	    (error = read_all(act, &c, &now)) == 0) {
		if (strcmp(now.envelope, digits) != 0)
			error = number_valid(digits) ? ICERT_E_MISMATCH : ICERT_E_INVALID;
		else
			error = DB_QUERY(act->db, &confirm_envelope, NULL, P_TEXT(application), P_INT(clock_business()),
			    P_TEXT(act->id));
	}
	return finish(act, "identification.envelope", &c, error, NULL);
}

int
identification_consent(struct act *act, const char *application)
{
	struct case_file c;
	struct db_result *r;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0) {
		if (act->roles & BY_STAFF && strcmp(c.a.operator, act->id) != 0)
			error = ICERT_E_DENIED;
		else if (c.a.state != APPLICATION_ACCEPTED && c.a.state != APPLICATION_SCHEDULED)
			error = ICERT_E_STATE;
		else if (c.a.consent_at == 0 && (error = DB_QUERY(act->db, &consent, &r, P_TEXT(application),
		    P_INT(c.a.version), P_INT(clock_business()))) == 0)
			error = case_changed(&c, r);
	}
	return finish(act, "identification.consent", &c, error, act->roles & BY_STAFF ? "heard" : "page");
}

int
identification_done(struct act *act, const char *application, int version)
{
	struct identification now;
	struct case_file c;
	int64_t stale;
	int error;

	if ((error = case_open_staff(act, application, version, ACTION_IDENTIFY, &c)) != 0)
		return case_done(act, ACTION_IDENTIFY, &c, error);
	if ((error = read_all(act, &c, &now)) == 0 && (now.ticked != CHECK_ITEMS || !now.has_second_cedula ||
	    !now.has_face || !now.envelope_confirmed || !now.consent))
		error = ICERT_E_MISSING;
	if (error == 0 && (error = DB_QUERY(act->db, &held, NULL, P_TEXT(application))) == 0 &&
	    (error = case_move(act, &c, ACTION_IDENTIFY, NULL, NULL)) == 0) {
		stale = clock_business() + policy_int(act, "identified.hours", STALE_HOURS) * HOUR_S;
		error = deadline_add(act, DEADLINE_IDENTIFIED_STALE, "application", application, application, stale);
	}
	return case_done(act, ACTION_IDENTIFY, &c, error);
}
