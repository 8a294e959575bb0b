#include "libicert/invoice.h"

#include <stddef.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "libicert/utf8.h"

#define TEXT(field) { offsetof(struct invoice, field), sizeof ((struct invoice *)0)->field }

static const struct { size_t at, size; } texts[INVOICE_TEXTS] = {
	TEXT(access_key), TEXT(document), TEXT(environment), TEXT(ruc), TEXT(place), TEXT(sequence), TEXT(day), TEXT(buyer_kind), TEXT(buyer),
	TEXT(buyer_name), TEXT(currency), TEXT(modifies),
};

void
invoice_put(struct buf *out, const struct invoice *v)
{
	for (size_t i = 0; i < INVOICE_TEXTS; i++)
		message_put_string(out, TAG_TEXT, (const char *)v + texts[i].at);
	message_put_number(out, TAG_NUMBER, (uint64_t)v->net);
	message_put_number(out, TAG_NUMBER, (uint64_t)v->tax);
	message_put_number(out, TAG_NUMBER, (uint64_t)v->total);
}

int
invoice_get(struct invoice *v, const struct message *m)
{
	int64_t *const amounts[INVOICE_AMOUNTS] = { &v->net, &v->tax, &v->total };

	memset(v, 0, sizeof *v);
	if (message_count(m, TAG_TEXT) != INVOICE_TEXTS || message_count(m, TAG_NUMBER) != INVOICE_AMOUNTS)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < INVOICE_TEXTS; i++) {
		const struct message_field *f = message_get(m, TAG_TEXT, i);

		if (f->len >= texts[i].size || !utf8_printable((const char *)f->p, f->len))
			return ICERT_E_MALFORMED;
		memcpy((char *)v + texts[i].at, f->p, f->len);
	}
	for (size_t i = 0; i < INVOICE_AMOUNTS; i++) {
		const struct message_field *f = message_get(m, TAG_NUMBER, i);

		if (f->len != 8 || (*amounts[i] = (int64_t)get_u64le(f->p)) < 0)
			return ICERT_E_MALFORMED;
	}
	return 0;
}
