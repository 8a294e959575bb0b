#ifndef LIBICERT_ID_H
#define LIBICERT_ID_H

#include <stdint.h>

/*
 * Identifiers are version 4 UUIDs (RFC 4122, section 4.4): 122 random bits, as
 * text of 36 lower-case characters in rows and pages, as 16 raw bytes in
 * messages between processes.
 */
#define ID_TEXT 37	/* with its NUL */
#define ID_RAW 16

/* A new id.  0, or ICERT_E_SYSTEM when the kernel gives no random bytes. */
int id_new(char out[ID_TEXT]);
/* Text to raw; upper-case digits are taken.  ICERT_E_MALFORMED for any other form; NULL is malformed. */
int id_raw(const char *text, uint8_t out[ID_RAW]);
/* Raw to text. */
void id_text(const uint8_t raw[ID_RAW], char out[ID_TEXT]);
/* 1 when id_raw() would take it. */
int id_valid(const char *text);

#endif
