#ifndef ICERT_OPERATE_CEREMONY_TOKEN_H
#define ICERT_OPERATE_CEREMONY_TOKEN_H
/*
 * The two halves of a ceremony that hold a token, each run in a process of its
 * own: the root's, which signs, and the issuing CA's, which hands over its
 * public key.  They meet through one pipe.
 */
#include "libicert/config.h"
#include "pki/issuer_list.h"

#define CEREMONY_PATH 1024
#define CEREMONY_PIN 33			/* 32 hexadecimal digits and a NUL */
#define CEREMONY_PIN_MAX 256		/* of a token that was prepared */

/* What one is for. */
struct ceremony_order {
	const struct config *config;
	unsigned number;		/* of the CA that is made */
	const char *common_name;	/* of it; NULL: the configuration's */
	unsigned revoke;		/* number of a CA that the root's next list names; 0: none */
	int reason;			/* CRLReason of that */
};

/* Certificates and lists that the root's half writes, in the public folder. */
#define CEREMONY_ROOT "raiz.cer"
#define CEREMONY_ISSUING ISSUER_CERTIFICATE	/* the first's */
#define CEREMONY_ARL "raiz.crl"
#define CEREMONY_CHAIN "chain.pem"

/*
 * Both return 0 or an exit status after telling why on stderr.  spki_out and
 * spki_in are the two ends of the pipe.
 */
int	ceremony_issuing_half(const struct ceremony_order *, int spki_out);
int	ceremony_root_half(const struct ceremony_order *, int spki_in);
/* The root's half of a later ceremony: another issuing CA by the root that is there. */
int	ceremony_next_half(const struct ceremony_order *, int spki_in);
/* The root alone: its next list.  The descriptor is not used. */
int	ceremony_list_half(const struct ceremony_order *, int fd);

/* Does the section ([signer], [root]) name a token that the HSM's own tools have made ("prepared = yes")? */
int	ceremony_prepared(const struct config *, const char *section);

#endif
