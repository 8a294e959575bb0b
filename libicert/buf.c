#include "libicert/buf.h"

#include "libicert/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void
buf_init(struct buf *b)
{
	memset(b, 0, sizeof(*b));
}

void
buf_free(struct buf *b)
{
	if (b == NULL)
		return;
	if (b->p != NULL) {
		bytes_wipe(b->p, b->cap);
		free(b->p);
	}
	buf_init(b);
}

void
buf_reset(struct buf *b)
{
	if (b->p != NULL)
		bytes_wipe(b->p, b->len);
	b->len = 0;
	b->failed = 0;
}

void
buf_fail(struct buf *b, int error)
{
	if (b->failed == 0)
		b->failed = error;
}

int
buf_error(const struct buf *b)
{
	return b->failed;
}

const char *
buf_str(const struct buf *b)
{
	return b->p == NULL ? "" : (const char *)b->p;
}

/* realloc could leave the old bytes behind in freed memory, so it is not used. */
static int
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? 64 : b->cap;
	uint8_t *p;

	while (cap < need)
		cap *= 2;
	p = malloc(cap);
	if (p == NULL)
		return ICERT_E_MEMORY;
	if (b->p != NULL) {
		memcpy(p, b->p, b->len);
		bytes_wipe(b->p, b->cap);
		free(b->p);
	}
	p[b->len] = 0;
	b->p = p;
	b->cap = cap;
	return 0;
}

uint8_t *
buf_room(struct buf *b, size_t n)
{
	int error;

	if (b->failed != 0)
		return NULL;
	if (n > BUF_MAX || b->len + n + 1 > BUF_MAX) {
		b->failed = ICERT_E_TOO_LARGE;
		return NULL;
	}
	if (b->len + n + 1 > b->cap && (error = grow(b, b->len + n + 1)) != 0) {
		b->failed = error;
		return NULL;
	}
	return b->p + b->len;
}

void
buf_took(struct buf *b, size_t n)
{
	if (b->failed != 0 || b->len + n + 1 > b->cap)
		return;
	b->len += n;
	b->p[b->len] = 0;
}

void
buf_put(struct buf *b, const void *data, size_t n)
{
	uint8_t *p = buf_room(b, n);

	if (p == NULL)
		return;
	if (n > 0)
		memcpy(p, data, n);
	buf_took(b, n);
}

void
buf_putc(struct buf *b, int c)
{
	uint8_t byte = (uint8_t)c;

	buf_put(b, &byte, 1);
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

#define PRINTF_GUESS 48

void
buf_vprintf(struct buf *b, const char *format, va_list ap)
{
	va_list again;
	uint8_t *p;
	size_t room;
	int n;

	/* Into the room that is there; formatted again only where it was too small. */
	if ((p = buf_room(b, PRINTF_GUESS)) == NULL)
		return;
	room = b->cap - b->len;
	va_copy(again, ap);
	n = vsnprintf((char *)p, room, format, again);
	va_end(again);
	if (n < 0) {
		*p = 0;
		buf_fail(b, ICERT_E_INVALID);
		return;
	}
	if ((size_t)n >= room) {
		*p = 0;
		if ((p = buf_room(b, (size_t)n)) == NULL)
			return;
		vsnprintf((char *)p, (size_t)n + 1, format, ap);
	}
	buf_took(b, (size_t)n);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vprintf(b, format, ap);
	va_end(ap);
}

static void
put_le(struct buf *b, uint64_t v, int n)
{
	uint8_t bytes[8];

	for (int i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	buf_put(b, bytes, (size_t)n);
}

static void
put_be(struct buf *b, uint64_t v, int n)
{
	uint8_t bytes[8];

	for (int i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_put(b, bytes, (size_t)n);
}

static uint64_t
get_le(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = n - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static uint64_t
get_be(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

void
buf_u16le(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_u32le(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_u64le(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
buf_u32be(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void
buf_u64be(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

uint16_t
get_u16le(const uint8_t *p)
{
	return (uint16_t)get_le(p, 2);
}

uint32_t
get_u32le(const uint8_t *p)
{
	return (uint32_t)get_le(p, 4);
}

uint64_t
get_u64le(const uint8_t *p)
{
	return get_le(p, 8);
}

uint32_t
get_u32be(const uint8_t *p)
{
	return (uint32_t)get_be(p, 4);
}

uint64_t
get_u64be(const uint8_t *p)
{
	return get_be(p, 8);
}

static const char hex_digits[] = "0123456789abcdef";

void
buf_hex(struct buf *b, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		buf_putc(b, hex_digits[p[i] >> 4]);
		buf_putc(b, hex_digits[p[i] & 15]);
	}
}

int
bytes_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(x[i] ^ y[i]);
	return diff == 0;
}

void
bytes_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

int
bytes_random(void *data, size_t n)
{
	uint8_t *p = data;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ICERT_E_SYSTEM;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
bytes_from_hex(uint8_t *out, size_t n, const char *hex)
{
	if (strlen(hex) != 2 * n)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(hex[2 * i]);
		int low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return ICERT_E_MALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void
bytes_to_hex(char *hex, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = hex_digits[p[i] >> 4];
		hex[2 * i + 1] = hex_digits[p[i] & 15];
	}
	hex[2 * n] = 0;
}
