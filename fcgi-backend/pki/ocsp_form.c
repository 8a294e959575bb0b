#include "pki/ocsp_form.h"
#include "libicert/error.h"

#include <string.h>

/* In no other place of an answer: neither a hash nor a time has it but by a chance of 2^-120. */
static const uint8_t marker[OCSP_FORM_SERIAL] = "\x5Aicert-serial-\xA5";

int
ocsp_form_init(struct ocsp_form *f, const struct ocsp_template *t, enum ocsp_hash hash, int64_t this_update, int64_t next_update)
{
	const struct ocsp_single single = { .serial = marker, .serial_len = sizeof(marker), .this_update = this_update,
	    .next_update = next_update };
	struct buf data = BUF_INIT;
	const uint8_t *found;
	uint8_t digest[32];
	int error;

	memset(f, 0, sizeof(*f));
	if ((error = ocsp_answer_data(t, hash, &single, &data, digest)) == 0) {
		found = memmem(data.p, data.len, marker, sizeof(marker));
		if (data.len > sizeof(f->data) || found == NULL) {
			error = ICERT_E_TOO_LARGE;
		} else {
			memcpy(f->data, data.p, data.len);
			f->len = data.len;
			f->serial = (size_t)(found - data.p);
		}
	}
	buf_free(&data);
	return error;
}

int
ocsp_form_fits(const struct ocsp_single *s)
{
	return !s->revoked && !s->ended && !s->not_issued && s->serial_len == OCSP_FORM_SERIAL && s->serial[0] > 0 && s->serial[0] < 0x80;
}

int
ocsp_form_data(const struct ocsp_form *f, const uint8_t serial[OCSP_FORM_SERIAL], struct buf *data, uint8_t digest[32])
{
	uint8_t *p = buf_room(data, f->len);

	if (p == NULL)
		return buf_error(data);
	memcpy(p, f->data, f->len);
	memcpy(p + f->serial, serial, OCSP_FORM_SERIAL);
	buf_took(data, f->len);
	return ocsp_digest(p, f->len, digest);
}
