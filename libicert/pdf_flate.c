#include "libicert/pdf_read.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define COLUMNS_MAX 4096
#define UP 2

/* Inflates into the file's own memory.  Nothing may follow the compressed octets but a line end. */
static int
inflate_all(struct pdf_file *f, const struct pdf_span *in, uint8_t **out, size_t *len)
{
	size_t room = 4 * in->len + 1024;
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in->p, .avail_in = (uInt)in->len };
	int rc = Z_OK;

	*out = NULL;
	*len = 0;
	if (in->len > PDF_INFLATED || inflateInit(&z) != Z_OK)
		return ICERT_E_TOO_LARGE;
	while (rc == Z_OK && f->inflated_bytes + room <= PDF_INFLATED) {
		uint8_t *more = realloc(*out, room);

		if (more == NULL) {
			rc = Z_MEM_ERROR;
			break;
		}
		*out = more;
		z.next_out = more + *len;
		z.avail_out = (uInt)(room - *len);
		rc = inflate(&z, Z_NO_FLUSH);
		*len = room - z.avail_out;
		if (rc == Z_OK && z.avail_out != 0)
			rc = Z_DATA_ERROR;
		room *= 2;
	}
	inflateEnd(&z);
	if (rc == Z_STREAM_END && z.avail_in <= 2)
		return 0;
	free(*out);
	*out = NULL;
	return rc == Z_OK ? ICERT_E_TOO_LARGE : rc == Z_MEM_ERROR ? ICERT_E_MEMORY : ICERT_E_MALFORMED;
}

/* Rows of a PNG predictor (7.4.4.4) with one octet a sample: none or up, as writers of cross-references use. */
static int
undo_rows(uint8_t *p, size_t *len, size_t columns)
{
	size_t rows = *len / (columns + 1);

	if (*len % (columns + 1) != 0)
		return ICERT_E_MALFORMED;
	for (size_t r = 0; r < rows; r++) {
		const uint8_t *in = p + r * (columns + 1);
		uint8_t *out = p + r * columns;
		uint8_t kind = in[0];

		if (kind != 0 && kind != UP)
			return ICERT_E_UNSUPPORTED;
		for (size_t i = 0; i < columns; i++)
			out[i] = (uint8_t)(in[i + 1] + (kind == UP && r > 0 ? out[(ptrdiff_t)i - (ptrdiff_t)columns] : 0));
	}
	*len = rows * columns;
	return 0;
}

static int
undo_predictor(const struct pdf_value *dict, uint8_t *p, size_t *len)
{
	struct pdf_value parms;
	uint64_t predictor = 1;
	uint64_t columns = 1;
	uint64_t one = 1;
	uint64_t eight = 8;
	int error;

	if (pdf_get(dict, "DecodeParms", &parms) != 0)
		return ICERT_E_MALFORMED;
	if (parms.type == PDF_NONE || parms.type == PDF_NULL)
		return 0;
	if (parms.type != PDF_DICT)
		return ICERT_E_UNSUPPORTED;
	if ((error = pdf_direct_number(&parms, "Predictor", 15, &predictor)) != 0 && error != ICERT_E_NOT_FOUND)
		return error;
	if (((error = pdf_direct_number(&parms, "Columns", COLUMNS_MAX, &columns)) != 0 && error != ICERT_E_NOT_FOUND) ||
	    ((error = pdf_direct_number(&parms, "Colors", 4, &one)) != 0 && error != ICERT_E_NOT_FOUND) ||
	    ((error = pdf_direct_number(&parms, "BitsPerComponent", 16, &eight)) != 0 && error != ICERT_E_NOT_FOUND))
		return error;
	if (predictor <= 1)
		return 0;
	if (predictor < 10 || columns == 0 || one != 1 || eight != 8)
		return ICERT_E_UNSUPPORTED;
	return undo_rows(p, len, (size_t)columns);
}

/* 0 no filter, 1 Flate. */
static int
filter_of(const struct pdf_value *dict)
{
	struct pdf_value filter, name;
	struct pdf_span rest;

	if (pdf_get(dict, "Filter", &filter) != 0)
		return ICERT_E_MALFORMED;
	if (filter.type == PDF_NONE)
		return 0;
	if (filter.type == PDF_ARRAY) {
		rest = filter.in;
		if (pdf_next(&rest, &name) != 0)
			return ICERT_E_MALFORMED;
		pdf_skip(&rest);
		if (rest.len != 0)
			return ICERT_E_UNSUPPORTED;
		filter = name;
	}
	return pdf_is_name(&filter, "FlateDecode") ? 1 : ICERT_E_UNSUPPORTED;
}

int
pdf_stream_decode(struct pdf_file *f, const struct pdf_object *o, struct pdf_span *out)
{
	struct pdf_value length;
	uint8_t *p;
	size_t len;
	int filter = filter_of(&o->value);
	int error;

	/* What has to be read before any object is known says its length itself. */
	if (o->stream.p == NULL || pdf_get(&o->value, "Length", &length) != 0)
		return ICERT_E_MALFORMED;
	if (length.type != PDF_INTEGER)
		return ICERT_E_UNSUPPORTED;
	*out = o->stream;
	if (filter <= 0)
		return filter;
	if (f->n_inflated == sizeof(f->inflated) / sizeof(f->inflated[0]))
		return ICERT_E_TOO_LARGE;
	if ((error = inflate_all(f, &o->stream, &p, &len)) != 0)
		return error;
	f->inflated[f->n_inflated++] = p;
	f->inflated_bytes += len;
	error = undo_predictor(&o->value, p, &len);
	*out = (struct pdf_span){ p, len };
	return error;
}
