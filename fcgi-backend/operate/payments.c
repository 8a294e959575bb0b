#include "operate/payments.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "store/db.h"

#define MOMENT(column) "coalesce(to_char(to_timestamp(" column ") at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '-')"
#define MONEY(column) "coalesce(to_char(" column " / 100.0, 'FM999999990.00'), '-')"
/* $1 gateway, $2 event, $3 order, $4 from, $5 to, $6 waiting only */
#define CHOSEN " from icert.payment_event e left join icert.purchase p on p.id = e.purchase_id" \
	" where ($1::text is null or e.gateway = $1) and ($2::text is null or e.event_id = $2)" \
	" and ($3::text is null or p.number = upper($3) or p.id::text = lower($3))" \
	" and ($4::bigint is null or e.received_at >= $4) and ($5::bigint is null or e.received_at < $5)" \
	" and (not $6::boolean or e.applied_at is null)"
#define EVENTS_MOST "10000"
#define EVENT_COLUMNS MOMENT("e.received_at") ", e.gateway, e.event_id," \
	" coalesce(e.verdict, case when e.tries = 0 then 'new' else 'waiting since ' || e.tries || ' tries' end)," \
	" coalesce(p.number, '-'), coalesce(p.state, '-')"

static const struct db_stmt list = { "payments_list",
	"select * from (select " EVENT_COLUMNS ", e.received_at" CHOSEN " order by e.received_at desc, e.event_id limit " EVENTS_MOST ") t"
	" order by t.received_at, 3" };
static const struct db_stmt order_find = { "payments_order",
	"select p.id, p.number, p.state, " MOMENT("p.state_since") ", " MONEY("p.total") ", p.currency, coalesce(p.gateway, '-'),"
	" coalesce(p.gateway_payment, '-'), " MOMENT("p.created_at") ", " MOMENT("p.expires_at") ", " MOMENT("p.paid_at") ", " MOMENT("p.asked_at")
	" from icert.purchase p where p.number = upper($1) or p.id::text = lower($1) or p.gateway_payment = $1"
	" or p.id = (select e.purchase_id from icert.payment_event e where e.event_id = $1 limit 1) limit 1" };
static const struct db_stmt order_payments = { "payments_of_order",
	"select " MOMENT("y.at") ", y.gateway, y.gateway_payment, y.verdict, " MONEY("y.cents") ", coalesce(y.currency, '-')"
	" from icert.payment y where y.purchase_id = $1 order by y.at, y.id" };
static const struct db_stmt order_refunds = { "payments_refunds",
	"select " MOMENT("r.requested_at") ", r.state, " MONEY("r.cents") ", r.currency, r.reason, coalesce(nullif(r.gateway_refund, ''), '-'),"
	" coalesce(nullif(r.outcome, ''), '-') from icert.refund r where r.purchase_id = $1 order by r.requested_at, r.id" };
static const struct db_stmt order_events = { "payments_events",
	"select " EVENT_COLUMNS " from icert.payment_event e left join icert.purchase p on p.id = e.purchase_id"
	" where e.purchase_id = $1 or e.event_id = $2 order by e.received_at, e.event_id" };
static const struct db_stmt replay_add = { "payments_replay",
	"insert into icert.payment_replay (id, run, gateway, event_id, rehearsal, asked_at)"
	" select gen_random_uuid(), $7, e.gateway, e.event_id, $8, $9" CHOSEN " order by e.received_at limit " EVENTS_MOST };
static const struct db_stmt replay_open = { "payments_replay_open",
	"select count(*) filter (where done_at is null) from icert.payment_replay where run = $1" };
static const struct db_stmt replay_said = { "payments_replay_said",
	"select r.gateway, r.event_id, coalesce(r.verdict, 'not yet'), coalesce(p.number, '-'), coalesce(r.order_state, '-')"
	" from icert.payment_replay r left join icert.purchase p on p.id = r.purchase_id where r.run = $1 order by r.asked_at, r.id" };

static struct db *
open_db(const struct instance *i)
{
	char conninfo[FILES_PATH];
	struct db *db = config_conninfo(&i->config, "admin", conninfo, sizeof(conninfo)) == 0 ? db_open(conninfo) : NULL;

	if (db == NULL)
		complain("no memory");
	return db;
}

