#include <string.h>

#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/application/document.h"
#include "procedure/contract/evidence.h"
#include "procedure/application/photograph.h"
#include "web/desk/desk.h"

/* Looking at the files of a case.  Every reading is a row of the log. */

#define FILE_MAX_BYTES	(16u << 20)

static bool
is_image(const struct document *d)
{
	return strcmp(d->type, "image/jpeg") == 0 || strcmp(d->type, "image/png") == 0;
}

int
desk_documents(struct request *rq, const struct application *a, struct desk_documents **out)
{
	static const char *const kinds[] = { DOCUMENT_CEDULA, DOCUMENT_VOTING, DOCUMENT_UTILITY, DOCUMENT_SECOND_CEDULA,
		DOCUMENT_RENEWAL, DOCUMENT_RENEWAL_SIGNED, DOCUMENT_CONTRACT, DOCUMENT_SIGNED, DOCUMENT_COUNTERSIGNED, DOCUMENT_FACE };
	struct document *list = arena_array(&rq->arena, struct document, DESK_DOCUMENTS);
	struct desk_documents *all = arena_new(&rq->arena, struct desk_documents);
	size_t n = DESK_DOCUMENTS;
	int rv;

	if (list == NULL || all == NULL)
		return ICERT_E_MEMORY;
	if ((rv = document_list(desk_act(rq), a->id, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++)
		all->evidence = all->evidence || strcmp(list[i].kind, DOCUMENT_EVIDENCE) == 0;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; i < n; i++)
			if (strcmp(list[i].kind, kinds[k]) == 0)
				all->list[all->n++] = &list[i];
	*out = all;
	return 0;
}

/* The document {id2} of the case {id}, without reading its bytes, and those beside it. */
struct place {
	const struct document *here, *previous, *next;	/* NULL: the first, the last */
};

static int
find(struct request *rq, const struct application *a, struct place *out)
{
	struct desk_documents *all;
	int rv = desk_documents(rq, a, &all);

	if (rv != 0)
		return rv;
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->list[i]->id, rq->id[1]) == 0) {
			*out = (struct place){ all->list[i], i > 0 ? all->list[i - 1] : NULL,
			    i + 1 < all->n ? all->list[i + 1] : NULL };
			return 0;
		}
	}
	return ICERT_E_NOT_FOUND;
}

/* What is kept with the capture of the face. */
static int
fill_caption(struct request *rq, const struct application *a, const struct document *d, struct view_desk_document *v)
{
	struct view_desk_document_caption *caption = arena_new(&rq->arena, struct view_desk_document_caption);
	struct photograph *p = arena_new(&rq->arena, struct photograph);
	int rv;

	if (strcmp(d->kind, DOCUMENT_FACE) != 0)
		return 0;
	if (caption == NULL || p == NULL)
		return ICERT_E_MEMORY;
	if ((rv = photograph_get(desk_act(rq), a->id, p)) != 0)
		return rv;
	caption->envelope = p->envelope;
	caption->identification = p->identification;
	caption->name = p->name;
	caption->override = p->override_reason;
	v->caption = caption;
	return 0;
}

static const char *
file_href(struct request *rq, const struct document *d)
{
	return arena_printf(&rq->arena, "/caso/%s/archivo/%s", d->application, d->id);
}

