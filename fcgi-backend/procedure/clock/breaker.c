#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "mail/outbox.h"
#include "procedure/clock/breaker.h"
#include "procedure/clock/outage.h"
#include "procedure/policy.h"
#include "procedure/people/staff.h"

#define MARK_S		10		/* how often the clocks are noted */
#define CLOCK_S		300
#define AWAY_S		86400
#define CEILING		50
#define HOUR_S		3600
#define BOOT_ID		"/proc/sys/kernel/random/boot_id"

static const struct db_stmt mark_read = { "breaker_mark", "select boot, boot_ms, at from icert.clock_mark" };
static const struct db_stmt mark_write = { "breaker_mark_write",
	"insert into icert.clock_mark (boot, boot_ms, at) values ($1, $2, $3)"
	" on conflict (one) do update set boot = excluded.boot, boot_ms = excluded.boot_ms, at = excluded.at" };
static const struct db_stmt trip = { "breaker_trip",
	"insert into icert.breaker (id, cause, amount, tripped_at) values ($1, $2, $3, $4)"
	" on conflict (cause) where second_by is null do nothing" };
static const struct db_stmt look = { "breaker_look",
	"select exists (select from icert.breaker where second_by is null),"
	" coalesce(l.allowed, 0), (select count(*) from icert.deadline d where d.state = 'done'"
	" and d.kind in (" BREAKER_COUNTED ") and d.done_at > greatest($1 - 3600, coalesce(l.second_at, 0)))"
	" from (select 1) one left join (select allowed, second_at from icert.breaker where cause = 'ceiling'"
	" and second_at > $1 - 3600 order by second_at desc limit 1) l on true" };
static const struct db_stmt list = { "breaker_list",
	"select b.id, b.cause, b.amount, b.tripped_at, coalesce(b.first_at, 0), coalesce(b.first_by::text, ''),"
	" coalesce(s.name, '') from icert.breaker b left join icert.staff s on s.id = b.first_by"
	" where b.second_by is null order by b.tripped_at" };
static const struct db_stmt waiting = { "breaker_waiting",
	"select d.kind, a.id, coalesce(a.number, ''), coalesce(p.name, ''), d.due_at, count(*) over ()"
	" from icert.deadline d join icert.application a on a.id = d.application_id"
	" left join icert.province p on p.id = a.province where d.state = 'waiting' and d.due_at <= $1"
	" and (d.kind = 'delivery_destroy' or (d.kind = 'draft_remove' and a.state = 'draft')"
	" or (d.kind = 'application_cancel' and a.submitted_at is not null and a.state in ('submitted', 'in_review',"
	" 'observed', 'accepted', 'scheduled', 'identified'))"
	" or (d.kind = 'contract_due' and d.stopped_at is null and a.state in ('issued', 'contract_sent'))) order by d.due_at limit 200" };
static const struct db_stmt standing_one = { "breaker_one",
	"select coalesce(first_by::text, ''), case when first_by is null then false else icert.other_person(first_by) end"
	" from icert.breaker where id = $1 and second_by is null for update" };
static const struct db_stmt release_first = { "breaker_release_first",
	"update icert.breaker set first_by = $2, first_at = $3 where id = $1" };
static const struct db_stmt release_second = { "breaker_release_second",
	"update icert.breaker set second_by = $2, second_at = $3::bigint, allowed = (select count(*) from icert.deadline d"
	" where d.state = 'waiting' and d.due_at <= $3::bigint and d.kind in (" BREAKER_COUNTED ")) where id = $1" };

/* The three clocks of this moment. */
struct mark {
	char boot[40];
	int64_t boot_ms, at;
};

static int
mark_now(struct mark *m)
{
	struct timespec ts;
	FILE *f = fopen(BOOT_ID, "re");

	memset(m, 0, sizeof *m);
	if (f == NULL || fscanf(f, "%39s", m->boot) != 1)
		snprintf(m->boot, sizeof m->boot, "unknown");
	if (f != NULL)
		fclose(f);
	/* It counts while the machine is suspended, which is no jump. */
	if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)
		return ICERT_E_SYSTEM;
	m->boot_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	m->at = clock_real();
	return 0;
}

/* Seconds by which real time is not where it should be; 0 when all is well. */
static int64_t
jump(const struct act *act, const struct mark *last, const struct mark *now)
{
	int64_t off = now->at - last->at;

	if (strcmp(last->boot, now->boot) == 0) {
		off -= (now->boot_ms - last->boot_ms) / 1000;
		return llabs(off) > policy_int(act, "breaker.clock_seconds", CLOCK_S) ? off : 0;
	}
	/* Over a boot nothing tells how long it took. */
	return off < 0 || off > policy_int(act, "breaker.away_seconds", AWAY_S) ? off : 0;
}

/* To whom it may concern: no case, so nothing to seal. */
static int
tell_office(struct act *act)
{
	const struct outbox_mail mail = { .template = MAIL_STAFF_BREAKER, .province = PROVINCE_NATIONAL };

	return outbox_add(act->db, &mail, NULL);
}

