/* The clerk's hand: a day of a gateway against ours. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/order/inquiry.h"
#include "procedure/order/purchase.h"
#include "procedure/order/received.h"
#include "procedure/order/reconciliation.h"
#include "procedure/trouble.h"

#define RETRY_S		900
#define LOCAL_S		(-5 * 3600)	/* mainland Ecuador */
#define DAY_S		86400
#define DAYS_BACK	30		/* so many days are made up for after an outage */
#define AT_ONCE		50

/* Days that are over and have no row yet; the first row of a gateway is yesterday's. */
static const struct db_stmt open_days = { "reconciliation_open",
	"insert into icert.reconciliation (gateway, day) select $1, d::date from generate_series(greatest((select coalesce(max(day) + 1, $2::date)"
	" from icert.reconciliation where gateway = $1), $2::date - $3::int), $2::date, interval '1 day') d on conflict do nothing" };
static const struct db_stmt due = { "reconciliation_due",
	"select to_char(day, 'YYYY-MM-DD'), extract(epoch from day)::bigint from icert.reconciliation where gateway = $1 and state = 'open'"
	" and next_try_at <= $2 order by day limit 1" };
/* What a gateway says of payments, each once: whoever lists one twice means it as it was last. */
#define THERE \
	"(select distinct on (t.id) t.id, nullif(t.o, '')::uuid as o, t.s::int as s, t.c::bigint as c, t.r::bigint as r," \
	" t.m::int as m from" \
	" unnest(string_to_array($3, E'\\n'), string_to_array($4, E'\\n'), string_to_array($5, E'\\n'), string_to_array($6, E'\\n')," \
	" string_to_array($7, E'\\n'), string_to_array($8, E'\\n')) with ordinality as t (id, o, s, c, r, m, n) order by t.id, t.n desc)"
/* Of a payment t of gateway $1: what was concluded of money first (y), its order (p), cents that went back with our knowledge. */
#define HERE(t) \
	" left join lateral (select y.id, y.purchase_id, y.cents from icert.payment y where y.gateway = $1 and y.gateway_payment = " t ".id" \
	" and y.verdict in ('pay', 'again', 'late', 'mismatch', 'strange') order by y.verdict = 'pay' desc limit 1) y on true" \
	" left join icert.purchase p on p.id = coalesce(y.purchase_id, " t ".o, (select q.id from icert.purchase q where q.gateway = $1" \
	" and q.gateway_payment = " t ".id))"
#define SENT_BACK(t, states) \
	"coalesce((select sum(f.cents) from icert.payment b join icert.refund f on f.payment_id = b.id and f.state in (" states ")" \
	" where b.gateway = $1 and b.gateway_payment = " t ".id), 0)"
#define RECEIVED_OF(t) \
	"(select sum(b.cents) from icert.payment b where b.gateway = $1 and b.gateway_payment = " t ".id" \
	" and b.verdict in ('pay', 'again', 'late', 'mismatch', 'strange') and" RECEIVED("b") ")"
#define TOLD_BACK(t) \
	"exists (select from icert.payment b where b.gateway = $1 and b.gateway_payment = " t ".id and b.verdict = 'refunded')"
/* The gateway has another sum than we: with the refunds that it has done, and with those that it may have done. */
#define OTHER_SUM(t) \
	"(" t ".m > 0 and " t ".c * " t ".m not in (" RECEIVED_OF(t) " - " SENT_BACK(t, "'done'") ", " RECEIVED_OF(t) " - " SENT_BACK(t, "'confirmed', 'done'") "))"
/* s as enum gateway_state: 2 approved, 5 refunded, 6 disputed.  What went back before we heard of it is nothing on both sides. */
#define KIND(t) \
	"case when " t ".s in (2, 6) and y.id is null then 'paid_there'" \
	" when " t ".s in (2, 6) and " t ".c >= 0 and (y.cents is distinct from " t ".c or " OTHER_SUM(t) ") then 'amount'" \
	" when " t ".s = 5 and y.id is not null and not " TOLD_BACK(t) " and " SENT_BACK(t, "'confirmed', 'done'") " < " RECEIVED_OF(t) " then 'refunded_there'" \
	" when " t ".s <> 5 and " t ".r > 0 and y.id is not null and " SENT_BACK(t, "'confirmed', 'done'") " < " t ".r then 'refunded_there'" \
	" when " t ".s = 6 and p.state in ('paid', 'used') and p.gateway = $1 and p.gateway_payment = " t ".id then 'disputed_there' end"
