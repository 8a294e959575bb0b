#ifndef PUBLISH_PUBLICATION_H
#define PUBLISH_PUBLICATION_H
/*
 * The publisher's work: the status of every certificate signed, written as one
 * sealed set of files, seen at the edge, and only then noted as published.
 * docs/publishing.md.
 *
 * It holds the key that seals the set and no other; answers are signed by
 * icert-status-signer, CRLs by icert-signer.  Without PostgreSQL it goes on with what it
 * has read: beats, re-signs, renews the CRL.  A change is never lost: rows of
 * icert.status_change stay open until the edge was seen to answer with them.
 */
struct config;
struct publication;

/*
 * What the administrator sends over the publisher's own socket, one packet, and how the last packet of the answer begins;
 * those before it are lines for people.
 */
#define PUBLICATION_ASK_PUBLISH "publish"	/* what is open and a new list, now */
#define PUBLICATION_ASK_BASE "base"		/* every answer signed again, now */
#define PUBLICATION_DONE "done"
#define PUBLICATION_FAILED "failed"

/*
 * Reads keys, certificates and the manifest in place.  admin: a listening SOCK_SEQPACKET that the administrator asks over,
 * taken over; -1: none.  0, or the error after telling it in the log.
 */
int	publication_open(struct publication **, const struct config *, int admin);
void	publication_free(struct publication *);

/* Waits up to ms for a change to be announced. */
void	publication_wait(struct publication *, int ms);

/*
 * One round: a responder's certificate if it is time, changes, answers and CRL that are due, the manifest, the edge.
 * Errors are logged and tried again in the next round.
 */
void	publication_round(struct publication *);

/* The last round read the changes, and a sealed set stands that it could write to. */
int	publication_stands(const struct publication *);

#endif