static int
trip_here(struct act *act, const char *cause, int64_t amount)
{
	char id[ID_TEXT], detail[64];
	struct db_result *r;
	int error, fresh;

	if ((error = id_new(id)) != 0 || (error = DB_QUERY(act->db, &trip, &r, P_TEXT(id), P_TEXT(cause), P_INT(amount),
	    P_INT(clock_business()))) != 0)
		return error;
	fresh = db_affected(r) == 1;
	db_result_free(r);
	if (!fresh)
		return 0;
	log_warn("breaker", "%s: %" PRId64 "; automatic endings wait", cause, amount);
	snprintf(detail, sizeof detail, "{\"amount\":%" PRId64 "}", amount);
	if ((error = act_audit(act, "breaker.trip", "breaker", id, NULL, 0, cause, detail)) != 0)
		return error;
	return tell_office(act);
}

int
breaker_trip(struct act *act, const char *cause, int64_t amount)
{
	int error;

	if ((error = act_begin(act)) == 0 && (error = trip_here(act, cause, amount)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
compare_clocks(struct act *act)
{
	struct mark last = { .at = 0 }, now;
	struct db_result *r;
	int64_t off = 0;
	int error, known;

	if ((error = mark_now(&now)) != 0 || (error = db_query(act->db, &mark_read, NULL, 0, &r)) != 0)
		return error;
	if ((known = db_rows(r) == 1)) {
		snprintf(last.boot, sizeof last.boot, "%s", db_text(r, 0, 0));
		last.boot_ms = db_int(r, 0, 1);
		last.at = db_int(r, 0, 2);
	}
	db_result_free(r);
	if (known && (off = jump(act, &last, &now)) != 0 && (error = trip_here(act, BREAKER_CLOCK, off)) != 0)
		return error;
	/* Nobody looked for so long: the clerk, the database or the machine was away. */
	if (known && off == 0 && now.at > last.at && (error = outage_noticed(act, OUTAGE_PORTAL, clock_business() -
	    (now.at - last.at), clock_business())) != 0)
		return error;
	if (known && off == 0 && strcmp(last.boot, now.boot) == 0 && llabs(now.at - last.at) < MARK_S)
		return 0;
	return DB_QUERY(act->db, &mark_write, NULL, P_TEXT(now.boot), P_INT(now.boot_ms), P_INT(now.at));
}

int
breaker_look(struct act *act, int *standing, int64_t *room)
{
	struct db_result *r = NULL;
	int64_t ceiling;
	int error;

	*standing = 1;
	*room = 0;
	if ((error = act_begin(act)) == 0 && (error = compare_clocks(act)) == 0) {
		ceiling = policy_int(act, "breaker.ceiling_hour", CEILING);
		if ((error = DB_QUERY(act->db, &look, &r, P_INT(clock_business()))) == 0) {
			*standing = db_bool(r, 0, 0);
			*room = (db_int(r, 0, 1) > ceiling ? db_int(r, 0, 1) : ceiling) - db_int(r, 0, 2);
		}
		db_result_free(r);
	}
	if (error == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

int
breaker_list(struct act *act, struct breaker *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & (BY_NATIONAL | BY_AUDITOR)))
		return act_refuse(act, "breaker.list", "breaker", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = db_query_commit(act->db, &list, NULL, 0, &r)) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct breaker *b = &rows[(*n)++];

		snprintf(b->id, sizeof b->id, "%s", db_text(r, i, 0));
		snprintf(b->cause, sizeof b->cause, "%s", db_text(r, i, 1));
		b->amount = db_int(r, i, 2);
		b->tripped_at = db_int(r, i, 3);
		b->first_at = db_int(r, i, 4);
		snprintf(b->first_by, sizeof b->first_by, "%s", db_text(r, i, 5));
		snprintf(b->first_name, sizeof b->first_name, "%s", db_text(r, i, 6));
	}
	db_result_free(r);
	return 0;
}

int
breaker_waiting(struct act *act, struct breaker_waiting *rows, size_t *n, int64_t *total)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	*total = 0;
	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &waiting, &r, P_INT(clock_business()))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++) {
		struct breaker_waiting *w = &rows[(*n)++];

		snprintf(w->kind, sizeof w->kind, "%s", db_text(r, i, 0));
		snprintf(w->application, sizeof w->application, "%s", db_text(r, i, 1));
		snprintf(w->number, sizeof w->number, "%s", db_text(r, i, 2));
		snprintf(w->province, sizeof w->province, "%s", db_text(r, i, 3));
		w->due_at = db_int(r, i, 4);
		*total = db_int(r, i, 5);
	}
	db_result_free(r);
	return 0;
}

static int
release_here(struct act *act, const char *id, int *released)
{
	struct db_result *r;
	int error, other;

	if ((error = DB_QUERY(act->db, &standing_one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 0)
		error = ICERT_E_NOT_FOUND;
	*released = db_text(r, 0, 0)[0] != '\0';
	other = db_bool(r, 0, 1);
	db_result_free(r);
	if (error != 0)
		return error;
	if (*released && !other)
		return ICERT_E_DENIED;
	if ((error = DB_QUERY(act->db, *released ? &release_second : &release_first, NULL, P_TEXT(id), P_TEXT(act->id),
	    P_INT(clock_business()))) != 0)
		return error;
	return act_audit(act, *released ? "breaker.release" : "breaker.release_first", "breaker", id, NULL, 0, NULL, NULL);
}

int
breaker_release(struct act *act, const char *id, const char *code, int *released)
{
	int error = ICERT_E_DENIED;

	*released = 0;
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((act->roles & BY_NATIONAL) && (error = staff_factor(act, code)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = release_here(act, id, released)) == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "breaker.release", "breaker", id, 0, error);
	return 0;
}
