#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/trouble.h"

#define FIRST_S 2	/* the first pause, while somebody may still look at a page; then twice as long each time */
#define AWAY_S 3	/* for something that is only away */
#define DIED_S 5	/* the process was killed; by the row, or by somebody */
#define STUCK_TRIES 8	/* from then on it is an error in the log */
#define FORGOTTEN_S 7200	/* above the longest pause */

static const struct db_stmt note = { "trouble_note",
	"insert into icert.trouble (part, subject, code, detail, since, at, next_at) values ($1, $2, $3, $4, $5::bigint, $5::bigint, $5::bigint + $6::bigint)"
	" on conflict (part, subject) do update set code = excluded.code, detail = excluded.detail, tries = trouble.tries + 1,"
	" at = excluded.at, next_at = excluded.at + case when $7 then $6::bigint else least($6::bigint << least(trouble.tries, 10), 900) end"
	" returning tries" };
static const struct db_stmt over = { "trouble_over", "delete from icert.trouble where part = $1 and subject = $2" };
static const struct db_stmt sweep = { "trouble_sweep", "delete from icert.trouble where at < $1" };
static const struct db_stmt list = { "trouble_list",
	"select part, subject, code, detail, tries, since, at, next_at from icert.trouble order by since, part, subject limit $1" };

static struct trouble_hand none, *hand = &none;

void
trouble_share(struct trouble_hand *shared)
{
	hand = shared;
}

void
trouble_begin(const char *part, const char *subject)
{
	snprintf(hand->subject, sizeof hand->subject, "%s", subject);
	snprintf(hand->part, sizeof hand->part, "%s", part);
}

void
trouble_end(void)
{
	hand->part[0] = '\0';
}

static int
write_down(struct act *act, const char *part, const char *subject, const char *code, const char *detail, int pause, int flat)
{
	struct db_result *r;
	int error, tries;

	if ((error = DB_QUERY(act->db, &note, &r, P_TEXT(part), P_TEXT(subject), P_TEXT(code), P_TEXT(detail),
	    P_INT(clock_real()), P_INT(pause), P_BOOL(flat))) != 0)
		return error;
	tries = (int)db_int(r, 0, 0);
	db_result_free(r);
	if (tries >= STUCK_TRIES && !flat)
		log_error("work_stuck", "%s %s %s: %s, try %d", part, detail, subject, code, tries);
	else
		log_warn("work_failed", "%s %s %s: %s, try %d", part, detail, subject, code, tries);
	return 0;
}

int
trouble_note(struct act *act, const char *part, const char *subject, const char *detail, int error)
{
	int away = error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT || error == ICERT_E_BUSY || error == ICERT_E_FULL;

	return write_down(act, part, subject, icert_err_code(error), detail, away ? AWAY_S : FIRST_S, away);
}

int
trouble_over(struct act *act, const char *part, const char *subject)
{
	return DB_QUERY(act->db, &over, NULL, P_TEXT(part), P_TEXT(subject));
}

int
trouble_died(struct act *act)
{
	int error = 0;

	if (hand->part[0] != '\0' && (error = write_down(act, hand->part, hand->subject, "crashed", "", DIED_S, 0)) == 0)
		trouble_end();
	return error;
}

int
trouble_sweep(struct act *act)
{
	return DB_QUERY(act->db, &sweep, NULL, P_INT(clock_real() - FORGOTTEN_S));
}

int
trouble_each(struct act *act, const char *part, struct db_result *r, trouble_work fn, void *ctx, size_t *done)
{
	int error = 0, failed;

	for (int i = 0; i < db_rows(r) && error == 0; i++) {
		const char *subject = db_text(r, i, 0);

		trouble_begin(part, subject);
		failed = fn(ctx, subject);
		db_rollback(act->db);
		if (failed == 0)
			error = trouble_over(act, part, subject);
		else
			error = trouble_note(act, part, subject, "", failed);
		if (failed == 0 && done != NULL)
			(*done)++;
		trouble_end();
	}
	db_result_free(r);
	return error;
}

int
trouble_list(struct act *act, struct trouble *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct trouble *t = &rows[(*n)++];

		snprintf(t->part, sizeof t->part, "%s", db_text(r, i, 0));
		snprintf(t->subject, sizeof t->subject, "%s", db_text(r, i, 1));
		snprintf(t->code, sizeof t->code, "%s", db_text(r, i, 2));
		snprintf(t->detail, sizeof t->detail, "%s", db_text(r, i, 3));
		t->tries = (int)db_int(r, i, 4);
		t->since = db_int(r, i, 5);
		t->at = db_int(r, i, 6);
		t->next_at = db_int(r, i, 7);
	}
	db_result_free(r);
	return 0;
}
