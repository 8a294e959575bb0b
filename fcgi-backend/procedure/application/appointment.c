#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/utf8.h"
#include "procedure/application/appointment.h"
#include "procedure/case.h"
#include "procedure/clock/deadline.h"
#include "procedure/policy.h"
#include "procedure/certificate/token.h"

#define DAY_S		86400
#define HOUR_S		3600
#define AHEAD_DAYS	30
#define LONGEST_S	(4 * HOUR_S)

static const struct db_stmt add = { "appointment_add",
	"insert into icert.appointment (id, application_id, state, starts_at, ends_at, mode, meeting, sequence, agreed_by,"
	" staff_id, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)" };
static const struct db_stmt current = { "appointment_current",
	"select id, application_id, state, starts_at, ends_at, mode, meeting, sequence, agreed_by from icert.appointment"
	" where application_id = $1 and state in ('proposed', 'confirmed')" };
static const struct db_stmt confirm = { "appointment_confirm",
	"update icert.appointment set state = 'confirmed', agreed_by = 'page', sequence = sequence + 1"
	" where id = $1 and application_id = $2 and state = 'proposed'" };
static const struct db_stmt sequence = { "appointment_sequence",
	"select coalesce(max(sequence), -1) + 1 from icert.appointment where application_id = $1" };
static const struct db_stmt has_envelope = { "appointment_has_envelope",
	"select number from icert.envelope where application_id = $1" };
static const struct db_stmt next_envelope = { "appointment_next_envelope",
	"select nextval(format('icert.envelope_%s', to_char($1::int, 'FM00'))::regclass)" };
static const struct db_stmt allot = { "appointment_allot",
	"insert into icert.envelope (number, application_id, allotted_at) values ($1, $2, $3)" };
static const struct db_stmt untick = { "appointment_untick", "delete from icert.check_item where application_id = $1" };

static int
meeting_good(const char *mode, const char *meeting)
{
	if (strcmp(mode, "in_person") == 0)
		return meeting[0] == '\0';
	if (strcmp(mode, "video") != 0 && strcmp(mode, "remote") != 0)
		return 0;
	return strncmp(meeting, "https://", 8) == 0 && meeting[8] != '\0' && utf8_printable(meeting, strlen(meeting)) &&
	    strpbrk(meeting, " \"<>\\") == NULL;
}

/* A first token is handed over, and its key made, at the office. */
static int
good(struct act *act, const struct case_file *c, const struct appointment *p)
{
	int64_t now = clock_business();

	if (p->starts_at <= now || p->ends_at <= p->starts_at || p->ends_at - p->starts_at > LONGEST_S)
		return 0;
	if (p->starts_at > now + policy_int(act, "appointment.ahead_days", AHEAD_DAYS) * DAY_S)
		return 0;
	if (strcmp(c->a.container, CONTAINER_TOKEN) == 0 && strcmp(c->a.kind, "new") == 0 && strcmp(p->mode, "in_person") != 0)
		return 0;
	return meeting_good(p->mode, p->meeting);
}

static int
insert(struct act *act, const struct case_file *c, struct appointment *p, const char *state, const char *agreed_by)
{
	struct buf meeting = BUF_INIT;
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &sequence, &r, P_TEXT(c->a.id))) != 0)
		return error;
	p->sequence = (int)db_int(r, 0, 0);
	db_result_free(r);
	snprintf(p->application, sizeof p->application, "%s", c->a.id);
	snprintf(p->state, sizeof p->state, "%s", state);
	snprintf(p->agreed_by, sizeof p->agreed_by, "%s", agreed_by);
	if ((error = id_new(p->id)) == 0 && (error = case_drop_appointment(act, c, "moved")) == 0 &&
	    (error = case_seal(c, "appointment|meeting", p->id, p->meeting, &meeting)) == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(p->id), P_TEXT(c->a.id), P_TEXT(state), P_INT(p->starts_at),
		    P_INT(p->ends_at), P_TEXT(p->mode), P_BYTES(meeting.p, meeting.len), P_INT(p->sequence),
		    P_TEXT(agreed_by), P_TEXT(act->id), P_INT(clock_business()));
	buf_free(&meeting);
	return error;
}

