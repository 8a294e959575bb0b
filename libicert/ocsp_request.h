/*
 * OCSP requests (RFC 6960, 4.1): strict DER, whole input, zero copy.
 */
#ifndef LIBICERT_OCSP_REQUEST_H
#define LIBICERT_OCSP_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/error.h"
#include "libicert/status.h"

#define OCSP_REQUEST_MAX	10240	/* octets of an encoded request */
#define OCSP_CERTIDS_MAX	20
#define OCSP_NONCE_MAX		128	/* octets; RFC 9654, 2.1 */

struct ocsp_certid {
	int		 algorithm;	/* enum status_algorithm, -1: another hash */
	const uint8_t	*name_hash;	/* of the algorithm's length */
	const uint8_t	*key_hash;
	const uint8_t	*serial;	/* big-endian, no leading zero octet */
	size_t		 serial_len;	/* 1 to STATUS_SERIAL_MAX */
	const uint8_t	*octets;	/* what is inside its SEQUENCE, as it came */
	size_t		 len;
};

struct ocsp_request {
	unsigned		 count;		/* of CertIDs, at least 1 */
	struct ocsp_certid	 certid[OCSP_CERTIDS_MAX];
	const uint8_t		*nonce;		/* NULL: none; the octets within the inner OCTET STRING, if there is one */
	size_t			 nonce_len;	/* 1 to OCSP_NONCE_MAX */
	const uint8_t		*nonce_value;	/* the extension's value as it came, to be echoed */
	size_t			 nonce_value_len;
};

/*
 * A nonce that is answered with the same (RFC 9654, 2.1: 16 octets at least for servers that choose, 32 for
 * clients); shorter and longer ones are answered without.
 */
#define OCSP_NONCE_ECHO_MIN	16
#define OCSP_NONCE_ECHO_MAX	32

/*
 * Reads a request.  Pointers in *r are into the octets given.  A requestor's
 * name and signature are passed over.  ICERT_E_MALFORMED is OCSP's
 * malformedRequest: not DER, trailing octets, a serial that is no certificate's,
 * a hash of the wrong length, an unknown critical extension, a nonce of 0 or
 * more than 128 octets, more than 20 CertIDs.
 */
int	ocsp_request_parse(struct ocsp_request *r, const void *octets, size_t len);

/*
 * The request in the path of a GET (RFC 6960, A.1), which begins after the
 * responder's own prefix: surplus slashes dropped, percent-decoded once, a
 * space is a "+", missing padding tolerated, and told in *unpadded unless that is
 * NULL.  Decodes base64 into out; the length, ICERT_E_MALFORMED or ICERT_E_TOO_LARGE.
 */
long	ocsp_request_from_path(const char *path, size_t len, uint8_t *out, size_t room, int *unpadded);

#endif
