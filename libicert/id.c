#include "libicert/id.h"

#include "libicert/buf.h"
#include "libicert/error.h"

#include <string.h>

static int
dash_at(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void
id_text(const uint8_t raw[ID_RAW], char out[ID_TEXT])
{
	char hex[2 * ID_RAW + 1];
	int from = 0;

	bytes_to_hex(hex, raw, ID_RAW);
	for (int i = 0; i < ID_TEXT - 1; i++)
		out[i] = dash_at(i) ? '-' : hex[from++];
	out[ID_TEXT - 1] = 0;
}

int
id_raw(const char *text, uint8_t out[ID_RAW])
{
	char hex[2 * ID_RAW + 1];
	int to = 0;

	if (text == NULL || strlen(text) != ID_TEXT - 1)
		return ICERT_E_MALFORMED;
	for (int i = 0; i < ID_TEXT - 1; i++) {
		if (dash_at(i) != (text[i] == '-'))
			return ICERT_E_MALFORMED;
		if (text[i] != '-')
			hex[to++] = text[i];
	}
	hex[to] = 0;
	return bytes_from_hex(out, ID_RAW, hex);
}

int
id_valid(const char *text)
{
	uint8_t raw[ID_RAW];

	return id_raw(text, raw) == 0;
}

int
id_new(char out[ID_TEXT])
{
	uint8_t raw[ID_RAW];
	int error = bytes_random(raw, sizeof(raw));

	if (error != 0)
		return error;
	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
	id_text(raw, out);
	return 0;
}
