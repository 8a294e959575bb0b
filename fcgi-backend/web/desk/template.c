#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/contract/contract.h"
#include "procedure/contract/template.h"
#include "web/desk/desk.h"
#include "web/desk/difference.h"

/* The text of contracts: its versions, the editor, and the second person's approval. */

#define VERSIONS	200
#define START		40

static int
list_page(struct request *rq)
{
	struct view_desk_templates v = { .admin = (rq->session.roles & ROLE_ADMIN) != 0 };
	struct template_version *list = arena_array(&rq->arena, struct template_version, VERSIONS);
	struct view_desk_templates_rows *rows = arena_array(&rq->arena, struct view_desk_templates_rows, VERSIONS);
	size_t n = VERSIONS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = template_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct template_version *t = &list[i];

		rows[i].version = t->version;
		rows[i].href = arena_printf(&rq->arena, "/plantilla/%d", t->version);
		rows[i].state = t->state;
		rows[i].draft = strcmp(t->state, "draft") == 0;
		rows[i].counts = t->counts;
		rows[i].by = t->written_name[0] != '\0' ? t->written_name : NULL;
		rows[i].at = t->written_at;
		rows[i].approved = t->approved_name[0] != '\0' ? t->approved_name : NULL;
		rows[i].approved_at = t->approved_at;
		rows[i].effective_at = t->effective_at > 0 ? t->effective_at : 0;
		v.waits = v.waits || rows[i].draft;
	}
	v.rows = rows;
	v.nrows = n;
	return page_send(rq, 200, desk_templates, &v);
}

/* "3" of the path {number}; 0 for anything else. */
static int
version_of(const struct request *rq)
{
	const char *s = rq->id[0];

	return s[0] >= '1' && s[0] <= '9' && strlen(s) < 8 && strspn(s, "0123456789") == strlen(s) ? atoi(s) : 0;
}

/* The text of a version in the arena. */
static int
load(struct request *rq, int version, struct template_version *t, const char **text)
{
	struct buf out = BUF_INIT;
	int rv = template_get(desk_act(rq), version, t, &out);

	if (rv == 0 && (*text = arena_strdup(&rq->arena, buf_str(&out))) == NULL)
		rv = ICERT_E_MEMORY;
	buf_free(&out);
	return rv;
}

