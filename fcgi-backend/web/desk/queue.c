#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/application/agenda.h"
#include "procedure/people/staff.h"
#include "web/desk/desk.h"

/* The list of cases: the caller's provinces, oldest first. */

#define PAGE_ROWS	40	/* and one more tells whether there is a next page */
#define PROVINCES	32
#define AGENDA_ROWS	500
#define DAY_S		86400
#define SOON_DAYS	5	/* a case that closes within them is marked */

#define BIT(state)	(1u << (state))
#define OPEN_STATES	(BIT(APPLICATION_SUBMITTED) | BIT(APPLICATION_IN_REVIEW) | BIT(APPLICATION_OBSERVED) | \
	BIT(APPLICATION_ACCEPTED) | BIT(APPLICATION_SCHEDULED) | BIT(APPLICATION_IDENTIFIED) | BIT(APPLICATION_ISSUING))
#define AFTER_STATES	(BIT(APPLICATION_ISSUED) | BIT(APPLICATION_CONTRACT_SENT) | BIT(APPLICATION_CONTRACT_RECEIVED) | \
	BIT(APPLICATION_CONTRACT_SIGNED) | BIT(APPLICATION_COUNTERSIGNED) | BIT(APPLICATION_ACTIVE) | \
	BIT(APPLICATION_CLOSED_REVOKED))

/* The views of the list, by the word in the address. */
static const struct {
	const char *word;
	uint32_t states;
	bool mine, unassigned, works;	/* works: only for who works on cases */
} lists[] = {
	{ "abiertos", OPEN_STATES, false, false, false },
	{ "por-tomar", BIT(APPLICATION_SUBMITTED), false, true, false },
	{ "mios", OPEN_STATES, true, false, true },
	{ "citas", BIT(APPLICATION_SCHEDULED) | BIT(APPLICATION_IDENTIFIED), false, false, false },
	{ "emitidos", AFTER_STATES, false, false, false },
	{ "todos", 0, false, false, false },
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

static size_t
list_of(const struct request *rq)
{
	const char *word = request_query(rq, "lista");

	for (size_t i = 0; word != NULL && i < LISTS; i++)
		if (strcmp(lists[i].word, word) == 0)
			return i;
	return 0;
}

static int
number_of(const char *text, int most)
{
	int n = text != NULL ? atoi(text) : 0;

	return n < 0 || n > most ? 0 : n;
}

static void
fill_tabs(struct request *rq, struct view_desk_queue *v, size_t chosen, int province)
{
	struct view_desk_queue_tabs *tabs = arena_array(&rq->arena, struct view_desk_queue_tabs, LISTS);

	if (tabs == NULL)
		return;
	for (size_t i = 0; i < LISTS; i++) {
		if (lists[i].works && !(rq->session.roles & DESK_WORKS))
			continue;
		tabs[v->ntabs].href = province != 0 ?
		    arena_printf(&rq->arena, "/casos?lista=%s&provincia=%d", lists[i].word, province) :
		    arena_printf(&rq->arena, "/casos?lista=%s", lists[i].word);
		tabs[v->ntabs].word = lists[i].word;
		tabs[v->ntabs].here = !v->searched && i == chosen;
		v->ntabs++;
	}
	v->tabs = tabs;
}

/* A choice of province for those who see several. */
static int
fill_provinces(struct request *rq, struct view_desk_queue *v, int chosen, const struct province **all, size_t *nall)
{
	struct province *list = arena_array(&rq->arena, struct province, PROVINCES);
	struct view_option *options = arena_array(&rq->arena, struct view_option, PROVINCES);
	size_t n = PROVINCES, mine = PROVINCES;
	int own[PROVINCES], rv;

	if (list == NULL || options == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_list(desk_act(rq), list, &n)) != 0 || (rv = staff_provinces(desk_act(rq), own, &mine)) != 0)
		return rv;
	*all = list;
	*nall = n;
	if (mine < 2)
		return 0;
	for (size_t i = 0; i < mine; i++) {
		for (size_t k = 0; k < n; k++) {
			if (list[k].id != own[i])
				continue;
			options[v->nprovinces].value = arena_printf(&rq->arena, "%d", own[i]);
			options[v->nprovinces].text = list[k].name;
			options[v->nprovinces].selected = own[i] == chosen;
			v->nprovinces++;
		}
	}
	v->provinces = options;
	return 0;
}

static const char *
province_name(const struct province *all, size_t n, int id)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].id == id)
			return all[i].name;
	return NULL;
}

static const char *
colour_of(enum application_state state)
{
	switch (state) {
	case APPLICATION_SUBMITTED:
		return "yellow";
	case APPLICATION_IN_REVIEW:
	case APPLICATION_ACCEPTED:
	case APPLICATION_IDENTIFIED:
		return "blue";
	case APPLICATION_OBSERVED:
		return "orange";
	case APPLICATION_SCHEDULED:
		return "purple";
	case APPLICATION_ISSUED:
	case APPLICATION_ACTIVE:
		return "green";
	case APPLICATION_REJECTED:
	case APPLICATION_CLOSED_REVOKED:
		return "red";
	default:
		return "grey";
	}
}

