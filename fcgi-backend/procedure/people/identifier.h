#ifndef ICERT_PROCEDURE_IDENTIFIER_H
#define ICERT_PROCEDURE_IDENTIFIER_H
/*
 * Identifiers of people, by arithmetic alone: no register is asked.  Texts are
 * taken as normalise_person() leaves them.  Each returns NULL when the text
 * is good, or the last part of a catalogue code: "length", "digits",
 * "province", "third_digit", "check_digit", "establishment", "characters".
 */
const char	*identifier_cedula(const char *text);
const char	*identifier_passport(const char *text);
/* A natural person's RUC: a good cédula and an establishment from 001. */
const char	*identifier_ruc_person(const char *text);
/* Any RUC (for an invoice): natural person, company (third digit 9) or public
 * body (6).  *doubtful is set when a company's check digit fails: newer ones
 * no longer obey it, so the page warns and takes it. */
const char	*identifier_ruc(const char *text, int *doubtful);

/* A telephone as typed ("099 123 4567", "+593…", "(02) 2-345-678") to E.164.
 * Returns NULL or "telephone". */
const char	*identifier_telephone(const char *text, char *out, unsigned long size);

/* An address of mail, RFC 5321's plain form.  NULL or "email". */
const char	*identifier_email(const char *text);

#endif
