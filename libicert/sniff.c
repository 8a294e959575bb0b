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
	{ SNIFF_CSR_PEM, 35, "-----BEGIN CERTIFICATE REQUEST-----", "csr-pem", "application/pkcs10" },
	{ SNIFF_CSR_PEM, 39, "-----BEGIN NEW CERTIFICATE REQUEST-----", "csr-pem", "application/pkcs10" },
	{ SNIFF_CSR_DER, 0, "", "csr-der", "application/pkcs10" },	/* by csr_der() */
	{ SNIFF_TEXT, 0, "", "text", "text/plain" },			/* by sniff_text() */
};

#define SIGNATURES (sizeof(signatures) / sizeof(signatures[0]))

/*
 * The head of a DER SEQUENCE at p[*at]: 1 with *at behind it and its length in
 * *size, 0 when it goes on behind len, -1 when it is none.  Of at most 65535 octets.
 */
static int
der_sequence(const uint8_t *p, size_t len, size_t *at, size_t *size)
{
	size_t	n;

	if (*at == len)
		return 0;
	if (p[*at] != 0x30)
		return -1;
	if (++*at == len)
		return 0;
	*size = p[(*at)++];
	if (*size < 0x80)
		return 1;
	n = *size - 0x80;
	if (n != 1 && n != 2)
		return -1;
	for (*size = 0; n > 0; n--) {
		if (*at == len)
			return 0;
		*size = *size << 8 | p[(*at)++];
		if (*size == 0)
			return -1;
	}
	return *size < 0x80 ? -1 : 1;
}

/*
 * CertificationRequest { CertificationRequestInfo { version 0, subject Name …
 * The name is a SEQUENCE of SETs or empty; a certificate of the first version
 * with number 0 has a SEQUENCE that begins with an OID in its place.
 */
static enum sniff_type
csr_der(const uint8_t *p, size_t len)
{
	static const uint8_t	version[] = { 2, 1, 0 };
	size_t			outer, inner, name, at = 0;
	int			rv;

	if ((rv = der_sequence(p, len, &at, &outer)) == 1)
		rv = der_sequence(p, len, &at, &inner);
	if (rv != 1)
		return rv == 0 ? SNIFF_MORE : SNIFF_OTHER;
	if (inner >= outer)
		return SNIFF_OTHER;
	for (size_t i = 0; i < sizeof(version); i++, at++) {
		if (at == len)
			return SNIFF_MORE;
		if (p[at] != version[i])
			return SNIFF_OTHER;
	}
	if ((rv = der_sequence(p, len, &at, &name)) != 1)
		return rv == 0 ? SNIFF_MORE : SNIFF_OTHER;
	if (name >= inner)
		return SNIFF_OTHER;
	if (name == 0)
		return SNIFF_CSR_DER;
	if (at == len)
		return SNIFF_MORE;
	return p[at] == 0x31 ? SNIFF_CSR_DER : SNIFF_OTHER;
}

/* 1: octets stand there; 0: they may, with more; -1: they do not. */
static int
stands(const uint8_t *p, size_t len, const void *octets, size_t n, size_t offset)
{
	size_t	have = len <= offset ? 0 : len - offset;

	if (have > n)
		have = n;
	if (have != 0 && memcmp(p + offset, octets, have) != 0)
		return -1;
	return have == n;
}

/* What exactly these octets say. */
static enum sniff_type
decide(const uint8_t *p, size_t len, const struct sniff_magic *added, size_t n)
{
	enum sniff_type	result = csr_der(p, len);
	int		rv;

	if (result > SNIFF_OTHER)
		return result;
	for (size_t i = 0; i < SIGNATURES; i++) {
		if (signatures[i].len == 0)
			continue;
		rv = stands(p, len, signatures[i].octets, signatures[i].len, 0);
		if (rv == 1)
			return signatures[i].type;
		if (rv == 0)
			result = SNIFF_MORE;
	}
	for (size_t i = 0; i < n; i++) {
		rv = stands(p, len, added[i].octets, added[i].len, added[i].offset);
		if (rv == 1)
			return (enum sniff_type)(SNIFF_ADDED + i);
		if (rv == 0)
			result = SNIFF_MORE;
	}
	return result;
}

enum sniff_type
sniff_added(const uint8_t *p, size_t len, const struct sniff_magic *added, size_t n)
{
	enum sniff_type	result = SNIFF_MORE;

	for (size_t have = 1; have <= len && result == SNIFF_MORE; have++)
		result = decide(p, have, added, n);
	return result;
}

enum sniff_type
sniff(const uint8_t *p, size_t len)
{
	return sniff_added(p, len, NULL, 0);
}

enum sniff_type
sniff_text(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\r' && p[i] != '\n') || p[i] == 0x7f)
			return SNIFF_OTHER;
	return len < SNIFF_OCTETS ? SNIFF_MORE : SNIFF_TEXT;
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
