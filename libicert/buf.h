#ifndef LIBICERT_BUF_H
#define LIBICERT_BUF_H

#include <stdarg.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A growable run of bytes.  Failure is sticky: after one failed append every
 * later one does nothing, so a caller appends freely and asks once, at the
 * end, with buf_error().  One NUL always follows the bytes (it is not counted),
 * so buf_str() is a C string when no NUL was appended.  Memory that the buffer
 * gives up, on growing as on freeing, is wiped first: secrets may be put in it.
 */
struct buf {
	uint8_t *p;	/* NULL while empty */
	size_t len;	/* bytes in use */
	size_t cap;	/* bytes allocated, the NUL included */
	int failed;	/* 0, or the first error */
};

#define BUF_INIT { NULL, 0, 0, 0 }

/* No buffer grows above this; asking for more fails with ICERT_E_TOO_LARGE. */
#define BUF_MAX ((size_t)1 << 30)

void buf_init(struct buf *);
/* Wipes and frees; the buffer is empty and usable again.  NULL is allowed. */
void buf_free(struct buf *);
/* Wipes the bytes and forgets a failure, keeps the memory. */
void buf_reset(struct buf *);

/* Room for n more bytes: where to write them, NULL on failure.  buf_took() then counts them. */
uint8_t *buf_room(struct buf *, size_t n);
void buf_took(struct buf *, size_t n);

void buf_put(struct buf *, const void *, size_t);
void buf_putc(struct buf *, int);
void buf_puts(struct buf *, const char *);
void buf_printf(struct buf *, const char *, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *, const char *, va_list) __attribute__((format(printf, 2, 0)));
void buf_u16le(struct buf *, uint16_t);
void buf_u32le(struct buf *, uint32_t);
void buf_u64le(struct buf *, uint64_t);
void buf_u32be(struct buf *, uint32_t);
void buf_u64be(struct buf *, uint64_t);
/* Lower-case hexadecimal of the bytes. */
void buf_hex(struct buf *, const void *, size_t);

/* Marks the buffer as failed with this error, unless it failed before. */
void buf_fail(struct buf *, int error);
/* 0, or the first error. */
int buf_error(const struct buf *);
/* The bytes as a string, "" when empty; valid until the next append. */
const char *buf_str(const struct buf *);

/* Reading numbers off the wire. */
uint16_t get_u16le(const uint8_t *);
uint32_t get_u32le(const uint8_t *);
uint64_t get_u64le(const uint8_t *);
uint32_t get_u32be(const uint8_t *);
uint64_t get_u64be(const uint8_t *);

/* 1 when equal; takes the same time wherever they differ. */
int bytes_equal(const void *, const void *, size_t);
/* Fills with zeros in a way that the compiler keeps. */
void bytes_wipe(void *, size_t);
/* From the kernel's CSPRNG.  0 or ICERT_E_SYSTEM. */
int bytes_random(void *, size_t);
/* n bytes from 2n hexadecimal digits of either case.  0 or ICERT_E_MALFORMED. */
int bytes_from_hex(uint8_t *, size_t n, const char *hex);
/* n bytes to 2n lower-case digits and a NUL. */
void bytes_to_hex(char *hex, const uint8_t *, size_t n);

#endif
