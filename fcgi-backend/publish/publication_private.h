#ifndef PUBLISH_PUBLICATION_PRIVATE_H
#define PUBLISH_PUBLICATION_PRIVATE_H
/*
 * The publisher's state, shared by the files of its round: publication.c (what a round is), publication_ca.c (responders),
 * publication_set.c (files and manifest), publication_changes.c, publication_stop.c (a thread of its own), publication_crl.c.
 */
#include <pthread.h>

#include "crypt/signer.h"
#include "libicert/config.h"
#include "publish/base.h"
#include "publish/edge_probe.h"
#include "publish/publication.h"
#include "publish/revocations.h"
#include "publish/status_rows.h"

#define PUBLICATION_PATH 512
#define PUBLICATION_CHANGES 5000	/* taken up in one round */

/* What the administrator may ask the running publisher for. */
enum asked { ASKED_NOTHING, ASKED_PUBLISH, ASKED_BASE };

/* What a step last ended with: an error is told when it begins, when it changes and when it ends. */
enum step { STEP_RESPONDER, STEP_DATABASE, STEP_ANSWERS, STEP_BASE, STEP_CRL, STEP_WRITE, STEP_EDGE, STEP_JOURNAL, STEPS };

/* One list of a CA: the complete one, or a partition. */
struct crl_list {
	char name[ISSUER_NAME];		/* in the set */
	struct status_crl crl;
	struct buf der;
	int owed;			/* a revocation is not in it */
};

/* One issuing CA. */
struct ca {
	unsigned number;
	enum issuer_state state;
	char name[ISSUER_NAME];		/* of its certificate, in the set */
	struct buf der;
	struct edge_probe *probe;
	struct ocsp_template template;
	int has_template;
	int64_t responder_tried;
	int64_t shift;			/* of the test clock when its responder's certificate was made */
	struct revocations revocations;
	int witness_told;		/* that its journal was cut back */
	int64_t crl_number;		/* the last, over all its lists */
	unsigned partitions;
	struct crl_list list[1 + CRL_PARTITIONS_MAX];	/* the complete one first */
};

struct publication {
	const struct config *config;
	char conninfo[PUBLICATION_PATH];
	struct db *db, *listener;
	int listening;
	struct keyclient signer, status_signer;
	struct buf root, arl;
	int64_t arl_seen;		/* inode of the file: a ceremony puts another in its place */
	struct ca ca[ISSUERS_MAX];
	struct segments_ca names[ISSUERS_MAX];	/* theirs, as the segments are asked */
	size_t cas;
	int dirfd;
	uint8_t seed[STATUS_SEAL_KEY];

	int64_t validity, refresh, crl_validity, crl_refresh, beat, rotate;	/* seconds */
	unsigned hashes, threads;

	/*
	 * Whoever has it may look at the set and change it: manifest, segments, lists.  The round has it, but for where it waits for
	 * somebody: a signer, the database, the edge, a disk that writes a delta.
	 */
	pthread_mutex_t lock;
	struct stopper *stopper;
	int stoppable;			/* there is a set that the stopper may change */
	int stopped;			/* it has, since the changes in hand were read */
	char writing[STATUS_FILE_MAX + 1];	/* the delta that is being signed */
	int heard;			/* something was announced meanwhile */

	struct segments segments;	/* of the manifest in place */
	int mapped;
	struct base *base;		/* being built; NULL */
	int64_t base_tried, base_failed;	/* of the last one that failed, and how often in a row */
	char finished_file[STATUS_FILE_MAX + 1];	/* the newest segment when nothing of an ended CA was left to sign */

	struct status_change changes[PUBLICATION_CHANGES];
	size_t n;			/* changes not seen at the edge yet */
	size_t refused, refused_told;	/* of them: would take a revocation back */
	struct answers answers;

	int remembered;			/* what the signer once signed as revoked is among them */
	int settled;			/* the set in place calls none of them good */
	int loaded;			/* revocations and lists are those of the database and of the published set */

	struct status_manifest manifest, before;
	uint64_t edge_epoch;		/* an edge once took that one: no set of it or an earlier one would be taken */
	int has_manifest;
	int dirty;			/* CRL or responder differ from what the manifest names */

	int admin, asker;		/* listening socket and the one who asks; -1: none */
	enum asked asked;
	int asked_crl, asked_base;	/* a list, a base, now */
	int64_t asked_since, asked_told;	/* monotonic ms */
	uint64_t asked_epoch, asked_confirmed;
	uint64_t confirmed;		/* changes that the edge was seen to answer with, since the start */
	size_t open;			/* at the beginning of this round */
	int64_t witness_ms;		/* monotonic: when the journals are looked at again */
	int last[STEPS];
};

/* Whether the journals of the signer hold what was witnessed of them; what is new is.  ICERT_E_FORGED: one was cut back. */
int	publication_witness(struct publication *, int64_t now);
/* A step as the log names it. */
const char *publication_step_name(enum step);

