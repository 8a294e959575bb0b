#ifndef KEYS_KEEPER_RECORD_H
#define KEYS_KEEPER_RECORD_H

#include "keys/keeper.h"
#include "keys/folder.h"
#include "libicert/approval.h"
#include "libicert/buf.h"
#include "libicert/id_list.h"

/*
 * Inside the keeper only: its keys, and the records of its folder.
 */
struct keeper {
	uint8_t wrap_key[32];		/* data keys */
	uint8_t lookup_key[32];		/* keyed hashes */
	uint8_t approval_key[32];	/* Ed25519, private */
	uint8_t record_key[32];		/* the records below */
	uint8_t approval_public[32];
	int dir_fd;
	int totp_fd;
	int delivery_fd;
	int64_t (*now)(void);
	int64_t delivery_seconds;
	struct id_list destroyed;	/* kinds below */
	struct approved {		/* the last approvals, in no order: a desk that died before it heard asks again */
		uint8_t digest[32];	/* of kind, staff, case, fields and code, keyed */
		int64_t at;		/* 0: none */
	} approved[32];
	unsigned approvals;
};

/* Kinds of destroyed ids. */
#define DESTROYED_DATAKEY 'k'
#define DESTROYED_DELIVERY 'd'
#define DESTROYED_SPENT 's'	/* an opening code that is worthless: its tries are used up, or a new one was made */

#define RECORD_NAME FOLDER_NAME

/*
 * A record of a folder of ours.  read: appended to out; 0, ICERT_E_NOT_FOUND, ICERT_E_FORGED, ICERT_E_MALFORMED, ICERT_E_SYSTEM.
 * write: when it returns 0 the record is on the disk, whole, under its name.  unlink: overwritten, unlinked,
 * synced; one that is not there is no error.
 */
int record_read(const struct keeper *, int folder, const char *name, struct buf *out);
int record_write(const struct keeper *, int folder, const char *name, const void *, size_t);
int record_unlink(const struct keeper *, int folder, const char *name);

/* The keyed hash under a label; "person" and "email" normalise first.  0, ICERT_E_INVALID, ICERT_E_CRYPTO. */
int keeper_hash(const struct keeper *, const char *label, const char *text, uint8_t out[32]);
/* Checks and uses up a code; the person hash of that staff member.  tries as in serve.h. */
int totp_use(struct keeper *, const uint8_t staff[16], const char *code, int *tries);
/* The code of a request.  0, ICERT_E_CODE_WRONG (not digits), those of message_string(). */
int totp_code(const struct message *, char code[TOTP_DIGITS + 1]);
/* passport: zeros when none is noted. */
int totp_person(struct keeper *, const uint8_t staff[16], uint8_t person[32], uint8_t passport[32]);

/* The handlers, by file. */
int keeper_on_datakey_new(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_datakey_unwrap(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_datakey_destroy(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_lookup(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_totp_verify(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_totp_enrol(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_totp_last(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_staff_passport(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_totp_forget(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_accept(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_approve(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_delivery_new(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_delivery_get(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_delivery_destroy(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_envelope_new(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_opening_code_take(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_opening_code_told(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_envelope_open(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_envelope_renew(void *, const struct serve_request *, struct serve_reply *);
int keeper_on_envelope_done(void *, const struct serve_request *, struct serve_reply *);

/* Destroys what is due: opened envelopes after their half hour, deliveries that are too old, what a crash left behind. */
void keeper_purge(void *);

#endif
