#include "keys/responder_word.h"
#include "libicert/error.h"

#include <string.h>

#define DOMAIN "icert-responder-v1"
#define DOMAIN_LEN (sizeof(DOMAIN) - 1)
#define WORD_LEN (4 + DOMAIN_LEN + 4 + 32 + 4 + 8)

static uint8_t *
put(uint8_t *p, const void *bytes, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (8 * (3 - i)));
	memcpy(p + 4, bytes, n);
	return p + 4 + n;
}

int
responder_word_build(const struct responder_word *word, struct statement *out)
{
	uint8_t time[8], *p = out->bytes;

	if (word->time < 0)
		return ICERT_E_INVALID;
	for (int i = 0; i < 8; i++)
		time[i] = (uint8_t)((uint64_t)word->time >> (8 * (7 - i)));
	p = put(p, DOMAIN, DOMAIN_LEN);
	p = put(p, word->spki_sha256, 32);
	put(p, time, 8);
	out->len = WORD_LEN;
	return 0;
}

int
responder_word_parse(const struct statement *in, struct responder_word *word)
{
	struct statement again;

	if (in->len != WORD_LEN)
		return ICERT_E_MALFORMED;
	memcpy(word->spki_sha256, in->bytes + 4 + DOMAIN_LEN + 4, 32);
	word->time = (int64_t)get_u64be(in->bytes + WORD_LEN - 8);
	/* One value has one form: what it would be written as is what it must be. */
	if (responder_word_build(word, &again) != 0 || memcmp(again.bytes, in->bytes, WORD_LEN) != 0)
		return ICERT_E_MALFORMED;
	return 0;
}
