#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "web/csrf.h"
#include "web/page.h"
#include "web/route.h"
#include "web/worker.h"

#define PAGE_USUAL 16000	/* octets: most pages are shorter, and grow no buffer */

/* The address of a field on its page, for the summary of errors. */
static const char *
field_href(struct request *rq, const char *field)
{
	return field != NULL ? arena_printf(&rq->arena, "#%s", field) : NULL;
}

static void
frame_errors(struct request *rq, struct view_page *page)
{
	struct view_page_errors *list;

	if (rq->nerrors == 0)
		return;
	if ((list = arena_array(&rq->arena, struct view_page_errors, rq->nerrors)) == NULL)
		return;
	for (size_t i = 0; i < rq->nerrors; i++) {
		list[i].href = field_href(rq, rq->errors[i].field);
		list[i].text = rq->errors[i].text;
	}
	page->errors = list;
	page->nerrors = rq->nerrors;
}

/* ?aviso=code shows the sentence "notice.<code>" once; other texts show nothing. */
static const char *
frame_notice(struct request *rq)
{
	const char *code = request_query(rq, "aviso");
	char key[64];

	if (code == NULL || rq->nerrors != 0)
		return NULL;
	if ((size_t)snprintf(key, sizeof(key), "notice.%s", code) >= sizeof(key))
		return NULL;
	return catalogue(key);
}

struct view_page *
page_frame(struct request *rq)
{
	static struct view_page empty;
	struct view_page *page;
	char *token;

	if (rq->frame != NULL) {
		frame_errors(rq, rq->frame);
		return rq->frame;
	}
	page = arena_new(&rq->arena, struct view_page);
	token = arena_alloc(&rq->arena, CSRF_TEXT);
	if (page == NULL || token == NULL)
		return &empty;
	csrf_token(&rq->session, token);
	session_visitor_cookie(rq);
	page->csrf = token;
	page->program = rq->app->name;
	page->home = "/";
	page->signed_in = rq->session.state == SESSION_LIVE;
	page->who = page->signed_in ? rq->session.name : NULL;
	page->notice = frame_notice(rq);
	frame_errors(rq, page);
	rq->frame = page;
	if (rq->app->frame != NULL)
		rq->app->frame(rq, page);
	return page;
}

struct buf *
page_begin(struct request *rq, int status)
{
	struct response *rs = rq->response;

	buf_reset(&rs->body);
	(void)buf_room(&rs->body, PAGE_USUAL);
	rs->type = NULL;
	rs->download = NULL;
	rs->status = rq->refusal != NULL && status == 200 ? rq->refusal_status : status;
	return &rs->body;
}

static const char *
title_code(int status)
{
	switch (status) {
	case 403:
		return "http.403.title";
	case 404:
		return "http.404.title";
	case 409:
		return "http.409.title";
	case 410:
		return "http.410.title";
	case 429:
		return "http.429.title";
	case 503:
		return "http.503.title";
	default:
		return status >= 500 ? "http.500.title" : "http.400.title";
	}
}

/* What a person types anew each time: never sent back in a page. */
static bool
is_secret(const char *name)
{
	return strcmp(name, "password") == 0 || strcmp(name, "code") == 0 || strcmp(name, CSRF_FIELD) == 0;
}

/* What was typed goes back with the page, behind a button that sends it again. */
static void
keep_typed(struct request *rq, struct view_web_error *v)
{
	struct view_web_error_typed *typed;

	if (rq->method != METHOD_POST || rq->route == NULL || rq->nuploads > 0 ||
	    (typed = arena_array(&rq->arena, struct view_web_error_typed, rq->nform + 1)) == NULL)
		return;
	for (size_t i = 0; i < rq->nform; i++)
		if (!is_secret(rq->form[i].name)) {
			typed[v->ntyped].name = rq->form[i].name;
			typed[v->ntyped++].value = rq->form[i].value;
		}
	v->typed = typed;
	v->again = rq->path;
}