/* What counted before this one: the newest approved version below it. */
static int
load_before(struct request *rq, int version, int *before, const char **text)
{
	struct template_version *list = arena_array(&rq->arena, struct template_version, VERSIONS);
	size_t n = VERSIONS;
	int rv;

	*before = 0;
	*text = "";
	if (list == NULL)
		return ICERT_E_MEMORY;
	if ((rv = template_list(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n && *before == 0; i++)
		if (list[i].version < version && strcmp(list[i].state, "approved") == 0)
			*before = list[i].version;
	return *before == 0 ? 0 : load(rq, *before, &list[0], text);
}

static int
fill_lines(struct request *rq, struct view_desk_template *v, const char *before, const char *after)
{
	struct view_desk_template_lines *rows;
	struct difference_line *d;
	size_t n;

	if ((d = difference(&rq->arena, before, after, &n)) == NULL ||
	    (rows = arena_array(&rq->arena, struct view_desk_template_lines, n + 1)) == NULL)
		return ICERT_E_MEMORY;
	for (size_t i = 0; i < n; i++) {
		rows[i].text = d[i].text;
		rows[i].added = v->before > 0 && d[i].kind == LINE_ADDED;
		rows[i].removed = d[i].kind == LINE_REMOVED;
		v->changed = v->changed || rows[i].added || rows[i].removed;
	}
	v->lines = rows;
	v->nlines = n;
	return 0;
}

static int
version_page(struct request *rq, int status)
{
	struct template_version *t = arena_new(&rq->arena, struct template_version);
	bool admin = (rq->session.roles & ROLE_ADMIN) != 0;
	struct view_desk_template v = { .back = "/plantilla" };
	const char *text, *old;
	int rv, before, version = version_of(rq);

	if (t == NULL)
		return ICERT_E_MEMORY;
	if (version == 0)
		return ICERT_E_NOT_FOUND;
	if ((rv = load(rq, version, t, &text)) != 0 || (rv = load_before(rq, t->version, &before, &old)) != 0)
		return rv;
	v.version = t->version;
	v.state = t->state;
	v.draft = strcmp(t->state, "draft") == 0;
	v.counts = t->counts;
	v.may_approve = admin && v.draft && t->other;
	v.own = admin && v.draft && !t->other;
	v.admin = admin;
	v.by = t->written_name[0] != '\0' ? t->written_name : NULL;
	v.at = t->written_at;
	v.approved = t->approved_name[0] != '\0' ? t->approved_name : NULL;
	v.approved_at = t->approved_at;
	v.effective_at = t->effective_at;
	v.contracts = t->contracts;
	v.sha256 = t->sha256;
	v.before = before;
	v.day = page_field(rq, "day", NULL);
	v.code = page_field(rq, "code", NULL);
	if ((rv = fill_lines(rq, &v, old, text)) != 0)
		return rv;
	return page_send(rq, status, desk_template, &v);
}

static int
version_show(struct request *rq)
{
	return version_page(rq, 200);
}

static int
send_pdf(struct request *rq, const struct buf *pdf, int version)
{
	const char *name = version > 0 ? arena_printf(&rq->arena, "contrato-version-%d.pdf", version) : "contrato-vista-previa.pdf";

	return response_file(rq, "application/pdf", name, pdf->p, pdf->len);
}

static int
version_preview(struct request *rq)
{
	struct template_version *t = arena_new(&rq->arena, struct template_version);
	struct contract_fault faults[CONTRACT_FAULTS];
	size_t n = CONTRACT_FAULTS;
	struct buf pdf = BUF_INIT;
	const char *text;
	int rv, version = version_of(rq);

	if (t == NULL)
		return ICERT_E_MEMORY;
	if (version == 0)
		return ICERT_E_NOT_FOUND;
	if ((rv = load(rq, version, t, &text)) != 0)
		return rv;
	if ((rv = template_preview(desk_act(rq), text, strlen(text), faults, &n, &pdf)) == 0)
		rv = n > 0 ? ICERT_E_INVALID : send_pdf(rq, &pdf, version);
	buf_free(&pdf);
	return rv;
}

/* --- the editor ------------------------------------------------------------- */

static int
edit_page(struct request *rq, int status, int base, const char *text)
{
	struct view_desk_template_edit v = { .back = "/plantilla", .base = base, .names = contract_variables,
		.nnames = CONTRACT_VARIABLES };

	v.text = page_field(rq, "text", text);
	return page_send(rq, status, desk_template_edit, &v);
}

static int
edit_show(struct request *rq)
{
	struct template_version *t = arena_new(&rq->arena, struct template_version);
	const char *text = "";
	int rv;

	if (t == NULL)
		return ICERT_E_MEMORY;
	rv = load(rq, 0, t, &text);
	if (rv != 0 && rv != ICERT_E_NOT_FOUND)
		return rv;
	return edit_page(rq, 200, rv == 0 ? t->version : 0, text);
}

/* What a browser sends, with the line ends that are kept. */
static char *
typed_text(struct request *rq)
{
	const char *typed = request_form(rq, "text");
	char *text = arena_strdup(&rq->arena, typed != NULL ? typed : ""), *to = text;

	if (text == NULL)
		return NULL;
	for (const char *p = text; *p != '\0'; p++)
		if (*p != '\r')
			*to++ = *p;
	*to = '\0';
	return text;
}

/* How a line begins, for whoever cannot count them: at most START octets, whole letters. */
static const char *
start_of(struct request *rq, const char *text, int line)
{
	size_t n;

	while (--line > 0 && (text = strchr(text, '\n')) != NULL)
		text++;
	if (text == NULL || (n = strcspn(text, "\n")) <= START)
		return text == NULL ? "" : arena_strndup(&rq->arena, text, n);
	for (n = START; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return arena_printf(&rq->arena, "%.*s…", (int)n, text);
}

static void
note_fault(struct request *rq, const char *text, const struct contract_fault *f)
{
	char line[16], code[48];
	struct buf words = BUF_INIT, all = BUF_INIT;

	snprintf(code, sizeof(code), "contract_text.%s", f->code);
	snprintf(line, sizeof(line), "%d", f->line);
	catalogue_put(&words, code, (const char *const[]){ "name", f->name, NULL });
	if (f->line > 0)
		catalogue_put(&all, "contract_text.at", (const char *const[]){ "line", line, "start",
		    start_of(rq, text, f->line), "fault", buf_str(&words), NULL });
	else
		buf_puts(&all, buf_str(&words));
	/* A sentence begins with a capital, also one that stands alone. */
	if (all.len > 0 && all.p[0] >= 'a' && all.p[0] <= 'z')
		all.p[0] = (unsigned char)(all.p[0] - 'a' + 'A');
	page_field_text(rq, "text", arena_strdup(&rq->arena, buf_str(&all)));
	buf_free(&words);
	buf_free(&all);
}

/* What stands now, which the writer is told of and their next saving starts from. */
static int
base_now(struct request *rq, int base)
{
	struct template_version *t = arena_new(&rq->arena, struct template_version);
	char version[16];
	struct buf words = BUF_INIT;

	if (t != NULL && template_get(desk_act(rq), 0, t, NULL) == 0)
		base = t->version;
	snprintf(version, sizeof(version), "%d", base);
	catalogue_put(&words, "desk.template.conflict", (const char *const[]){ "version", version, NULL });
	page_field_text(rq, NULL, arena_strdup(&rq->arena, buf_str(&words)));
	buf_free(&words);
	return base;
}

static int
save(struct request *rq, int base, const char *text)
{
	int version, rv = template_save(desk_act(rq), base, text, strlen(text), &version);

	if (rv == 0)
		return response_redirect(rq, "/plantilla/%d?aviso=desk-template-saved", version);
	if (rv != ICERT_E_CONFLICT)
		return rv;
	base = base_now(rq, base);
	return edit_page(rq, 409, base, text);
}

static int
edit_done(struct request *rq)
{
	const char *act = request_form(rq, "do"), *from = request_form(rq, "base");
	struct contract_fault faults[CONTRACT_FAULTS];
	int rv, base = from != NULL ? atoi(from) : 0;
	size_t n = CONTRACT_FAULTS;
	struct buf pdf = BUF_INIT;
	char *text = typed_text(rq);

	if (text == NULL)
		return ICERT_E_MEMORY;
	if ((rv = template_preview(desk_act(rq), text, strlen(text), faults, &n, &pdf)) == 0) {
		for (size_t i = 0; i < n; i++)
			note_fault(rq, text, &faults[i]);
		if (n > 0)
			rv = edit_page(rq, 422, base, text);
		else if (act != NULL && strcmp(act, "preview") == 0)
			rv = send_pdf(rq, &pdf, 0);
		else
			rv = save(rq, base, text);
	}
	buf_free(&pdf);
	return rv;
}

/* --- the second person ------------------------------------------------------- */

static int
approve(struct request *rq)
{
	const char *day = request_form(rq, "day"), *seen = request_form(rq, "seen");
	int64_t effective = 0;
	int rv;

	if (day != NULL && day[0] != '\0' && ((effective = desk_moment(day, "00:00")) < 0 || effective <= clock_business())) {
		page_field_error(rq, "day", "desk.template.day");
		return version_page(rq, 422);
	}
	rv = template_approve(desk_act(rq), version_of(rq), seen != NULL ? seen : "", effective, desk_code(rq));
	if (rv == 0)
		return response_redirect(rq, "/plantilla/%d?aviso=desk-template-approved", version_of(rq));
	if (desk_code_error(rq, rv))
		return version_page(rq, 422);
	if (rv != ICERT_E_DENIED && rv != ICERT_E_MISMATCH && rv != ICERT_E_NOT_FOUND && rv != ICERT_E_CONFLICT)
		return rv;
	page_field_error(rq, NULL, rv == ICERT_E_DENIED ? "desk.template.same" : rv == ICERT_E_MISMATCH ?
	    "desk.template.changed" : "desk.template.gone");
	return version_page(rq, rv == ICERT_E_DENIED ? 403 : 409);
}

static int
withdraw(struct request *rq)
{
	int rv = template_withdraw(desk_act(rq), version_of(rq));

	if (rv == 0)
		return response_redirect(rq, "/plantilla?aviso=desk-template-withdrawn");
	if (rv != ICERT_E_NOT_FOUND)
		return rv;
	page_field_error(rq, NULL, "desk.template.gone");
	return version_page(rq, 409);
}

const struct route desk_template_routes[] = {
	{ METHOD_GET, "/plantilla", ROLE_ADMIN | ROLE_AUDITOR, PROVINCE_NONE, 0, list_page },
	{ METHOD_GET, "/plantilla/editar", ROLE_ADMIN, PROVINCE_NONE, 0, edit_show },
	{ METHOD_POST, "/plantilla/editar", ROLE_ADMIN, PROVINCE_NONE, ROUTE_PARK, edit_done },
	{ METHOD_GET, "/plantilla/{version}", ROLE_ADMIN | ROLE_AUDITOR, PROVINCE_NONE, 0, version_show },
	{ METHOD_GET, "/plantilla/{version}/vista", ROLE_ADMIN | ROLE_AUDITOR, PROVINCE_NONE, 0, version_preview },
	{ METHOD_POST, "/plantilla/{version}/aprobar", ROLE_ADMIN, PROVINCE_NONE, 0, approve },
	{ METHOD_POST, "/plantilla/{version}/retirar", ROLE_ADMIN, PROVINCE_NONE, 0, withdraw },
	{ 0 }
};
