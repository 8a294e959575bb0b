#ifndef LIBICERT_ACCESS_KEY_H
#define LIBICERT_ACCESS_KEY_H
/*
 * The access key of an electronic document of Ecuador's tax authority (SRI, ficha técnica de comprobantes electrónicos): 49 digits that
 * say when, what, by whom and with which number, and end in a check digit.
 */

#define ACCESS_KEY_DIGITS	49
#define ACCESS_KEY_INVOICE	"01"
#define ACCESS_KEY_CREDIT_NOTE	"04"

struct access_key {
	char	text[ACCESS_KEY_DIGITS + 1];
	char	day[11];		/* of issuance, "2026-11-23" */
	char	document[3];		/* "01": invoice; "04": credit note */
	char	ruc[14];		/* the issuer's */
	int	production;		/* else of the authority's trial environment */
	char	place[7];		/* establishment and point of issue */
	char	sequence[10];
	char	code[9];		/* numeric code, the issuer's own */
};

/*
 * Reads one.  0, or ICERT_E_MALFORMED: not 49 digits, a day that is none, an environment or a kind of issuance that does not exist;
 * ICERT_E_MISMATCH: the check digit is another.
 */
int	access_key_read(struct access_key *, const char *text);

/* The digit that ends a key which begins with these 48; '\0' when they are not 48 digits. */
char	access_key_check(const char *digits);

#endif