int
page_error(struct request *rq, int status, const char *code)
{
	struct view_web_error v = { 0 };
	const char *text = catalogue(code), *title;
	char own[64];

	/* Known before the frame is made: one for a failure asks nobody anything. */
	rq->response->status = status;
	v.status = status;
	snprintf(own, sizeof(own), "%s.title", code);
	title = catalogue(own);
	v.title = title != NULL ? title : catalogue(title_code(status));
	v.text = text != NULL ? text : catalogue("http.500");
	v.reference = status >= 500 ? rq->request_id : NULL;
	if (status == 503)
		keep_typed(rq, &v);
	/* Where whoever sent a form goes on, or asks again for the address that one was sent to. */
	if ((rq->method == METHOD_POST || rq->refusal != NULL || status == 405) && v.again == NULL)
		v.before = route_page(rq, rq->app->routes);
	return page_send(rq, status, web_error, &v);
}

static int
status_of(int error)
{
	switch (error) {
	case ICERT_E_NOT_FOUND:
		return 404;
	case ICERT_E_DENIED:
	case ICERT_E_OWN_CASE:
		return 403;
	case ICERT_E_EXISTS:
	case ICERT_E_CONFLICT:
	case ICERT_E_STATE:
		return 409;
	case ICERT_E_DESTROYED:
	case ICERT_E_EXPIRED:
		return 410;
	case ICERT_E_TOO_LARGE:
		return 413;
	case ICERT_E_INVALID:
	case ICERT_E_MALFORMED:
	case ICERT_E_MISSING:
	case ICERT_E_CODE_WRONG:
	case ICERT_E_CODE_SPENT:
	case ICERT_E_CODE_REPLAYED:
		return 422;
	case ICERT_E_CEILING:
		return 429;
	case ICERT_E_UNAVAILABLE:
	case ICERT_E_TIMEOUT:
	case ICERT_E_BUSY:
	case ICERT_E_FULL:
		return 503;
	default:
		return 500;
	}
}

int
page_fail(struct request *rq, int error)
{
	int status = status_of(error);
	char code[64];

	if (status >= 500)
		log_error("request_failed", "%s %s: %s", rq->method == METHOD_POST ? "POST" : "GET",
		    rq->route != NULL ? rq->route->pattern : "-", icert_err_code(error));
	snprintf(code, sizeof(code), "error.%s", icert_err_code(error));
	return page_error(rq, status, status == 500 ? "http.500" : code);
}

const char *
page_refusal_code(struct request *rq)
{
	const char *code = arena_printf(&rq->arena, "edge.%s", rq->refusal);

	return catalogue(code) != NULL ? code : "upload.refused";
}

int
page_refusal(struct request *rq)
{
	return page_error(rq, rq->refusal_status, page_refusal_code(rq));
}

void
page_field_text(struct request *rq, const char *field, const char *text)
{
	if (rq->nerrors == WEB_ERRORS_MAX || text == NULL)
		return;
	rq->errors[rq->nerrors].field = arena_strdup(&rq->arena, field);
	rq->errors[rq->nerrors].text = text;
	rq->nerrors++;
}

void
page_field_error(struct request *rq, const char *field, const char *code)
{
	const char *text = catalogue(code);

	if (text == NULL) {
		log_error("catalogue_missing", "%s", code);
		text = catalogue("error.invalid");
	}
	page_field_text(rq, field, text);
}

void
page_field_words(struct request *rq, const char *field, const char *code, const char *const *pairs)
{
	struct buf b = BUF_INIT;

	catalogue_put(&b, code, pairs);
	if (buf_error(&b) == 0)
		page_field_text(rq, field, arena_strndup(&rq->arena, (const char *)b.p, b.len));
	buf_free(&b);
}

bool
page_has_errors(const struct request *rq)
{
	return rq->nerrors != 0;
}

const char *
page_error_of(const struct request *rq, const char *field)
{
	for (size_t i = 0; i < rq->nerrors; i++)
		if (rq->errors[i].field != NULL && strcmp(rq->errors[i].field, field) == 0)
			return rq->errors[i].text;
	return NULL;
}

struct view_field
page_field(struct request *rq, const char *name, const char *stored)
{
	const char *typed = request_form(rq, name);

	return (struct view_field){ .value = typed != NULL ? typed : stored,
		.error = page_error_of(rq, name) };
}

const char *
page_grouped(struct request *rq, const char *text)
{
	size_t n = strlen(text), i, at = 0;
	char *out = arena_alloc(&rq->arena, n + n / 4 + 1);

	if (out == NULL)
		return text;
	for (i = 0; i < n; i++) {
		if (i > 0 && i % 4 == 0)
			out[at++] = ' ';
		out[at++] = text[i];
	}
	out[at] = '\0';
	return out;
}
