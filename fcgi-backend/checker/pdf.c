#include "checker/pdf.h"

#include "checker/check.h"
#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>

#include <qpdf/qpdf-c.h>

#define OBJECT_MAX 200000	/* object numbers */
#define NODE_MAX 2000000	/* values looked at */
#define DEPTH_MAX 200
#define KEY_MAX 127		/* bytes of a name (ISO 32000-1, annex C) */
#define END_WITHIN 1024		/* where readers look for the end-of-file marker (the same, annex H) */

/* One walk through everything that hangs on the trailer. */
struct walk {
	qpdf_data pdf;
	uint8_t *seen;		/* a bit for each object number */
	uint32_t nodes;
	uint32_t flags;
};

static void look_at(struct walk *, qpdf_oh, int depth);

/* What a key alone says, and what a key with a name says. */
static void
look_at_key(struct walk *w, const char *key, qpdf_oh value)
{
	static const struct {
		const char *key;
		const char *name;	/* NULL: any value */
		uint32_t flag;
	} signs[] = {
		{ "/JS", NULL, CHECK_JAVASCRIPT },
		{ "/JavaScript", NULL, CHECK_JAVASCRIPT },
		{ "/S", "/JavaScript", CHECK_JAVASCRIPT },
		{ "/S", "/Rendition", CHECK_JAVASCRIPT },
		{ "/S", "/Launch", CHECK_LAUNCH },
		{ "/S", "/ImportData", CHECK_LAUNCH },
		{ "/EmbeddedFiles", NULL, CHECK_EMBEDDED },
		{ "/EF", NULL, CHECK_EMBEDDED },
		{ "/Type", "/EmbeddedFile", CHECK_EMBEDDED },
		{ "/Subtype", "/RichMedia", CHECK_EMBEDDED },
		{ "/Subtype", "/FileAttachment", CHECK_EMBEDDED },
		{ "/XFA", NULL, CHECK_XFA }
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strcmp(key, signs[i].key) == 0 && !qpdf_oh_is_null(w->pdf, value) &&
		    (signs[i].name == NULL || qpdf_oh_is_name_and_equals(w->pdf, value, signs[i].name)))
			w->flags |= signs[i].flag;
}

/* The iterator is one for the whole document, so the keys are gathered before any value is looked at. */
static char *
gather_keys(struct walk *w, qpdf_oh dict, size_t *len)
{
	char *keys = NULL;
	size_t used = 0;
	size_t room = 0;

	qpdf_oh_begin_dict_key_iter(w->pdf, dict);
	while (qpdf_oh_dict_more_keys(w->pdf)) {
		const char *key = qpdf_oh_dict_next_key(w->pdf);
		size_t n = strlen(key) + 1;

		if (used + n > room) {
			char *more = realloc(keys, room = 2 * (used + n));

			if (more == NULL) {
				w->flags |= CHECK_TOO_BIG;
				break;
			}
			keys = more;
		}
		memcpy(keys + used, key, n);
		used += n;
	}
	*len = used;
	return keys;
}

static void
look_at_dict(struct walk *w, qpdf_oh dict, int depth)
{
	size_t len = 0;
	char *keys = gather_keys(w, dict, &len);

	for (size_t at = 0; at < len; at += strlen(keys + at) + 1) {
		qpdf_oh value = qpdf_oh_get_key(w->pdf, dict, keys + at);

		look_at_key(w, keys + at, value);
		look_at(w, value, depth + 1);
		qpdf_oh_release(w->pdf, value);
	}
	free(keys);
}

static void
look_at_array(struct walk *w, qpdf_oh array, int depth)
{
	int n = qpdf_oh_get_array_n_items(w->pdf, array);

	for (int i = 0; i < n && (w->flags & CHECK_TOO_BIG) == 0; i++) {
		qpdf_oh value = qpdf_oh_get_array_item(w->pdf, array, i);

		look_at(w, value, depth + 1);
		qpdf_oh_release(w->pdf, value);
	}
}

