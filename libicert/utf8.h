/*
 * UTF-8 as RFC 3629 defines it: shortest forms only, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef LIBICERT_UTF8_H
#define LIBICERT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the first code point of p[0..len).  Returns its octets (1 to 4), or
 * 0 when len is 0 or the octets are not UTF-8.
 */
size_t	utf8_decode(const void *p, size_t len, uint32_t *code_point);

/* 1 when all of it is UTF-8 (the empty run is), else 0. */
int	utf8_valid(const void *p, size_t len);

/* 1 when it is UTF-8 without NUL and controls (C0, DEL, C1), else 0. */
int	utf8_printable(const void *p, size_t len);

/* 1 when it is UTF-8 without controls other than tab, CR and LF, else 0. */
int	utf8_text(const void *p, size_t len);

/* Code points in valid UTF-8; undefined for anything else. */
size_t	utf8_length(const void *p, size_t len);

/* Copies into out[size] what fits of valid UTF-8, with a NUL, and splits no code point. */
void	utf8_cut(char *out, size_t size, const char *text);

/* The longest prefix of valid UTF-8 of at most max octets that splits no code point. */
size_t	utf8_prefix(const void *p, size_t len, size_t max);

#endif