/* The page with the picture beside what the applicant typed. */
static int
view(struct request *rq)
{
	struct view_desk_document v = { 0 };
	struct view_desk_document_rows *rows = arena_array(&rq->arena, struct view_desk_document_rows, FORM_FIELDS);
	struct application *a;
	struct view_desk_document_previous previous;
	struct view_desk_document_next next;
	struct place at;
	const struct document *d;
	int rv = desk_case(rq, &a);

	if (rv == 0)
		rv = find(rq, a, &at);
	if (rv != 0)
		return rv;
	if (rows == NULL)
		return ICERT_E_MEMORY;
	d = at.here;
	if (at.previous != NULL) {
		previous = (struct view_desk_document_previous){ file_href(rq, at.previous), at.previous->kind };
		v.previous = &previous;
	}
	if (at.next != NULL) {
		next = (struct view_desk_document_next){ file_href(rq, at.next), at.next->kind };
		v.next = &next;
	}
	v.id = a->id;
	v.back = desk_href(rq, a);
	v.document = d->id;
	v.kind = d->kind;
	v.name = desk_name(rq, a);
	v.number = a->number;
	v.image = is_image(d);
	v.width = d->width;
	v.height = d->height;
	v.pages = d->pages;
	v.kb = (d->size + 1023) / 1024;
	v.at = d->at;
	if ((rv = fill_caption(rq, a, d, &v)) != 0)
		return rv;
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		const char *value = application_form_get(&a->form, application_fields[i].name);

		if (!application_fields[i].in_certificate || value[0] == '\0' ||
		    strcmp(application_fields[i].name, "province") == 0)
			continue;
		rows[v.nrows].label = application_fields[i].name;
		rows[v.nrows].value = value;
		v.nrows++;
	}
	v.rows = rows;
	return page_send(rq, 200, desk_document, &v);
}

/* The bytes, decrypted in memory; the row of the log is written before they are read. */
static int
read_bytes(struct request *rq, struct document *d, struct buf *out)
{
	struct application *a;
	uint8_t key[DATAKEY_BYTES];
	int rv = desk_case(rq, &a);

	if (rv != 0)
		return rv;
	if ((rv = document_get(desk_act(rq), rq->id[1], d)) != 0)
		return rv;
	if (strcmp(d->application, a->id) != 0)
		return ICERT_E_NOT_FOUND;
	if ((rv = datakey_open(desk_act(rq), d->key, key)) != 0)
		return rv;
	rv = document_get_bytes(&desk_of(rq)->files, key, d->file, FILE_MAX_BYTES, out);
	bytes_wipe(key, sizeof(key));
	return rv;
}

static const char *
extension(const struct document *d)
{
	return strcmp(d->type, "application/pdf") == 0 ? "pdf" : strcmp(d->type, "image/png") == 0 ? "png" : "jpg";
}

static int
download(struct request *rq)
{
	struct document *d = arena_new(&rq->arena, struct document);
	struct buf out = BUF_INIT;
	int rv;

	if (d == NULL)
		return ICERT_E_MEMORY;
	/* Nothing personal in the name: the kind and the first digits of an id. */
	if ((rv = read_bytes(rq, d, &out)) == 0)
		rv = response_file(rq, d->type, arena_printf(&rq->arena, "%s-%.8s.%s", d->kind, d->id, extension(d)),
		    out.p, out.len);
	buf_free(&out);
	return rv;
}

/* A picture that the checker has encoded anew, for the page above. */
static int
picture(struct request *rq)
{
	struct document *d = arena_new(&rq->arena, struct document);
	struct buf out = BUF_INIT;
	int rv;

	if (d == NULL)
		return ICERT_E_MEMORY;
	if ((rv = read_bytes(rq, d, &out)) == 0)
		rv = is_image(d) ? response_picture(rq, d->type, out.p, out.len) : ICERT_E_NOT_FOUND;
	buf_free(&out);
	return rv;
}

/* The package of a filed contract. */
static int
evidence(struct request *rq)
{
	struct application *a;
	struct buf out = BUF_INIT;
	int rv = desk_case(rq, &a);

	if (rv == 0 && (rv = evidence_read(desk_act(rq), &desk_of(rq)->files, a->id, &out)) == 0)
		rv = response_file(rq, "application/zip", arena_printf(&rq->arena, "evidencia-%s.zip", a->number), out.p, out.len);
	buf_free(&out);
	return rv;
}

const struct route desk_document_routes[] = {
	{ METHOD_GET, "/caso/{id}/evidencia.zip", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_CASE, 0, evidence },
	{ METHOD_GET, "/caso/{id}/archivo/{id2}", DESK_READS, PROVINCE_CASE, 0, view },
	{ METHOD_GET, "/caso/{id}/archivo/{id2}/descarga", DESK_READS, PROVINCE_CASE, 0, download },
	{ METHOD_GET, "/caso/{id}/archivo/{id2}/imagen", DESK_READS, PROVINCE_CASE, 0, picture },
	{ 0 }
};
