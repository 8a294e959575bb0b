#include <string.h>

#include "libicert/der.h"
#include "libicert/ocsp_request.h"

static const uint8_t oid_sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
static const uint8_t oid_sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
static const uint8_t oid_nonce[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02 };
/* Extensions that may be critical because ignoring them changes no answer. */
static const uint8_t oid_acceptable[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x04 };
static const uint8_t oid_locator[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x07 };
static const uint8_t oid_preferred[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x08 };

#define EXTENSIONS_MAX 16

static int
algorithm_parse(struct der *d, int *algorithm, size_t *hash_len)
{
	struct der	sequence, oid, parameters;

	if (der_take(d, DER_SEQUENCE, &sequence) != 0 || der_take(&sequence, DER_OID, &oid) != 0 ||
	    oid.len == 0)
		return ICERT_E_MALFORMED;
	if (der_is(&oid, oid_sha1, sizeof(oid_sha1))) {
		*algorithm = STATUS_SHA1;
		*hash_len = 20;
	} else if (der_is(&oid, oid_sha256, sizeof(oid_sha256))) {
		*algorithm = STATUS_SHA256;
		*hash_len = 32;
	} else {
		*algorithm = -1;
		*hash_len = 0;
		return 0;
	}
	switch (der_take_optional(&sequence, DER_NULL, &parameters)) {
	case 0:
		return der_empty(&sequence) ? 0 : ICERT_E_MALFORMED;
	case 1:
		return der_empty(&sequence) && parameters.len == 0 ? 0 : ICERT_E_MALFORMED;
	}
	return ICERT_E_MALFORMED;
}

static int
certid_parse(struct der *d, struct ocsp_certid *c)
{
	struct der	sequence, name, key, serial;
	size_t		hash_len;

	if (der_take(d, DER_SEQUENCE, &sequence) != 0)
		return ICERT_E_MALFORMED;
	c->octets = sequence.p;
	c->len = sequence.len;
	if (algorithm_parse(&sequence, &c->algorithm, &hash_len) != 0 ||
	    der_take(&sequence, DER_OCTET_STRING, &name) != 0 ||
	    der_take(&sequence, DER_OCTET_STRING, &key) != 0 ||
	    der_take_positive(&sequence, &serial) != 0 || !der_empty(&sequence) ||
	    serial.len > STATUS_SERIAL_MAX)
		return ICERT_E_MALFORMED;
	if (c->algorithm != -1 && (name.len != hash_len || key.len != hash_len))
		return ICERT_E_MALFORMED;
	c->name_hash = name.p;
	c->key_hash = key.p;
	c->serial = serial.p;
	c->serial_len = serial.len;
	return 0;
}

/* The nonce's octets stand in an OCTET STRING of their own, or bare as older clients send them. */
static int
nonce_parse(struct ocsp_request *r, const struct der *value)
{
	struct der	d = *value, inner;

	if (der_take(&d, DER_OCTET_STRING, &inner) != 0 || !der_empty(&d))
		inner = *value;
	if (inner.len == 0 || inner.len > OCSP_NONCE_MAX)
		return ICERT_E_MALFORMED;
	r->nonce = inner.p;
	r->nonce_len = inner.len;
	r->nonce_value = value->p;
	r->nonce_value_len = value->len;
	return 0;
}

static int
may_be_critical(const struct der *oid)
{
	return der_is(oid, oid_acceptable, sizeof(oid_acceptable)) ||
	    der_is(oid, oid_locator, sizeof(oid_locator)) ||
	    der_is(oid, oid_preferred, sizeof(oid_preferred));
}

/* Extensions in their [n] EXPLICIT wrapping; r NULL for those of one CertID. */
static int
extensions_parse(const struct der *explicit, struct ocsp_request *r)
{
	struct der	outer = *explicit, list, extension, oid, value, seen[EXTENSIONS_MAX];
	unsigned	n = 0;
	int		critical;

	if (der_take(&outer, DER_SEQUENCE, &list) != 0 || !der_empty(&outer) || der_empty(&list))
		return ICERT_E_MALFORMED;
	while (!der_empty(&list)) {
		if (n == EXTENSIONS_MAX || der_take(&list, DER_SEQUENCE, &extension) != 0 ||
		    der_take(&extension, DER_OID, &oid) != 0 ||
		    (critical = der_take_true(&extension)) < 0 ||
		    der_take(&extension, DER_OCTET_STRING, &value) != 0 || !der_empty(&extension))
			return ICERT_E_MALFORMED;
		for (unsigned i = 0; i < n; i++)
			if (der_is(&seen[i], oid.p, oid.len))
				return ICERT_E_MALFORMED;
		seen[n++] = oid;
		if (r != NULL && der_is(&oid, oid_nonce, sizeof(oid_nonce))) {
			if (nonce_parse(r, &value) != 0)
				return ICERT_E_MALFORMED;
		} else if (critical && !may_be_critical(&oid))
			return ICERT_E_MALFORMED;
	}
	return 0;
}

static int
requests_parse(struct der *list, struct ocsp_request *r)
{
	struct der	request, extensions;
	int		rc;

	while (!der_empty(list)) {
		if (r->count == OCSP_CERTIDS_MAX || der_take(list, DER_SEQUENCE, &request) != 0 ||
		    certid_parse(&request, &r->certid[r->count]) != 0 ||
		    (rc = der_take_optional(&request, DER_CONTEXT_CONSTRUCTED + 0, &extensions)) < 0 ||
		    (rc == 1 && extensions_parse(&extensions, NULL) != 0) || !der_empty(&request))
			return ICERT_E_MALFORMED;
		r->count++;
	}
	return r->count != 0 ? 0 : ICERT_E_MALFORMED;
}

/* Something in an explicit tag: one whole element, passed over. */
static int
passed_over(const struct der *explicit)
{
	struct der	d = *explicit, content;
	int		tag;

	return der_next(&d, &tag, &content, NULL) == 0 && der_empty(&d) ? 0 : ICERT_E_MALFORMED;
}

int
ocsp_request_parse(struct ocsp_request *r, const void *octets, size_t len)
{
	struct der	d, outer, tbs, list, name, extensions, signature;
	int		rc;

	memset(r, 0, sizeof(*r));
	der_init(&d, octets, len);
	if (len > OCSP_REQUEST_MAX || der_take(&d, DER_SEQUENCE, &outer) != 0 || !der_empty(&d) ||
	    der_take(&outer, DER_SEQUENCE, &tbs) != 0)
		return ICERT_E_MALFORMED;
	/* The version is v1 by default, and DER leaves a default out. */
	if ((rc = der_take_optional(&tbs, DER_CONTEXT_CONSTRUCTED + 1, &name)) < 0 ||
	    (rc == 1 && passed_over(&name) != 0))
		return ICERT_E_MALFORMED;
	if (der_take(&tbs, DER_SEQUENCE, &list) != 0 || requests_parse(&list, r) != 0)
		return ICERT_E_MALFORMED;
	if ((rc = der_take_optional(&tbs, DER_CONTEXT_CONSTRUCTED + 2, &extensions)) < 0 ||
	    (rc == 1 && extensions_parse(&extensions, r) != 0) || !der_empty(&tbs))
		return ICERT_E_MALFORMED;
	if ((rc = der_take_optional(&outer, DER_CONTEXT_CONSTRUCTED + 0, &signature)) < 0 ||
	    (rc == 1 && passed_over(&signature) != 0) || !der_empty(&outer))
		return ICERT_E_MALFORMED;
	return 0;
}
