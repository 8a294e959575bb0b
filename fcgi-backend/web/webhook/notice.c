#include "web/webhook/notice.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db.h"
#include "web/worker.h"

#define PATH "/avisos/"
#define RETRY_AFTER_S 30

static const char *
param(struct FCGX_Request *request, const char *name)
{
	return FCGX_GetParam(name, request->envp);
}

/* A header by its own name: webhook-id stands in HTTP_WEBHOOK_ID. */
static const char *
header(void *arg, const char *name)
{
	char variable[64] = "HTTP_";
	size_t i, n = strlen(variable);

	for (i = 0; name[i] != '\0' && n + 1 < sizeof(variable); i++)
		variable[n++] = name[i] == '-' ? '_' : (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
	variable[n] = '\0';
	return param(arg, variable);
}

/* 0, or the error and its status; the body is read as it came. */
static int
read_body(struct FCGX_Request *request, struct buf *body, int *status)
{
	const char *length = param(request, "CONTENT_LENGTH");
	long n = length == NULL ? 0 : strtol(length, NULL, 10);
	uint8_t *room;
	int got;

	*status = 413;
	if (n < 0 || n > NOTICE_MAX || param(request, "ICERT_REFUSAL") != NULL)
		return ICERT_E_TOO_LARGE;
	*status = 500;
	if (n == 0)
		return 0;
	if ((room = buf_room(body, (size_t)n)) == NULL)
		return ICERT_E_MEMORY;
	got = FCGX_GetStr((char *)room, (int)n, request->in);
	*status = 400;
	if (got != (int)n)
		return ICERT_E_TRUNCATED;
	buf_took(body, (size_t)n);
	return 0;
}

static const char *
phrase(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 503: return "Service Unavailable";
	}
	return "Internal Server Error";
}

/* good: the body of a 200, as the gateway wants it. */
static void
send(struct FCGX_Request *request, int status, const char *code, const char *good)
{
	char body[96];
	int len = snprintf(body, sizeof(body), code == NULL ? "%s\n" : "{\"error\":\"%s\"}\n", code == NULL ? good : code);

	FCGX_FPrintF(request->out, "Status: %d %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n", status,
	    phrase(status));
	if (status == 503)
		FCGX_FPrintF(request->out, "Retry-After: %d\r\n", RETRY_AFTER_S);
	if (status == 405)
		FCGX_FPrintF(request->out, "Allow: POST\r\n");
	FCGX_FPrintF(request->out, "Content-Length: %d\r\n\r\n", len);
	FCGX_PutStr(body, len, request->out);
}

/* What is logged from now on is about this one; NULL: about none of them. */
static void
about(struct FCGX_Request *request)
{
	log_request(request == NULL ? NULL : param(request, "ICERT_REQUEST_ID"));
}

static void
audit_refusal(struct notice_context *context, struct FCGX_Request *request, const char *gateway, const char *code)
{
	const char *address = param(request, "REMOTE_ADDR");
	char network[LOG_ADDRESS];
	struct audit_event event = {
		.action = "payment_event.receive", .outcome = "refused", .reason = code, .actor_kind = "anyone",
		.subject_kind = "gateway", .subject = gateway,
		.network = log_address(address == NULL ? "" : address, network),
	};

	if (audit_tally_add(&context->tally, context->db, &event) != 0)
		log_error("audit_failed", "refused notification (%s): %s", code, db_detail(context->db));
}

/* The gateway that the path names; what follows a question mark is nobody's. */
static int
find(const struct notice_context *context, const char *uri)
{
	size_t len;
	int i;

	if (uri == NULL || strncmp(uri, PATH, strlen(PATH)) != 0)
		return -1;
	uri += strlen(PATH);
	len = strcspn(uri, "?");
	for (i = 0; i < context->n; i++)
		if (strlen(context->names[i]) == len && strncmp(context->names[i], uri, len) == 0)
			return i;
	return -1;
}

_Static_assert(WORKER_BATCH <= INBOX_STORE_MAX, "what comes at once is stored at once");

/* A notification in hand. */
struct taken {
	struct FCGX_Request *request;
	int which;			/* gateway; -1: none that we know */
	int status;			/* what it is answered with; 0: not known yet, it is to be stored */
	int error;
	char event_id[GATEWAY_ID];
	struct buf body;
};

