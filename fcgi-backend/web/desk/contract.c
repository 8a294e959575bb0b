#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/contract/contract_copy.h"
#include "procedure/clock/deadline.h"
#include "web/desk/desk.h"

/* What came back of a case's contract, and what the operator enters that came by mail. */

static int
fill_copies(struct request *rq, const struct application *a, struct view_desk_contract *v)
{
	struct contract_copy *list = arena_array(&rq->arena, struct contract_copy, CONTRACT_COPIES);
	struct view_desk_contract_copies *rows = arena_array(&rq->arena, struct view_desk_contract_copies, CONTRACT_COPIES);
	size_t n = CONTRACT_COPIES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = contract_copies(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].at = list[i].arrived_at;
		rows[i].uploaded_at = list[i].uploaded_at;
		rows[i].source = list[i].source;
		rows[i].by = list[i].by;
		rows[i].state = list[i].state;
		rows[i].fault = list[i].fault;
		rows[i].words = list[i].words;
		rows[i].href = arena_printf(&rq->arena, "/caso/%s/contrato/%s", a->id, list[i].id);
	}
	v->copies = rows;
	v->ncopies = n;
	return 0;
}

static int
contract_page(struct request *rq, int status, const struct application *a)
{
	struct view_desk_contract v = { 0 };
	struct deadline_clock clock;
	int rv;

	v.id = a->id;
	v.back = desk_href(rq, a);
	v.number = a->number;
	v.name = desk_name(rq, a);
	v.state = application_state_name(a->state);
	v.open = a->state == APPLICATION_CONTRACT_SENT && (rq->session.roles & DESK_WORKS);
	v.waiting = a->state == APPLICATION_CONTRACT_RECEIVED;
	v.limit = (int64_t)contract_bytes_max(desk_act(rq));
	v.error = page_error_of(rq, "file");
	v.day = page_field(rq, "day", NULL);
	v.hour = page_field(rq, "hour", NULL);
	if (v.open && deadline_clock(desk_act(rq), a->id, &clock) == 0)
		v.due = clock.due_at;
	if ((rv = fill_copies(rq, a, &v)) != 0)
		return rv;
	return page_send(rq, status, desk_contract, &v);
}

static int
contract_show(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	desk_paper_refusal(rq);
	return contract_page(rq, 200, a);
}

/* When the mail arrived, as the operator's mailbox says it. */
static int64_t
arrival(struct request *rq)
{
	int64_t at = desk_moment(request_form(rq, "day"), request_form(rq, "hour"));

	if (at < 0)
		page_field_error(rq, "hour", "desk.contract.hour");
	else if (at > clock_business())
		page_field_error(rq, "hour", "desk.contract.ahead");
	return at;
}

/* Both are said at once: a person who has the hour wrong and the file too mends them together. */
static int
contract_save(struct request *rq)
{
	struct buf bytes = BUF_INIT;
	struct application *a;
	int64_t at;
	int status, rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	at = arrival(rq);
	status = desk_paper(rq, &bytes);
	if (status == 0 && page_has_errors(rq))
		status = 422;
	if (status == 0) {
		rv = contract_receive(desk_act(rq), &desk_of(rq)->files, a->id, bytes.p, bytes.len, at);
		status = desk_refused(rq, (const struct desk_refusal[]){ { ICERT_E_INVALID, 422, "hour", "desk.contract.before" }, { 0 } }, rv);
	}
	buf_free(&bytes);
	if (status != 0)
		return status > 0 ? contract_page(rq, status, a) : status;
	if (rv == 0)
		return response_redirect(rq, "/caso/%s/contrato?aviso=desk-contract-received", a->id);
	return desk_done(rq, a->id, rv, "");
}

static int
copy_download(struct request *rq)
{
	struct application *a;
	int rv = desk_case(rq, &a);

	return rv != 0 ? rv : desk_paper_send(rq, a, rq->id[1], arena_printf(&rq->arena, "%.8s", rq->id[1]));
}

const struct route desk_contract_routes[] = {
	{ METHOD_GET, "/caso/{id}/contrato", DESK_READS, PROVINCE_CASE, 0, contract_show },
	{ METHOD_POST, "/caso/{id}/contrato", DESK_WORKS, PROVINCE_CASE, ROUTE_UPLOAD, contract_save },
	{ METHOD_GET, "/caso/{id}/contrato/{id2}", DESK_READS, PROVINCE_CASE, 0, copy_download },
	{ 0 }
};
