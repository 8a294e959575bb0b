#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/csv.h"
#include "libicert/error.h"
#include "procedure/order/totals.h"
#include "views/view.h"
#include "web/desk/desk.h"

/* What came in and went out, by day and by gateway, and each movement of a day; both as a file for a spreadsheet. */

#define ROWS		400	/* of a month: days by gateways */
#define MOVEMENTS	200	/* on a page */
#define PAGE		1000	/* of the file, at a time */
#define MOVEMENTS_MAX	100000
#define WATCHES		(ROLE_FINANCE | ROLE_NATIONAL | ROLE_AUDITOR)

struct span {
	char name[11];			/* "2026-11", or "2026-11-23" */
	char before[11], after[11];	/* the one before, the one after */
	int64_t from, until;		/* UTC seconds */
};

/* Where a month or a day begins on Ecuador's mainland; month and day may be beyond the year's and the month's ends. */
static int64_t
beginning(bool whole, int year, int month, int day, char name[11])
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = whole ? 1 : day };
	time_t at = timegm(&tm);

	strftime(name, 11, whole ? "%Y-%m" : "%Y-%m-%d", &tm);
	return (int64_t)at - DESK_OFFSET_S;
}

static bool
read_span(const char *s, bool whole, int *y, int *m, int *d)
{
	int end = 0, n;

	*d = 1;
	n = whole ? sscanf(s, "%4d-%2d%n", y, m, &end) : sscanf(s, "%4d-%2d-%2d%n", y, m, d, &end);
	return n == (whole ? 2 : 3) && s[end] == '\0' && *y >= 2000 && *y < 3000 && *m >= 1 && *m <= 12 && *d >= 1 && *d <= 31;
}

/* The month (whole) or the day that the address asks for; today's when it asks for none. */
static void
span_of(struct request *rq, bool whole, struct span *s)
{
	const char *asked = request_query(rq, whole ? "mes" : "dia");
	time_t now = (time_t)(clock_business() + DESK_OFFSET_S);
	struct tm tm;
	int y, m, d;

	if (asked == NULL || !read_span(asked, whole, &y, &m, &d)) {
		gmtime_r(&now, &tm);
		y = tm.tm_year + 1900;
		m = tm.tm_mon + 1;
		d = tm.tm_mday;
	}
	s->from = beginning(whole, y, m, d, s->name);
	s->until = beginning(whole, y, whole ? m + 1 : m, whole ? d : d + 1, s->after);
	beginning(whole, y, whole ? m - 1 : m, whole ? d : d - 1, s->before);
}

/* Adds b to the sums of a; cents of another currency than dollars are none of them. */
static void
add(struct totals *a, const struct totals *b)
{
	a->sales += b->sales;
	a->others += b->others;
	a->returns += b->returns;
	a->sold += b->sold;
	a->net += b->net;
	a->tax += b->tax;
	a->other += b->other;
	a->returned += b->returned;
	a->disputed += b->disputed;
	a->balance += b->balance;
}

/* "noviembre de 2026" */
static const char *
month_words(struct request *rq, const struct span *s)
{
	const char *name = catalogue(arena_printf(&rq->arena, "month.%d", atoi(s->name + 5)));

	return arena_printf(&rq->arena, "%s de %.4s", name != NULL ? name : s->name + 5, s->name);
}

