#ifndef PUBLISH_STATUS_ROWS_H
#define PUBLISH_STATUS_ROWS_H
/*
 * The publisher's side of certificates: what their status is, which changes of it are not
 * public yet, and the CRLs made of them.  Nothing here says whose a certificate is.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "publish/answers.h"
#include "store/db.h"

/*
 * Certificates of a CA in the order of serials, those above `after`, into room for STATUS_ROWS_PAGE of them; fewer in *n: that
 * was all.  The number stands in the statement itself: a planner that does not know how few are asked for sorts all of them.
 */
#define STATUS_ROWS_PAGE 20000
int	status_rows_page(struct db *, unsigned issuer, const uint8_t after[16], struct cert_status *, size_t *n);
/* The same for the revoked ones alone. */
int	status_rows_revoked(struct db *, unsigned issuer, const uint8_t after[16], struct cert_status *, size_t *n);

/* A change that is not public yet; by certificate, the newest state of which counts. */
struct status_change {
	int64_t				id;
	char				certificate[ID_TEXT];
	struct cert_status		status;
};

/* At most *n of them, oldest first; *n: room, then rows. */
int	status_rows_open(struct db *, struct status_change *, size_t *n);

/*
 * Every revoked certificate of a CA with a change that is not public, in the order of serials, however many: *list is malloc'd,
 * NULL when there are none.
 */
int	status_rows_open_revoked(struct db *, unsigned issuer, struct cert_status **list, size_t *n);

/*
 * They are seen at the edge: sets published_epoch, with an audit row each, and wakes
 * whoever waits to mail.  One transaction.
 */
int	status_rows_published(struct db *, const struct status_change *, size_t n, uint64_t epoch, int64_t now);

/* A CA's lists: the highest partition that a certificate of it names (0: none), the highest cRLNumber (0: none yet). */
int	status_rows_lists(struct db *, unsigned issuer, unsigned *partitions, int64_t *number);

/* The newest CRL of a partition (0: the complete one): ICERT_E_NOT_FOUND before the first. */
struct status_crl {
	int64_t	number;
	int64_t	this_update, next_update;
};
int	status_rows_crl(struct db *, unsigned issuer, unsigned partition, struct status_crl *, struct buf *der);
int	status_rows_crl_add(struct db *, unsigned issuer, unsigned partition, const struct status_crl *, size_t entries,
	    const struct buf *der);

#endif
