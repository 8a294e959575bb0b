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

/* Verifies and stores; gives the status. */
static int
take(struct notice_context *context, struct FCGX_Request *request, int which, int *error)
{
	struct gateway_notice notice = { .header = header, .header_arg = request };
	char event_id[GATEWAY_ID];
	struct buf body = BUF_INIT;
	int status, fresh = 0;

	if (!gateway_address_ok(context->gateways[which], param(request, "REMOTE_ADDR"))) {
		*error = ICERT_E_DENIED;
		return 403;
	}
	if ((*error = read_body(request, &body, &status)) != 0)
		goto out;
	notice.body = body.p;
	notice.len = body.len;
	*error = gateway_verify(context->gateways[which], &notice, clock_real(), event_id);
	if (*error != 0) {
		status = *error == ICERT_E_STALE || *error == ICERT_E_MALFORMED ? 400 : *error == ICERT_E_FORGED ? 401 : 500;
		goto out;
	}
	*error = inbox_store(context->db, &context->inbox, context->names[which], event_id, body.p, body.len, &fresh);
	status = *error == 0 ? 200 : 503;
	if (*error == 0 && !fresh)
		log_info("notice_repeated", "gateway %s", context->names[which]);
out:
	buf_free(&body);
	return status;
}

void
notice_wake(struct notice_context *context, int busy)
{
	inbox_wake(context->db, &context->inbox, busy);
}

void
notice_answer(struct notice_context *context, struct FCGX_Request *request)
{
	const char *method = param(request, "REQUEST_METHOD"), *code;
	int which = find(context, param(request, "REQUEST_URI")), error = 0, status;

	if (which < 0) {
		send(request, 404, icert_err_code(ICERT_E_NOT_FOUND), NULL);
		return;
	}
	if (method == NULL || strcmp(method, "POST") != 0) {
		send(request, 405, "method", NULL);
		return;
	}
	status = take(context, request, which, &error);
	code = error == 0 ? NULL : status == 503 ? icert_err_code(ICERT_E_UNAVAILABLE) : icert_err_code(error);
	send(request, status, code, gateway_accepted(context->gateways[which]));
	if (status == 503)
		log_error("notice_not_stored", "gateway %s: %s", context->names[which], icert_err_code(error));
	else if (code != NULL) {
		log_warn("notice_refused", "gateway %s: %s", context->names[which], code);
		audit_refusal(context, request, context->names[which], code);
	}
}
