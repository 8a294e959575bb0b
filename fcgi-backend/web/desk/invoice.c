#include <string.h>
#include <unistd.h>

#include "crypt/checker.h"
#include "libicert/access_key.h"
#include "libicert/error.h"
#include "payments/tariff.h"
#include "procedure/datakey.h"
#include "procedure/order/transfer.h"
#include "procedure/policy.h"
#include "web/desk/desk.h"
#include "web/invoice.h"
#include "web/upload.h"

/* Invoices that finance made in its own system, and the credit notes that void them: what each has to say, both files, and those filed. */

#define OPENS		(ROLE_FINANCE | ROLE_NATIONAL)
#define PDF_BYTES	2097152
#define XML_BYTES	524288

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The one that stands, and whether one is awaited. */
struct standing {
	const struct invoicing *invoice;	/* NULL none */
	bool awaited;
};

static int
read_rows(struct request *rq, const char *order, struct invoicing **rows, size_t *n, struct standing *s)
{
	int rv;

	*n = INVOICING_MAX;
	*s = (struct standing){ NULL, false };
	if ((*rows = arena_array(&rq->arena, struct invoicing, INVOICING_MAX)) == NULL)
		return ICERT_E_MEMORY;
	if ((rv = invoicing_list(desk_act(rq), order, *rows, n)) != 0)
		return rv;
	for (size_t i = 0; i < *n; i++) {
		const struct invoicing *one = &(*rows)[i];

		s->awaited |= is(one->state, "awaited");
		if (one->voids[0] == '\0' && (is(one->state, "filed") || is(one->state, "mailed")))
			s->invoice = one;
	}
	return 0;
}

/* The invoice that a credit note voids, among those of its order. */
static const char *
voided(const struct invoicing *note, const struct invoicing *rows, size_t n)
{
	for (size_t i = 0; note->voids[0] != '\0' && i < n; i++)
		if (is(rows[i].id, note->voids))
			return rows[i].serial;
	return NULL;
}