/* Reads and verifies: what it is refused with, or nothing yet. */
static void
take(struct notice_context *context, struct FCGX_Request *request, struct taken *t)
{
	struct gateway_notice notice = { .header = header, .header_arg = request };
	const char *method = param(request, "REQUEST_METHOD");

	about(request);
	*t = (struct taken){ .request = request, .which = find(context, param(request, "REQUEST_URI")), .body = BUF_INIT };
	if (t->which < 0) {
		t->status = 404;
		return;
	}
	if (method == NULL || strcmp(method, "POST") != 0) {
		t->status = 405;
		return;
	}
	if (!gateway_address_ok(context->gateways[t->which], param(request, "REMOTE_ADDR"))) {
		t->error = ICERT_E_DENIED;
		t->status = 403;
		return;
	}
	if ((t->error = read_body(request, &t->body, &t->status)) != 0)
		return;
	notice.body = t->body.p;
	notice.len = t->body.len;
	t->error = gateway_verify(context->gateways[t->which], &notice, clock_real(), t->event_id);
	t->status = t->error == 0 ? 0 : t->error == ICERT_E_STALE || t->error == ICERT_E_MALFORMED ? 400 :
	    t->error == ICERT_E_FORGED ? 401 : 500;
}

static struct inbox_notice
as_stored(const struct notice_context *context, const struct taken *t)
{
	return (struct inbox_notice){ .gateway = context->names[t->which], .event_id = t->event_id, .body = t->body.p, .len = t->body.len };
}

static int
by_event(const void *a, const void *b)
{
	const struct taken *const *x = a, *const *y = b;

	return (*x)->which != (*y)->which ? ((*x)->which < (*y)->which ? -1 : 1) : strcmp((*x)->event_id, (*y)->event_id);
}

/* Stores those that nothing speaks against, together; where one of them spoils it, each by itself. */
static void
keep(struct notice_context *context, struct taken *all, size_t n)
{
	struct taken *good[INBOX_STORE_MAX];
	struct inbox_notice notices[INBOX_STORE_MAX];
	size_t m = 0, fresh, i;
	int error;

	for (i = 0; i < n; i++)
		if (all[i].status == 0)
			good[m++] = &all[i];
	if (m == 0)
		return;
	qsort(good, m, sizeof(good[0]), by_event);
	for (i = 0; i < m; i++)
		notices[i] = as_stored(context, good[i]);
	about(m == 1 ? good[0]->request : NULL);
	error = inbox_store(context->db, &context->inbox, notices, m, &fresh);
	for (i = 0; i < m; i++) {
		if (error != 0 && error != ICERT_E_UNAVAILABLE && error != ICERT_E_TIMEOUT && m > 1) {
			size_t one;

			about(good[i]->request);
			good[i]->error = inbox_store(context->db, &context->inbox, &notices[i], 1, &one);
			fresh += one;
		} else
			good[i]->error = error;
		good[i]->status = good[i]->error == 0 ? 200 : 503;
	}
	/* Which of them it was, nobody asked: each one's line says so. */
	for (i = 0; error == 0 && fresh < m && i < m; i++) {
		about(good[i]->request);
		log_info("notice_repeated", "%zu of %zu, gateway %s", m - fresh, m, context->names[good[i]->which]);
	}
}

static void
answer(struct notice_context *context, const struct taken *t)
{
	const char *code;

	about(t->request);
	if (t->which < 0 || t->status == 405) {
		send(t->request, t->status, t->which < 0 ? icert_err_code(ICERT_E_NOT_FOUND) : "method", NULL);
		return;
	}
	code = t->error == 0 ? NULL : t->status == 503 ? icert_err_code(ICERT_E_UNAVAILABLE) : icert_err_code(t->error);
	send(t->request, t->status, code, gateway_accepted(context->gateways[t->which]));
	if (t->status == 503)
		log_error("notice_not_stored", "gateway %s: %s", context->names[t->which], icert_err_code(t->error));
	else if (code != NULL) {
		log_warn("notice_refused", "gateway %s: %s", context->names[t->which], code);
		audit_refusal(context, t->request, context->names[t->which], code);
	}
}

void
notice_wake(struct notice_context *context, int busy)
{
	inbox_wake(context->db, &context->inbox, busy);
}

void
notice_answer(struct notice_context *context, struct FCGX_Request *requests, size_t n)
{
	struct taken all[INBOX_STORE_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		take(context, &requests[i], &all[i]);
	keep(context, all, n);
	for (i = 0; i < n; i++) {
		answer(context, &all[i]);
		buf_free(&all[i].body);
	}
	about(NULL);
}
