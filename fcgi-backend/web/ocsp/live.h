#ifndef ICERT_WEB_OCSP_LIVE_H
#define ICERT_WEB_OCSP_LIVE_H
/*
 * Live OCSP answers: questions with a nonce (RFC 9654), with several CertIDs, with a hash that is not answered beforehand, and
 * about certificates whose new status is not signed yet.  The edge hands over the request's DER and has already answered
 * everything else; what is true is read here from the published set itself, never taken from the edge.
 *
 * Policy of each CA: "nonce" (live, or ignore: then a question with one is answered as if it had none), "unknown"
 * (unauthorized, or revoked: "extended revoke" for what was never issued, RFC 6960, 2.2).  One answer is by one responder, which
 * its CA has named for its own certificates alone (4.2.2.2): it is that of the first CertID of ours, and what the question asks of
 * other CAs is "unknown" in it, as one SingleResponse for each (4.2.2.3); docs/publishing.md.
 *
 * 200 with an answer; 503 when there is none to give (no signer, a stale set): the edge then sends what it has stored.
 */
#include "crypt/status_signer.h"
#include "libicert/config.h"
#include "publish/segments.h"

struct FCGX_Request;

struct live_ca {
	unsigned number;
	struct buf der;
	struct ocsp_template template;
	int has_template;
	int ignore_nonce, extended_revoke, ended;
};

struct live {
	struct keyclient signer;
	int dirfd;
	uint8_t seal_key[STATUS_SEAL_KEY];
	struct live_ca ca[ISSUERS_MAX];
	struct segments_ca names[ISSUERS_MAX];
	size_t cas;
	struct status_manifest manifest;
	int has_manifest;
	int64_t seen_mtime_ns, seen_ino;	/* of the manifest's file */
	struct segments segments;
	int64_t stale_hard;			/* seconds without a heartbeat after which nothing is answered */
	struct buf data, head;			/* work space */
};

/* 0 or the error after telling it in the log. */
int	live_open(struct live *, const struct config *);

/* One request: parameter ICERT_OCSP_REQUEST, base64 of its DER. */
void	live_answer(struct live *, struct FCGX_Request *);

/*
 * The same without FastCGI.  0 and the OCSPResponse in *out, ICERT_E_MALFORMED, ICERT_E_STALE,
 * ICERT_E_UNAVAILABLE, ICERT_E_STATE (policy: what is stored answers it), ICERT_E_NOT_FOUND (*out is then the answer "unauthorized").
 */
int	live_compose(struct live *, const uint8_t *request, size_t len, int64_t now, struct buf *out);

#endif
