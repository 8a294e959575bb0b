#ifndef DOCUMENTS_STORE_H
#define DOCUMENTS_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"

/*
 * The encrypted file store, [paths] documents: one file a document, named by
 * its id below a folder of the id's first two digits.
 *
 *	"ICDOC001", then chunks: length (u32, little-endian) and a sealed form
 *	(libicert/sealed.h) of at most STORE_CHUNK plain bytes.
 *
 * A chunk's context is "document|chunk|<id>:<number>:<last>", so that none can be
 * dropped, moved or taken from another file.
 */
#define STORE_CHUNK (64 * 1024)

struct document_store {
	int root;	/* folder of encrypted files */
	int spool;	/* the edge's spool folder, -1 where none is read */
};

/* spool may be NULL.  0, or ICERT_E_SYSTEM with the folder that could not be opened in the log. */
int document_store_open(struct document_store *, const char *root, const char *spool);
void document_store_close(struct document_store *);

/*
 * Opens an uploaded file, "<worker>/<bare name>" of the edge's record: both
 * parts plain names, a regular file, links refused.  The caller closes *fd.
 * ICERT_E_MALFORMED for another form of name, ICERT_E_NOT_FOUND.
 */
int document_spool_open(const struct document_store *, const char *name, int *fd);

/* All of a file of at most limit bytes; ICERT_E_TOO_LARGE, ICERT_E_SYSTEM. */
int document_read(int fd, size_t limit, struct buf *out);

/*
 * Encrypts the bytes under the key and makes them durable (file and folder
 * fsynced) under a new id.  0, ICERT_E_SYSTEM, ICERT_E_CRYPTO, ICERT_E_MEMORY.
 */
int document_put(const struct document_store *, const uint8_t key[32], const void *bytes, size_t len,
    char id[ID_TEXT]);

/* The plain bytes, appended.  ICERT_E_NOT_FOUND, ICERT_E_FORGED (another key, or changed), ICERT_E_TRUNCATED. */
int document_get_bytes(const struct document_store *, const uint8_t key[32], const char *id, size_t limit,
    struct buf *out);

/* Unlinks a file; one that is not there is no error. */
int document_drop(const struct document_store *, const char *id);

#endif
