#include <string.h>

#include "libicert/sniff.h"

static const struct {
	enum sniff_type	 type;
	size_t		 len;
	const char	*octets;
	const char	*name;
	const char	*media_type;
} signatures[] = {
	{ SNIFF_PDF, 5, "%PDF-", "pdf", "application/pdf" },
	{ SNIFF_JPEG, 3, "\xff\xd8\xff", "jpeg", "image/jpeg" },
	{ SNIFF_PNG, 8, "\x89PNG\r\n\x1a\n", "png", "image/png" },
};

#define SIGNATURES (sizeof(signatures) / sizeof(signatures[0]))

enum sniff_type
sniff(const uint8_t *p, size_t len)
{
	enum sniff_type	result = SNIFF_OTHER;
	size_t		n;

	for (size_t i = 0; i < SIGNATURES; i++) {
		n = len < signatures[i].len ? len : signatures[i].len;
		if (n != 0 && memcmp(p, signatures[i].octets, n) != 0)
			continue;
		if (n == signatures[i].len)
			return signatures[i].type;
		result = SNIFF_MORE;
	}
	return result;
}

const char *
sniff_name(enum sniff_type type)
{
	for (size_t i = 0; i < SIGNATURES; i++)
		if (signatures[i].type == type)
			return signatures[i].name;
	return "other";
}

enum sniff_type
sniff_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < SIGNATURES; i++)
		if (strlen(signatures[i].name) == len && memcmp(signatures[i].name, name, len) == 0)
			return signatures[i].type;
	return SNIFF_OTHER;
}

const char *
sniff_media_type(enum sniff_type type)
{
	for (size_t i = 0; i < SIGNATURES; i++)
		if (signatures[i].type == type)
			return signatures[i].media_type;
	return "application/octet-stream";
}
