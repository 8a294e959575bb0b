#ifndef PKI_CMS_KEY_H
#define PKI_CMS_KEY_H

#include "libicert/buf.h"
#include "libicert/der.h"
#include "pki/cms.h"

/* Between cms.c and what it needs of libcrypto: the signer's certificate, digests, the signature. */
#define CMS_DIGEST_MAX 64

enum cms_digest_id { CMS_SHA1, CMS_SHA256, CMS_SHA384, CMS_SHA512 };
struct cms_digest {
	enum cms_digest_id id;
};

struct cms_key;

/* Of a certificate of ours.  NULL: no memory, or not a certificate. */
struct cms_key *cms_key_new(const uint8_t *cert, size_t len);
void cms_key_free(struct cms_key *);

/* Does a signer's identifier name this certificate? */
int cms_key_is(const struct cms_key *, struct der sid, int is_key_id);

/* The contents of an AlgorithmIdentifier.  0 or ICERT_E_UNSUPPORTED. */
int cms_digest_parse(struct der algorithm, struct cms_digest *);

/* The digest's length, 0 when libcrypto failed. */
size_t cms_digest_ranges(const struct cms_digest *, const struct cms_range *, size_t n, uint8_t out[CMS_DIGEST_MAX]);
size_t cms_key_hash(const struct cms_key *, const struct cms_digest *, uint8_t out[CMS_DIGEST_MAX]);

/* The contents as a SET. */
void cms_retag_set(struct buf *, struct der contents);

/* CMS_NO_FAULT, CMS_ALGORITHM, CMS_SIGNATURE, CMS_NO_MEMORY. */
enum cms_fault cms_key_verify(const struct cms_key *, struct der algorithm, const struct cms_digest *, const uint8_t *data, size_t len,
    struct der signature);

#endif