/* Tells of an error when it begins, changes or ends; returns it. */
int	publication_note(struct publication *, enum step, int error, const char *detail);

/* A file of [paths] ca, appended to out.  0, or the error after telling it in the log. */
int	publication_read(const struct config *, const char *name, struct buf *out);
/* Opens the CAs: certificates, names.  0, or the error after telling it in the log. */
int	publication_cas_open(struct publication *);
void	publication_cas_free(struct publication *);
/* The place of the CA with this number; p->cas: this publisher knows none. */
size_t	publication_place(const struct publication *, unsigned number);
/* A responder's certificate for each CA that has none, or whose own is near its end. */
void	publication_responders(struct publication *, int64_t now);
/* Every CA has one. */
int	publication_can_sign(const struct publication *);
/* The status signer has other keys than was thought: they are asked for again. */
void	publication_responders_forget(struct publication *);
/* When an answer of this CA that is given now ends. */
int64_t	publication_until(const struct publication *, const struct ca *, int64_t now);

/* Maps what the manifest in place names; a set that cannot be read is told and begun anew. */
void	publication_map(struct publication *);
/*
 * Puts a manifest in place that names these segments, newest first, and all other files; what neither it nor the
 * one before names is removed.  0 or the store's error.
 */
int	publication_write(struct publication *, const struct status_entry *segments, size_t n, int64_t now);
/* The same with one or two more in front; where `instead` says so the first of those in place goes. */
int	publication_push(struct publication *, const struct status_entry *, size_t n, int instead, int64_t now);
/* Seals the manifest in place again when it is time. */
int	publication_beat(struct publication *, int64_t now);
/* Makes one delta of many. */
int	publication_compact(struct publication *, int64_t now);
/* Is there a base?  Before the first one nothing is put in place: what it lacks would be called unknown. */
int	publication_has_base(const struct publication *);
/* Begins a base when it is time, takes one over when it is ready. */
int	publication_base(struct publication *, int64_t now);
/* A name for a segment: never used before. */
void	publication_file(char out[STATUS_FILE_MAX + 1], const char *kind, uint64_t epoch, int64_t now);

#define PUBLICATION_CHANNEL "icert_status"
/* Has a change been announced since it was last asked?  It waits for nothing. */
int	publication_heard(struct publication *);
/* The round waits for somebody: the set is not its own until it comes back. */
void	publication_leave(struct publication *);
void	publication_come_back(struct publication *);
/*
 * The thread that stops what was revoked from being good, whatever the round waits for.  0, ICERT_E_MEMORY, ICERT_E_SYSTEM.
 * It listens for itself; publication_stopper_close() ends it.
 */
int	publication_stopper_open(struct publication *);
void	publication_stopper_close(struct publication *);
/* All that is revoked and open in the database is pending or revoked in the set afterwards; with the set left. */
int	publication_stop(struct publication *, struct db *, int64_t now);
/*
 * Without a signature, at once: the edge stops saying good of those of todo (in order, see publication_by_serial()) that are revoked.  With
 * the set; takes the place of a pending segment in front that holds no others.
 */
int	publication_pending(struct publication *, const struct cert_status *const *todo, size_t n, int64_t now);
/* Orders pointers to cert_status by CA and serial. */
int	publication_by_serial(const void *, const void *);
/* Puts a signed delta in place of what it covers of the pending segment in front; with the set. */
int	publication_signed(struct publication *, const struct status_entry *, const struct cert_status *const *todo, size_t n, int64_t now);

/* What is new in the database is taken up; without effect on files. */
int	publication_take(struct publication *);
/* Nothing that is revoked may be good in a set that was brought back: done once after the start. */
int	publication_settle(struct publication *, int64_t now);
/* Has what was taken up and is not public signed and published: first what is revoked as pending. */
int	publication_changes(struct publication *, int64_t now);
/* Asks the edge, and notes in the database what it answers with. */
void	publication_confirm(struct publication *, int64_t now);

/* Reads the newest CRL and the revoked of database and published set, once. */
int	publication_crl_load(struct publication *);
/* Adds to the revoked what the signer's journal has; until it was reached nothing new is called good. */
int	publication_remember(struct publication *);
/* New CRLs when it is time. */
int	publication_crl(struct publication *, int64_t now);
/* Every list is there. */
int	publication_has_lists(const struct publication *);
/* Waits for the administrator and for `also` (-1: nothing more): 1 when the latter has something to read. */
int	publication_asked_wait(struct publication *, int ms, int also);
/* After a round: tells the one who asked how it went. */
void	publication_asked_round(struct publication *);
void	publication_asked_close(struct publication *);

/* Times of a list that is there, for its entry: the root's. */
void	publication_crl_times(const struct buf *der, int64_t *this_update, int64_t *next_update);

#endif
