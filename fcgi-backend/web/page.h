#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "views.h"
#include "web/request.h"
#include "web/response.h"

/*
 * Pages are views (fcgi-backend/views) filled by handlers:
 *
 *	struct view_portal_tariff v = { .title = … };
 *	return page_send(rq, 200, portal_tariff, &v);
 *
 * page_send sets the view's `page` member, which the layout reads: CSRF token,
 * who is signed in, the program's own links, errors of the form.
 */
#define page_send(rq, status, name, v) \
	((v)->page = page_frame(rq), view_##name(page_begin((rq), (status)), (v)), 0)

/* What the layout shows; filled once a request, in its arena. */
struct view_page *page_frame(struct request *);

struct buf *page_begin(struct request *, int status);

/*
 * Answers with the page of an error: a status, and one sentence of the
 * catalogue (views/catalogue), "error.<code>" for a negative ICERT_E_…,
 * "http.<status>" for a refusal of the framework, or a code of the caller's.
 */
int page_error(struct request *, int status, const char *code);
int page_fail(struct request *, int error);

/* What the edge refused (rq->refusal): its sentence's code, and a page that
 * says it, for a request that has no form to show it in. */
const char *page_refusal_code(struct request *);
int page_refusal(struct request *);

/*
 * Errors of a form: noted while it is checked, shown above it and beside each
 * field, and answered with 422.  code is a key of the catalogue; the message
 * goes to the field of that name, NULL for the form as a whole.
 */
void page_field_error(struct request *, const char *field, const char *code);
/* The same with a sentence made already, in the request's arena. */
void page_field_text(struct request *, const char *field, const char *text);
/* The same with the words of the sentence's {name}s: pairs is name, value, …, NULL. */
void page_field_words(struct request *, const char *field, const char *code, const char *const *pairs);
/* The sentence noted for a field, or NULL. */
const char *page_error_of(const struct request *, const char *field);
bool page_has_errors(const struct request *);

/* The typed value (or what was stored) with its error, for a view's field. */
struct view_field page_field(struct request *, const char *name, const char *stored);

/*
 * A sentence shown once on the page that a redirect leads to travels as a code
 * in its query: response_redirect(rq, "/mi-tramite?aviso=saved") shows
 * "notice.saved" of the catalogue.
 */

/* "abcdef…" in groups of four, to be read aloud and compared; in the arena. */
const char *page_grouped(struct request *, const char *text);

#endif
