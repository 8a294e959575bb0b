#ifndef LIBICERT_PDF_FILE_H
#define LIBICERT_PDF_FILE_H

#include "libicert/pdf_object.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A PDF that began as a file of ours and was continued by others (incremental
 * updates, ISO 32000-1, 7.5.6).  Of the first revision, which is ours byte by
 * byte, the cross-reference is believed.  Of every later one each octet is
 * accounted for: a run of objects, then the cross-reference (table or stream)
 * that lists exactly these objects at exactly these places, then startxref and
 * the end-of-file marker, up to where the next revision begins.  Anything else
 * is refused, so that no reader can see an object that is not seen here.
 */
#define PDF_REVISIONS 16
#define PDF_OBJECTS 20000	/* in one revision */
#define PDF_INFLATED ((size_t)16 << 20)	/* of all streams that are decoded here */

struct pdf_object {
	uint32_t number;
	uint32_t generation;
	uint32_t container;	/* number of the object stream it lies in, 0: it lies in the file itself */
	uint32_t index;		/* within the container */
	size_t at;		/* offset of "N G obj"; of no meaning within a container */
	struct pdf_value value;
	struct pdf_span stream;	/* p NULL: it is none */
};

struct pdf_revision {
	size_t start, end;	/* its octets; end of one is start of the next */
	const uint8_t *mark;	/* behind its end-of-file marker, before the line end that may follow */
	size_t xref;		/* offset that startxref gives */
	int is_stream;		/* its cross-reference is a stream */
	uint32_t xref_number;	/* object number of that stream */
	struct pdf_value trailer;
	struct pdf_object *objects;	/* by number */
	size_t n;
};

struct pdf_file {
	struct pdf_span data;
	struct pdf_revision revision[PDF_REVISIONS];
	size_t n;
	uint8_t *inflated[PDF_REVISIONS * 64];	/* decoded streams, which objects point into */
	size_t n_inflated;
	size_t inflated_bytes;
};

/*
 * Reads the revisions; the first is `first` octets long.  data must outlive the
 * file.  0, ICERT_E_MALFORMED, ICERT_E_DENIED (encrypted),
 * ICERT_E_UNSUPPORTED (hybrid cross-references, other filters than Flate),
 * ICERT_E_TOO_LARGE, ICERT_E_MEMORY; *where, unless NULL, gets the number of the revision at
 * fault.  pdf_file_free either way.
 */
int pdf_file_read(struct pdf_file *, const uint8_t *data, size_t len, size_t first, size_t *where);
void pdf_file_free(struct pdf_file *);

/* The object as it stands after that revision, or NULL. */
const struct pdf_object *pdf_file_find(const struct pdf_file *, size_t revision, uint32_t number);

/* The object that this revision itself brings, or NULL. */
const struct pdf_object *pdf_file_brought(const struct pdf_file *, size_t revision, uint32_t number);

/*
 * What a value stands for after that revision: itself, or what its reference
 * leads to (once: a reference to a reference is malformed).  Type PDF_NULL for a reference to nothing.
 * *object, unless NULL, gets the object or NULL.
 */
int pdf_file_resolve(const struct pdf_file *, size_t revision, const struct pdf_value *, struct pdf_value *out,
    const struct pdf_object **object);

/* A key of a dictionary, resolved. */
int pdf_file_get(const struct pdf_file *, size_t revision, const struct pdf_value *dict, const char *key, struct pdf_value *out);

#endif
