/*
 * The path of an OCSP GET: whatever is taken is base64 that an encoder makes, percent-decoded once; and what else may be
 * taken for it (escapes, a space, no padding) is the same question.
 */
#include "libicert/ocsp_request.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define ROOM	1024

/* The octets percent-encoded, each of them, behind a slash too many. */
static size_t
escaped(char *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789aBcDeF";
	char *p = out;

	*p++ = '/';
	for (size_t i = 0; i < len; i++) {
		*p++ = '%';
		*p++ = hex[(unsigned char)text[i] >> 4];
		*p++ = hex[(unsigned char)text[i] & 15];
	}
	return (size_t)(p - out);
}

static void
same(const char *path, size_t len, const uint8_t *octets, long n, int unpadded)
{
	uint8_t again[ROOM];
	int how = -1;

	if (ocsp_request_from_path(path, len, again, sizeof(again), &how) != n || how != unpadded ||
	    memcmp(again, octets, (size_t)n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *out = malloc(ROOM);
	char text[ROOM * 2], path[ROOM * 6];
	int unpadded = -1;
	long n = ocsp_request_from_path((const char *)data, len, out, ROOM, &unpadded);
	size_t digits;

	if (n == 0 || n > ROOM || (n > 0 && unpadded != 0 && unpadded != 1))
		abort();
	if (n > 0) {
		digits = (size_t)EVP_EncodeBlock((unsigned char *)text, out, (int)n);
		same(text, digits, out, n, 0);
		if (text[0] != '/')
			same(path, escaped(path, text, digits), out, n, 0);
		for (size_t i = 0; i < digits; i++)
			if (text[i] == '+')
				text[i] = ' ';
		while (digits > 0 && text[digits - 1] == '=')
			digits--;
		same(text, digits, out, n, digits % 4 != 0);
		/* One octet less of room is too little, and said so. */
		if (ocsp_request_from_path(text, digits, out, (size_t)n - 1, NULL) != ICERT_E_TOO_LARGE)
			abort();
	}
	free(out);
	return 0;
}
