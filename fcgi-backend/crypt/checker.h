#ifndef CRYPT_CHECKER_H
#define CRYPT_CHECKER_H

#include "crypt/keyclient.h"
#include "libicert/access_key.h"
#include "libicert/invoice.h"

#include <stdbool.h>

/*
 * The checker: a stranger's file is parsed in a child process without files, network or secrets.  Its answer is what it saw,
 * never a verdict; a captured child can lie, so nothing that protects may rest on it alone.
 */
struct checked {
	enum check_kind type;		/* CHECK_PDF, CHECK_JPEG, CHECK_PNG; CHECK_ANY: none of them */
	uint32_t flags;			/* CHECK_ENCRYPTED … of keyproto.h */
	uint32_t width, height;		/* pixels after EXIF rotation; 0 for a PDF */
	uint32_t pages;			/* of a PDF */
	bool encrypted, active, truncated, broken, too_big;	/* flags, spelt out */
	/* CHECK_FACE: the band along the left, upper and right border, 0 … 255 */
	uint32_t background_mean;	/* brightness: 255 is white */
	uint32_t background_deviation;	/* standard deviation: small is even */
	char printed[CHECK_PRINTED][ACCESS_KEY_DIGITS + 1];	/* CHECK_INVOICE: access keys that a PDF prints, where its text can be read; digits */
	size_t n_printed;
};

/*
 * Has the file looked at (fd readable from its start, at most 32 MiB; the caller keeps it).  out_fd gets a memfd with
 * the image encoded anew without metadata, or -1 (a PDF, a broken image, out_fd NULL); the caller closes
 * it, caps its size and sniffs it again, for it is still a stranger's bytes.
 * 0 also for a bad file: see the flags.  ICERT_E_CRASHED or ICERT_E_TIMEOUT when the file brought its child down: treat it as broken;
 * ICERT_E_UNAVAILABLE when the checker itself is down or silent.
 */
int checker_check(struct keyclient *, int fd, enum check_kind expected, enum check_purpose, struct checked *out, int *out_fd);

/*
 * Has the XML of an invoice or a credit note read (fd as above, at most 512 KiB), on the desk's socket.  0: *out is what it says, printable UTF-8 and
 * amounts not below zero whatever the child did; ICERT_E_MALFORMED: it is none, and *fault says why; else as above.
 */
int checker_invoice(struct keyclient *, int fd, struct invoice *out, struct invoice_fault *fault);

#endif
