/* Messages between processes: any packet, against the rules of the operation that it names. */
#include "libicert/keyproto.h"
#include "libicert/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct message m;
	const struct keyproto_spec *spec;
	char text[64];
	uint8_t bytes[32];

	if (message_parse(&m, data, len, NULL) != 0)
		return 0;
	spec = keyproto_find(m.op);
	if (spec != NULL) {
		message_check(&m, spec->request);
		message_check(&m, spec->reply);
	}
	message_check(&m, keyproto_error_reply);
	for (size_t i = 0; i < m.n; i++) {
		const struct message_field *f = &m.field[i];

		/* every field lies inside the packet, and is found again */
		if (f->p < data || f->p + f->len > data + len || message_get(&m, f->tag, 0) == NULL)
			abort();
		message_number(&m, f->tag, 0);
		message_string(&m, f->tag, text, sizeof(text));
		message_bytes(&m, f->tag, bytes, sizeof(bytes));
	}
	return 0;
}
