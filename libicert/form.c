#include <string.h>

#include "libicert/form.h"
#include "libicert/utf8.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long
form_decode(char *text, size_t len, int plus)
{
	size_t	in = 0, out = 0;
	int	high, low;

	while (in < len) {
		if (text[in] == '%') {
			if (len - in < 3 || (high = hex(text[in + 1])) < 0 ||
			    (low = hex(text[in + 2])) < 0)
				return ICERT_E_MALFORMED;
			text[out] = (char)(high << 4 | low);
			in += 3;
		} else {
			text[out] = plus && text[in] == '+' ? ' ' : text[in];
			in++;
		}
		if (text[out++] == '\0')
			return ICERT_E_MALFORMED;
	}
	text[out] = '\0';
	return utf8_valid(text, out) ? (long)out : ICERT_E_MALFORMED;
}

void
form_init(struct form *f, char *body, size_t len, unsigned max_fields)
{
	f->p = body;
	f->end = body + len;
	f->left = max_fields;
}

int
form_next(struct form *f, struct form_field *field)
{
	char	*next, *equals;
	size_t	 len;
	long	 n;

	while (f->p < f->end && *f->p == '&')
		f->p++;
	if (f->p >= f->end)
		return 0;
	if (f->left-- == 0)
		return ICERT_E_TOO_LARGE;
	len = (size_t)(f->end - f->p);
	if ((next = memchr(f->p, '&', len)) == NULL)
		next = f->end;
	field->name = f->p;
	len = (size_t)(next - f->p);
	if ((equals = memchr(f->p, '=', len)) != NULL) {
		field->value = equals + 1;
		field->value_len = (size_t)(next - equals) - 1;
		field->name_len = (size_t)(equals - f->p);
	} else {
		field->value = next;
		field->value_len = 0;
		field->name_len = len;
	}
	f->p = next < f->end ? next + 1 : f->end;
	if ((n = form_decode(field->value, field->value_len, 1)) < 0)
		return (int)n;
	field->value_len = (size_t)n;
	if ((n = form_decode(field->name, field->name_len, 1)) < 0)
		return (int)n;
	field->name_len = (size_t)n;
	return 1;
}
