#include "libicert/csr.h"

#include <string.h>

/* 1.2.840.113549.1.1 and, in its last octet, what of it. */
static const uint8_t pkcs1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01 };
#define RSA_ENCRYPTION	1
#define SHA256_RSA	11
#define SHA384_RSA	12
#define SHA512_RSA	13

/* Which algorithm of PKCS #1, 0 for another one. */
static int
pkcs1_algorithm(const struct der *oid)
{
	return oid->len == sizeof(pkcs1) + 1 && memcmp(oid->p, pkcs1, sizeof(pkcs1)) == 0 ? oid->p[sizeof(pkcs1)] : 0;
}

/* The contents of an AlgorithmIdentifier: its OID, and whether the parameters are a NULL (1), absent (0) or something else (2). */
static int
read_algorithm(struct der algorithm, struct der *oid, int *parameters)
{
	struct der	rest;

	if (der_take(&algorithm, DER_OID, oid) != 0 || oid->len == 0)
		return ICERT_E_MALFORMED;
	*parameters = 0;
	if (der_empty(&algorithm))
		return 0;
	if (der_take_optional(&algorithm, DER_NULL, &rest) == 1)
		*parameters = rest.len == 0 && der_empty(&algorithm) ? 1 : 2;
	else
		*parameters = 2;
	return 0;
}

/* A BIT STRING of whole octets. */
static int
take_octets(struct der *d, struct der *octets)
{
	if (der_take(d, DER_BIT_STRING, octets) != 0 || octets->len < 2 || octets->p[0] != 0)
		return ICERT_E_MALFORMED;
	octets->p++;
	octets->len--;
	return 0;
}

/* RFC 3279, 2.3.1: rsaEncryption with NULL, then RSAPublicKey. */
static int
read_key(struct csr *out, struct der spki)
{
	struct der	algorithm, oid, bits, key;
	int		parameters;

	if (der_take(&spki, DER_SEQUENCE, &algorithm) != 0 || read_algorithm(algorithm, &oid, &parameters) != 0 ||
	    take_octets(&spki, &bits) != 0 || !der_empty(&spki))
		return ICERT_E_MALFORMED;
	if (pkcs1_algorithm(&oid) != RSA_ENCRYPTION)
		return ICERT_E_UNSUPPORTED;
	if (parameters != 1 || der_take(&bits, DER_SEQUENCE, &key) != 0 || !der_empty(&bits))
		return ICERT_E_MALFORMED;
	if (der_take_positive(&key, &out->modulus) != 0 || der_take_positive(&key, &out->exponent) != 0 || !der_empty(&key))
		return ICERT_E_MALFORMED;
	return out->modulus.len > CSR_MODULUS_MAX || out->exponent.len > out->modulus.len ? ICERT_E_UNSUPPORTED : 0;
}

/* RFC 2986, 4.1.  Some software leaves the empty attributes out; they say nothing here either way. */
static int
read_info(struct csr *out, struct der info)
{
	struct der	version, name, spki, attributes;
	const uint8_t	*begin;
	int		rc;

	if (der_take(&info, DER_INTEGER, &version) != 0 || version.len != 1 || version.p[0] != 0 ||
	    der_take(&info, DER_SEQUENCE, &name) != 0)
		return ICERT_E_MALFORMED;
	begin = info.p;
	if (der_take(&info, DER_SEQUENCE, &spki) != 0)
		return ICERT_E_MALFORMED;
	out->spki.p = begin;
	out->spki.len = (size_t)(info.p - begin);
	if ((rc = read_key(out, spki)) != 0)
		return rc;
	if (der_take_optional(&info, DER_CONTEXT_CONSTRUCTED, &attributes) < 0 || !der_empty(&info))
		return ICERT_E_MALFORMED;
	return 0;
}

static int
read_signature(struct csr *out, struct der algorithm)
{
	struct der	oid;
	int		parameters;

	if (read_algorithm(algorithm, &oid, &parameters) != 0)
		return ICERT_E_MALFORMED;
	switch (pkcs1_algorithm(&oid)) {
	case SHA256_RSA:
		out->digest = CSR_SHA256;
		break;
	case SHA384_RSA:
		out->digest = CSR_SHA384;
		break;
	case SHA512_RSA:
		out->digest = CSR_SHA512;
		break;
	default:
		return ICERT_E_UNSUPPORTED;
	}
	/* RFC 4055, 5: a NULL is written, its absence accepted. */
	return parameters == 2 ? ICERT_E_MALFORMED : 0;
}