static int
mail(struct act *act, const struct case_file *c, enum mail_template template, const struct appointment *p)
{
	char start[MAILING_MOMENT], end[MAILING_MOMENT], number[12], dedup[80];
	struct outbox_variable variables[] = {
		{ "start", mailing_moment(p->starts_at, start) }, { "end", mailing_moment(p->ends_at, end) },
		{ "mode", p->mode }, { "meeting", p->meeting }, { "appointment", p->id }, { "sequence", number },
	};

	snprintf(number, sizeof number, "%d", p->sequence);
	snprintf(dedup, sizeof dedup, "slot:%s:%d", p->id, p->sequence);
	return case_mail(act, c, template, variables, sizeof variables / sizeof variables[0], dedup);
}

/* What would come at once, with the confirmation, is not a reminder. */
static int
remind(struct act *act, const struct case_file *c, const struct appointment *p)
{
	static const int64_t before[] = { DAY_S, HOUR_S };
	int error;

	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		if (p->starts_at - before[i] > clock_business() && (error = deadline_add(act, DEADLINE_APPOINTMENT_REMIND,
		    "appointment", p->id, c->a.id, p->starts_at - before[i])) != 0)
			return error;
	return 0;
}

int
case_allot_envelope(struct act *act, const struct case_file *c)
{
	struct db_result *r;
	char number[NUMBER_TEXT];
	int error, there;

	if ((error = DB_QUERY(act->db, &has_envelope, &r, P_TEXT(c->a.id))) != 0)
		return error;
	there = db_rows(r) > 0;
	db_result_free(r);
	if (there)
		return 0;
	if ((error = DB_QUERY(act->db, &next_envelope, &r, P_INT(c->a.province))) != 0)
		return error;
	number_envelope(c->a.province, db_int(r, 0, 0), number);
	db_result_free(r);
	return DB_QUERY(act->db, &allot, NULL, P_TEXT(number), P_TEXT(c->a.id), P_INT(clock_business()));
}

int
appointment_propose(struct act *act, const char *application, int version, const struct appointment *wanted)
{
	struct appointment p = *wanted;
	struct case_file c;
	int error;

	if ((error = case_open_staff(act, application, version, ACTION_PROPOSE_SLOT, &c)) != 0)
		return case_done(act, ACTION_PROPOSE_SLOT, &c, error);
	if (!good(act, &c, &p))
		error = ICERT_E_INVALID;
	else if ((error = insert(act, &c, &p, "proposed", "")) == 0 &&
	    (error = case_move(act, &c, ACTION_PROPOSE_SLOT, NULL, NULL)) == 0)
		error = mail(act, &c, MAIL_SLOT_PROPOSED, &p);
	return case_done(act, ACTION_PROPOSE_SLOT, &c, error);
}

static int
read_current(struct act *act, const struct case_file *c, struct appointment *p)
{
	struct buf plain = BUF_INIT;
	struct db_result *r;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error;

	memset(p, 0, sizeof *p);
	if ((error = DB_QUERY(act->db, &current, &r, P_TEXT(c->a.id))) != 0)
		return error;
	if (db_rows(r) == 0) {
		db_result_free(r);
		return ICERT_E_NOT_FOUND;
	}
	snprintf(p->id, sizeof p->id, "%s", db_text(r, 0, 0));
	snprintf(p->application, sizeof p->application, "%s", db_text(r, 0, 1));
	snprintf(p->state, sizeof p->state, "%s", db_text(r, 0, 2));
	p->starts_at = db_int(r, 0, 3);
	p->ends_at = db_int(r, 0, 4);
	snprintf(p->mode, sizeof p->mode, "%s", db_text(r, 0, 5));
	p->sequence = (int)db_int(r, 0, 7);
	snprintf(p->agreed_by, sizeof p->agreed_by, "%s", db_text(r, 0, 8));
	snprintf(place, sizeof place, "appointment|meeting|%s", p->id);
	sealed = db_bytes(r, 0, 6, &n);
	if (n > 0 && (error = open_field(c->key, place, sealed, n, &plain)) == 0)
		snprintf(p->meeting, sizeof p->meeting, "%s", buf_str(&plain));
	buf_free(&plain);
	db_result_free(r);
	return error;
}

