/* Bank statements: whatever is given out is money that came in on a day that there is, in printable text; the same twice. */
#include "libicert/statement.h"
#include "libicert/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct sum {
	unsigned lines;
	int64_t	 cents;
};

static int
take(void *arg, const struct statement_line *l)
{
	struct sum *s = arg;

	if (l->cents <= 0 || l->cents > INT64_C(100000000000000) || l->record == 0 || strlen(l->day) != 10 || l->day[4] != '-' ||
	    l->day[7] != '-' || strlen(l->text) > STATEMENT_FIELD || strlen(l->reference) > STATEMENT_REFERENCE ||
	    !utf8_text(l->text, strlen(l->text)) || !utf8_text(l->reference, strlen(l->reference)))
		abort();
	s->lines++;
	s->cents += l->cents;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char decimal = len > 0 && (data[0] & 8) ? ',' : '.';
	const struct statement_profile *p = &statement_profiles[len > 0 ? data[0] & 3 : 0];
	struct sum one = { 0, 0 }, two = { 0, 0 };
	unsigned record, again;
	int rc;

	if (len == 0)
		return 0;
	rc = statement_read(data + 1, len - 1, p, decimal, take, &one, &record);
	if (statement_read(data + 1, len - 1, p, decimal, take, &two, &again) != rc || again != record || one.lines != two.lines ||
	    one.cents != two.cents || (rc == 0 && record != 0))
		abort();
	return 0;
}
