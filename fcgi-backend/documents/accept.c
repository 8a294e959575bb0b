#include <openssl/sha.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "documents/accept.h"
#include "libicert/error.h"
#include "libicert/sniff.h"

/* The published text: "un tamaño de 600 por 500 pixeles o de mayores dimensiones". */
#define FACE_WIDTH	600
#define FACE_HEIGHT	500

static int
refuse(struct accepted *a, const char *reason)
{
	a->reason = reason;
	return ICERT_E_INVALID;
}

/* Whether a document may be of it: a certificate request is none. */
static bool
document_type(enum sniff_type type)
{
	return type == SNIFF_PDF || type == SNIFF_JPEG || type == SNIFF_PNG;
}

/* What an extension claims; SNIFF_MORE when there is none. */
static enum sniff_type
claimed(const char *name)
{
	const char *dot = name != NULL ? strrchr(name, '.') : NULL;

	if (dot == NULL)
		return SNIFF_MORE;
	if (strcasecmp(dot, ".pdf") == 0)
		return SNIFF_PDF;
	if (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0)
		return SNIFF_JPEG;
	if (strcasecmp(dot, ".png") == 0)
		return SNIFF_PNG;
	return SNIFF_OTHER;
}

static const char *
reason_of(const struct checked *c)
{
	if (c->flags & CHECK_OTHER)
		return "upload.type";
	if (c->encrypted)
		return "upload.encrypted";
	if (c->active)
		return "upload.active";
	if (c->truncated)
		return "upload.truncated";
	if (c->too_big)
		return "upload.pixels";
	if (c->broken)
		return "upload.broken";
	if (c->flags & CHECK_UNEXPECTED)
		return "upload.kind";
	return NULL;
}

/* Puts what is kept into bytes: the original PDF, or the image made anew. */
static int
checked_bytes(struct keyclient *checker, int fd, enum check_kind expected, enum check_purpose purpose,
    struct accepted *a, struct buf *bytes)
{
	struct checked c;
	int out = -1;
	int rv = checker_check(checker, fd, expected, purpose, &c, &out);

	if (rv == ICERT_E_CRASHED || rv == ICERT_E_TIMEOUT)
		return refuse(a, "upload.broken");
	if (rv != 0)
		return rv;
	a->width = c.width;
	a->height = c.height;
	a->pages = c.pages;
	a->background_mean = c.background_mean;
	a->background_deviation = c.background_deviation;
	memcpy(a->printed, c.printed, sizeof(a->printed));
	a->n_printed = c.n_printed;
	if (reason_of(&c) != NULL)
		rv = refuse(a, reason_of(&c));
	else if (purpose == CHECK_FACE && (c.width < FACE_WIDTH || c.height < FACE_HEIGHT))
		rv = refuse(a, "upload.photo_size");
	else if (c.type != CHECK_PDF && out < 0)
		rv = refuse(a, "upload.broken");
	if (rv == 0 && out >= 0) {
		/* Still a stranger's bytes: capped, and sniffed again below. */
		buf_reset(bytes);
		rv = document_read(out, ACCEPT_OUTPUT_MAX, bytes);
	}
	if (out >= 0)
		close(out);
	return rv;
}

static int
accept_fd(const struct document_store *store, struct keyclient *checker, const uint8_t key[32],
    const struct upload_facts *u, int fd, enum check_kind expected, enum check_purpose purpose,
    uint64_t limit, struct accepted *a, struct buf *bytes)
{
	enum sniff_type type, claim = claimed(u->name);
	int rv = document_read(fd, limit, bytes);

	if (rv == ICERT_E_TOO_LARGE)
		return refuse(a, "upload.too_large");
	if (rv != 0)
		return rv;
	if (bytes->len == 0)
		return refuse(a, "upload.empty");
	SHA256(bytes->p, bytes->len, a->original_sha256);
	if (memcmp(a->original_sha256, u->sha256, sizeof(u->sha256)) != 0)
		return ICERT_E_MISMATCH;
	type = sniff(bytes->p, bytes->len);
	if (!document_type(type))
		return refuse(a, "upload.type");
	if (claim != SNIFF_MORE && claim != type)
		return refuse(a, "upload.extension");
	if ((rv = checked_bytes(checker, fd, expected, purpose, a, bytes)) != 0)
		return rv;
	type = sniff(bytes->p, bytes->len);
	if (!document_type(type))
		return refuse(a, "upload.broken");
	a->type = sniff_media_type(type);
	a->size = bytes->len;
	SHA256(bytes->p, bytes->len, a->sha256);
	return document_put(store, key, bytes->p, bytes->len, a->file);
}

int
document_accept(const struct document_store *store, struct keyclient *checker, const uint8_t key[32],
    const struct upload_facts *u, enum check_kind expected, enum check_purpose purpose, uint64_t limit,
    struct accepted *a)
{
	struct buf bytes = BUF_INIT;
	int fd, rv;

	memset(a, 0, sizeof(*a));
	if (u->size == 0)
		return refuse(a, "upload.empty");
	if (u->size > limit)
		return refuse(a, "upload.too_large");
	if ((rv = document_spool_open(store, u->spool, &fd)) != 0)
		return rv;
	rv = accept_fd(store, checker, key, u, fd, expected, purpose, limit, a, &bytes);
	buf_free(&bytes);
	close(fd);
	return rv;
}
