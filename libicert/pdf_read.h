#ifndef LIBICERT_PDF_READ_H
#define LIBICERT_PDF_READ_H

#include "libicert/pdf_file.h"

/* Between pdf_file.c and its parts: cross-references and decoded streams. */

/* An entry of a cross-reference (ISO 32000-1, 7.5.8.3): 0 free, 1 at an offset, 2 in an object stream. */
struct pdf_entry {
	uint32_t number;
	uint32_t type;
	uint64_t where;		/* offset, or number of the object stream */
	uint32_t third;		/* generation, or index in the object stream */
};

struct pdf_entries {
	struct pdf_entry *entry;
	size_t n, room;
};

/* "xref" has been taken: subsections, up to and with the trailer's dictionary.  The errors of pdf_file_read. */
int pdf_xref_table(struct pdf_span *rest, struct pdf_entries *, struct pdf_value *trailer);

/* The cross-reference stream in this object. */
int pdf_xref_stream(struct pdf_file *, const struct pdf_object *, struct pdf_entries *);

/* "N G obj … endobj"; rest moves behind it.  An indirect /Length is not followed: the stream ends before "endstream". */
int pdf_object_read(const struct pdf_file *, struct pdf_span *rest, struct pdf_object *);

/* The stream's octets, decoded; the file keeps them. */
int pdf_stream_decode(struct pdf_file *, const struct pdf_object *, struct pdf_span *out);

/* The object stream's members are appended to objects (n counts, room for at most PDF_OBJECTS). */
int pdf_members_read(struct pdf_file *, const struct pdf_object *container, struct pdf_object *objects, size_t *n);

/* An integer between 0 and max under a direct key.  0, ICERT_E_NOT_FOUND, ICERT_E_MALFORMED. */
int pdf_direct_number(const struct pdf_value *dict, const char *key, uint64_t max, uint64_t *out);

#endif
