#ifndef ICERT_PROCEDURE_ISSUANCE_H
#define ICERT_PROCEDURE_ISSUANCE_H
/*
 * What follows the operator's button: a case in `issuing` becomes issued, or goes back to
 * identified with the reason.  icert-issuer alone does it.
 *
 * Each step is stored before the next begins, and each may be asked for again: a key pair is made
 * once and kept, the signer gives the same certificate again for the same case, and the last
 * transaction writes state, certificate, status change, deadlines, mails and audit rows together.
 * So a crash anywhere costs the step in hand.
 */
#include <pthread.h>
#include <stddef.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "pki/issuer_list.h"
#include "procedure/act.h"

struct id_list;
struct keyclient;

/* What the issuer works with; act->keeper is its keeper-issuer client. */
struct issuance {
	struct act	*act;
	struct keyclient *keymaker, *signer;
	/* Certificates that go into the PKCS#12, DER: of each issuing CA by its number, of the root. */
	struct buf	 issuer[ISSUERS_MAX], root;
	/* Orders that a certificate was made for, and with which case; outside the database, so that a restore
	 * brings back no spent credit. */
	struct id_list	*spent;
	pthread_mutex_t	*spent_lock;	/* the list is shared by those who issue side by side */
};

/* Kinds of entries in the list of spent orders. */
#define SPENT_ORDER 'o'		/* the order's id */
#define SPENT_FOR 'f'		/* SHA-256 of order and case, cut to 16 bytes */

/* Certificates still being made, oldest first.  *n: room, then rows. */
int	issuance_waiting(struct act *, char ids[][ID_TEXT], size_t *n);

/*
 * Takes one as far as it goes.  0: issued, or refused and sent back (told in the log).  Any error: try again
 * later, nothing is lost.
 */
int	issuance_run(struct issuance *, const char *certificate);

#endif
