/*
 * The XML of an invoice: what is read is text that fits and amounts that are not negative, passes from the checker to who asked unchanged, and is
 * read the same again with a byte order mark; what is not read has a cause.
 */
#include "checker/invoice.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
passes(const struct invoice *v)
{
	static struct message m;
	struct buf b = BUF_INIT;
	struct invoice told;

	message_begin(&b, 1, 0, 1);
	invoice_put(&b, v);
	if (message_finish(&b) != 0 || message_parse(&m, b.p, b.len, NULL) != 0 || invoice_get(&told, &m) != 0 || memcmp(v, &told, sizeof told) != 0)
		abort();
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct invoice_fault fault;
	struct invoice v, again;
	char *marked;
	int error = invoice_xml_read(&v, (const char *)data, len, &fault);

	if ((error == 0) != (fault.code[0] == '\0') || (fault.element[0] != '\0') != (strcmp(fault.code, "element") == 0))
		abort();
	if (error != 0)
		return 0;
	passes(&v);
	if (len + 3 > INVOICE_XML_MAX || (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0))
		return 0;
	if ((marked = malloc(len + 3)) == NULL)
		return 0;
	memcpy(marked, "\xef\xbb\xbf", 3);
	memcpy(marked + 3, data, len);
	if (invoice_xml_read(&again, marked, len + 3, &fault) != 0 || memcmp(&v, &again, sizeof v) != 0)
		abort();
	free(marked);
	return 0;
}
