#ifndef PUBLISH_EDGE_PROBE_H
#define PUBLISH_EDGE_PROBE_H
/*
 * Asks the edge over HTTP, as any relying party would, what it says of a
 * certificate: nothing is called published before strangers can see it.
 */
#include <stddef.h>
#include <stdint.h>

struct edge_probe;

enum edge_status {
	EDGE_GOOD,
	EDGE_REVOKED,
	EDGE_OTHER		/* unauthorized, tryLater, unknown, an answer that does not verify */
};

/*
 * url: of the OCSP service; issuer and root: certificates (DER), which the answers
 * must lead to.  0, ICERT_E_MALFORMED, ICERT_E_MEMORY.
 */
int	edge_probe_open(struct edge_probe **, const char *url, const uint8_t *issuer, size_t issuer_len,
	    const uint8_t *root, size_t root_len);
void	edge_probe_free(struct edge_probe *);

/* One POST with a SHA-1 CertID.  0 with *status, or ICERT_E_UNAVAILABLE. */
int	edge_probe_ask(struct edge_probe *, const uint8_t serial[16], enum edge_status *status);

#endif
