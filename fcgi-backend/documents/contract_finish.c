#include "documents/contract_finish.h"

#include <string.h>

#include <qpdf/qpdf-c.h>

#include "libicert/error.h"

#define DEPTH_MAX 8	/* of the structure tree, which is ours */

static void
row_header(qpdf_data pdf, qpdf_oh element)
{
	qpdf_oh attributes = qpdf_oh_new_dictionary(pdf);

	qpdf_oh_replace_key(pdf, attributes, "/O", qpdf_oh_new_name(pdf, "/Table"));
	qpdf_oh_replace_key(pdf, attributes, "/Scope", qpdf_oh_new_name(pdf, "/Row"));
	qpdf_oh_replace_key(pdf, element, "/A", attributes);
}

static void
name_elements(qpdf_data pdf, qpdf_oh element, const char *alt, int depth)
{
	qpdf_oh kids = qpdf_oh_get_key(pdf, element, "/K"), kind = qpdf_oh_get_key(pdf, element, "/S");

	if (qpdf_oh_is_name(pdf, kind)) {
		const char *name = qpdf_oh_get_name(pdf, kind);

		if (strcmp(name, "/Figure") == 0)
			qpdf_oh_replace_key(pdf, element, "/Alt", qpdf_oh_new_unicode_string(pdf, alt));
		else if (strcmp(name, "/TH") == 0)
			row_header(pdf, element);
	}
	if (depth == DEPTH_MAX)
		return;
	if (qpdf_oh_is_dictionary(pdf, kids))
		name_elements(pdf, kids, alt, depth + 1);
	else if (qpdf_oh_is_array(pdf, kids))
		for (int i = 0; i < qpdf_oh_get_array_n_items(pdf, kids); i++) {
			qpdf_oh kid = qpdf_oh_get_array_item(pdf, kids, i);

			if (qpdf_oh_is_dictionary(pdf, kid))
				name_elements(pdf, kid, alt, depth + 1);
		}
}

static void
name_document(qpdf_data pdf, const char *alt)
{
	qpdf_oh root = qpdf_get_root(pdf), view = qpdf_oh_new_dictionary(pdf), marks = qpdf_oh_new_dictionary(pdf);
	qpdf_oh structure = qpdf_oh_get_key(pdf, root, "/StructTreeRoot");

	qpdf_oh_replace_key(pdf, root, "/Lang", qpdf_oh_new_string(pdf, "es-EC"));
	qpdf_oh_replace_key(pdf, view, "/DisplayDocTitle", qpdf_oh_new_bool(pdf, QPDF_TRUE));
	qpdf_oh_replace_key(pdf, root, "/ViewerPreferences", view);
	qpdf_oh_replace_key(pdf, marks, "/Marked", qpdf_oh_new_bool(pdf, QPDF_TRUE));
	qpdf_oh_replace_key(pdf, root, "/MarkInfo", marks);
	if (qpdf_oh_is_dictionary(pdf, structure))
		name_elements(pdf, structure, alt, 0);
}

int
contract_finish(const struct buf *drawn, const char *alt, struct buf *out)
{
	qpdf_data pdf = qpdf_init();
	int error = ICERT_E_MALFORMED;

	if (pdf == NULL)
		return ICERT_E_MEMORY;
	qpdf_silence_errors(pdf);
	qpdf_set_suppress_warnings(pdf, QPDF_TRUE);
	if ((qpdf_read_memory(pdf, "contract", (const char *)drawn->p, drawn->len, NULL) & QPDF_ERRORS) == 0) {
		name_document(pdf, alt != NULL ? alt : "");
		if ((qpdf_init_write_memory(pdf) & QPDF_ERRORS) == 0) {
			qpdf_set_deterministic_ID(pdf, QPDF_TRUE);
			qpdf_set_object_stream_mode(pdf, qpdf_o_disable);
			qpdf_set_minimum_pdf_version(pdf, "1.7");
			if ((qpdf_write(pdf) & QPDF_ERRORS) == 0 && !qpdf_has_error(pdf)) {
				buf_put(out, qpdf_get_buffer(pdf), qpdf_get_buffer_length(pdf));
				error = buf_error(out);
			}
		}
	}
	qpdf_cleanup(&pdf);
	return error;
}
