#include "procedure/order/invoice.h"

#include <string.h>

#include "libicert/access_key.h"
#include "libicert/error.h"
#include "procedure/people/name.h"

/* The tax authority's table of identifications; a foreigner's passport is a passport (06) or an identification from abroad (08). */
static const struct { const char *kind, *code, *other; } kinds[] = {
	{ "ruc", "04", NULL }, { "cedula", "05", NULL }, { "passport", "06", "08" }, { "consumer", "07", NULL },
};

static int
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const char *
key_differs(const struct invoice *v)
{
	struct access_key key;

	switch (access_key_read(&key, v->access_key)) {
	case 0:
		break;
	case ICERT_E_MISMATCH:
		return "access_key.check";
	default:
		return "access_key.form";
	}
	if (!is(key.document, v->document) || !is(key.ruc, v->ruc) || !is(key.place, v->place) || !is(key.sequence, v->sequence) ||
	    !is(key.day, v->day) || !is(key.production ? "2" : "1", v->environment))
		return "access_key.other";
	return NULL;
}

static int
kind_is(const char *kind, const char *code)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (is(kinds[i].kind, kind))
			return is(kinds[i].code, code) || (kinds[i].other != NULL && is(kinds[i].other, code));
	return 0;
}

/* Capitals without their accents: Á to A, Ñ to N. */
static void
plain(char *text)
{
	static const struct { unsigned char second; char letter; } letters[] = {
		{ 0x81, 'A' }, { 0x89, 'E' }, { 0x8d, 'I' }, { 0x93, 'O' }, { 0x9a, 'U' }, { 0x9c, 'U' }, { 0x91, 'N' },
	};
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		size_t i = 0, n = sizeof letters / sizeof letters[0];

		while ((unsigned char)*from == 0xc3 && i < n && letters[i].second != (unsigned char)from[1])
			i++;
		if ((unsigned char)*from == 0xc3 && i < n) {
			*to++ = letters[i].letter;
			from++;
		} else
			*to++ = *from;
	}
	*to = '\0';
}

/* Systems for accounts write names in capitals, and many without accents, whatever the payer typed. */
static int
name_is(const char *one, const char *other)
{
	char a[sizeof ((struct invoice *)0)->buyer_name], b[sizeof a];

	if (name_upper(one, a, sizeof a) != 0 || name_upper(other, b, sizeof b) != 0)
		return 0;
	plain(a);
	plain(b);
	return is(a, b);
}

/* The schema leaves the word free; nothing said is dollars. */
static int
currency_is_dollar(const char *said)
{
	static const char *const words[] = { "", "DOLAR", "DOLARES", "USD", NULL };

	for (int i = 0; words[i] != NULL; i++)
		if (is(said, words[i]) || (words[i][0] != '\0' && name_is(said, words[i])))
			return 1;
	return 0;
}

static const char *
buyer_differs(const struct invoice *v, const struct billing *b)
{
	if (!kind_is(b->id_kind, v->buyer_kind))
		return "buyer_kind";
	if (!is(b->id_number, v->buyer))
		return "buyer";
	return name_is(b->name, v->buyer_name) ? NULL : "buyer_name";
}

const char *
invoice_differs(const struct invoice *v, const struct invoice_due *due)
{
	const char *what;

	if ((what = key_differs(v)) != NULL)
		return what;
	if (!is(v->document, due->document))
		return "document";
	if (!is(v->ruc, due->ruc))
		return "issuer";
	if (!is(v->environment, due->production ? "2" : "1"))
		return "environment";
	if ((what = buyer_differs(v, due->billing)) != NULL)
		return what;
	if (!currency_is_dollar(v->currency))
		return "currency";
	if (v->net != due->net)
		return "net";
	if (v->tax != due->tax)
		return "tax";
	return v->total == due->total ? NULL : "total";
}
