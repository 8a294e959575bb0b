#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "libicert/der.h"
#include "libicert/ocsp_request.h"

/* DER built from the inside out: each call wraps what is there. */
struct piece {
	uint8_t	p[4096];
	size_t	len;
};

static void
put(struct piece *d, const void *p, size_t len)
{
	assert_true(d->len + len <= sizeof(d->p));
	memcpy(d->p + d->len, p, len);
	d->len += len;
}

static void
element(struct piece *d, int tag, const void *p, size_t len)
{
	uint8_t	head[4] = { (uint8_t)tag, (uint8_t)len };
	size_t	n = 2;

	if (len > 255) {
		head[1] = 0x82;
		head[2] = (uint8_t)(len >> 8);
		head[3] = (uint8_t)len;
		n = 4;
	} else if (len > 127) {
		head[1] = 0x81;
		head[2] = (uint8_t)len;
		n = 3;
	}
	put(d, head, n);
	put(d, p, len);
}

static void
wrap(struct piece *d, int tag)
{
	struct piece	out = { .len = 0 };

	element(&out, tag, d->p, d->len);
	*d = out;
}

enum { WITH_NULL = 1, SHA256_ID = 2, SHA384_ID = 4, SHORT_HASH = 8 };

static const uint8_t sha1_id[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
static const uint8_t sha256_id[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
static const uint8_t sha384_id[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 };

/* A Request with its CertID; serial is the INTEGER's content. */
static void
request(struct piece *list, int flags, const void *serial, size_t serial_len, const struct piece *extensions)
{
	static const uint8_t	hash[48] = { 7 };
	struct piece		algorithm = { .len = 0 }, id = { .len = 0 };
	size_t			len = flags & SHA384_ID ? 48 : flags & SHA256_ID ? 32 : 20;

	if (flags & SHA384_ID)
		element(&algorithm, DER_OID, sha384_id, sizeof(sha384_id));
	else if (flags & SHA256_ID)
		element(&algorithm, DER_OID, sha256_id, sizeof(sha256_id));
	else
		element(&algorithm, DER_OID, sha1_id, sizeof(sha1_id));
	if (flags & WITH_NULL)
		element(&algorithm, DER_NULL, "", 0);
	element(&id, DER_SEQUENCE, algorithm.p, algorithm.len);
	element(&id, DER_OCTET_STRING, hash, flags & SHORT_HASH ? len - 1 : len);
	element(&id, DER_OCTET_STRING, hash, len);
	element(&id, DER_INTEGER, serial, serial_len);
	wrap(&id, DER_SEQUENCE);
	if (extensions != NULL)
		put(&id, extensions->p, extensions->len);
	wrap(&id, DER_SEQUENCE);
	put(list, id.p, id.len);
}

/* The whole OCSPRequest from its list and what follows it in tbsRequest. */
static void
whole(struct piece *out, const struct piece *list, const struct piece *extensions)
{
	out->len = 0;
	element(out, DER_SEQUENCE, list->p, list->len);
	if (extensions != NULL)
		put(out, extensions->p, extensions->len);
	wrap(out, DER_SEQUENCE);
	wrap(out, DER_SEQUENCE);
}

/* [n] EXPLICIT Extensions with one extension. */
static void
extension(struct piece *out, int tag, const uint8_t *oid, size_t oid_len, int critical, const void *value, size_t len)
{
	out->len = 0;
	element(out, DER_OID, oid, oid_len);
	if (critical)
		element(out, DER_BOOLEAN, critical == 1 ? "\xff" : "\x00", 1);
	element(out, DER_OCTET_STRING, value, len);
	wrap(out, DER_SEQUENCE);
	wrap(out, DER_SEQUENCE);
	wrap(out, tag);
}

static int
parse(const struct piece *d, struct ocsp_request *r)
{
	/* In memory of its own size, so that a read beyond it is seen. */
	uint8_t	*copy = malloc(d->len);
	int	 rc;

	memcpy(copy, d->p, d->len);
	rc = ocsp_request_parse(r, copy, d->len);
	free(copy);
	return rc;
}

static void
test_one(void **state)
{
	struct piece		list, d;
	struct ocsp_request	r;

	(void)state;
	for (int flags = 0; flags < 4; flags++) {
		list.len = 0;
		request(&list, flags, "\x00\x81\x02", 3, NULL);
		whole(&d, &list, NULL);
		assert_int_equal(ocsp_request_parse(&r, d.p, d.len), 0);
		assert_int_equal(r.count, 1);
		assert_int_equal(r.certid[0].algorithm, flags & SHA256_ID ? STATUS_SHA256 : STATUS_SHA1);
		assert_int_equal(r.certid[0].serial_len, 2);
		assert_memory_equal(r.certid[0].serial, "\x81\x02", 2);
		assert_null(r.nonce);
	}
	list.len = 0;
	request(&list, SHA384_ID, "\x05", 1, NULL);
	whole(&d, &list, NULL);
	assert_int_equal(parse(&d, &r), 0);
	assert_int_equal(r.certid[0].algorithm, -1);
}

static void
test_serials(void **state)
{
	static const struct {
		const char	*content;
		size_t		 len;
		int		 rc;
	} cases[] = {
		{ "\x01", 1, 0 },
		{ "\x7f", 1, 0 },
		{ "\x00\x80", 2, 0 },
		{ "", 0, ICERT_E_MALFORMED },
		{ "\x00", 1, ICERT_E_MALFORMED },
		{ "\x80", 1, ICERT_E_MALFORMED },
		{ "\x00\x01", 2, ICERT_E_MALFORMED },
		{ "\x00\x00\x80", 3, ICERT_E_MALFORMED },
		{ "\x7f" "123456789012345678", 19, 0 },
		{ "\x7f" "1234567890123456789", 20, 0 },
		{ "\x7f" "12345678901234567890", 21, ICERT_E_MALFORMED },
		{ "\x00\x80" "1234567890123456789", 21, 0 },
		{ "\x00\x80" "12345678901234567890", 22, ICERT_E_MALFORMED },
	};
	struct piece		list, d;
	struct ocsp_request	r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		list.len = 0;
		request(&list, 0, cases[i].content, cases[i].len, NULL);
		whole(&d, &list, NULL);
		if (parse(&d, &r) != cases[i].rc)
			fail_msg("serial case %zu", i);
	}
}

static void
test_nonce(void **state)
{
	static const uint8_t	oid[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
	struct piece		list = { .len = 0 }, d, ext, inner;
	struct ocsp_request	r;
	uint8_t			octets[200] = { 0x30 };

	(void)state;
	request(&list, 0, "\x05", 1, NULL);
	for (size_t len = 0; len <= 130; len++) {
		inner.len = 0;
		element(&inner, DER_OCTET_STRING, octets, len);
		extension(&ext, 0xa2, oid, sizeof(oid), (int)(len & 1), inner.p, inner.len);
		whole(&d, &list, &ext);
		assert_int_equal(ocsp_request_parse(&r, d.p, d.len),
		    len >= 1 && len <= 128 ? 0 : ICERT_E_MALFORMED);
		if (len >= 1 && len <= 128)
			assert_int_equal(r.nonce_len, len);
	}
	/* Bare octets, as old clients send them. */
	extension(&ext, 0xa2, oid, sizeof(oid), 0, octets, 16);
	whole(&d, &list, &ext);
	assert_int_equal(ocsp_request_parse(&r, d.p, d.len), 0);
	assert_int_equal(r.nonce_len, 16);
	extension(&ext, 0xa2, oid, sizeof(oid), 0, octets, 0);
	whole(&d, &list, &ext);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
}

static void
test_extensions(void **state)
{
	static const uint8_t	unknown[] = { 0x2b, 0x06, 0x01, 0x04, 0x01 };
	static const uint8_t	locator[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x07 };
	struct piece		list = { .len = 0 }, d, ext;
	struct ocsp_request	r;

	(void)state;
	request(&list, 0, "\x05", 1, NULL);
	extension(&ext, 0xa2, unknown, sizeof(unknown), 0, "x", 1);
	whole(&d, &list, &ext);
	assert_int_equal(parse(&d, &r), 0);
	extension(&ext, 0xa2, unknown, sizeof(unknown), 1, "x", 1);
	whole(&d, &list, &ext);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
	/* DER leaves a default FALSE out. */
	extension(&ext, 0xa2, unknown, sizeof(unknown), 2, "x", 1);
	whole(&d, &list, &ext);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
	/* In the single request, too. */
	list.len = 0;
	extension(&ext, 0xa0, locator, sizeof(locator), 1, "x", 1);
	request(&list, 0, "\x05", 1, &ext);
	whole(&d, &list, NULL);
	assert_int_equal(parse(&d, &r), 0);
	list.len = 0;
	extension(&ext, 0xa0, unknown, sizeof(unknown), 1, "x", 1);
	request(&list, 0, "\x05", 1, &ext);
	whole(&d, &list, NULL);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
	/* An empty list of extensions is none. */
	list.len = 0;
	request(&list, 0, "\x05", 1, NULL);
	ext.len = 0;
	wrap(&ext, DER_SEQUENCE);
	wrap(&ext, 0xa2);
	whole(&d, &list, &ext);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
}

static void
test_count_and_form(void **state)
{
	struct piece		list = { .len = 0 }, d;
	struct ocsp_request	r;

	(void)state;
	whole(&d, &list, NULL);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
	for (unsigned n = 1; n <= OCSP_CERTIDS_MAX + 1; n++) {
		request(&list, 0, "\x05", 1, NULL);
		whole(&d, &list, NULL);
		assert_int_equal(parse(&d, &r), n <= OCSP_CERTIDS_MAX ? 0 : ICERT_E_MALFORMED);
	}
	list.len = 0;
	request(&list, SHORT_HASH, "\x05", 1, NULL);
	whole(&d, &list, NULL);
	assert_int_equal(parse(&d, &r), ICERT_E_MALFORMED);
	list.len = 0;
	request(&list, 0, "\x05", 1, NULL);
	whole(&d, &list, NULL);
	for (size_t len = 0; len < d.len; len++)
		assert_int_equal(ocsp_request_parse(&r, d.p, len), ICERT_E_MALFORMED);
	d.p[d.len] = 0;
	assert_int_equal(ocsp_request_parse(&r, d.p, d.len + 1), ICERT_E_MALFORMED);
}

static void
test_der(void **state)
{
	static const char	*const bad[] = {
		"\x30",			/* no length */
		"\x30\x80\x00\x00",	/* indefinite */
		"\x30\x81\x01\x00",	/* longer than needed */
		"\x30\x82\x00\x01",	/* leading zero */
		"\x30\x02\x00",		/* shorter than it says */
		"\x3f\x01\x00",		/* tag of several octets */
	};
	static const size_t	len[] = { 1, 4, 4, 4, 3, 3 };
	struct der		d, content;
	int			tag;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		der_init(&d, bad[i], len[i]);
		assert_int_equal(der_next(&d, &tag, &content, NULL), ICERT_E_MALFORMED);
		assert_int_equal(d.len, len[i]);
	}
}

/*
 * A right question with any octet missing, or any bit of it another: malformed, or it asks for another certificate, or
 * the bit stands where no CertID does.  Never the same question from another CertID.
 */
static void
test_turned(void **state)
{
	static const uint8_t	nonce[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
	struct piece		list = { .len = 0 }, extensions, right, turned;
	struct ocsp_request	r, was;
	uint8_t			*copy;
	size_t			 first;

	(void)state;
	request(&list, WITH_NULL, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8, NULL);
	extension(&extensions, DER_CONTEXT_CONSTRUCTED + 2, nonce, sizeof(nonce), 0, "\x04\x10" "0123456789abcdef", 18);
	whole(&right, &list, &extensions);
	assert_int_equal(ocsp_request_parse(&was, right.p, right.len), 0);
	first = right.len - extensions.len;
	for (size_t n = 0; n < right.len; n++) {
		turned = right;
		turned.len = n;
		assert_int_equal(parse(&turned, &r), ICERT_E_MALFORMED);
	}
	copy = malloc(right.len);
	for (size_t bit = 0; bit < right.len * 8; bit++) {
		memcpy(copy, right.p, right.len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (ocsp_request_parse(&r, copy, right.len) != 0 || r.certid[0].algorithm == -1)
			continue;
		assert_int_equal(r.count, 1);
		if (bit / 8 < first && r.certid[0].algorithm == STATUS_SHA1 && r.certid[0].serial_len == 8 &&
		    memcmp(r.certid[0].serial, was.certid[0].serial, 8) == 0 &&
		    memcmp(r.certid[0].name_hash, was.certid[0].name_hash, 20) == 0 &&
		    memcmp(r.certid[0].key_hash, was.certid[0].key_hash, 20) == 0)
			fail_msg("bit %zu of the CertID changes nothing", bit);
	}
	free(copy);
}

/* Every length of request, through base64 as a client would write its path. */
static void
test_path(void **state)
{
	uint8_t	octets[64], out[64];
	char	text[100], path[400];
	long	n;
	int	len;

	(void)state;
	for (int size = 1; size <= 64; size++) {
		for (int i = 0; i < size; i++)
			octets[i] = (uint8_t)(i * 37 + size + (i == 0 ? 0x30 : 0xf0));
		len = EVP_EncodeBlock((uint8_t *)text, octets, size);
		if (text[0] == '/')
			continue;
		n = ocsp_request_from_path(text, (size_t)len, out, sizeof(out), NULL);
		assert_int_equal(n, size);
		assert_memory_equal(out, octets, (size_t)size);
		/* Escaped, and with surplus slashes before it. */
		strcpy(path, "//");
		for (int i = 0; i < len; i++) {
			char	*end = path + strlen(path);

			if (strchr("+/=", text[i]) != NULL)
				strcpy(end, text[i] == '+' ? "%2B" : text[i] == '/' ? "%2f" : "%3D");
			else
				end[0] = text[i], end[1] = '\0';
		}
		n = ocsp_request_from_path(path, strlen(path), out, sizeof(out), NULL);
		assert_int_equal(n, size);
		assert_memory_equal(out, octets, (size_t)size);
		/* Without padding; a space for a plus. */
		while (len > 0 && text[len - 1] == '=')
			len--;
		for (int i = 0; i < len; i++)
			if (text[i] == '+')
				text[i] = ' ';
		n = ocsp_request_from_path(text, (size_t)len, out, sizeof(out), NULL);
		assert_int_equal(n, size);
		assert_memory_equal(out, octets, (size_t)size);
		assert_int_equal(ocsp_request_from_path(text, (size_t)len, out, (size_t)size - 1, NULL), ICERT_E_TOO_LARGE);
	}
	static const char	*const bad[] = {
		"", "/", "A", "AAAAA", "MA%", "MA%2", "MA%zz", "MA==A", "MA=", "MAA=A", "M*A=", "MB==", "MAB=", "MA%252B", "MA===",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ocsp_request_from_path(bad[i], strlen(bad[i]), out, sizeof(out), NULL) != ICERT_E_MALFORMED)
			fail_msg("%s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_count_and_form),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
