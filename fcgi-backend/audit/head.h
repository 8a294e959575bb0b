#ifndef ICERT_AUDIT_HEAD_H
#define ICERT_AUDIT_HEAD_H

#include <stdint.h>

#include "audit/tree.h"
#include "libicert/buf.h"

/*
 * A signed tree head, in the form of a C2SP checkpoint (tlog-checkpoint):
 *
 *	<origin>\n<size>\n<base64 of root>\ntime <UTC seconds>\n
 *	\n
 *	— <origin> <base64 of 4 bytes key hash and 64 bytes Ed25519>\n
 *
 * so that any tool for signed notes can check a head without this house.
 */
#define HEAD_ORIGIN_MAX 128

struct audit_head {
	char origin[HEAD_ORIGIN_MAX];  /* [audit] origin: name of the log and of its key */
	uint64_t size;                 /* leaves */
	uint8_t root[TREE_HASH];
	int64_t at;                    /* UTC seconds, real time */
};

struct head_key;    /* Ed25519, the clerk's alone */

/* Loads the PEM private key, making it (0600, with PATH.pub beside it for
 * verifiers) when the file does not exist.  Freed by head_key_free(). */
int	head_key_open(const char *path, struct head_key **key);
void	head_key_free(struct head_key *key);

/* Writes the public half (PEM, 0644) where it is not yet. */
int	head_key_publish(const struct head_key *key, const char *path);

/* Appends the signed note to out. */
int	head_sign(const struct head_key *key, const struct audit_head *head, struct buf *out);

/*
 * Reads one note at text; *used is its length.  With pub (32 raw bytes) the
 * signature is checked: ICERT_E_FORGED when it does not hold.
 */
int	head_parse(const char *text, size_t len, const uint8_t *pub, struct audit_head *head, size_t *used);

/* Reads the raw public key from PATH.pub (PEM). */
int	head_public(const char *path, uint8_t pub[32]);

#endif
