#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "web/arena.h"
#include "web/session.h"

/*
 * One request as a handler sees it.  All strings are copies in the request's
 * arena, valid UTF-8 without NUL or control bytes (form values may hold tab
 * and newline), and end with the request.
 *
 * What nginx knows and a client cannot forge comes as parameters named
 * ICERT_…: ICERT_UPLOAD (the body is a stream of upload records),
 * ICERT_REFUSAL, ICERT_REFUSAL_STATUS and ICERT_REFUSAL_FIELD (why the edge
 * refused a body: the request is then a GET of the page it was sent from),
 * ICERT_AGAIN (the program that had this request died on it), ICERT_COUNTRY and
 * ICERT_REQUEST_ID.
 */

enum method { METHOD_GET = 1, METHOD_POST = 2 };

#define WEB_FIELDS_MAX	64		/* form fields, or query parameters */
#define WEB_BODY_MAX	(64 * 1024)	/* bytes of an ordinary form */
#define WEB_ERRORS_MAX	24
#define WEB_UPLOADS_MAX	20		/* files in one request */

struct field {
	const char *name;
	const char *value;
};

/* One file that the edge has taken, limited, typed and hashed. */
struct upload {
	const char *field;	/* name of the form's field */
	const char *spool;	/* "<worker>/<bare name>" below [paths] spool */
	const char *name;	/* cleaned file name, for showing only */
	unsigned char sha256[32];
	uint64_t size;		/* bytes */
	int type;		/* SNIFF_… of libicert/sniff.h */
	uint32_t width, height;	/* pixels, 0 when the edge does not know */
};

/* A sentence about one field, NULL for the form as a whole. */
struct form_error {
	const char *field;
	const char *text;
};

struct app;
struct response;
struct view_page;
struct route;

struct request {
	struct arena arena;
	struct app *app;
	const struct route *route;
	struct response *response;

	enum method method;
	bool head;		/* HEAD: same as GET, no body is sent */
	const char *path;	/* decoded, begins with '/' */
	const char *id[2];	/* what {id} and {id2} of the pattern matched */
	struct field query[WEB_FIELDS_MAX];
	size_t nquery;
	struct field form[WEB_FIELDS_MAX];
	size_t nform;
	struct upload uploads[WEB_UPLOADS_MAX];
	size_t nuploads;
	const char *form_body;	/* the form as it came, for parking it; NULL else */

	const char *cookies;	/* the Cookie header, or "" */
	const char *origin;	/* Origin header, NULL when absent */
	const char *fetch_site;	/* Sec-Fetch-Site, NULL when absent */
	const char *address;	/* the client's address, for counting; never logged whole */
	const char *browser;	/* User-Agent, or ""; for gateways that ask for it, never logged */
	const char *country;	/* two letters, or "" */
	const char *request_id;	/* joins the edge's log line with ours */
	const char *refusal;	/* reason code of the edge, NULL when none */
	int refusal_status;	/* HTTP status that goes with it */
	const char *refusal_field; /* the file's field, NULL when unknown */
	bool again;		/* whoever had it died: it may or may not have been done */
	struct {
		unsigned char digest[32];
		char before[256];	/* where the same led to a moment ago, or "" */
		bool held;
	} once;			/* of web/once.h */
	bool replayed;		/* a parked form, posted again for its owner */

	struct session session;

	/* The page in the making: errors of the form, and the layout's data. */
	struct form_error errors[WEB_ERRORS_MAX];
	size_t nerrors;
	struct view_page *frame;
};

/* A form's field, a query's parameter: the value, or NULL when absent. */
const char *request_form(const struct request *, const char *name);
const char *request_query(const struct request *, const char *name);

/* The field "version": of the row as the page that sent the form showed it; -1 when it says none. */
int request_version(const struct request *);

/* The upload of that field, or NULL. */
const struct upload *request_upload(const struct request *, const char *field);

/* Puts a form or query field in, as if it had been sent; used for replaying. */
int request_add_field(struct request *, const char *name, const char *value);

/* The value of a cookie in the request's arena, or NULL. */
const char *request_cookie(struct request *, const char *name);

/* A parameter's text is clean when it is UTF-8 without NUL and controls
 * other than tab, CR and LF. */
bool request_text_ok(const char *text, size_t len);

struct FCGX_Request;

/*
 * Reads one FastCGI request into rq, which was zeroed.  Returns 0, or the HTTP
 * status of the refusal: 400 malformed, 405 method, 408 timed out, 413 too
 * large, 415 media type, 500 out of memory.
 */
int request_read(struct request *, struct FCGX_Request *);

/* The same from its parts, for tests: params is NULL-terminated "NAME=value". */
int request_parse(struct request *, char *const *params, const unsigned char *body, size_t len);

#endif
