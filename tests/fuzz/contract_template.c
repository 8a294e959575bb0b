/* The text of a contract, and values in it that are strangers' words. */
#include "documents/contract_template.h"

#include "libicert/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
whole(const char *text)
{
	if (text != NULL && (!utf8_valid(text, strlen(text)) || strpbrk(text, "\n\r") != NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct contract_variable variables[] = { { "nombre", "# Ana {precio}\n- de Quito" }, { "precio", NULL } };
	struct contract_blocks *blocks = calloc(1, sizeof(*blocks));
	char *text = malloc(len + 1);
	size_t titles = 0;
	int error;

	memcpy(text, data, len);	/* one octet behind it is nobody's */
	text = realloc(text, len == 0 ? 1 : len);
	error = contract_blocks_make(text, len, variables, 2, blocks);
	if (blocks->n > CONTRACT_BLOCKS_MAX || (error == 0 && blocks->line != 0))
		abort();
	for (size_t i = 0; error == 0 && i < blocks->n; i++) {
		titles += blocks->list[i].kind == CONTRACT_TITLE;
		if (blocks->list[i].text == NULL || (blocks->list[i].kind == CONTRACT_ROW) != (blocks->list[i].label != NULL))
			abort();
		whole(blocks->list[i].text);
		whole(blocks->list[i].label);
	}
	if (error == 0 && titles != 1)
		abort();
	contract_blocks_free(blocks);
	free(blocks);
	free(text);
	return 0;
}