/* 1 the first time that this object is met. */
static int
is_new(struct walk *w, qpdf_oh oh)
{
	int id = qpdf_oh_get_object_id(w->pdf, oh);

	if (id <= 0)
		return 1;	/* direct: it has one place only */
	if (id >= OBJECT_MAX) {
		w->flags |= CHECK_TOO_BIG;
		return 0;
	}
	if (w->seen[id / 8] & (1u << (id % 8)))
		return 0;
	w->seen[id / 8] |= (uint8_t)(1u << (id % 8));
	return 1;
}

static void
look_at(struct walk *w, qpdf_oh oh, int depth)
{
	if (depth > DEPTH_MAX || ++w->nodes > NODE_MAX) {
		w->flags |= CHECK_TOO_BIG;
		return;
	}
	if (!is_new(w, oh))
		return;
	if (qpdf_oh_is_dictionary(w->pdf, oh))
		look_at_dict(w, oh, depth);
	else if (qpdf_oh_is_array(w->pdf, oh))
		look_at_array(w, oh, depth);
	else if (qpdf_oh_is_stream(w->pdf, oh)) {
		qpdf_oh dict = qpdf_oh_get_dict(w->pdf, oh);

		look_at_dict(w, dict, depth + 1);
		qpdf_oh_release(w->pdf, dict);
	}
}

static int
needs_password(qpdf_data pdf)
{
	return qpdf_has_error(pdf) && qpdf_get_error_code(pdf, qpdf_get_error(pdf)) == qpdf_e_password;
}

/* Reads strictly, or with libqpdf's repair.  NULL when it cannot be read at all. */
static qpdf_data
open_pdf(const uint8_t *data, size_t len, int repair, uint32_t *flags)
{
	qpdf_data pdf = qpdf_init();

	qpdf_set_suppress_warnings(pdf, QPDF_TRUE);
	qpdf_silence_errors(pdf);
	qpdf_set_attempt_recovery(pdf, repair ? QPDF_TRUE : QPDF_FALSE);
	if ((qpdf_read_memory(pdf, "file", (const char *)data, len, NULL) & QPDF_ERRORS) == 0)
		return pdf;
	if (needs_password(pdf))
		*flags |= CHECK_ENCRYPTED;
	qpdf_cleanup(&pdf);
	return NULL;
}

static void
look_through(qpdf_data pdf, uint32_t *flags, uint32_t *pages, uint8_t *seen)
{
	struct walk w = { .pdf = pdf, .seen = seen };
	qpdf_oh trailer = qpdf_get_trailer(pdf);
	int n = qpdf_get_num_pages(pdf);

	if (n < 1 || qpdf_has_error(pdf))
		w.flags |= CHECK_BROKEN;
	else
		*pages = (uint32_t)n;
	if (n > CHECK_PAGES)
		w.flags |= CHECK_TOO_BIG;
	if (qpdf_is_encrypted(pdf))
		w.flags |= CHECK_RESTRICTED;
	look_at(&w, trailer, 0);
	qpdf_oh_release(pdf, trailer);
	*flags |= w.flags;
}

int
pdf_look(const uint8_t *data, size_t len, uint32_t *flags, uint32_t *pages)
{
	uint8_t *seen = calloc(OBJECT_MAX / 8 + 1, 1);
	size_t tail = len < END_WITHIN ? len : END_WITHIN;
	qpdf_data pdf;

	if (seen == NULL)
		return ICERT_E_MEMORY;
	if (memmem(data + len - tail, tail, "%%EOF", 5) == NULL)
		*flags |= CHECK_TRUNCATED;
	pdf = open_pdf(data, len, 0, flags);
	if (pdf == NULL && (*flags & CHECK_ENCRYPTED) == 0) {
		pdf = open_pdf(data, len, 1, flags);
		if (pdf != NULL)
			*flags |= CHECK_REPAIRED;
		else if ((*flags & CHECK_ENCRYPTED) == 0)
			*flags |= CHECK_BROKEN;
	}
	if (pdf != NULL) {
		look_through(pdf, flags, pages, seen);
		qpdf_cleanup(&pdf);
	}
	free(seen);
	return 0;
}
