/* Form bodies, query strings and Cookie headers. */
#include "libicert/cookie.h"
#include "libicert/form.h"
#include "libicert/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct form f;
	struct form_field field;
	char *copy = malloc(len + 1);
	const char *value;
	size_t value_len;
	unsigned n = 0;

	memcpy(copy, data, len);
	copy[len] = '\0';
	if (cookie_find(copy, "s", &value, &value_len) == 1 &&
	    (value < copy || value + value_len > copy + len || memchr(value, ';', value_len) != NULL))
		abort();
	form_init(&f, copy, len, 16);
	while (form_next(&f, &field) == 1) {
		if (++n > 16 || field.name < copy || field.value < copy ||
		    field.value + field.value_len > copy + len ||
		    strlen(field.name) != field.name_len || strlen(field.value) != field.value_len ||
		    !utf8_valid(field.name, field.name_len) || !utf8_valid(field.value, field.value_len))
			abort();
	}
	free(copy);
	return 0;
}
