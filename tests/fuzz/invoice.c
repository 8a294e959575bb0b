/* The XML of an invoice: whatever is read is text that fits, amounts are not negative, and it is read the same again with a byte order mark. */
#include "checker/invoice.h"

#include "libicert/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n == size || !utf8_printable(s, n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct invoice v, again;
	char *marked;

	if (invoice_xml_read(&v, (const char *)data, len) != 0)
		return 0;
	text(v.access_key, sizeof v.access_key);
	text(v.place, sizeof v.place);
	text(v.buyer, sizeof v.buyer);
	text(v.buyer_name, sizeof v.buyer_name);
	text(v.currency, sizeof v.currency);
	if (v.net < 0 || v.tax < 0 || v.total < 0)
		abort();
	if (len + 3 > INVOICE_XML_MAX || (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0))
		return 0;
	if ((marked = malloc(len + 3)) == NULL)
		return 0;
	memcpy(marked, "\xef\xbb\xbf", 3);
	memcpy(marked + 3, data, len);
	if (invoice_xml_read(&again, marked, len + 3) != 0 || memcmp(&v, &again, sizeof v) != 0)
		abort();
	free(marked);
	return 0;
}
