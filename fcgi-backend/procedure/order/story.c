#include "procedure/order/story.h"

#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "store/db.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)

static const struct db_stmt around = { "story_around",
	"select c.masked, coalesce(o.number, ''), coalesce(o.state, ''), coalesce(o.certificate, '') from icert.purchase p"
	" left join icert.contact c on c.id = p.contact_id left join lateral icert.order_case(p.id) o on true where p.id = $1" };
static const struct db_stmt events = { "story_events",
	"select gateway, event_id, coalesce(verdict, ''), received_at, coalesce(applied_at, 0), tries from icert.payment_event"
	" where purchase_id = $1 order by received_at desc, event_id limit $2 offset $3" };
static const struct db_stmt conclusions = { "story_conclusions",
	"select gateway, gateway_payment, verdict, coalesce(currency, ''), coalesce(cents, -1), at, id,"
	" coalesce((select d.state from icert.dispute d where d.payment_id = y.id), '') from icert.payment y where y.purchase_id = $1 order by at desc, id limit $2 offset $3" };
static const struct db_stmt questions = { "story_questions",
	"select gateway, asker, answer, coalesce(currency, ''), coalesce(cents, -1), coalesce(refunded, -1), first_at, last_at, times"
	" from icert.payment_question where purchase_id = $1 order by last_at desc, id limit $2 offset $3" };
static const struct db_stmt transfers = { "story_transfers",
	"select l.id, to_char(l.day, 'YYYY-MM-DD'), l.state, l.verdict, l.cents from icert.bank_line l where l.purchase_id = $1 or (l.state = 'new' and"
	" l.number = (select p.number from icert.purchase p where p.id = $1)) order by l.day desc, l.id limit $2 offset $3" };
static const struct db_stmt differences = { "story_differences",
	"select gateway, to_char(day, 'YYYY-MM-DD'), kind, state, reason, coalesce(here, -1), coalesce(there, -1) from icert.difference where purchase_id = $1"
	" order by day desc, id limit $2 offset $3" };
static const struct db_stmt mails = { "story_mails",
	"select template, state, coalesce(sent_at, created_at) from icert.outbox where purchase_id = $1"
	" order by created_at desc, id limit $2 offset $3" };
static const struct db_stmt lines = { "story_lines",
	"select l.action, l.outcome, coalesce(l.reason, ''), l.actor_kind, coalesce(l.actor, ''), coalesce(s.name, ''), l.at_us from icert.audit l"
	" left join icert.staff s on l.actor_kind = 'staff' and s.id::text = l.actor"
	" where l.subject = $1::text and l.subject_kind = 'order' order by l.at_us desc, l.id limit $2 offset $3" };

#define COPY(field, column) snprintf(field, sizeof field, "%s", db_text(r, row, column))

static void
fill_around(struct story *s, const struct db_result *r, int row)
{
	COPY(s->masked, 0);
	COPY(s->case_number, 1);
	COPY(s->case_state, 2);
	COPY(s->certificate_state, 3);
}

static void
fill_event(struct story *s, const struct db_result *r, int row)
{
	struct story_event *e = &s->events[s->nevents++];

	COPY(e->gateway, 0);
	COPY(e->event, 1);
	COPY(e->verdict, 2);
	e->received_at = db_int(r, row, 3);
	e->applied_at = db_int(r, row, 4);
	e->tries = (int)db_int(r, row, 5);
}

static void
fill_conclusion(struct story *s, const struct db_result *r, int row)
{
	struct story_conclusion *c = &s->conclusions[s->nconclusions++];

	COPY(c->gateway, 0);
	COPY(c->payment, 1);
	COPY(c->verdict, 2);
	COPY(c->currency, 3);
	c->cents = db_int(r, row, 4);
	c->at = db_int(r, row, 5);
	COPY(c->id, 6);
	COPY(c->dispute, 7);
}

