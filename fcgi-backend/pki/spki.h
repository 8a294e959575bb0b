#ifndef PKI_SPKI_H
#define PKI_SPKI_H

#include <stddef.h>
#include <stdint.h>

/*
 * SubjectPublicKeyInfo (RFC 5280, 4.1.2.7): identifiers of a key, and whether
 * a key is fit to be certified.
 */
#define SPKI_KEY_ID 20

/* The subjectPublicKey's octets, without the octet of unused bits; points into spki.  0 or ICERT_E_MALFORMED. */
int spki_bits(const uint8_t *spki, size_t len, const uint8_t **bits, size_t *bits_len);

/* SHA-1 of those octets (RFC 5280, 4.2.1.2, method 1).  0, ICERT_E_MALFORMED, ICERT_E_CRYPTO. */
int spki_key_id(const uint8_t *spki, size_t len, uint8_t id[SPKI_KEY_ID]);

/*
 * Is it an RSA key of exactly `bits` bits that may be certified?  Refused: another
 * algorithm or parameters than rsaEncryption with NULL, trailing bytes or
 * non-canonical DER, an exponent other than 65537, an even modulus or one with a
 * factor below 1000, the fingerprint of Infineon's RSALib (CVE-2017-15361),
 * factors so close that Fermat's method finds them in 100 rounds.
 * 0 or ICERT_E_INVALID; *why then names the rule and its source (static storage).
 */
int spki_check_rsa(const uint8_t *spki, size_t len, int bits, const char **why);

/*
 * The same for a person's key: 2048 bits for one that we make, 2048, 3072 or 4096
 * for one made in a token.  bits (may be NULL) receives the size of a good key.
 */
int spki_check_holder(const uint8_t *spki, size_t len, int in_token, int *bits, const char **why);

/* The same for an EC key on P-256, uncompressed. */
int spki_check_p256(const uint8_t *spki, size_t len, const char **why);

#endif
