#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/cookie.h"
#include "libicert/error.h"
#include "libicert/form.h"
#include "libicert/handover.h"
#include "libicert/utf8.h"
#include "web/request.h"

#define PATH_MAX_BYTES	1024

static const char *
find(const struct field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].value;
	return NULL;
}

const char *
request_form(const struct request *rq, const char *name)
{
	return find(rq->form, rq->nform, name);
}

const char *
request_query(const struct request *rq, const char *name)
{
	return find(rq->query, rq->nquery, name);
}

int
request_version(const struct request *rq)
{
	const char *text = request_form(rq, "version");

	return text != NULL ? atoi(text) : -1;
}

const struct upload *
request_upload(const struct request *rq, const char *field)
{
	for (size_t i = 0; i < rq->nuploads; i++)
		if (strcmp(rq->uploads[i].field, field) == 0)
			return &rq->uploads[i];
	return NULL;
}

int
request_add_field(struct request *rq, const char *name, const char *value)
{
	if (rq->nform == WEB_FIELDS_MAX)
		return ICERT_E_TOO_LARGE;
	rq->form[rq->nform].name = arena_strdup(&rq->arena, name);
	rq->form[rq->nform].value = arena_strdup(&rq->arena, value);
	if (rq->form[rq->nform].name == NULL || rq->form[rq->nform].value == NULL)
		return ICERT_E_MEMORY;
	rq->nform++;
	return 0;
}

const char *
request_cookie(struct request *rq, const char *name)
{
	const char *value;
	size_t len;

	if (cookie_find(rq->cookies, name, &value, &len) != 1)
		return NULL;
	return arena_strndup(&rq->arena, value, len);
}

bool
request_text_ok(const char *text, size_t len)
{
	return utf8_text(text, len) == 1;
}

static const char *
param(char *const *params, const char *name)
{
	size_t n = strlen(name);

	for (; params != NULL && *params != NULL; params++)
		if (strncmp(*params, name, n) == 0 && (*params)[n] == '=')
			return *params + n + 1;
	return NULL;
}

/* A header that is absent, empty or not clean text is NULL. */
static const char *
clean_param(struct request *rq, char *const *params, const char *name)
{
	const char *value = param(params, name);

	if (value == NULL || *value == '\0' || !utf8_printable(value, strlen(value)))
		return NULL;
	return arena_strdup(&rq->arena, value);
}

/* Fields of a form or a query string; 0 or an HTTP status. */
static int
parse_fields(struct request *rq, const char *text, size_t len, struct field *out, size_t *n)
{
	char *copy = arena_strndup(&rq->arena, text, len);
	struct form form;
	struct form_field field;
	int rv;

	if (copy == NULL)
		return 500;
	form_init(&form, copy, len, WEB_FIELDS_MAX);
	while ((rv = form_next(&form, &field)) == 1) {
		if (!utf8_printable(field.name, field.name_len) ||
		    !request_text_ok(field.value, field.value_len))
			return 400;
		out[*n].name = field.name;
		out[*n].value = field.value;
		(*n)++;
	}
	if (rv == ICERT_E_TOO_LARGE)
		return 413;
	return rv < 0 ? 400 : 0;
}

/* The path and the query of REQUEST_URI, as the client asked. */
static int
parse_target(struct request *rq, const char *target)
{
	const char *question = strchr(target, '?');
	size_t len = question != NULL ? (size_t)(question - target) : strlen(target);
	char *path;
	long decoded;
	int status;

	if (len == 0 || len > PATH_MAX_BYTES || target[0] != '/')
		return 400;
	if ((path = arena_strndup(&rq->arena, target, len)) == NULL)
		return 500;
	if ((decoded = form_decode(path, len, 0)) < 0 || !utf8_printable(path, (size_t)decoded))
		return 400;
	rq->path = path;
	if (question != NULL &&
	    (status = parse_fields(rq, question + 1, strlen(question + 1), rq->query, &rq->nquery)) != 0)
		return status;
	return 0;
}

static const char *
handover_string(struct request *rq, const struct handover_text *text)
{
	return arena_strndup(&rq->arena, text->p, text->len);
}

/* The stream of records that the edge puts in the place of an upload. */
static int
parse_uploads(struct request *rq, const unsigned char *body, size_t len)
{
	struct handover_reader reader;
	struct handover_record r;
	int rv;

	if (handover_open(&reader, body, len) != 0)
		return 400;
	while ((rv = handover_next(&reader, &r)) == 1) {
		if (!utf8_printable(r.name.p, r.name.len) ||
		    (r.kind != HANDOVER_FIELD && !utf8_printable(r.file_name.p, r.file_name.len)))
			return 400;
		if (r.kind == HANDOVER_FIELD) {
			if (rq->nform == WEB_FIELDS_MAX)
				return 413;
			if (!request_text_ok(r.value.p, r.value.len))
				return 400;
			rq->form[rq->nform].name = handover_string(rq, &r.name);
			rq->form[rq->nform].value = handover_string(rq, &r.value);
			rq->nform++;
		} else {
			struct upload *u = &rq->uploads[rq->nuploads];

			if (rq->nuploads == WEB_UPLOADS_MAX)
				return 413;
			u->field = handover_string(rq, &r.name);
			u->spool = handover_string(rq, &r.spool);
			u->name = handover_string(rq, &r.file_name);
			u->size = r.size;
			u->type = (int)r.type;
			u->width = r.width;
			u->height = r.height;
			memcpy(u->sha256, r.sha256, sizeof(u->sha256));
			rq->nuploads++;
		}
	}
	if (rv < 0) {
		rq->nform = rq->nuploads = 0;
		return 400;
	}
	return rq->arena.failed ? 500 : 0;
}