/* Cents that are there still: whole returns leave `m`, parts do not. */
#define REMAINS(t) "case when " t ".s = 5 and " t ".m = 0 then 0 else " t ".c * greatest(" t ".m, 1) - case when " t ".c > 0 then " t ".r % " t ".c else 0 end end"
/* One that was settled and differs anew, in the same way and by other sums, waits again. */
#define ANEW \
	" on conflict (gateway, payment, kind) do update set state = 'open', day = excluded.day, here = excluded.here, there = excluded.there, reason = ''," \
	" verdict = '' where difference.state = 'solved' or (difference.state = 'explained'" \
	" and (difference.here, difference.there) is distinct from (excluded.here, excluded.there))"
static const struct db_stmt compare = { "reconciliation_compare",
	"insert into icert.difference (gateway, day, payment, kind, purchase_id, here, there)"
	" select $1, $2::date, t.id, k.kind, p.id, case when y.cents = t.c then " RECEIVED_OF("t") " - " SENT_BACK("t", "'done'") " else y.cents end,"
	" case when t.c >= 0 then " REMAINS("t") " end from " THERE " t" HERE("t")
	" cross join lateral (select " KIND("t") " as kind) k where k.kind is not null" ANEW };
/* Whether one payment, as the gateway answers of it now, still differs in that way. */
static const struct db_stmt differs = { "reconciliation_differs",
	"select count(*) from (select $2::text as id, nullif($3, '')::uuid as o, $4::int as s, $5::bigint as c, $6::bigint as r, $8::int as m) t" HERE("t")
	" where " KIND("t") " = $7" };
/* What was concluded that day, and whom nobody has seen pay until the order ended. */
static const struct db_stmt ours = { "reconciliation_ours",
	"select y.gateway_payment from icert.payment y where y.gateway = $1 and y.at >= $2 and y.at < $3 and y.verdict in ('pay', 'again', 'late')"
	" union select p.gateway_payment from icert.purchase p where p.gateway = $1 and p.gateway_payment is not null"
	" and p.state in ('pending', 'expired') and p.state_since >= $2 and p.state_since < $3" };
static const struct db_stmt missing = { "reconciliation_missing",
	"select y.gateway_payment from icert.payment y where y.gateway = $1 and y.at >= $2 and y.at < $3 and y.verdict in ('pay', 'again', 'late')"
	" and y.gateway_payment not in (select unnest(string_to_array($4, E'\\n')))" };
static const struct db_stmt not_there = { "reconciliation_not_there",
	"insert into icert.difference (gateway, day, payment, kind, purchase_id, here) select y.gateway, $2::date, y.gateway_payment, 'paid_here',"
	" y.purchase_id, y.cents from icert.payment y where y.gateway = $1 and y.gateway_payment = $3 and y.verdict in ('pay', 'again', 'late')"
	" limit 1 on conflict (gateway, payment, kind) do nothing" };
static const struct db_stmt end = { "reconciliation_end",
	"update icert.reconciliation set state = 'done', payments = (select count(distinct id) from unnest(string_to_array($3, E'\n')) as id), tries = tries + 1, outcome = '', ended_at = $4"
	" where gateway = $1 and day = $2::date and state = 'open'" };
static const struct db_stmt later = { "reconciliation_later",
	"update icert.reconciliation set tries = tries + 1, next_try_at = $3, outcome = $4 where gateway = $1 and day = $2::date and state = 'open'" };
static const struct db_stmt asked = { "reconciliation_asked",
	"select d.id from icert.difference d where d.state = 'ask' and" TROUBLE_RESTS_NOT("difference", "d.id::text", "$1") " limit $2" };
static const struct db_stmt about = { "reconciliation_about", "select gateway, payment, kind from icert.difference where id = $1 and state = 'ask'" };
static const struct db_stmt answered = { "reconciliation_answered",
	"update icert.difference set state = $2, verdict = $3 where id = $1 and state = 'ask'" };

/* What a gateway lists, a column of lines each, as the comparison takes it. */
struct listed {
	struct buf	id, order, state, cents, refunded, times;
	int		n;
};

#define LISTED_INIT { .id = BUF_INIT, .order = BUF_INIT, .state = BUF_INIT, .cents = BUF_INIT, .refunded = BUF_INIT, .times = BUF_INIT }

static int
take(void *arg, const struct gateway_payment *p)
{
	struct listed *l = arg;
	const char *sep = l->n > 0 ? "\n" : "";

	/* No id of a payment has a line's end in it; one that had would be two. */
	if (p->id[0] == '\0' || strpbrk(p->id, "\r\n") != NULL)
		return 0;
	buf_printf(&l->id, "%s%s", sep, p->id);
	buf_printf(&l->order, "%s%s", sep, id_valid(p->order) ? p->order : "");
	buf_printf(&l->state, "%s%d", sep, (int)p->state);
	buf_printf(&l->cents, "%s%" PRId64, sep, p->cents);
	buf_printf(&l->refunded, "%s%" PRId64, sep, p->refunded);
	buf_printf(&l->times, "%s%d", sep, p->times);
	l->n++;
	return buf_error(&l->times);
}