int
appointment_confirm(struct act *act, const char *application, int version, const char *appointment)
{
	struct appointment p;
	struct case_file c;
	struct db_result *r;
	int error;

	if ((error = case_open(act, application, version, &c)) != 0)
		return case_done(act, ACTION_CONFIRM_SLOT, &c, error);
	if (!(act->roles & BY_APPLICANT))
		error = ICERT_E_DENIED;
	else if (transition_find(ACTION_CONFIRM_SLOT, c.a.state, act->roles, &error) != NULL &&
	    (error = read_current(act, &c, &p)) == 0) {
		if (strcmp(p.id, appointment) != 0 || strcmp(p.state, "proposed") != 0)
			error = ICERT_E_CONFLICT;
		else if (p.starts_at <= clock_business())
			error = ICERT_E_EXPIRED;
	}
	if (error == 0 && (error = DB_QUERY(act->db, &confirm, &r, P_TEXT(p.id), P_TEXT(application))) == 0) {
		error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
		db_result_free(r);
		p.sequence++;
	}
	if (error == 0 && (error = case_allot_envelope(act, &c)) == 0 &&
	    (error = case_move(act, &c, ACTION_CONFIRM_SLOT, "page", NULL)) == 0 && (error = remind(act, &c, &p)) == 0)
		error = mail(act, &c, MAIL_SLOT_CONFIRMED, &p);
	return case_done(act, ACTION_CONFIRM_SLOT, &c, error);
}

int
appointment_agreed(struct act *act, const char *application, int version, const struct appointment *wanted)
{
	struct appointment p = *wanted;
	struct case_file c;
	int error;

	if ((error = case_open_staff(act, application, version, ACTION_CONFIRM_SLOT, &c)) != 0)
		return case_done(act, ACTION_CONFIRM_SLOT, &c, error);
	if (!good(act, &c, &p))
		error = ICERT_E_INVALID;
	else if ((error = insert(act, &c, &p, "confirmed", "telephone")) == 0 && (error = case_allot_envelope(act, &c)) == 0 &&
	    (error = case_move(act, &c, ACTION_CONFIRM_SLOT, "telephone", NULL)) == 0 &&
	    (error = remind(act, &c, &p)) == 0)
		error = mail(act, &c, MAIL_SLOT_CONFIRMED, &p);
	return case_done(act, ACTION_CONFIRM_SLOT, &c, error);
}

int
appointment_release(struct act *act, const char *application, int version, const char *reason)
{
	struct case_file c;
	int error, missed = strcmp(reason, "no_show") == 0;

	if ((error = case_open_staff(act, application, version, ACTION_UNSCHEDULE, &c)) != 0)
		return case_done(act, ACTION_UNSCHEDULE, &c, error);
	if (!missed && strcmp(reason, "moved") != 0 && strcmp(reason, "operator_late") != 0)
		error = ICERT_E_INVALID;
	else if ((error = case_drop_appointment(act, &c, missed ? "missed" : "moved")) == 0 &&
	    (error = DB_QUERY(act->db, &untick, NULL, P_TEXT(application))) == 0)
		error = case_move(act, &c, ACTION_UNSCHEDULE, reason, NULL);
	return case_done(act, ACTION_UNSCHEDULE, &c, error);
}

int
appointment_current(struct act *act, const char *application, struct appointment *p)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0)
		error = read_current(act, &c, p);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
