/*
 * The desk's acts on an application until it is accepted or rejected.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/utf8.h"
#include "procedure/case.h"
#include "procedure/application/document.h"
#include "views/view.h"

/* Codes; their sentences are in the catalogue. */
const char *const application_reject_reasons[] = {
	"identity_not_proved", "documents_false", "not_eligible", "duplicate", "other", NULL
};

static const struct db_stmt set_operator = { "review_set_operator",
	"update icert.application set operator_id = $3, version = version + 1 where id = $1 and version = $2" };
static const struct db_stmt may_work = { "review_may_work",
	"select exists (select from icert.staff_role r join icert.staff s on s.id = r.staff_id and s.enabled"
	" where r.staff_id = $1 and r.role = 'operator' and r.province = $2)" };
static const struct db_stmt round_of = { "review_round",
	"select coalesce(max(round), 0) + 1 from icert.observation where application_id = $1" };
static const struct db_stmt observe = { "review_observe",
	"insert into icert.observation (id, application_id, round, target, reason, staff_id, at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt set_words = { "review_set_words",
	"update icert.application set words = $3, version = version + 1 where id = $1 and version = $2" };
static const struct db_stmt untick = { "review_untick", "delete from icert.check_item where application_id = $1" };

static int
give_to(struct act *act, struct case_file *c, const char *staff)
{
	struct db_result *r;
	int error, may;

	if (staff != NULL) {
		if (!id_valid(staff))
			return ICERT_E_INVALID;
		if ((error = DB_QUERY(act->db, &may_work, &r, P_TEXT(staff), P_INT(c->a.province))) != 0)
			return error;
		may = db_bool(r, 0, 0);
		db_result_free(r);
		if (!may)
			return ICERT_E_INVALID;
	}
	if ((error = DB_QUERY(act->db, &set_operator, &r, P_TEXT(c->a.id), P_INT(c->a.version), P_TEXT(staff))) != 0)
		return error;
	return case_changed(c, r);
}

/* Who works on it changes; any operator of the province may do that. */
static int
hand(struct act *act, const char *id, int version, enum application_action action, const char *staff)
{
	char detail[80] = "{}";
	struct case_file c;
	int error;

	if ((error = case_open(act, id, version, &c)) != 0)
		return case_done(act, action, &c, error);
	if (transition_find(action, c.a.state, act->roles, &error) != NULL) {
		if (c.own)
			error = ICERT_E_OWN_CASE;
		else if ((error = give_to(act, &c, staff)) == 0) {
			if (staff != NULL)
				snprintf(detail, sizeof detail, "{\"operator\":\"%s\"}", staff);
			error = case_move(act, &c, action, NULL, detail);
		}
	}
	return case_done(act, action, &c, error);
}

int
application_assign(struct act *act, const char *id, int version, const char *staff)
{
	return hand(act, id, version, ACTION_ASSIGN, staff != NULL ? staff : act->id);
}

int
application_release(struct act *act, const char *id, int version)
{
	return hand(act, id, version, ACTION_RELEASE, NULL);
}

int
application_reassign(struct act *act, const char *id, int version, const char *staff)
{
	return hand(act, id, version, ACTION_REASSIGN, staff != NULL ? staff : act->id);
}

static int
target_good(const char *target)
{
	static const char *const kinds[] = { DOCUMENT_CEDULA, DOCUMENT_VOTING, DOCUMENT_UTILITY };

	if (strncmp(target, "form.", 5) == 0)
		return application_field_find(target + 5) != NULL && strcmp(target, "form.province") != 0;
	if (strncmp(target, "document.", 9) == 0)
		for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
			if (strcmp(target + 9, kinds[i]) == 0)
				return 1;
	return 0;
}

static int
observations_good(const struct observation *o, size_t n)
{
	if (n == 0 || n > OBSERVATIONS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!target_good(o[i].target) || o[i].reason[0] == '\0' || !utf8_text(o[i].reason, strlen(o[i].reason)))
			return 0;
	return 1;
}

static int
add_observation(struct act *act, const struct case_file *c, int64_t round, const struct observation *o)
{
	struct buf sealed = BUF_INIT;
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) == 0 && (error = case_seal(c, "observation|reason", id, o->reason, &sealed)) == 0)
		error = DB_QUERY(act->db, &observe, NULL, P_TEXT(id), P_TEXT(c->a.id), P_INT(round), P_TEXT(o->target),
		    P_BYTES(sealed.p, sealed.len), P_TEXT(act->id), P_INT(clock_business()));
	buf_free(&sealed);
	return error;
}

/* What an observation is about, as the pages call it; NULL when they have no name for it. */
static const char *
label_of(const char *target)
{
	char code[64];

	if (strncmp(target, "form.", 5) == 0)
		snprintf(code, sizeof code, "label.%.50s", target + 5);
	else
		snprintf(code, sizeof code, "%.60s", target);
	return catalogue(code);
}