/* Prints the first `columns` of each row, blanks between; a heading for each. */
static void
print(struct db_result *r, const char *const *heads, int columns)
{
	size_t width[16];
	int row, c;

	for (c = 0; c < columns; c++) {
		width[c] = strlen(heads[c]);
		for (row = 0; row < db_rows(r); row++)
			if (strlen(db_text(r, row, c)) > width[c])
				width[c] = strlen(db_text(r, row, c));
	}
	for (row = -1; row < db_rows(r); row++)
		for (c = 0; c < columns; c++)
			printf("%-*s%s", c + 1 < columns ? (int)width[c] : 0, row < 0 ? heads[c] : db_text(r, row, c), c + 1 < columns ? "  " : "\n");
}

static const char *const event_heads[] = { "RECEIVED", "GATEWAY", "EVENT", "VERDICT", "ORDER", "STATE NOW" };

/* UTC seconds; -1: no such moment. */
static int64_t
moment(const char *text)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	const char *end;
	struct tm tm;

	for (size_t n = 0; n < sizeof(forms) / sizeof(forms[0]); n++) {
		memset(&tm, 0, sizeof(tm));
		if ((end = strptime(text, forms[n], &tm)) != NULL && (*end == '\0' || strcmp(end, "Z") == 0))
			return (int64_t)timegm(&tm);
	}
	return -1;
}

struct bounds {
	struct db_param from, to;
};

static int
bounds_read(const struct payments_choice *choice, struct bounds *out)
{
	const char *text[2] = { choice->from, choice->to };
	struct db_param *param[2] = { &out->from, &out->to };
	int64_t at;

	for (int n = 0; n < 2; n++) {
		*param[n] = P_NULL;
		if (text[n] == NULL)
			continue;
		if ((at = moment(text[n])) < 0)
			return complain("%s is no moment: write it as 2026-11-23 or 2026-11-23T04:00 (UTC)", text[n]);
		*param[n] = P_INT(at);
	}
	return 0;
}

static int
failed(struct db *db, int error)
{
	complain("%s %s", icert_err_code(error), db_detail(db));
	db_rollback(db);
	db_close(db);
	return 2;
}

int
payments_list(const struct instance *i, const struct payments_choice *c)
{
	struct db_result *r = NULL;
	struct bounds b;
	struct db *db;
	int error;

	if (bounds_read(c, &b) != 0 || (db = open_db(i)) == NULL)
		return 2;
	if ((error = DB_QUERY(db, &list, &r, P_TEXT(c->gateway), P_TEXT(c->event), P_TEXT(c->order), b.from, b.to, P_BOOL(c->waiting))) < 0)
		return failed(db, error);
	print(r, event_heads, 6);
	db_result_free(r);
	db_close(db);
	return 0;
}

static int
part(struct db *db, const struct db_stmt *stmt, const char *order, const char *title, const char *const *heads, int columns)
{
	struct db_result *r = NULL;
	int error = DB_QUERY(db, stmt, &r, P_TEXT(order));

	if (error < 0)
		return error;
	if (db_rows(r) > 0) {
		printf("\n%s\n", title);
		print(r, heads, columns);
	}
	db_result_free(r);
	return 0;
}