static void
fill_question(struct story *s, const struct db_result *r, int row)
{
	struct story_question *q = &s->questions[s->nquestions++];

	COPY(q->gateway, 0);
	COPY(q->asker, 1);
	COPY(q->answer, 2);
	COPY(q->currency, 3);
	q->cents = db_int(r, row, 4);
	q->refunded = db_int(r, row, 5);
	q->first_at = db_int(r, row, 6);
	q->last_at = db_int(r, row, 7);
	q->times = (int)db_int(r, row, 8);
}

static void
fill_transfer(struct story *s, const struct db_result *r, int row)
{
	struct story_transfer *t = &s->transfers[s->ntransfers++];

	COPY(t->id, 0);
	COPY(t->day, 1);
	COPY(t->state, 2);
	COPY(t->verdict, 3);
	t->cents = db_int(r, row, 4);
}

static void
fill_difference(struct story *s, const struct db_result *r, int row)
{
	struct story_difference *d = &s->differences[s->ndifferences++];

	COPY(d->gateway, 0);
	COPY(d->day, 1);
	COPY(d->kind, 2);
	COPY(d->state, 3);
	COPY(d->reason, 4);
	d->here = db_int(r, row, 5);
	d->there = db_int(r, row, 6);
}

static void
fill_mail(struct story *s, const struct db_result *r, int row)
{
	struct story_mail *m = &s->mails[s->nmails++];

	COPY(m->template, 0);
	COPY(m->state, 1);
	m->at = db_int(r, row, 2);
}

static void
fill_line(struct story *s, const struct db_result *r, int row)
{
	struct audit_line *l = &s->lines[s->nlines++];

	COPY(l->action, 0);
	COPY(l->outcome, 1);
	COPY(l->reason, 2);
	COPY(l->actor_kind, 3);
	COPY(l->actor, 4);
	COPY(l->actor_name, 5);
	l->at_us = db_int(r, row, 6);
	l->at = l->at_us / 1000000;
}

/* One kind of rows inside the open transaction; of a history one row more than there is room for, which only says that there are more. */
static int
each(struct act *act, const struct db_stmt *stmt, const char *id, struct story *s, void (*take)(struct story *, const struct db_result *, int),
    int *more)
{
	struct db_result *r;
	int error, n;

	error = more != NULL ? DB_QUERY(act->db, stmt, &r, P_TEXT(id), P_INT(STORY_ROWS + 1), P_INT(s->from)) : DB_QUERY(act->db, stmt, &r, P_TEXT(id));
	if (error != 0)
		return error;
	n = db_rows(r);
	if (more != NULL && n > STORY_ROWS) {
		*more = 1;
		n = STORY_ROWS;
	}
	for (int i = 0; i < n; i++)
		take(s, r, i);
	db_result_free(r);
	return 0;
}

int
story_get(struct act *act, const char *id, int from, struct story *s)
{
	int error;

	memset(s, 0, sizeof *s);
	s->from = from;
	if (!(act->roles & READERS))
		return act_refuse(act, "order.read", "order", id_valid(id) ? id : NULL, 0, ICERT_E_DENIED);
	if ((error = purchase_get(act, id, &s->order)) != 0)
		return error;
	if ((error = act_begin(act)) == 0 && (error = each(act, &around, id, s, fill_around, NULL)) == 0 &&
	    (error = each(act, &events, id, s, fill_event, &s->more)) == 0 &&
	    (error = each(act, &conclusions, id, s, fill_conclusion, &s->more)) == 0 &&
	    (error = each(act, &questions, id, s, fill_question, &s->more)) == 0 &&
	    (error = each(act, &transfers, id, s, fill_transfer, &s->more)) == 0 &&
	    (error = each(act, &differences, id, s, fill_difference, &s->more)) == 0 &&
	    (error = each(act, &mails, id, s, fill_mail, &s->more)) == 0 &&
	    (error = each(act, &lines, id, s, fill_line, &s->more)) == 0 &&
	    (error = act_audit(act, "order.read", "order", id, NULL, 0, NULL, NULL)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}
