#ifndef DOCUMENTS_ACCEPT_H
#define DOCUMENTS_ACCEPT_H

#include <stdint.h>

#include "crypt/checker.h"
#include "documents/store.h"

/*
 * Whether an uploaded file is taken: its extension, its first bytes and a
 * successful parse in icert-checker say the same; no active content, no
 * password.  An image is stored as the checker encoded it anew, without EXIF and
 * GPS; a PDF as it came.
 */
struct upload_facts {
	const char *spool;	/* "<worker>/<bare name>" */
	const char *name;	/* the person's file name, for its extension only */
	uint8_t sha256[32];	/* as the edge computed it */
	uint64_t size;		/* bytes, as the edge counted them */
};

struct accepted {
	char file[ID_TEXT];		/* the stored file's id */
	const char *type;		/* "application/pdf", "image/jpeg", "image/png" */
	uint64_t size;			/* of the stored plain bytes */
	uint8_t sha256[32];		/* of the stored plain bytes */
	uint8_t original_sha256[32];	/* of the bytes as they came */
	uint32_t width, height, pages;
	uint32_t background_mean, background_deviation;	/* CHECK_FACE */
	char printed[CHECK_PRINTED][ACCESS_KEY_DIGITS + 1];	/* CHECK_INVOICE: as checker.h has them */
	size_t n_printed;
	const char *reason;		/* a refusal's catalogue code, "upload.encrypted", …; NULL */
};

#define ACCEPT_OUTPUT_MAX (8u << 20)	/* bytes of an image encoded anew */

/*
 * 0: stored.  ICERT_E_INVALID: refused, reason says why ("upload.empty",
 * "upload.too_large", "upload.extension", "upload.type", "upload.encrypted",
 * "upload.active", "upload.truncated", "upload.broken", "upload.pixels",
 * "upload.photo_size").  ICERT_E_UNAVAILABLE: the checker is down; nothing was stored.
 */
int document_accept(const struct document_store *, struct keyclient *checker, const uint8_t key[32],
    const struct upload_facts *, enum check_kind expected, enum check_purpose, uint64_t limit,
    struct accepted *);

#endif