static void
listed_free(struct listed *l)
{
	buf_free(&l->id);
	buf_free(&l->order);
	buf_free(&l->state);
	buf_free(&l->cents);
	buf_free(&l->refunded);
	buf_free(&l->times);
}

struct day {
	const char	*name;
	struct gateway	*gateway;
	char		 text[11];
	int64_t		 from, to;	/* business clock */
};

static int
compare_listed(struct act *act, const struct day *d, const struct listed *l)
{
	int error;

	if (l->n == 0)
		return 0;
	if ((error = act_begin(act)) == 0 &&
	    (error = DB_QUERY(act->db, &compare, NULL, P_TEXT(d->name), P_TEXT(d->text), P_TEXT(buf_str(&l->id)), P_TEXT(buf_str(&l->order)),
	    P_TEXT(buf_str(&l->state)), P_TEXT(buf_str(&l->cents)), P_TEXT(buf_str(&l->refunded)), P_TEXT(buf_str(&l->times)))) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
is_there(const struct gateway_payment *p)
{
	return p->state == GATEWAY_APPROVED || p->state == GATEWAY_REFUNDED || p->state == GATEWAY_DISPUTED;
}

/*
 * Ours that the list did not have, asked about one by one, since a payment at midnight belongs to two days: those that are there after all are
 * added to `found`.
 */
static int
look_for_missing(struct act *act, const struct day *d, const struct listed *l, struct listed *found)
{
	struct gateway_payment answer;
	struct db_result *r;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &missing, &r, P_TEXT(d->name), P_INT(d->from), P_INT(d->to),
	    P_TEXT(l->n > 0 ? buf_str(&l->id) : ""))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && error == 0; i++) {
		error = inquiry_ask(act, d->gateway, d->name, db_text(r, i, 0), INQUIRY_RECONCILIATION, &answer);
		if (error == 0 && is_there(&answer)) {
			error = take(found, &answer);
			continue;
		}
		if (error != 0 && error != ICERT_E_NOT_FOUND)
			break;
		if ((error = act_begin(act)) == 0 &&
		    (error = DB_QUERY(act->db, &not_there, NULL, P_TEXT(d->name), P_TEXT(d->text), P_TEXT(db_text(r, i, 0)))) == 0)
			error = db_commit(act->db);
		else
			db_rollback(act->db);
	}
	db_result_free(r);
	return error;
}

/* The list of a gateway that has none, made of its answers.  What it does not have is looked for later. */
static int
ask_each(struct act *act, const struct day *d, struct listed *l)
{
	struct gateway_payment answer;
	struct db_result *r;
	int error;

	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &ours, &r, P_TEXT(d->name), P_INT(d->from), P_INT(d->to))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && error == 0; i++) {
		error = inquiry_ask(act, d->gateway, d->name, db_text(r, i, 0), INQUIRY_RECONCILIATION, &answer);
		if (error == 0 && is_there(&answer))
			error = take(l, &answer);
		else if (error == ICERT_E_NOT_FOUND)
			error = 0;
	}
	db_result_free(r);
	return error;
}

static int
whole_day(struct act *act, const struct day *d)
{
	/* The gateway's clock is the real one.  Where ours was moved, payments of before it lie at the day's own time: both are asked for. */
	const int64_t ahead = clock_business() - clock_real();
	struct listed l = LISTED_INIT, found = LISTED_INIT;
	int error = gateway_list(d->gateway, d->from - (ahead > 0 ? ahead : 0), d->to, take, &l);

	if (error == ICERT_E_UNSUPPORTED)
		error = ask_each(act, d, &l);
	if (error == 0 && (error = compare_listed(act, d, &l)) == 0 && (error = look_for_missing(act, d, &l, &found)) == 0 &&
	    (error = compare_listed(act, d, &found)) == 0 && (error = act_begin(act)) == 0) {
		if ((error = DB_QUERY(act->db, &end, NULL, P_TEXT(d->name), P_TEXT(d->text), P_TEXT(l.n > 0 ? buf_str(&l.id) : ""), P_INT(clock_business()))) == 0)
			error = db_commit(act->db);
		else
			db_rollback(act->db);
	}
	listed_free(&l);
	listed_free(&found);
	return error;
}

