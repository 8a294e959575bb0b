/*
 * Deadlines that only tell: warnings of the 30 days, reminders of an
 * appointment, notices of a certificate's end.  Of several that are due at once
 * (the clerk was away) the last one speaks: nobody needs three mails of one hour.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/clock/deadline_hand.h"

#define DAY_S 86400
#define NEAR_DAYS 5          /* from then on the office is told as well */

struct days {
	char text[24];
	int64_t n;
};

/* Days left, a begun one counted whole. */
static struct days
days_until(int64_t at, int64_t now)
{
	struct days days = { .n = (at - now + DAY_S - 1) / DAY_S };

	snprintf(days.text, sizeof(days.text), "%" PRId64, days.n);
	return days;
}

int
deadline_overtaken(struct act *act, const struct due *due, int *stands)
{
	static const struct db_stmt read = { "due_overtaken",
		"select from icert.deadline d join icert.deadline o on o.subject = d.subject and o.kind = d.kind"
		" where d.id = $1 and o.state = 'waiting' and o.due_at <= $2 and o.due_at > d.due_at limit 1" };
	struct db_result *r = NULL;
	int error;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->id), P_INT(due->now))) != 0)
		return error;
	*stands = db_rows(r) > 0;
	db_result_free(r);
	return 0;
}

/* 15, 25 and 29 days of the 30; the office hears of the last ones. */
int
deadline_application_warn(struct act *act, struct due *due, enum outcome *outcome)
{
	char until[MAILING_MOMENT], dedup[16 + ID_TEXT];
	struct held held;
	struct days days;
	int error, late;

	if ((error = deadline_hold(act, due->subject, &held)) != 0 || (error = deadline_overtaken(act, due, &late)) != 0)
		return error;
	if (late || held.closes_at <= due->now || transition_find(ACTION_CANCEL, held.state, BY_CLERK, NULL) == NULL) {
		*outcome = OUTCOME_VOID;
		return 0;
	}
	days = days_until(held.closes_at, due->now);
	snprintf(dedup, sizeof(dedup), "warning:%s", due->id);
	if (days.n <= NEAR_DAYS && (error = deadline_mail_staff(act, due->subject, &held, "deadline", dedup)) != 0)
		return error;
	snprintf(dedup, sizeof(dedup), "warned:%s", due->id);
	return deadline_mail(act, due->subject, &held, MAIL_DEADLINE_WARNING, (const struct outbox_variable[]){
	    { "days", days.text }, { "one", days.n == 1 ? "1" : "" }, { "until", mailing_moment(held.closes_at, until) },
	    { "state", application_state_name(held.state) } }, 4, dedup);
}

/* The address of the video room, opened with the case's key, into out. */
static int
open_meeting(struct act *act, const char *key_id, const char *appointment, const uint8_t *sealed, size_t n,
    struct buf *out)
{
	uint8_t key[DATAKEY_BYTES];
	char place[80];
	int error;

	if (n == 0)
		return 0;
	if ((error = datakey_open(act, key_id, key)) != 0)
		return error;
	snprintf(place, sizeof(place), "appointment|meeting|%s", appointment);
	error = open_field(key, place, sealed, n, out);
	bytes_wipe(key, sizeof(key));
	return error;
}

/* A day and an hour before it begins; a slot that no longer stands has none. */
int
deadline_appointment_remind(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt read = { "due_slot",
		"select application_id::text, state, starts_at, ends_at, mode, meeting from icert.appointment where id = $1" };
	char start[MAILING_MOMENT], end[MAILING_MOMENT], dedup[16 + ID_TEXT];
	struct buf meeting = BUF_INIT;
	struct db_result *r = NULL;
	struct held held = { .version = 0 };
	const uint8_t *sealed;
	size_t n;
	int error, late = 1;

	if ((error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if (db_rows(r) == 1 && strcmp(db_text(r, 0, 1), "confirmed") == 0 && db_int(r, 0, 2) > due->now &&
	    (error = deadline_hold(act, db_text(r, 0, 0), &held)) == 0)
		error = deadline_overtaken(act, due, &late);
	if (error == 0 && (late || held.state != APPLICATION_SCHEDULED))
		*outcome = OUTCOME_VOID;
	else if (error == 0) {
		sealed = db_bytes(r, 0, 5, &n);
		snprintf(dedup, sizeof(dedup), "reminder:%s", due->id);
		if ((error = open_meeting(act, held.key, due->subject, sealed, n, &meeting)) == 0)
			error = deadline_mail(act, db_text(r, 0, 0), &held, MAIL_SLOT_REMINDER,
			    (const struct outbox_variable[]){
			    { "start", mailing_moment(db_int(r, 0, 2), start) }, { "end", mailing_moment(db_int(r, 0, 3), end) },
			    { "mode", db_text(r, 0, 4) }, { "meeting", buf_str(&meeting) } }, 4, dedup);
	}
	buf_free(&meeting);
	db_result_free(r);
	return error;
}

/* 60, 30, 15, 7 and 1 days before a certificate ends, unless it is renewed already. */
int
deadline_certificate_warn(struct act *act, struct due *due, enum outcome *outcome)
{
	static const struct db_stmt read = { "due_certificate_end",
		"select state, not_after, encode(serial, 'hex'), exists (select from icert.application n"
		" where n.origin_id = c.application_id and n.kind = 'renewal' and n.state in ('issued', 'contract_sent',"
		" 'contract_received', 'contract_signed', 'countersigned', 'active')) from icert.certificate c where id = $1" };
	char until[MAILING_MOMENT], dedup[16 + ID_TEXT];
	struct db_result *r = NULL;
	struct held held;
	struct days days;
	int error, late;

	if ((error = deadline_overtaken(act, due, &late)) != 0 || (error = DB_QUERY(act->db, &read, &r, P_TEXT(due->subject))) != 0)
		return error;
	if (late || db_rows(r) == 0 || strcmp(db_text(r, 0, 0), "good") != 0 || db_int(r, 0, 1) <= due->now ||
	    db_bool(r, 0, 3))
		*outcome = OUTCOME_VOID;
	else if ((error = deadline_hold(act, due->application, &held)) == 0) {
		days = days_until(db_int(r, 0, 1), due->now);
		snprintf(dedup, sizeof(dedup), "expires:%s", due->id);
		error = deadline_mail(act, due->application, &held, MAIL_EXPIRES, (const struct outbox_variable[]){
		    { "days", days.text }, { "one", days.n == 1 ? "1" : "" },
		    { "until", mailing_moment(db_int(r, 0, 1), until) }, { "serial", db_text(r, 0, 2) } }, 4, dedup);
	}
	db_result_free(r);
	return error;
}
