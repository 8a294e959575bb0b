#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "web/request.h"
#include "web/response.h"
#include "web/worker.h"

void
response_init(struct response *rs)
{
	memset(rs, 0, sizeof(*rs));
	buf_init(&rs->headers);
	buf_init(&rs->body);
}

void
response_again(struct response *rs)
{
	bool hsts = rs->hsts;

	response_free(rs);
	response_init(rs);
	rs->hsts = hsts;
}

void
response_free(struct response *rs)
{
	buf_free(&rs->headers);
	buf_free(&rs->body);
}

void
response_header(struct response *rs, const char *name, const char *value)
{
	if (value == NULL || strpbrk(value, "\r\n") != NULL) {
		rs->failed = true;
		return;
	}
	buf_printf(&rs->headers, "%s: %s\r\n", name, value);
}

int
response_redirect(struct request *rq, const char *fmt, ...)
{
	struct response *rs = rq->response;
	char path[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || path[0] != '/' || path[1] == '/' || path[1] == '\\')
		return ICERT_E_INVALID;
	rs->status = 303;
	buf_reset(&rs->body);
	response_header(rs, "Location", path);
	rs->location = arena_strdup(&rq->arena, path);
	return 0;
}

bool
response_gateway_good(const struct request *rq, const char *url)
{
	return strpbrk(url, " \t\r\n;,\"'<>\\") == NULL && (strncmp(url, "https://", 8) == 0 ||
	    (!rq->app->production && strncmp(url, "http://127.0.0.1:", 17) == 0) ||
	    (!rq->app->production && strncmp(url, "http://localhost:", 17) == 0));
}

int
response_file(struct request *rq, const char *type, const char *name, const void *data, size_t len)
{
	struct response *rs = rq->response;

	if (strpbrk(name, "\"\\\r\n/") != NULL)
		return ICERT_E_INVALID;
	rs->status = 200;
	rs->type = type;
	rs->download = arena_strdup(&rq->arena, name);
	buf_reset(&rs->body);
	buf_put(&rs->body, data, len);
	return 0;
}

int
response_picture(struct request *rq, const char *type, const void *data, size_t len)
{
	struct response *rs = rq->response;

	if (strcmp(type, "image/jpeg") != 0 && strcmp(type, "image/png") != 0)
		return ICERT_E_INVALID;
	rs->status = 200;
	rs->type = type;
	rs->picture = true;
	buf_reset(&rs->body);
	buf_put(&rs->body, data, len);
	return 0;
}

#define HEADERS_MAX 1024	/* of those that every answer has */
#define RETRY_SECONDS 10	/* what died is started again well before */

/* A page needs our own style sheet and script and nothing else; forms go to
 * ourselves (a gateway is reached by a redirect to a GET page). */
static const char page_policy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
static const char file_policy[] = "default-src 'none'; sandbox; frame-ancestors 'none'";

static void
put_security(const struct response *rs, struct buf *out)
{
	buf_printf(out, "Content-Security-Policy: %s\r\n",
	    rs->download != NULL || rs->picture ? file_policy : page_policy);
	/* Never a path: links carry tokens. */
	buf_printf(out, "Referrer-Policy: %s\r\n", rs->leads_out ? "origin" : "no-referrer");
	buf_puts(out, "X-Content-Type-Options: nosniff\r\n"
	    "Cross-Origin-Opener-Policy: same-origin\r\n"
	    "Cross-Origin-Resource-Policy: same-origin\r\n"
	    "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n"
	    "Cache-Control: no-store\r\n");
	if (rs->hsts)
		buf_puts(out, "Strict-Transport-Security: max-age=31536000\r\n");
}

int
response_serialise(const struct response *rs, bool head, struct buf *out)
{
	static const char broken[] = "Status: 500\r\nContent-Type: text/plain\r\n\r\n500\n";

	if (rs->failed || rs->status == 0 || buf_error(&rs->headers) != 0 || buf_error(&rs->body) != 0) {
		buf_reset(out);
		buf_puts(out, broken);
		return buf_error(out);
	}
	/* Room for all of it at once, not by doubling. */
	(void)buf_room(out, HEADERS_MAX + rs->headers.len + rs->body.len);
	buf_printf(out, "Status: %d\r\n", rs->status);
	buf_printf(out, "Content-Type: %s\r\n", rs->type != NULL ? rs->type : "text/html; charset=utf-8");
	if (rs->download != NULL)
		buf_printf(out, "Content-Disposition: attachment; filename=\"%s\"\r\n", rs->download);
	put_security(rs, out);
	if (rs->status == 503)
		buf_printf(out, "Retry-After: %d\r\n", RETRY_SECONDS);
	buf_put(out, rs->headers.p, rs->headers.len);
	buf_printf(out, "Content-Length: %zu\r\n\r\n", rs->body.len);
	if (!head)
		buf_put(out, rs->body.p, rs->body.len);
	return buf_error(out);
}