static int
month_show(struct request *rq)
{
	struct totals *list = arena_array(&rq->arena, struct totals, ROWS), sum = { 0 };
	struct view_desk_totals_rows *rows = arena_array(&rq->arena, struct view_desk_totals_rows, ROWS);
	struct view_desk_totals v = { 0 };
	struct span span;
	size_t n = ROWS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	span_of(rq, true, &span);
	if ((rv = totals_days(desk_act(rq), span.from, span.until, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct totals *t = &list[i];

		rows[i].href = arena_printf(&rq->arena, "/totales/dia?dia=%s", t->day);
		rows[i].day = desk_day(t->day);
		rows[i].gateway = desk_gateway(t->gateway);
		rows[i].currency = strcmp(t->currency, "USD") != 0 ? t->currency : NULL;
		rows[i].sales = t->sales;
		rows[i].net = t->net;
		rows[i].tax = t->tax;
		rows[i].sold = t->sold;
		rows[i].other = t->other;
		rows[i].returned = t->returned;
		rows[i].disputed = t->disputed;
		rows[i].balance = t->balance;
		if (rows[i].currency == NULL)
			add(&sum, t);
	}
	v.month = month_words(rq, &span);
	v.previous = arena_printf(&rq->arena, "/totales?mes=%s", span.before);
	v.next = arena_printf(&rq->arena, "/totales?mes=%s", span.after);
	v.file = arena_printf(&rq->arena, "/totales/mes.csv?mes=%s", span.name);
	v.rows = rows;
	v.nrows = n;
	v.sales = sum.sales;
	v.net = sum.net;
	v.tax = sum.tax;
	v.sold = sum.sold;
	v.other = sum.other;
	v.returned = sum.returned;
	v.disputed = sum.disputed;
	v.balance = sum.balance;
	return page_send(rq, 200, desk_totals, &v);
}

static int
day_show(struct request *rq)
{
	struct movement *list = arena_array(&rq->arena, struct movement, MOVEMENTS + 1);
	struct view_desk_totals_day_rows *rows = arena_array(&rq->arena, struct view_desk_totals_day_rows, MOVEMENTS);
	struct view_desk_totals_day v = { 0 };
	struct span span;
	size_t n = MOVEMENTS + 1;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	span_of(rq, false, &span);
	if ((rv = totals_movements(desk_act(rq), span.from, span.until, 0, list, &n)) != 0)
		return rv;
	v.more = n > MOVEMENTS;
	v.nrows = v.more ? MOVEMENTS : n;
	for (size_t i = 0; i < v.nrows; i++) {
		rows[i].at = list[i].at;
		rows[i].gateway = desk_gateway(list[i].gateway);
		rows[i].payment = list[i].payment;
		rows[i].kind = list[i].kind;
		rows[i].cents = list[i].cents;
		rows[i].currency = strcmp(list[i].currency, "USD") != 0 ? list[i].currency : NULL;
		rows[i].order = list[i].order[0] != '\0' ? arena_printf(&rq->arena, "/orden/%s", list[i].order) : NULL;
		rows[i].number = list[i].number;
	}
	v.rows = rows;
	v.day = desk_day(span.name);
	v.month = arena_printf(&rq->arena, "/totales?mes=%.7s", span.name);
	v.previous = arena_printf(&rq->arena, "/totales/dia?dia=%s", span.before);
	v.next = arena_printf(&rq->arena, "/totales/dia?dia=%s", span.after);
	v.file = arena_printf(&rq->arena, "/totales/dia.csv?dia=%s", span.name);
	return page_send(rq, 200, desk_totals_day, &v);
}

static void
head(struct csv *csv, const char *const *names)
{
	while (*names != NULL)
		csv_text(csv, *names++);
	csv_end(csv);
}

static int
send(struct request *rq, const struct buf *out, const char *name)
{
	int rv = buf_error(out);

	return rv != 0 ? rv : response_file(rq, "text/csv; charset=utf-8", arena_printf(&rq->arena, "totales-%s.csv", name), out->p, out->len);
}

static int
month_file(struct request *rq)
{
	static const char *const names[] = { "dia", "medio", "moneda", "ordenes_pagadas", "valor", "impuesto", "total", "otros_pagos", "otros_valor",
		"devoluciones", "devuelto", "en_disputa", "saldo", NULL };
	struct totals *list = arena_array(&rq->arena, struct totals, ROWS);
	struct buf out = BUF_INIT;
	struct span span;
	struct csv csv;
	size_t n = ROWS;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	span_of(rq, true, &span);
	if ((rv = totals_days(desk_act(rq), span.from, span.until, list, &n)) != 0)
		return rv;
	csv_begin(&csv, &out);
	head(&csv, names);
	for (size_t i = 0; i < n; i++) {
		const struct totals *t = &list[i];

		csv_text(&csv, t->day);
		csv_text(&csv, t->gateway);
		csv_text(&csv, t->currency);
		csv_number(&csv, t->sales);
		csv_money(&csv, t->net);
		csv_money(&csv, t->tax);
		csv_money(&csv, t->sold);
		csv_number(&csv, t->others);
		csv_money(&csv, t->other);
		csv_number(&csv, t->returns);
		csv_money(&csv, t->returned);
		csv_money(&csv, t->disputed);
		csv_money(&csv, t->balance);
		csv_end(&csv);
	}
	rv = send(rq, &out, span.name);
	buf_free(&out);
	return rv;
}

static void
put_movement(struct csv *csv, const struct movement *m)
{
	char at[CLOCK_TEXT], code[32];
	const char *what;

	snprintf(code, sizeof(code), "desk.movement.%s", m->kind);
	what = catalogue(code);
	csv_text(csv, clock_text(m->at, at));
	csv_text(csv, m->gateway);
	csv_text(csv, m->payment);
	csv_text(csv, what != NULL ? what : m->kind);
	csv_text(csv, m->number);
	csv_text(csv, m->currency);
	csv_money(csv, m->cents);
	csv_end(csv);
}

static int
day_file(struct request *rq)
{
	static const char *const names[] = { "hora_utc", "medio", "pago", "que", "orden", "moneda", "valor", NULL };
	struct movement *list = arena_array(&rq->arena, struct movement, PAGE);
	struct buf out = BUF_INIT;
	struct span span;
	struct csv csv;
	size_t n = PAGE, skip = 0;
	int rv = 0;

	if (list == NULL)
		return ICERT_E_MEMORY;
	span_of(rq, false, &span);
	csv_begin(&csv, &out);
	head(&csv, names);
	while (rv == 0 && n == PAGE && skip < MOVEMENTS_MAX) {
		if ((rv = totals_movements(desk_act(rq), span.from, span.until, skip, list, &n)) == 0)
			for (size_t i = 0; i < n; i++)
				put_movement(&csv, &list[i]);
		skip += n;
	}
	if (rv == 0)
		rv = send(rq, &out, span.name);
	buf_free(&out);
	return rv;
}

const struct route desk_totals_routes[] = {
	{ METHOD_GET, "/totales", WATCHES, PROVINCE_ALL, 0, month_show },
	{ METHOD_GET, "/totales/mes.csv", WATCHES, PROVINCE_ALL, 0, month_file },
	{ METHOD_GET, "/totales/dia", WATCHES, PROVINCE_ALL, 0, day_show },
	{ METHOD_GET, "/totales/dia.csv", WATCHES, PROVINCE_ALL, 0, day_file },
	{ 0 }
};
