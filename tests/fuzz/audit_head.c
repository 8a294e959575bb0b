/* Signed heads of the audit log, as whoever verifies it is given them. */
#include "audit/head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t pub[32] = { 1 };
	struct audit_head head;
	char *text = malloc(len == 0 ? 1 : len);
	size_t used = 0;

	memcpy(text, data, len);
	if (head_parse(text, len, NULL, &head, &used) == 0 &&
	    (used == 0 || used > len || memchr(head.origin, '\0', sizeof(head.origin)) == NULL))
		abort();
	/* Nobody has signed with that key. */
	if (head_parse(text, len, pub, &head, &used) == 0)
		abort();
	free(text);
	return 0;
}