int
csr_parse(struct csr *out, const uint8_t *p, size_t len)
{
	struct der	all, request, info, algorithm;
	const uint8_t	*begin;
	int		rc;

	memset(out, 0, sizeof(*out));
	if (len > CSR_MAX)
		return ICERT_E_TOO_LARGE;
	der_init(&all, p, len);
	if (der_take(&all, DER_SEQUENCE, &request) != 0 || !der_empty(&all))
		return ICERT_E_MALFORMED;
	begin = request.p;
	if (der_take(&request, DER_SEQUENCE, &info) != 0)
		return ICERT_E_MALFORMED;
	out->info.p = begin;
	out->info.len = (size_t)(request.p - begin);
	if (der_take(&request, DER_SEQUENCE, &algorithm) != 0 || take_octets(&request, &out->signature) != 0 ||
	    !der_empty(&request))
		return ICERT_E_MALFORMED;
	if ((rc = read_info(out, info)) != 0 || (rc = read_signature(out, algorithm)) != 0)
		return rc;
	return out->signature.len == out->modulus.len ? 0 : ICERT_E_MALFORMED;
}

/* ---- PEM ---- */

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ";
static const char *const labels[] = { "CERTIFICATE REQUEST-----", "NEW CERTIFICATE REQUEST-----" };

/* The place behind a line that is mark and label, or NULL. */
static const uint8_t *
marked(const uint8_t *p, const uint8_t *end, const char *mark, const char *label)
{
	size_t	n = strlen(mark), m = strlen(label);

	if ((size_t)(end - p) < n + m || memcmp(p, mark, n) != 0 || memcmp(p + n, label, m) != 0)
		return NULL;
	for (p += n + m; p < end && *p != '\n'; p++)
		if (*p != ' ' && *p != '\t' && *p != '\r')
			return NULL;
	return p;
}

/* The first line from p on that is mark and label; *after is the place behind it. */
static const uint8_t *
find_line(const uint8_t *p, const uint8_t *end, const char *mark, const char *label, const uint8_t **after)
{
	while (p < end) {
		if ((*after = marked(p, end, mark, label)) != NULL)
			return p;
		if ((p = memchr(p, '\n', (size_t)(end - p))) == NULL)
			return NULL;
		p++;
	}
	return NULL;
}

static int
digit(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int
decode(const uint8_t *p, const uint8_t *end, struct buf *out)
{
	uint32_t	bits = 0;
	size_t		n = 0, padding = 0;
	int		value;

	for (; p < end; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
			continue;
		if (*p == '=') {
			padding++;
			continue;
		}
		if (padding != 0 || (value = digit(*p)) < 0)
			return ICERT_E_MALFORMED;
		bits = bits << 6 | (uint32_t)value;
		if (++n % 4 == 0) {
			buf_putc(out, (int)(bits >> 16 & 0xff));
			buf_putc(out, (int)(bits >> 8 & 0xff));
			buf_putc(out, (int)(bits & 0xff));
			bits = 0;
		}
	}
	/* RFC 4648, 3.5: the bits that are left over are zeros. */
	if ((n + padding) % 4 != 0 || padding > 2 || n == 0)
		return ICERT_E_MALFORMED;
	if (padding == 1) {
		buf_putc(out, (int)(bits >> 10 & 0xff));
		buf_putc(out, (int)(bits >> 2 & 0xff));
	} else if (padding == 2) {
		buf_putc(out, (int)(bits >> 4 & 0xff));
	}
	if ((padding == 1 && (bits & 3) != 0) || (padding == 2 && (bits & 15) != 0))
		return ICERT_E_MALFORMED;
	return buf_error(out);
}

int
csr_unarmour(const uint8_t *p, size_t len, struct buf *out)
{
	const uint8_t	*end, *from, *to, *after;
	size_t		i;

	if (len > CSR_TEXT_MAX)
		return ICERT_E_TOO_LARGE;
	if (len > 0 && p[0] == DER_SEQUENCE) {
		buf_put(out, p, len);
		return buf_error(out);
	}
	end = p + len;
	for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (find_line(p, end, begin_mark, labels[i], &from) == NULL)
			continue;
		if ((to = find_line(from, end, end_mark, labels[i], &after)) == NULL ||
		    find_line(after, end, begin_mark, labels[i], &after) != NULL)
			return ICERT_E_MALFORMED;
		return decode(from, to, out);
	}
	return ICERT_E_MALFORMED;
}
