#ifndef PKI_OCSP_FORM_H
#define PKI_OCSP_FORM_H

#include "pki/ocsp_answer.h"

/*
 * A form for millions of answers: one that says good, composed once for its times and its hash, into which
 * serials are put.  What it does not fit (revoked, past its end, a serial whose DER has another length) is composed by
 * ocsp_answer_data(); the octets are the same.
 */
#define OCSP_FORM_MAX 320
#define OCSP_FORM_SERIAL 16

struct ocsp_form {
	uint8_t data[OCSP_FORM_MAX];	/* ResponseData, with some serial */
	size_t len, serial;		/* of it; where the serial's octets stand */
};

/* For answers of these times.  0, or the error of ocsp_answer_data(). */
int ocsp_form_init(struct ocsp_form *, const struct ocsp_template *, enum ocsp_hash, int64_t this_update, int64_t next_update);

/* Does it fit the answer for this one? */
int ocsp_form_fits(const struct ocsp_single *);

/* Appends the ResponseData for this serial, and writes its digest.  0, ICERT_E_CRYPTO, ICERT_E_MEMORY. */
int ocsp_form_data(const struct ocsp_form *, const uint8_t serial[OCSP_FORM_SERIAL], struct buf *data, uint8_t digest[32]);

#endif
