/*
 * Writing the status store: one segment at a time, then the manifest.
 *
 * Order of a publication: write the new segment and CRL files (each becomes
 * visible under its final name only when whole and on disk), seal a manifest
 * with the next epoch that names them, put it in place; the files of the
 * manifest before the last may then be unlinked (readers keep their maps).
 *
 * Not for two writers at once in one folder: the publisher is one process.
 */
#ifndef LIBICERT_STATUS_WRITE_H
#define LIBICERT_STATUS_WRITE_H

#include <stdint.h>

#include "libicert/status.h"

struct status_writer;

/*
 * Starts a segment that will be called file in the folder dirfd (which must
 * stay open until finish or abort).  sequence_first and _last: the range of
 * status changes it contains, for the record; 0 when not known.
 * ICERT_E_SYSTEM, ICERT_E_MEMORY.
 */
int	status_writer_open(struct status_writer **, int dirfd, const char *file, uint64_t epoch,
	    uint64_t sequence_first, uint64_t sequence_last);

/* Discards the temporary file and frees the writer.  NULL is ignored. */
void	status_writer_abort(struct status_writer *);

/*
 * Adds an issuer: name_der is its subject Name as encoded in its certificate,
 * key_bits the octets of its subjectPublicKey BIT STRING without the octet of
 * unused bits (RFC 6960, 4.1.1).  Returns its number, the same for the same
 * issuer, or below zero.
 */
int	status_writer_issuer(struct status_writer *, const void *name_der, size_t name_len,
	    const void *key_bits, size_t key_len);

/* The same for an issuer of another segment, by its number there. */
int	status_writer_issuer_of(struct status_writer *, const struct status_segment *, unsigned issuer);

/*
 * Adds a tail: the certs field of a BasicOCSPResponse, [0] EXPLICIT SEQUENCE OF
 * Certificate with its tag and length, as it ends every answer of this
 * responder.  Returns its number, the same for the same octets, or below zero.
 */
int	status_writer_tail(struct status_writer *, const void *tail, size_t len);

/*
 * An answer to store: the OCSPResponse up to, not including, the certs field,
 * with the lengths of OCSPResponse, responseBytes, response and
 * BasicOCSPResponse already those of the whole.  len 0: none stored.
 */
struct status_answer_in {
	const void	*head;
	size_t		 len;
	unsigned	 tail;		/* number from status_writer_tail() */
};

struct status_record_in {
	unsigned		 issuer;	/* number from status_writer_issuer() */
	const uint8_t		*serial;	/* big-endian; leading zero octets are dropped */
	size_t			 serial_len;
	enum status_state	 state;
	int			 reason;	/* CRLReason or STATUS_NO_REASON */
	int64_t			 this_update;	/* UTC seconds */
	int64_t			 next_update;
	int64_t			 revoked_at;	/* 0: not revoked */
	struct status_answer_in	 answer[STATUS_ALGORITHMS];
};

/* Adds a record; its issuer and tails must have been added before. */
int	status_writer_record(struct status_writer *, const struct status_record_in *);

/*
 * Reads back some of what has been written: a part of the verification that status_writer_finish() would
 * else do at the end.  May be called by another thread than the one that adds records, one at a time, until that one finishes.
 */
int	status_writer_read_back(struct status_writer *);

/*
 * Builds the index, writes the header, syncs, verifies what was written,
 * renames into place and syncs the folder.  Fills *entry (kind, name as
 * given, file, size, times, digest) for the manifest.  Frees the writer in
 * every case, and removes its mark.  ICERT_E_EXISTS when a serial was added twice.
 */
int	status_writer_finish(struct status_writer *, const char *name, struct status_entry *entry);

/*
 * A segment that takes minutes can be left and taken up again: status_writer_mark() puts what has been
 * added so far on disk, with note (at most STATUS_NOTE_MAX octets, the caller's own place in its work);
 * after a crash status_writer_resume() gives the writer as it was then, and the note.  One such segment a
 * folder.  Resuming reads what is there once and refuses it with ICERT_E_MALFORMED if it is not what was marked;
 * ICERT_E_NOT_FOUND when nothing is left.  status_writer_leave() frees a writer and keeps what was marked;
 * status_writer_discard() removes what is left in a folder.
 */
#define STATUS_NOTE_MAX 128
#define STATUS_MARK_FILE "building"
int	status_writer_mark(struct status_writer *, const void *note, size_t len);
int	status_writer_resume(struct status_writer **, int dirfd, void *note, size_t *len);
void	status_writer_leave(struct status_writer *);
void	status_writer_discard(int dirfd);

/* Octets written so far, and records. */
uint64_t status_writer_size(const struct status_writer *);
uint64_t status_writer_records(const struct status_writer *);

/*
 * Puts a CRL or CA certificate into the folder under the name file: temporary
 * name, fsync, rename, fsync of the folder.  Fills *entry.
 */
int	status_write_file(int dirfd, enum status_kind, const char *name, const char *file,
	    const void *bytes, size_t len, int64_t this_update, int64_t next_update,
	    struct status_entry *entry);

/*
 * Encodes and seals m under the Ed25519 seed into out; *len is the room on
 * entry and the size on return.  ICERT_E_TOO_LARGE when out is too small
 * (STATUS_MANIFEST_MAX always suffices).
 */
int	status_manifest_seal(const struct status_manifest *m, const uint8_t seed[STATUS_SEAL_KEY],
	    uint8_t *out, size_t *len);

/* Seals m and puts it in place as STATUS_MANIFEST_FILE, durably. */
int	status_manifest_write(int dirfd, const struct status_manifest *m,
	    const uint8_t seed[STATUS_SEAL_KEY]);

/* The public key that belongs to a seed.  0, or ICERT_E_MALFORMED. */
int	status_seal_public(const uint8_t seed[STATUS_SEAL_KEY], uint8_t public_key[STATUS_SEAL_KEY]);

#endif