static int
parse_body(struct request *rq, char *const *params, const unsigned char *body, size_t len)
{
	static const char form_type[] = "application/x-www-form-urlencoded";
	const char *type = param(params, "CONTENT_TYPE");
	const char *upload = param(params, "ICERT_UPLOAD");

	if (upload != NULL && strcmp(upload, "1") == 0)
		return parse_uploads(rq, body, len);
	if (len == 0)
		return 0;
	if (type == NULL || strncasecmp(type, form_type, sizeof(form_type) - 1) != 0)
		return 415;
	if ((rq->form_body = arena_strndup(&rq->arena, (const char *)body, len)) == NULL)
		return 500;
	return parse_fields(rq, (const char *)body, len, rq->form, &rq->nform);
}

static int
parse_method(struct request *rq, const char *method)
{
	if (method != NULL && strcmp(method, "GET") == 0) {
		rq->method = METHOD_GET;
	} else if (method != NULL && strcmp(method, "HEAD") == 0) {
		rq->method = METHOD_GET;
		rq->head = true;
	} else if (method != NULL && strcmp(method, "POST") == 0) {
		rq->method = METHOD_POST;
	} else {
		return 405;
	}
	return 0;
}

/* The edge sends the field's name percent-encoded; it becomes part of an address. */
static const char *
refused_field(struct request *rq, char *const *params)
{
	const char *name = param(params, "ICERT_REFUSAL_FIELD");

	if (name == NULL || *name == '\0' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
		return NULL;
	return arena_strdup(&rq->arena, name);
}

int
request_parse(struct request *rq, char *const *params, const unsigned char *body, size_t len)
{
	const char *target = param(params, "REQUEST_URI");
	const char *s;
	int status;

	rq->path = "/";
	rq->cookies = (s = param(params, "HTTP_COOKIE")) != NULL ? arena_strdup(&rq->arena, s) : "";
	if (rq->cookies == NULL)
		return 500;
	rq->origin = clean_param(rq, params, "HTTP_ORIGIN");
	rq->fetch_site = clean_param(rq, params, "HTTP_SEC_FETCH_SITE");
	rq->browser = (s = clean_param(rq, params, "HTTP_USER_AGENT")) != NULL ? s : "";
	rq->address = (s = clean_param(rq, params, "REMOTE_ADDR")) != NULL ? s : "";
	rq->country = (s = clean_param(rq, params, "ICERT_COUNTRY")) != NULL ? s : "";
	rq->request_id = (s = clean_param(rq, params, "ICERT_REQUEST_ID")) != NULL ? s : "";
	rq->refusal = clean_param(rq, params, "ICERT_REFUSAL");
	rq->again = clean_param(rq, params, "ICERT_AGAIN") != NULL;
	if (target == NULL)
		return 400;
	if ((status = parse_target(rq, target)) != 0)
		return status;
	/* The edge refused the body: the page it was sent from is shown again. */
	if (rq->refusal != NULL) {
		s = clean_param(rq, params, "ICERT_REFUSAL_STATUS");
		rq->refusal_status = s != NULL ? atoi(s) : 400;
		rq->refusal_field = refused_field(rq, params);
		rq->method = METHOD_GET;
		return 0;
	}
	if ((status = parse_method(rq, param(params, "REQUEST_METHOD"))) != 0)
		return status;
	return rq->method == METHOD_POST ? parse_body(rq, params, body, len) : 0;
}

/* A body that is refused unread: the answer is still for its sender, in their session. */
static int
unread(struct request *rq, const struct FCGX_Request *fcgi, int status)
{
	int rv = request_parse(rq, fcgi->envp, NULL, 0);

	return rv == 500 ? rv : status;
}

int
request_read(struct request *rq, struct FCGX_Request *fcgi)
{
	const char *text = param(fcgi->envp, "CONTENT_LENGTH");
	unsigned char *body = NULL;
	size_t len = 0;
	int status;

	if (text != NULL && *text != '\0') {
		char *end;
		unsigned long long n = strtoull(text, &end, 10);

		if (*end != '\0' || text[0] == '-')
			return 400;
		/* What was typed is on the page that the reader comes back to. */
		if (n > WEB_BODY_MAX)
			return unread(rq, fcgi, 413);
		len = (size_t)n;
	}
	if (len > 0) {
		if ((body = malloc(len)) == NULL)
			return 500;
		if (FCGX_GetStr((char *)body, (int)len, fcgi->in) != (int)len) {
			free(body);
			return unread(rq, fcgi, 408);
		}
	}
	status = request_parse(rq, fcgi->envp, body, len);
	if (body != NULL)
		bytes_wipe(body, len);
	free(body);
	return status;
}
