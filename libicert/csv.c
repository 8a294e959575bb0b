#include <inttypes.h>
#include <string.h>

#include "libicert/csv.h"

void
csv_begin(struct csv *c, struct buf *out)
{
	c->out = out;
	c->within = 0;
	buf_puts(out, "\xef\xbb\xbf");
}

static void
next(struct csv *c)
{
	if (c->within)
		buf_putc(c->out, ',');
	c->within = 1;
}

void
csv_text(struct csv *c, const char *s)
{
	int quoted = s[strcspn(s, ",\"\r\n")] != '\0';

	next(c);
	if (quoted)
		buf_putc(c->out, '"');
	if (*s != '\0' && strchr("=+-@\t\r", *s) != NULL)
		buf_putc(c->out, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			buf_putc(c->out, '"');
		buf_putc(c->out, *s);
	}
	if (quoted)
		buf_putc(c->out, '"');
}

void
csv_number(struct csv *c, int64_t n)
{
	next(c);
	buf_printf(c->out, "%" PRId64, n);
}

void
csv_money(struct csv *c, int64_t cents)
{
	uint64_t n = cents < 0 ? -(uint64_t)cents : (uint64_t)cents;

	next(c);
	buf_printf(c->out, "%s%" PRIu64 ".%02u", cents < 0 ? "-" : "", n / 100, (unsigned)(n % 100));
}

void
csv_end(struct csv *c)
{
	buf_puts(c->out, "\r\n");
	c->within = 0;
}
