#ifndef ICERT_PROCEDURE_NUMBER_H
#define ICERT_PROCEDURE_NUMBER_H
/*
 * Numbers that people read aloud: each ends in a check digit, ISO/IEC 7064
 * MOD 11,10, over the digits before it.
 */
#include <stddef.h>
#include <stdint.h>

#define NUMBER_TEXT 24
#define ECUADOR_OFFSET_S (-5 * 3600)	/* of the mainland, all year */

/* "17-2026-000123-4": province, year in Ecuador, sequence, check digit. */
void	number_case(int province, int64_t at, int64_t sequence, char out[NUMBER_TEXT]);
/* "P-2026-000123-4". */
void	number_purchase(int64_t at, int64_t sequence, char out[NUMBER_TEXT]);
/* "C-2026-000123-4". */
void	number_contract(int64_t at, int64_t sequence, char out[NUMBER_TEXT]);
/* Credential envelope: province (2) + 7 digits + check digit, "1700001238". */
void	number_envelope(int province, int64_t sequence, char out[NUMBER_TEXT]);

/* The digits of text, whatever stands between them, end in their check digit. */
int	number_valid(const char *text);
/* Check digit ('0'…'9') of n decimal digits. */
char	number_check_digit(const char *digits, size_t n);

#endif
