#ifndef PUBLISH_ANSWERS_H
#define PUBLISH_ANSWERS_H
/*
 * The signed OCSP answers of some certificates, made in one message to the status signer:
 * composed from a template, only their digests sent, each kept as the head that the status store wants.
 */
#include <stddef.h>
#include <stdint.h>

#include "crypt/status_signer.h"
#include "libicert/status_write.h"
#include "pki/ocsp_form.h"

/* What is known from the published set or the signer's journal alone stands in every partition rather than in none. */
#define CERT_ANY_PARTITION 65535u

/* One certificate's status. */
struct cert_status {
	uint8_t serial[16];
	unsigned issuer;	/* number of its CA (pki/issuer_list.h) */
	unsigned partition;	/* of that CA's list, as the certificate says; 0: none; CERT_ANY_PARTITION: not known */
	int revoked;
	int reason;		/* CRLReason */
	int64_t revoked_at;	/* UTC seconds */
	int64_t not_after;	/* 0 or INT64_MAX: not known */
};

/* Which CertID hashes are answered beforehand; the rest is left to live answers. */
#define ANSWERS_SHA1 (1U << OCSP_SHA1)
#define ANSWERS_SHA256 (1U << OCSP_SHA256)

struct answers {
	const struct ocsp_template *template;	/* the caller's */
	unsigned hashes;			/* ANSWERS_SHA1, ANSWERS_SHA256 or both */
	int64_t this_update, next_update;	/* set by the caller; see answers_until() */
	size_t n;				/* at most answers_room() */
	struct cert_status status[STATUS_BATCH];

	/* made by answers_make(): heads one after another */
	struct buf head;
	size_t head_len[STATUS_BATCH];

	/* work space */
	struct ocsp_form form[OCSP_HASHES];
	struct buf data;
	size_t data_len[STATUS_BATCH];
	uint8_t digest[STATUS_BATCH][32];
	struct status_signature signature[STATUS_BATCH];
};

/* How many certificates fit; depends on template and hashes. */
size_t	answers_room(const struct answers *);
/* The end of an answer given now: validity, cut to the responder's own end. */
int64_t	answers_until(const struct ocsp_template *, int64_t now, int64_t validity);

/* Composes and has signed what status[0..n) says.  0, the signer's error, ICERT_E_INVALID, ICERT_E_MEMORY. */
int	answers_make(struct answers *, struct keyclient *status_signer);
/* Adds them to a segment, under the numbers that issuer and tail have there. */
int	answers_write(const struct answers *, struct status_writer *, unsigned issuer, unsigned tail);
void	answers_free(struct answers *);

/* Issuer and tail of a template in a segment. */
int	answers_begin(const struct ocsp_template *, struct status_writer *, unsigned *issuer, unsigned *tail);

#endif
