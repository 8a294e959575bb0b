#ifndef ICERT_OPERATE_SURVIVING_H
#define ICERT_OPERATE_SURVIVING_H
/*
 * What an instance still knows when its database goes back in time: the signer's journal, the status
 * that was public, the lists of what was destroyed and spent.  Read while no program runs.
 */
#include "libicert/id_list.h"
#include "operate/instance.h"
#include "procedure/clock/restoration.h"

struct surviving {
	struct restoration_certificate *certificates;
	size_t n_certificates;
	uint8_t (*spent)[16], (*destroyed)[16];
	size_t n_spent, n_destroyed;
	struct id_list gone;		/* the keeper's list, for deliveries */
	char deliveries[FILES_PATH];	/* folder of the keys that are left */
};

/* 0, or -1 after telling what cannot be read.  Either way surviving_free(). */
int	surviving_read(const struct instance *i, struct surviving *out);
void	surviving_free(struct surviving *);

/* Is the delivery key of this case (uuid) and label destroyed, or not there?  ctx is the struct surviving. */
int	surviving_delivery_gone(void *ctx, const char *application, const char *label);

#endif