/* The mail has the reasons one a line, each with what it is about. */
static int
mail_observations(struct act *act, const struct case_file *c, const struct observation *o, size_t n, int64_t round)
{
	struct buf reasons = BUF_INIT;
	struct outbox_variable variables[1];
	char dedup[32];
	int error;

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&reasons, '\n');
		if (label_of(o[i].target) != NULL)
			buf_printf(&reasons, "%s: ", label_of(o[i].target));
		for (const char *p = o[i].reason; *p != '\0'; p++)
			buf_putc(&reasons, *p == '\n' || *p == '\r' ? ' ' : *p);
	}
	variables[0] = (struct outbox_variable){ "reasons", buf_str(&reasons) };
	snprintf(dedup, sizeof dedup, "mend:%d", (int)round);
	if ((error = buf_error(&reasons)) == 0)
		error = case_mail(act, c, MAIL_TO_MEND, variables, 1, dedup);
	buf_free(&reasons);
	return error;
}

/* Out of `scheduled` the hour is free again and the checklist begins anew. */
static int
leave_schedule(struct act *act, const struct case_file *c)
{
	int error;

	if (c->a.state != APPLICATION_SCHEDULED)
		return 0;
	if ((error = case_drop_appointment(act, c, "moved")) != 0)
		return error;
	return DB_QUERY(act->db, &untick, NULL, P_TEXT(c->a.id));
}

int
application_observe(struct act *act, const char *id, int version, const struct observation *o, size_t n)
{
	struct case_file c;
	struct db_result *r;
	int64_t round = 0;
	int error;

	if ((error = case_open_staff(act, id, version, ACTION_OBSERVE, &c)) != 0)
		return case_done(act, ACTION_OBSERVE, &c, error);
	if (!observations_good(o, n))
		error = ICERT_E_INVALID;
	else if ((error = DB_QUERY(act->db, &round_of, &r, P_TEXT(id))) == 0) {
		round = db_int(r, 0, 0);
		db_result_free(r);
	}
	for (size_t i = 0; i < n && error == 0; i++)
		error = add_observation(act, &c, round, &o[i]);
	if (error == 0 && (error = leave_schedule(act, &c)) == 0 &&
	    (error = case_move(act, &c, ACTION_OBSERVE, NULL, NULL)) == 0)
		error = mail_observations(act, &c, o, n, round);
	return case_done(act, ACTION_OBSERVE, &c, error);
}

int
application_accept(struct act *act, const char *id, int version)
{
	struct case_file c;
	char dedup[32];
	int error;

	if ((error = case_open_staff(act, id, version, ACTION_ACCEPT, &c)) != 0)
		return case_done(act, ACTION_ACCEPT, &c, error);
	/* The unique index over persons refuses a second open application. */
	if ((error = case_move(act, &c, ACTION_ACCEPT, NULL, NULL)) == 0) {
		snprintf(dedup, sizeof dedup, "accepted:%d", c.a.version);
		error = case_mail(act, &c, MAIL_ACCEPTED, NULL, 0, dedup);
	}
	return case_done(act, ACTION_ACCEPT, &c, error);
}

static int
reason_known(const char *reason)
{
	for (size_t i = 0; application_reject_reasons[i] != NULL; i++)
		if (strcmp(reason, application_reject_reasons[i]) == 0)
			return 1;
	return 0;
}

static int
keep_words(struct act *act, struct case_file *c, const char *words)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r;
	int error;

	if (words[0] == '\0')
		return 0;
	if ((error = case_seal(c, "application|words", c->a.id, words, &sealed)) == 0 &&
	    (error = DB_QUERY(act->db, &set_words, &r, P_TEXT(c->a.id), P_INT(c->a.version),
	    P_BYTES(sealed.p, sealed.len))) == 0)
		error = case_changed(c, r);
	buf_free(&sealed);
	return error;
}

int
application_reject(struct act *act, const char *id, int version, const char *reason, const char *words)
{
	struct case_file c;
	struct outbox_variable variables[] = { { "reason", reason }, { "words", words } };
	int error;

	if ((error = case_open_staff(act, id, version, ACTION_REJECT, &c)) != 0)
		return case_done(act, ACTION_REJECT, &c, error);
	if (!reason_known(reason) || strlen(words) > 2000 || !utf8_text(words, strlen(words)))
		error = ICERT_E_INVALID;
	else if ((error = leave_schedule(act, &c)) == 0 && (error = keep_words(act, &c, words)) == 0 &&
	    (error = case_move(act, &c, ACTION_REJECT, reason, NULL)) == 0)
		error = case_mail(act, &c, MAIL_REJECTED, variables, 2, "rejected");
	return case_done(act, ACTION_REJECT, &c, error);
}

int
application_send_back(struct act *act, const char *id, int version, const char *reason)
{
	struct case_file c;
	int error;

	if ((error = case_open_staff(act, id, version, ACTION_SEND_BACK, &c)) != 0)
		return case_done(act, ACTION_SEND_BACK, &c, error);
	/* The identification is done again: its checklist begins anew. */
	if ((error = DB_QUERY(act->db, &untick, NULL, P_TEXT(id))) == 0)
		error = case_move(act, &c, ACTION_SEND_BACK, reason, NULL);
	return case_done(act, ACTION_SEND_BACK, &c, error);
}