static int
put_off(struct act *act, const struct day *d, int refused)
{
	int error;

	log_warn("reconciliation_waits", "gateway %s, %s: %s", d->name, d->text, icert_err_code(refused));
	if ((error = act_begin(act)) == 0 && (error = DB_QUERY(act->db, &later, NULL, P_TEXT(d->name), P_TEXT(d->text),
	    P_INT(clock_real() + RETRY_S), P_TEXT(icert_err_code(refused)))) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

/* The oldest day of one gateway that is due; *more: there was one. */
static int
one_day(struct act *act, struct day *d, int *more)
{
	const int64_t today = (clock_business() + LOCAL_S) / DAY_S * DAY_S;
	struct db_result *r;
	char yesterday[11];
	time_t at = (time_t)(today - DAY_S);
	struct tm tm;
	int error;

	*more = 0;
	gmtime_r(&at, &tm);
	strftime(yesterday, sizeof yesterday, "%Y-%m-%d", &tm);
	if ((error = act_begin(act)) != 0)
		return error;
	if ((error = DB_QUERY(act->db, &open_days, NULL, P_TEXT(d->name), P_TEXT(yesterday), P_INT(DAYS_BACK))) != 0) {
		db_rollback(act->db);
		return error;
	}
	if ((error = DB_QUERY_COMMIT(act->db, &due, &r, P_TEXT(d->name), P_INT(clock_real()))) != 0)
		return error;
	if ((*more = db_rows(r) == 1) != 0) {
		snprintf(d->text, sizeof d->text, "%s", db_text(r, 0, 0));
		d->from = db_int(r, 0, 1) - LOCAL_S;
		d->to = d->from + DAY_S;
	}
	db_result_free(r);
	if (*more == 0)
		return 0;
	error = whole_day(act, d);
	return error == 0 || error == ICERT_E_DATABASE ? error : put_off(act, d, error);
}

struct asking {
	struct act		*act;
	struct settlement	*settlement;
};

/* Whether the difference is one still, by the gateway's answer, which has been applied; < 0 an error. */
static int
still(struct act *act, const char *name, const char *kind, const struct gateway_payment *answer, enum payment_verdict verdict)
{
	struct db_result *r;
	int error, n;

	/* Of no order of ours: whatever it is, nobody's question solves it. */
	if (verdict == PAYMENT_STRANGE)
		return 1;
	if (strcmp(kind, "paid_here") == 0)
		return !is_there(answer);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &differs, &r, P_TEXT(name), P_TEXT(answer->id),
	    P_TEXT(id_valid(answer->order) ? answer->order : ""), P_INT(answer->state), P_INT(answer->cents), P_INT(answer->refunded), P_TEXT(kind),
	    P_INT(answer->times))) != 0)
		return error;
	n = (int)db_int(r, 0, 0);
	db_result_free(r);
	return n;
}

static int
ask_one(void *ctx, const char *id)
{
	struct asking *a = ctx;
	struct gateway_payment answer;
	enum payment_verdict verdict = PAYMENT_STRANGE;
	char name[GATEWAY_NAME], payment[GATEWAY_ID], kind[20];
	struct db_result *r;
	int error, waits;

	if ((error = act_begin(a->act)) != 0 || (error = DB_QUERY_COMMIT(a->act->db, &about, &r, P_TEXT(id))) != 0)
		return error;
	waits = db_rows(r) == 1;
	snprintf(name, sizeof name, "%s", waits ? db_text(r, 0, 0) : "");
	snprintf(payment, sizeof payment, "%s", waits ? db_text(r, 0, 1) : "");
	snprintf(kind, sizeof kind, "%s", waits ? db_text(r, 0, 2) : "");
	db_result_free(r);
	if (!waits)
		return 0;
	/* When it knows none, or goes on saying what differs, it waits for a person again. */
	if ((error = settlement_ask_one(a->act, a->settlement, name, payment, &answer, &verdict)) == ICERT_E_NOT_FOUND)
		waits = 1;
	else if (error != 0 || (waits = still(a->act, name, kind, &answer, verdict)) < 0)
		return error != 0 ? error : waits;
	if ((error = act_begin(a->act)) != 0)
		return error;
	if ((error = DB_QUERY(a->act->db, &answered, NULL, P_TEXT(id), P_TEXT(waits ? "open" : "solved"),
	    P_TEXT(payment_verdict_name(verdict)))) != 0) {
		db_rollback(a->act->db);
		return error;
	}
	return db_commit(a->act->db);
}

int
reconciliation_answer(struct act *act, struct settlement *settlement)
{
	struct asking asking = { act, settlement };
	struct db_result *r;
	int error;

	if ((error = act_begin(act)) != 0 ||
	    (error = DB_QUERY_COMMIT(act->db, &asked, &r, P_INT(clock_real()), P_INT(AT_ONCE))) != 0)
		return error;
	return trouble_each(act, "difference", r, ask_one, &asking, NULL);
}

int
reconciliation_run(struct act *act, struct settlement *settlement, size_t *done)
{
	int error = 0, more;

	*done = 0;
	for (int i = 0; i < settlement->n && error == 0; i++) {
		struct day d = { .name = settlement->names[i], .gateway = settlement->gateways[i] };

		if (d.gateway != NULL && (error = one_day(act, &d, &more)) == 0)
			*done += (size_t)more;
	}
	return error;
}
