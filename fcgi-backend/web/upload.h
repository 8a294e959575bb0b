#ifndef WEB_UPLOAD_H
#define WEB_UPLOAD_H

#include "crypt/keyclient.h"
#include "documents/accept.h"
#include "procedure/application/application.h"
#include "procedure/application/document.h"
#include "web/request.h"

/* A file that came with a form: checked, kept under the key of its case or order, and its row. */

/*
 * Reads what the edge has put aside, has it checked and stores it; what is
 * known of it goes into *got.  ICERT_E_INVALID with got->reason (a key of the
 * catalogue) when the file is refused.  key: the data key's id; limit in bytes.
 */
int upload_store(struct act *, const struct document_store *, struct keyclient *checker, const char *key,
    const struct upload *, enum check_purpose, uint64_t limit, struct accepted *got);

/*
 * The bytes of an upload as they came, for what is judged later: at most limit, hashed again; upload_pdf: a PDF by its
 * first bytes.  ICERT_E_INVALID with *reason, a key of the catalogue.
 */
int upload_bytes(const struct document_store *, const struct upload *, uint64_t limit, struct buf *out, const char **reason);
int upload_pdf(const struct document_store *, const struct upload *, uint64_t limit, struct buf *out, const char **reason);

/* The document's row for it, in the request's arena; NULL without memory. */
struct document *upload_row(struct request *, const struct application *, const char *kind, const struct accepted *got);

/*
 * After document_add() has failed: drops the file, unless the database may have
 * kept the row all the same (no answer came).  Then the sweep drops it, if at all.
 */
void upload_undo(const struct document_store *, const struct accepted *got, int error);

#endif