static void
fill_row(struct request *rq, struct view_desk_queue_rows *row, const struct application *a, int64_t now)
{
	row->href = desk_href(rq, a);
	row->number = a->number;
	row->name = desk_name(rq, a);
	row->state = application_state_name(a->state);
	row->colour = colour_of(a->state);
	row->since = a->state_since;
	row->operator = a->operator_name;
	row->mine = desk_mine(rq, a);
	row->twin = a->also_open;
	if ((BIT(a->state) & OPEN_STATES) && a->closes_at != 0) {
		row->closes = a->closes_at;
		row->days = a->closes_at > now ? (a->closes_at - now) / DAY_S : 0;
		row->soon = a->closes_at - now < SOON_DAYS * DAY_S;
	}
}

static int
fill_rows(struct request *rq, struct view_desk_queue *v, const struct application *list, size_t n,
    const struct province *provinces, size_t nprovinces)
{
	struct view_desk_queue_rows *rows = arena_array(&rq->arena, struct view_desk_queue_rows, n + 1);
	struct agenda_row *agenda = arena_array(&rq->arena, struct agenda_row, AGENDA_ROWS);
	size_t nagenda = AGENDA_ROWS;
	int64_t now = clock_business();
	int rv;

	if (rows == NULL || agenda == NULL)
		return ICERT_E_MEMORY;
	if ((rv = agenda_list(desk_act(rq), agenda, &nagenda)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		fill_row(rq, &rows[i], &list[i], now);
		if (v->provinces != NULL)
			rows[i].province = province_name(provinces, nprovinces, list[i].province);
		for (size_t k = 0; k < nagenda; k++) {
			if (strcmp(agenda[k].application, list[i].id) != 0)
				continue;
			rows[i].slot = agenda[k].starts_at;
			rows[i].confirmed = agenda[k].confirmed;
		}
	}
	v->rows = rows;
	v->nrows = n;
	return 0;
}

static int
queue_page(struct request *rq, struct application_filter *f, struct view_desk_queue *v, size_t chosen)
{
	struct application *list = arena_array(&rq->arena, struct application, PAGE_ROWS + 1);
	const struct province *provinces = NULL;
	size_t n = PAGE_ROWS + 1, nprovinces = 0;
	int rv;

	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = fill_provinces(rq, v, f->province, &provinces, &nprovinces)) != 0 ||
	    (rv = application_queue(desk_act(rq), f, list, &n)) != 0)
		return rv;
	fill_tabs(rq, v, chosen, f->province);
	v->word = lists[chosen].word;
	if (n > PAGE_ROWS) {
		n = PAGE_ROWS;
		if (!v->searched)
			v->next = arena_printf(&rq->arena, "/casos?lista=%s&provincia=%d&desde=%d", lists[chosen].word,
			    f->province, f->offset + PAGE_ROWS);
	}
	if (f->offset > 0)
		v->previous = arena_printf(&rq->arena, "/casos?lista=%s&provincia=%d&desde=%d", lists[chosen].word,
		    f->province, f->offset > PAGE_ROWS ? f->offset - PAGE_ROWS : 0);
	if ((rv = fill_rows(rq, v, list, n, provinces, nprovinces)) != 0)
		return rv;
	return page_send(rq, 200, desk_queue, v);
}

static int
queue_show(struct request *rq)
{
	struct view_desk_queue v = { 0 };
	struct application_filter f = { 0 };
	size_t chosen = list_of(rq);

	f.states = lists[chosen].states;
	f.mine = lists[chosen].mine;
	f.unassigned = lists[chosen].unassigned;
	f.province = number_of(request_query(rq, "provincia"), 24);
	f.offset = number_of(request_query(rq, "desde"), 100000);
	return queue_page(rq, &f, &v, chosen);
}

/* What is searched may be a cédula: it travels in the body, never in an address. */
static int
queue_search(struct request *rq)
{
	struct view_desk_queue v = { 0 };
	struct application_filter f = { 0 };
	const char *text = request_form(rq, "buscar");

	if (text == NULL || text[strspn(text, " ")] == '\0')
		return response_redirect(rq, "/casos");
	v.searched = true;
	v.search = text;
	f.search = text;
	return queue_page(rq, &f, &v, 0);
}

const struct route desk_queue_routes[] = {
	{ METHOD_GET, "/casos", DESK_READS, PROVINCE_CASE, 0, queue_show },
	{ METHOD_POST, "/casos", DESK_READS, PROVINCE_CASE, 0, queue_search },
	{ 0 }
};