int
desk_invoices(struct request *rq, const struct purchase *p, struct view_desk_order_invoicing *v)
{
	struct view_desk_order_invoicing_rows *out = arena_array(&rq->arena, struct view_desk_order_invoicing_rows, INVOICING_MAX);
	bool files = (rq->session.roles & ROLE_FINANCE) != 0, returned = is(p->state, "refunded");
	struct invoicing *rows;
	struct standing s;
	size_t n;
	int rv;

	if (out == NULL)
		return ICERT_E_MEMORY;
	if ((rv = read_rows(rq, p->id, &rows, &n, &s)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		struct view_desk_order_invoicing_rows *to = &out[v->nrows];
		const char *place = arena_printf(&rq->arena, "/orden/%s/factura/%s", p->id, rows[i].id);

		if (rows[i].serial[0] == '\0')
			continue;
		to->serial = rows[i].serial;
		to->voids = voided(&rows[i], rows, n);
		to->key = rows[i].access_key;
		to->state = rows[i].state;
		to->day = invoice_day(rq, &rows[i]);
		to->total = rows[i].total;
		to->by = rows[i].filed_by;
		to->at = rows[i].filed_at;
		to->mailed_at = rows[i].mailed_at;
		to->copied_at = rows[i].copied_at;
		if (rq->session.roles & OPENS) {
			to->pdf = arena_printf(&rq->arena, "%s/pdf", place);
			to->xml = arena_printf(&rq->arena, "%s/xml", place);
		}
		v->nrows++;
	}
	v->rows = out;
	v->awaited = s.awaited && (is(p->state, "paid") || is(p->state, "used"));
	v->returned = returned && s.invoice != NULL;
	v->unpaid = is(p->state, "created") || is(p->state, "pending");
	if (files && (v->awaited || s.invoice != NULL))
		v->href = arena_printf(&rq->arena, "/orden/%s/factura", p->id);
	return 0;
}

/* ---- the form ---- */

/* "upload.encrypted" as this form says it of its field, where it has words of its own. */
static const char *
own_words(struct request *rq, const char *field, const char *code)
{
	const char *dot = strchr(code, '.'), *own = arena_printf(&rq->arena, "desk.invoice.%s.%s", field, dot != NULL ? dot + 1 : code);

	return own != NULL && catalogue(own) != NULL ? own : code;
}

/* What the edge refused, at the file that it was. */
static void
note_refusal(struct request *rq)
{
	const char *field = rq->refusal_field;

	if (rq->refusal == NULL)
		return;
	/* A body that is too large whole has no field. */
	if (field == NULL || !(is(field, "pdf") || is(field, "xml")))
		field = is(rq->refusal, "upload_file_size") ? "files" : NULL;
	if (field == NULL)
		return;
	rq->nerrors = 0;
	page_field_error(rq, is(field, "files") ? NULL : field, own_words(rq, field, page_refusal_code(rq)));
}

static int
form_page(struct request *rq, int status, const struct purchase *p)
{
	struct view_desk_invoice *v = arena_new(&rq->arena, struct view_desk_invoice);
	char *ruc = arena_array(&rq->arena, char, 16), *rate = arena_array(&rq->arena, char, 8);
	struct invoicing *rows;
	struct standing s;
	size_t n;
	int rv;

	if (v == NULL || ruc == NULL || rate == NULL)
		return ICERT_E_MEMORY;
	if ((rv = read_rows(rq, p->id, &rows, &n, &s)) != 0 || (rv = policy_text(desk_act(rq), INVOICING_RUC, ruc, 16)) != 0)
		return rv;
	v->order = p->id;
	v->back = desk_back(rq, arena_printf(&rq->arena, "/orden/%s#facturas", p->id));
	v->number = p->number;
	v->voids = s.invoice != NULL ? s.invoice->serial : NULL;
	v->returned = is(p->state, "refunded") || is(p->state, "refunding") || is(p->state, "disputed");
	v->unset = ruc[0] == '\0';
	v->unpaid = is(p->state, "created") || is(p->state, "pending") || is(p->state, "expired");
	v->ruc = ruc;
	v->production = policy_int(desk_act(rq), INVOICING_PRODUCTION, 1) != 0;
	v->kind = p->billing.id_kind;
	v->buyer = p->billing.id_number;
	v->name = p->billing.name;
	v->product = p->container;
	v->ruc_kind = p->ruc;
	v->years = p->years;
	tariff_percent(p->tax_bp, rate, 8);
	v->rate = rate;
	v->transfer = is(p->gateway, TRANSFER_GATEWAY);
	v->address = p->billing.address;
	v->telephone = p->billing.telephone;
	v->email = p->billing.email;
	v->net = p->net;
	v->tax = p->tax;
	v->total = p->total;
	v->xml_error = page_error_of(rq, "xml");
	v->pdf_error = page_error_of(rq, "pdf");
	v->xml_limit = XML_BYTES;
	v->pdf_limit = PDF_BYTES;
	v->again = page_has_errors(rq);
	v->takes = !v->unset && (s.invoice != NULL || !(v->unpaid || v->returned));
	return page_send(rq, status, desk_invoice, v);
}

static int
find_order(struct request *rq, struct purchase **p)
{
	*p = arena_new(&rq->arena, struct purchase);
	return *p == NULL ? ICERT_E_MEMORY : purchase_get(desk_act(rq), rq->id[0], *p);
}

static int
form_show(struct request *rq)
{
	struct purchase *p;
	int rv = find_order(rq, &p);

	note_refusal(rq);
	return rv != 0 ? rv : form_page(rq, 200, p);
}

/* ---- why not ---- */

static const char *
text_of(struct request *rq, struct buf *b)
{
	const char *text = buf_error(b) == 0 ? arena_printf(&rq->arena, "%.*s", (int)b->len, (const char *)b->p) : NULL;

	buf_free(b);
	return text;
}

static const char *
dollars(struct request *rq, int64_t cents)
{
	struct buf b = BUF_INIT;

	view_put_money(&b, cents < 0 ? 0 : cents);
	return text_of(rq, &b);
}

/* In words, where it is a code of one of the two sides. */
static const char *
worded(struct request *rq, const char *prefix, const char *code)
{
	const char *words = catalogue(arena_printf(&rq->arena, "%s%s", prefix, code));

	return words != NULL ? words : code;
}

static const char *
shown(const char *text)
{
	return text[0] != '\0' ? text : catalogue("desk.invoice.nothing");
}

static void
note_why(struct request *rq, const struct invoice *v, const struct invoicing_refusal *why)
{
	bool whole = is(why->code, "unset") || is(why->code, "unpaid") || is(why->code, "returned");
	const char *due = shown(why->due), *said = shown(why->said);
	const char *code = arena_printf(&rq->arena, "desk.invoice.%s", why->code);

	if (is(why->code, "access_key.used") && why->number[0] == '\0')
		code = "desk.invoice.access_key.taken";
	if (is(why->code, "buyer_kind")) {
		due = worded(rq, "desk.order.id.", why->due);
		said = worded(rq, "desk.invoice.kind.", v->buyer_kind);
	}
	if (is(why->code, "environment")) {
		due = worded(rq, "desk.invoice.environment.", is(v->environment, "2") ? "1" : "2");
		said = worded(rq, "desk.invoice.environment.", v->environment);
	}
	if (why->due_cents >= 0 || why->said_cents >= 0) {
		due = dollars(rq, why->due_cents);
		said = dollars(rq, why->said_cents);
	}
	page_field_words(rq, whole ? NULL : "xml", code, (const char *const[]){ "due", due, "said", said, "number", why->number, NULL });
}

/* ---- both files ---- */

/* 0: *v is what it says, *bytes what came; ICERT_E_INVALID: its error is noted. */
static int
read_xml(struct request *rq, const struct upload *u, struct invoice *v, struct buf *bytes)
{
	struct desk *k = desk_of(rq);
	struct invoice_fault fault;
	const char *reason;
	int fd, rv;

	if ((rv = upload_bytes(&k->files, u, XML_BYTES, bytes, &reason)) == ICERT_E_INVALID) {
		page_field_error(rq, "xml", own_words(rq, "xml", reason));
		return rv;
	}
	if (rv != 0 || (rv = document_spool_open(&k->files, u->spool, &fd)) != 0)
		return rv;
	rv = checker_invoice(&k->checker, fd, v, &fault);
	close(fd);
	if (rv == ICERT_E_CRASHED || rv == ICERT_E_TIMEOUT) {
		page_field_error(rq, "xml", "desk.invoice.xml.xml");
		return ICERT_E_INVALID;
	}
	if (rv != ICERT_E_MALFORMED)
		return rv;
	page_field_words(rq, "xml", own_words(rq, "xml", arena_printf(&rq->arena, "xml.%s", fault.code)),
	    (const char *const[]){ "element", shown(fault.element), NULL });
	return ICERT_E_INVALID;
}

/* The wrong file of a folder would send one buyer's invoice to another: where the PDF shows keys, this one is among them. */
static bool
prints_another(struct request *rq, const struct accepted *got, const struct invoice *v)
{
	for (size_t i = 0; i < got->n_printed; i++)
		if (is(got->printed[i], v->access_key))
			return false;
	if (got->n_printed == 0 || v->access_key[0] == '\0')
		return false;
	page_field_words(rq, "pdf", "desk.invoice.pdf.other", (const char *const[]){ "said", got->printed[0], "due", v->access_key, NULL });
	return true;
}

/* 0: stored; ICERT_E_INVALID: its error is noted.  v: the XML, as far as it was read. */
static int
keep_pdf(struct request *rq, const struct purchase *p, const struct upload *u, const struct invoice *v, struct invoicing_file *f)
{
	struct desk *k = desk_of(rq);
	struct accepted got;
	int rv = upload_store(desk_act(rq), &k->files, &k->checker, p->key, u, CHECK_INVOICE, PDF_BYTES, &got);

	if (rv == ICERT_E_INVALID && got.reason != NULL)
		page_field_error(rq, "pdf", own_words(rq, "pdf", got.reason));
	if (rv != 0)
		return rv;
	/* Stored: whoever called drops it again when this one is not it. */
	memcpy(f->file, got.file, sizeof f->file);
	if (!is(got.type, "application/pdf"))
		page_field_error(rq, "pdf", "desk.invoice.pdf.type");
	if (!is(got.type, "application/pdf") || prints_another(rq, &got, v))
		return ICERT_E_INVALID;
	memcpy(f->sha256, got.sha256, sizeof f->sha256);
	f->size = (int64_t)got.size;
	return 0;
}

static int
keep_xml(struct request *rq, const struct purchase *p, const struct upload *u, const struct buf *bytes, struct invoicing_file *f)
{
	uint8_t key[DATAKEY_BYTES];
	int rv;

	if ((rv = datakey_open(desk_act(rq), p->key, key)) != 0)
		return rv;
	rv = document_put(&desk_of(rq)->files, key, bytes->p, bytes->len, f->file);
	bytes_wipe(key, sizeof key);
	memcpy(f->sha256, u->sha256, sizeof f->sha256);
	f->size = (int64_t)bytes->len;
	return rv;
}

/* After a failure: both, unless the database may have kept the row all the same. */
static void
drop(struct request *rq, const struct invoicing_file part[INVOICING_PARTS], int rv)
{
	for (int i = 0; i < INVOICING_PARTS && rv != ICERT_E_UNAVAILABLE && rv != ICERT_E_TIMEOUT; i++)
		if (part[i].file[0] != '\0')
			document_drop(&desk_of(rq)->files, part[i].file);
}

/* 0 or ICERT_E_EXISTS (filed before): both are as they have to be; ICERT_E_INVALID: what is wrong of either is noted, so that both are mended at once. */
static int
judge(struct request *rq, const struct purchase *p, const struct upload *xml, struct invoice *v, struct buf *bytes)
{
	struct invoicing_refusal *why = arena_new(&rq->arena, struct invoicing_refusal);
	int rv = why == NULL ? ICERT_E_MEMORY : read_xml(rq, xml, v, bytes);

	if (rv == 0 && (rv = invoicing_check(desk_act(rq), p->id, v, why)) == ICERT_E_MISMATCH) {
		note_why(rq, v, why);
		return ICERT_E_INVALID;
	}
	return rv;
}

static int
file_both(struct request *rq, const struct purchase *p, const struct upload *pdf, const struct upload *xml, struct invoice *v)
{
	struct invoicing_file part[INVOICING_PARTS] = { { .file = "" }, { .file = "" } };
	struct invoicing_refusal *why = arena_new(&rq->arena, struct invoicing_refusal);
	struct buf bytes = BUF_INIT;
	int rv = why == NULL ? ICERT_E_MEMORY : judge(rq, p, xml, v, &bytes), rv_pdf;

	if (rv == 0 || rv == ICERT_E_INVALID) {
		rv_pdf = keep_pdf(rq, p, pdf, v, &part[INVOICING_PDF]);
		rv = rv_pdf != 0 ? rv_pdf : rv;
	}
	if (rv == 0 && (rv = keep_xml(rq, p, xml, &bytes, &part[INVOICING_XML])) == 0 &&
	    (rv = invoicing_file(desk_act(rq), p->id, v, part, NULL, why)) == ICERT_E_MISMATCH) {
		note_why(rq, v, why);
		rv = ICERT_E_INVALID;
	}
	if (rv != 0)
		drop(rq, part, rv);
	buf_free(&bytes);
	return rv;
}

static int
form_save(struct request *rq)
{
	const struct upload *pdf = request_upload(rq, "pdf"), *xml = request_upload(rq, "xml");
	struct invoice *v = arena_new(&rq->arena, struct invoice);
	struct purchase *p;
	int rv = v == NULL ? ICERT_E_MEMORY : find_order(rq, &p);

	if (rv != 0)
		return rv;
	if (xml == NULL)
		page_field_error(rq, "xml", "desk.invoice.xml.missing");
	if (pdf == NULL)
		page_field_error(rq, "pdf", "desk.invoice.pdf.missing");
	if (page_has_errors(rq))
		return form_page(rq, 422, p);
	rv = file_both(rq, p, pdf, xml, v);
	if (rv == ICERT_E_INVALID && page_has_errors(rq))
		return form_page(rq, 422, p);
	if (rv == ICERT_E_CONFLICT) {
		page_field_error(rq, NULL, "desk.invoice.conflict");
		return form_page(rq, 409, p);
	}
	if (rv != 0 && rv != ICERT_E_EXISTS)
		return rv;
	return response_redirect(rq, "/orden/%s?aviso=%s", p->id,
	    is(v->document, ACCESS_KEY_CREDIT_NOTE) ? "desk-invoice-voided" : "desk-invoice-filed");
}

/* ---- the files ---- */

static int
send_pdf(struct request *rq)
{
	return invoice_send(rq, desk_act(rq), &desk_of(rq)->files, INVOICING_PDF);
}

static int
send_xml(struct request *rq)
{
	return invoice_send(rq, desk_act(rq), &desk_of(rq)->files, INVOICING_XML);
}

const struct route desk_invoice_routes[] = {
	{ METHOD_GET, "/orden/{id}/factura", ROLE_FINANCE, PROVINCE_ALL, 0, form_show },
	{ METHOD_POST, "/orden/{id}/factura", ROLE_FINANCE, PROVINCE_ALL, ROUTE_UPLOAD, form_save },
	{ METHOD_GET, "/orden/{id}/factura/{id2}/pdf", OPENS, PROVINCE_ALL, 0, send_pdf },
	{ METHOD_GET, "/orden/{id}/factura/{id2}/xml", OPENS, PROVINCE_ALL, 0, send_xml },
	{ 0 }
};
