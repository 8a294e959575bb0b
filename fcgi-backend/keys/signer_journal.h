#ifndef KEYS_SIGNER_JOURNAL_H
#define KEYS_SIGNER_JOURNAL_H

#include "keys/signer_revoked.h"
#include "libicert/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The signer's own record of everything it signed or refused: a text file that only
 * grows, each line linked to the one before by SHA-256, synced to disk before a
 * signature leaves the process.  It is what "one certificate a case" and the
 * hourly ceiling rest on, so neither the database nor a restore of it can change them.
 *
 *	SEQ TIME KIND NAME=VALUE … PREV HASH
 *
 * single spaces; PREV is the hash of the line before (64 zeros first), HASH the
 * SHA-256 of everything before it, the space included.  docs/signer-journal.md.
 */
struct journal;

enum journal_kind {
	JOURNAL_BEGIN,		/* a start of the program */
	JOURNAL_CERTIFICATE,
	JOURNAL_CRL,
	JOURNAL_RESPONDER,
	JOURNAL_REFUSED,
	JOURNAL_REVOKED		/* certificates that the list on the next line was the first to name */
};

/* What it keeps of a certificate. */
struct journal_certificate {
	uint8_t case_id[16];
	uint8_t serial[16];
	uint8_t order[32];	/* SHA-256 over serial, notBefore, fields and key: the order it answers */
	uint8_t spki[32];	/* SHA-256 */
};

/*
 * Makes a new journal with its first line: the ceremony's, once, never by itself (a signer that begins anew has
 * forgotten what it signed).  ICERT_E_EXISTS when there is one, ICERT_E_SYSTEM, ICERT_E_MEMORY, ICERT_E_CRYPTO.
 */
int journal_make(const char *path, int64_t time);

/*
 * Opens the file and reads it whole.  ICERT_E_NOT_FOUND: there is none; ICERT_E_FORGED also when it holds no line.  A last line without its end (a crash while
 * writing: it never left the process) is cut off; anything else that does not link is
 * ICERT_E_FORGED.  ICERT_E_SYSTEM, ICERT_E_MEMORY, ICERT_E_BUSY (another process has it open).
 */
int journal_open(struct journal **, const char *path);
void journal_close(struct journal *);

/*
 * Appends one line and syncs it.  text: further "name=value" words, "" for none, of printable
 * ASCII without a line break.  ICERT_E_SYSTEM: nothing may then leave the process.
 */
int journal_append(struct journal *, enum journal_kind, int64_t time, const char *text);
/* The same for a certificate. */
int journal_certificate(struct journal *, int64_t time, const struct journal_certificate *, const uint8_t *der, size_t len);
int journal_crl(struct journal *, int64_t time, uint64_t number, size_t entries, const uint8_t digest[32]);
/* Notes revocations that a list is the first to name, n of them, in as many lines as it takes. */
int journal_revoked(struct journal *, int64_t time, const struct revoked *, size_t n);

/*
 * How far it goes, for a witness elsewhere: the number of its last line and that line's hash.  What was witnessed is in the journal
 * still when journal_hash() of that number gives the same hash: 0, or ICERT_E_NOT_FOUND when it does not go so far.
 */
uint64_t journal_state(const struct journal *, uint8_t hash[32]);
int journal_hash(const struct journal *, uint64_t sequence, uint8_t hash[32]);

/* The certificate of a case: NULL when there is none.  Valid until the next append. */
const struct journal_certificate *journal_by_case(const struct journal *, const uint8_t case_id[16]);
const struct journal_certificate *journal_by_spki(const struct journal *, const uint8_t spki[32]);
const struct journal_certificate *journal_by_serial(const struct journal *, const uint8_t serial[16]);
/* Reads the certificate's DER back out of the file.  0, ICERT_E_SYSTEM, ICERT_E_MALFORMED. */
int journal_read(const struct journal *, const struct journal_certificate *, struct buf *der);

/* Certificates, or refusals, written in the hour before `now`. */
size_t journal_certificates_since(const struct journal *, int64_t since);
size_t journal_refusals_since(const struct journal *, int64_t since);
/* The number of the last CRL, 0 before the first, and when it was signed. */
uint64_t journal_crl_number(const struct journal *);
int64_t journal_crl_time(const struct journal *);
/* All that was ever signed as revoked, in the order of the serials.  Valid until the next append. */
const struct revoked_list *journal_revocations(const struct journal *);

#endif
