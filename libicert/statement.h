/*
 * A bank's statement of account as CSV (RFC 4180, with the separators that
 * spreadsheet programs write): strict, so that nothing is taken for money that
 * does not clearly say so.  UTF-8, or Windows-1252 where it is not UTF-8.
 */
#ifndef LIBICERT_STATEMENT_H
#define LIBICERT_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#define STATEMENT_RECORDS	20000	/* most records of one file */
#define STATEMENT_COLUMNS	32
#define STATEMENT_FIELD		400	/* octets of one field, as UTF-8 */
#define STATEMENT_REFERENCE	64

/* In which order a bank writes its columns; from 0, -1: there is none. */
struct statement_profile {
	const char	*name;
	int		 columns;	/* at least so many */
	int		 day, reference, text, amount;
	int		 kind;		/* says "C" or "D" (or a word that begins so): only credits count */
	int		 debit;		/* filled for what went out; the amount is empty then */
};
extern const struct statement_profile statement_profiles[];	/* ends with a name of NULL */

/* The profile of that name, or NULL. */
const struct statement_profile *statement_profile(const char *name);

/* One credit. */
struct statement_line {
	unsigned	record;		/* from 1, the heading counted */
	char		day[11];	/* YYYY-MM-DD, a day that there is */
	int64_t		cents;		/* > 0 */
	char		reference[STATEMENT_REFERENCE + 1];
	char		text[STATEMENT_FIELD + 1];
};

/*
 * Gives each credit to each(), in the file's order; what went out is left out.
 * decimal: ',' or '.', the other one groups thousands.  The first record may be
 * a heading.  *record: where it was wrong, 0 for the whole.  ICERT_E_MALFORMED; ICERT_E_MISMATCH: the heading names other columns than the profile;
 * ICERT_E_TOO_LARGE above a limit; what each() returns other than 0 ends it.
 * Before an error credits may have been given: they count only if all is good.
 */
int	statement_read(const void *bytes, size_t len, const struct statement_profile *, char decimal,
	    int (*each)(void *arg, const struct statement_line *), void *arg, unsigned *record);

#endif
