#include <string.h>

#include "libicert/error.h"
#include "publish/answers.h"

static size_t
hashes_of(const struct answers *a)
{
	return a->hashes == (ANSWERS_SHA1 | ANSWERS_SHA256) ? 2 : 1;
}

size_t
answers_room(const struct answers *a)
{
	return (a->template->signature == OCSP_SHA256_RSA ? STATUS_BATCH_RSA : STATUS_BATCH) / hashes_of(a);
}

int64_t
answers_until(const struct ocsp_template *template, int64_t now, int64_t validity)
{
	return now + validity < template->responder_not_after ? now + validity : template->responder_not_after;
}

/* Made for each batch: the template's responder may be another one by then. */
static int
forms(struct answers *a)
{
	unsigned h;
	int error = 0;

	for (h = 0; h < OCSP_HASHES && error == 0; h++)
		if (a->hashes & 1U << h)
			error = ocsp_form_init(&a->form[h], a->template, h, a->this_update, a->next_update);
	return error;
}

static int
compose(struct answers *a, size_t *count)
{
	struct ocsp_single single = { .this_update = a->this_update, .next_update = a->next_update };
	size_t i, start;
	unsigned h;
	int error;

	*count = 0;
	buf_reset(&a->data);
	if ((error = forms(a)) != 0)
		return error;
	for (i = 0; i < a->n; i++) {
		single.serial = a->status[i].serial;
		single.serial_len = sizeof(a->status[i].serial);
		single.revoked = a->status[i].revoked;
		single.ended = a->status[i].not_after != 0 && a->status[i].not_after <= a->this_update;
		single.reason = a->status[i].reason;
		/* One of the second after this batch was begun must not wait for the next. */
		single.revoked_at = a->status[i].revoked_at < a->this_update ? a->status[i].revoked_at : a->this_update;
		for (h = 0; h < OCSP_HASHES; h++) {
			if ((a->hashes & 1U << h) == 0)
				continue;
			start = a->data.len;
			if (ocsp_form_fits(&single))
				error = ocsp_form_data(&a->form[h], single.serial, &a->data, a->digest[*count]);
			else
				error = ocsp_answer_data(a->template, h, &single, &a->data, a->digest[*count]);
			if (error != 0)
				return error;
			a->data_len[(*count)++] = a->data.len - start;
		}
	}
	return 0;
}

int
answers_make(struct answers *a, struct keyclient *signer)
{
	size_t i, count, at = 0, start;
	int error;

	buf_reset(&a->head);
	if (a->n == 0)
		return 0;
	if ((error = compose(a, &count)) != 0 ||
	    (error = status_signer_sign_as(signer, a->template->certificate_sha256, count, (const uint8_t (*)[32])a->digest, a->signature)) != 0)
		return error;
	for (i = 0; i < count; i++) {
		start = a->head.len;
		if ((error = ocsp_answer_head(a->template, a->data.p + at, a->data_len[i], a->signature[i].bytes,
		    a->signature[i].len, &a->head)) != 0)
			return error;
		a->head_len[i] = a->head.len - start;
		at += a->data_len[i];
	}
	return 0;
}

int
answers_write(const struct answers *a, struct status_writer *w, unsigned issuer, unsigned tail)
{
	struct status_record_in record = { .issuer = issuer, .this_update = a->this_update, .next_update = a->next_update };
	const struct cert_status *s;
	const uint8_t *head = a->head.p;
	size_t i, next = 0;
	int error = 0;
	unsigned h;

	for (i = 0; i < a->n && error == 0; i++) {
		s = &a->status[i];
		record.serial = s->serial;
		record.serial_len = sizeof(s->serial);
		record.state = s->revoked ? STATUS_REVOKED : STATUS_GOOD;
		record.reason = s->revoked ? s->reason : STATUS_NO_REASON;
		record.revoked_at = s->revoked ? s->revoked_at : 0;
		for (h = 0; h < OCSP_HASHES; h++) {
			record.answer[h].len = 0;
			if ((a->hashes & 1U << h) == 0)
				continue;
			record.answer[h].head = head;
			record.answer[h].len = a->head_len[next];
			record.answer[h].tail = tail;
			head += a->head_len[next++];
		}
		error = status_writer_record(w, &record);
	}
	return error;
}

void
answers_free(struct answers *a)
{
	buf_free(&a->head);
	buf_free(&a->data);
}

int
answers_begin(const struct ocsp_template *t, struct status_writer *w, unsigned *issuer, unsigned *tail)
{
	int i = status_writer_issuer(w, t->issuer_name.p, t->issuer_name.len, t->issuer_key.p, t->issuer_key.len);
	int n = i < 0 ? i : status_writer_tail(w, t->tail.p, t->tail.len);

	if (n < 0)
		return n;
	*issuer = (unsigned)i;
	*tail = (unsigned)n;
	return 0;
}