int
payments_show(const struct instance *i, const struct payments_choice *c, const char *what)
{
	static const char *const facts[] = { "id", "number", "state", "since", "total", "currency", "gateway", "payment", "created", "expires",
		"paid", "asked" };
	static const char *const payment_heads[] = { "AT", "GATEWAY", "PAYMENT", "VERDICT", "AMOUNT", "CURRENCY" };
	static const char *const refund_heads[] = { "ASKED", "STATE", "AMOUNT", "CURRENCY", "REASON", "AT THE GATEWAY", "OUTCOME" };
	struct db_result *order = NULL, *events = NULL;
	struct db *db = open_db(i);
	int error, none;

	(void)c;
	if (db == NULL)
		return 2;
	if ((error = DB_QUERY(db, &order_find, &order, P_TEXT(what))) < 0)
		return failed(db, error);
	if ((error = DB_QUERY(db, &order_events, &events, P_TEXT(db_rows(order) > 0 ? db_text(order, 0, 0) : NULL), P_TEXT(what))) < 0) {
		db_result_free(order);
		return failed(db, error);
	}
	none = db_rows(order) == 0 && db_rows(events) == 0;
	for (int n = 0; db_rows(order) > 0 && n < (int)(sizeof(facts) / sizeof(facts[0])); n++)
		printf("%-10s%s\n", facts[n], db_text(order, 0, n));
	if (db_rows(events) > 0) {
		printf("\nNotifications\n");
		print(events, event_heads, 6);
	}
	if (db_rows(order) > 0 && ((error = part(db, &order_payments, db_text(order, 0, 0), "Concluded of payments", payment_heads, 6)) < 0 ||
	    (error = part(db, &order_refunds, db_text(order, 0, 0), "Refunds", refund_heads, 7)) < 0))
		none = 2;
	db_result_free(order);
	db_result_free(events);
	if (none == 2)
		return failed(db, error);
	if (none)
		complain("%s: no order, payment or notification has that name", what);
	db_close(db);
	return none;
}

/* The rows, their audit row and the call that wakes the clerk. */
static int
replay_begin(struct db *db, const struct payments_choice *c, const struct bounds *b, const char *run, int64_t *n)
{
	struct audit_event event = { .action = "payment_event.replay", .actor_kind = "admin", .subject_kind = "payment_event", .subject = run };
	struct db_result *r = NULL;
	char detail[96];
	int error;

	if ((error = db_begin(db, NULL)) != 0 || (error = DB_QUERY(db, &replay_add, &r, P_TEXT(c->gateway), P_TEXT(c->event), P_TEXT(c->order),
	    b->from, b->to, P_BOOL(c->waiting), P_TEXT(run), P_BOOL(c->rehearsal), P_INT(clock_real()))) < 0)
		return error;
	*n = db_affected(r);
	db_result_free(r);
	snprintf(detail, sizeof(detail), "{\"events\":%lld,\"rehearsal\":%s}", (long long)*n, c->rehearsal ? "true" : "false");
	event.detail = detail;
	if (*n == 0 || (error = audit_append(db, &event)) != 0 || (error = db_notify(db, "icert_payment", "")) != 0 ||
	    (error = db_recv(db, NULL)) < 0)
		return error;
	return db_commit(db);
}

int
payments_replay(const struct instance *i, const struct payments_choice *c)
{
	static const char *const heads[] = { "GATEWAY", "EVENT", "VERDICT", "ORDER", "STATE" };
	const struct timespec pause = { .tv_nsec = 200000000 };
	int64_t n = 0, open = 1, until = clock_mono_ms() + (int64_t)(c->seconds > 0 ? c->seconds : 60) * 1000;
	struct db_result *r = NULL;
	struct bounds b;
	char run[ID_TEXT];
	struct db *db;
	int error;

	if (bounds_read(c, &b) != 0 || id_new(run) != 0 || (db = open_db(i)) == NULL)
		return 2;
	if ((error = replay_begin(db, c, &b, run, &n)) < 0)
		return failed(db, error);
	db_rollback(db);
	while (n > 0 && open > 0) {
		if ((error = DB_QUERY(db, &replay_open, &r, P_TEXT(run))) < 0)
			return failed(db, error);
		open = db_int(r, 0, 0);
		db_result_free(r);
		if (open > 0 && clock_mono_ms() > until)
			break;
		if (open > 0)
			nanosleep(&pause, NULL);
	}
	if (n > 0 && (error = DB_QUERY(db, &replay_said, &r, P_TEXT(run))) < 0)
		return failed(db, error);
	if (n > 0) {
		print(r, heads, 5);
		db_result_free(r);
	}
	printf("%lld notifications, %s%s\n", (long long)n, c->rehearsal ? "nothing was changed: this is what would be done" : "applied again",
	    n > 0 && open > 0 ? "; the clerk has not done all of them yet, and goes on" : "");
	db_close(db);
	return n == 0 || open > 0;
}
