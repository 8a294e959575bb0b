#include "pki/cms.h"

#include "libicert/ber.h"
#include "libicert/buf.h"
#include "libicert/der.h"
#include "pki/cms_key.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTRIBUTES_MAX 32

static const uint8_t id_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
static const uint8_t id_signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02 };
static const uint8_t id_content_type[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03 };
static const uint8_t id_message_digest[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04 };
static const uint8_t id_signing_time[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05 };
static const uint8_t id_protection[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x34 };
static const uint8_t id_binding_v1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c };
static const uint8_t id_binding_v2[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f };

#define IS(d, octets) der_is((d), (octets), sizeof(octets))

/* A CMS taken apart; everything points into it. */
struct cms {
	struct der certificates;	/* len 0: none */
	struct der sid;			/* issuerAndSerialNumber, or the key identifier */
	int sid_is_key;
	struct der digest;		/* AlgorithmIdentifier, contents */
	struct der attributes;		/* contents of the signed attributes */
	struct der algorithm;		/* of the signature */
	struct der signature;
};

const char *
cms_fault_code(enum cms_fault fault)
{
	static const char *const code[] = {
#define X(name, word) word,
		CMS_FAULTS(X)
#undef X
	};

	return (unsigned)fault < CMS_FAULT_COUNT ? code[fault] : "unknown";
}

/* SignerInfo (RFC 5652, 5.3). */
static enum cms_fault
parse_signer(struct der infos, struct cms *c)
{
	struct der info, version, skipped;
	int tag;

	if (der_take(&infos, DER_SEQUENCE, &info) != 0 || !der_empty(&infos))
		return CMS_SIGNERS;
	if (der_take(&info, DER_INTEGER, &version) != 0 || version.len != 1)
		return CMS_FORMAT;
	if (der_next(&info, &tag, &c->sid, NULL) != 0 || (tag != DER_SEQUENCE && tag != DER_CONTEXT))
		return CMS_FORMAT;
	c->sid_is_key = tag == DER_CONTEXT;
	if (version.p[0] != (c->sid_is_key ? 3 : 1) || der_take(&info, DER_SEQUENCE, &c->digest) != 0)
		return CMS_FORMAT;
	if (der_take_optional(&info, DER_CONTEXT_CONSTRUCTED, &c->attributes) != 1)
		return CMS_ATTRIBUTES;
	if (der_take(&info, DER_SEQUENCE, &c->algorithm) != 0 || der_take(&info, DER_OCTET_STRING, &c->signature) != 0 ||
	    der_take_optional(&info, DER_CONTEXT_CONSTRUCTED + 1, &skipped) < 0 || !der_empty(&info))
		return CMS_FORMAT;
	return CMS_NO_FAULT;
}

/* ContentInfo and SignedData (RFC 5652, 3 and 5.1), as they were made DER. */
static enum cms_fault
parse(const uint8_t *p, size_t len, struct cms *c)
{
	struct der all, info, oid, wrapped, data, version, digests, content, infos, skipped;

	memset(c, 0, sizeof(*c));
	der_init(&all, p, len);
	if (der_take(&all, DER_SEQUENCE, &info) != 0 || !der_empty(&all) || der_take(&info, DER_OID, &oid) != 0 || !IS(&oid, id_signed_data) ||
	    der_take(&info, DER_CONTEXT_CONSTRUCTED, &wrapped) != 0 || !der_empty(&info) ||
	    der_take(&wrapped, DER_SEQUENCE, &data) != 0 || !der_empty(&wrapped) ||
	    der_take(&data, DER_INTEGER, &version) != 0 || der_take(&data, DER_SET, &digests) != 0 ||
	    der_take(&data, DER_SEQUENCE, &content) != 0 || der_take(&content, DER_OID, &oid) != 0)
		return CMS_FORMAT;
	if (!der_empty(&content))
		return CMS_ATTACHED;
	if (!IS(&oid, id_data) || der_take_optional(&data, DER_CONTEXT_CONSTRUCTED, &c->certificates) < 0 ||
	    der_take_optional(&data, DER_CONTEXT_CONSTRUCTED + 1, &skipped) < 0 || der_take(&data, DER_SET, &infos) != 0 ||
	    !der_empty(&data))
		return CMS_FORMAT;
	return parse_signer(infos, c);
}

/* The certificate lies in it once, octet by octet. */
static int
carries(struct der certificates, const uint8_t *cert, size_t cert_len)
{
	struct der content, whole;
	int tag;
	int found = 0;

	while (!der_empty(&certificates)) {
		if (der_next(&certificates, &tag, &content, &whole) != 0)
			return 0;
		found += der_is(&whole, cert, cert_len);
	}
	return found == 1;
}

/* Attribute: type and a set of one value (RFC 5652, 11: each of those looked at has exactly one, and stands once). */
static enum cms_fault
attribute(struct der all, const uint8_t *oid, size_t oid_len, struct der *value, int *tag)
{
	int found = 0;

	value->len = 0;
	while (!der_empty(&all)) {
		struct der one, type, values, content;

		if (der_take(&all, DER_SEQUENCE, &one) != 0 || der_take(&one, DER_OID, &type) != 0 ||
		    der_take(&one, DER_SET, &values) != 0 || !der_empty(&one))
			return CMS_ATTRIBUTES;
		if (!der_is(&type, oid, oid_len))
			continue;
		if (found++ || der_next(&values, tag, &content, NULL) != 0 || !der_empty(&values))
			return CMS_ATTRIBUTES;
		*value = content;
	}
	if (!found)
		*tag = -1;
	return CMS_NO_FAULT;
}

#define ATTRIBUTE(c, oid, value, tag) attribute((c)->attributes, (oid), sizeof(oid), (value), (tag))

/* The first ESSCertID of signing-certificate, v1 with SHA-1 or v2 (RFC 5035, 3 and 4). */
static enum cms_fault
check_one_binding(struct der value, int v2, const struct cms_key *key)
{
	struct der certs, first, algorithm, hash, serial;
	struct cms_digest digest = { .id = v2 ? CMS_SHA256 : CMS_SHA1 };
	uint8_t own[CMS_DIGEST_MAX];
	size_t n;

	if (der_take(&value, DER_SEQUENCE, &certs) != 0 || der_take(&certs, DER_SEQUENCE, &first) != 0)
		return CMS_ATTRIBUTES;
	if (v2 && der_take_optional(&first, DER_SEQUENCE, &algorithm) == 1 && cms_digest_parse(algorithm, &digest) != 0)
		return CMS_ALGORITHM;
	if (der_take(&first, DER_OCTET_STRING, &hash) != 0 || der_take_optional(&first, DER_SEQUENCE, &serial) < 0 || !der_empty(&first))
		return CMS_ATTRIBUTES;
	n = cms_key_hash(key, &digest, own);
	return n > 0 && der_is(&hash, own, n) ? CMS_NO_FAULT : CMS_BINDING;
}

static enum cms_fault
check_binding(const struct cms *c, enum cms_binding need, const struct cms_key *key, struct cms_signed *out)
{
	struct der v1, v2;
	int tag1, tag2;
	enum cms_fault fault;

	if ((fault = ATTRIBUTE(c, id_binding_v1, &v1, &tag1)) != CMS_NO_FAULT ||
	    (fault = ATTRIBUTE(c, id_binding_v2, &v2, &tag2)) != CMS_NO_FAULT)
		return fault;
	out->has_binding = tag1 >= 0 || tag2 >= 0;
	if (!out->has_binding)
		return need == CMS_BINDING_NEEDED ? CMS_BINDING : CMS_NO_FAULT;
	if (tag2 >= 0)
		fault = tag2 == DER_SEQUENCE ? check_one_binding(v2, 1, key) : CMS_ATTRIBUTES;
	if (fault == CMS_NO_FAULT && tag1 >= 0)
		fault = tag1 == DER_SEQUENCE ? check_one_binding(v1, 0, key) : CMS_ATTRIBUTES;
	return fault;
}

/* CMSAlgorithmProtection (RFC 6211): the algorithms outside are the ones that were signed. */
static enum cms_fault
check_protection(const struct cms *c)
{
	struct der value, digest, algorithm;
	int tag;
	enum cms_fault fault = ATTRIBUTE(c, id_protection, &value, &tag);

	if (fault != CMS_NO_FAULT || tag < 0)
		return fault;
	if (tag != DER_SEQUENCE || der_take(&value, DER_SEQUENCE, &digest) != 0 ||
	    der_take(&value, DER_CONTEXT_CONSTRUCTED + 1, &algorithm) != 0 || !der_empty(&value))
		return CMS_ATTRIBUTES;
	return der_is(&digest, c->digest.p, c->digest.len) && der_is(&algorithm, c->algorithm.p, c->algorithm.len) ? CMS_NO_FAULT :
	    CMS_ATTRIBUTES;
}

static int
two(const uint8_t *p)
{
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

/* UTCTime or GeneralizedTime with seconds and Z (RFC 5652, 11.3).  0 when it is none. */
static int64_t
time_of(const struct der *value, int tag)
{
	size_t century = tag == 0x18 ? 2 : 0;
	struct tm tm = { .tm_isdst = 0 };
	int part[6];

	if ((tag != 0x17 && tag != 0x18) || value->len != 13 + century || value->p[12 + century] != 'Z')
		return 0;
	for (size_t i = 0; i < 6; i++)
		if ((part[i] = two(value->p + century + 2 * i)) < 0)
			return 0;
	tm.tm_year = century ? (two(value->p) - 19) * 100 + part[0] : part[0] < 50 ? part[0] + 100 : part[0];
	tm.tm_mon = part[1] - 1;
	tm.tm_mday = part[2];
	tm.tm_hour = part[3];
	tm.tm_min = part[4];
	tm.tm_sec = part[5];
	return timegm(&tm);
}

static enum cms_fault
check_attributes(const struct cms *c, const uint8_t *digest, size_t digest_len, struct cms_signed *out)
{
	struct der value;
	enum cms_fault fault;
	int tag;

	if ((fault = ATTRIBUTE(c, id_content_type, &value, &tag)) != CMS_NO_FAULT)
		return fault;
	if (tag != DER_OID || !IS(&value, id_data))
		return CMS_ATTRIBUTES;
	if ((fault = ATTRIBUTE(c, id_message_digest, &value, &tag)) != CMS_NO_FAULT)
		return fault;
	if (tag != DER_OCTET_STRING)
		return CMS_ATTRIBUTES;
	if (!der_is(&value, digest, digest_len))
		return CMS_DIGEST;
	if ((fault = ATTRIBUTE(c, id_signing_time, &value, &tag)) != CMS_NO_FAULT)
		return fault;
	out->signing_time = tag < 0 ? 0 : time_of(&value, tag);
	return check_protection(c);
}

static enum cms_fault
verify(const struct cms *c, enum cms_binding need, const struct cms_range *ranges, size_t n, const struct cms_key *key,
    struct cms_signed *out)
{
	uint8_t digest[CMS_DIGEST_MAX];
	struct cms_digest kind;
	struct buf attributes = BUF_INIT;
	enum cms_fault fault;
	size_t len;

	if (!cms_key_is(key, c->sid, c->sid_is_key))
		return CMS_CERTIFICATE;
	if (cms_digest_parse(c->digest, &kind) != 0 || kind.id == CMS_SHA1)
		return CMS_ALGORITHM;
	if ((len = cms_digest_ranges(&kind, ranges, n, digest)) == 0)
		return CMS_NO_MEMORY;
	out->digest_bits = (int)len * 8;
	if ((fault = check_attributes(c, digest, len, out)) != CMS_NO_FAULT ||
	    (fault = check_binding(c, need, key, out)) != CMS_NO_FAULT)
		return fault;
	/* What is signed is the set's own encoding in DER, not the implicit tag (RFC 5652, 5.4). */
	cms_retag_set(&attributes, c->attributes);
	fault = buf_error(&attributes) != 0 ? CMS_NO_MEMORY :
	    cms_key_verify(key, c->algorithm, &kind, attributes.p, attributes.len, c->signature);
	buf_free(&attributes);
	return fault;
}

/* One element, BER or DER; what follows it must be zeros. */
static enum cms_fault
to_der(const uint8_t *p, size_t len, size_t *used, struct buf *der)
{
	int error = ber_to_der(p, len, used, der);

	if (error != 0)
		return error == ICERT_E_MEMORY ? CMS_NO_MEMORY : CMS_FORMAT;
	for (size_t i = *used; i < len; i++)
		if (p[i] != 0)
			return CMS_FORMAT;
	return CMS_NO_FAULT;
}

static enum cms_fault
verify_der(const struct buf *der, enum cms_binding need, const struct cms_range *ranges, size_t n, const uint8_t *cert,
    size_t cert_len, struct cms_signed *out)
{
	struct cms_key *key;
	struct cms c;
	enum cms_fault fault;

	if ((fault = parse(der->p, der->len, &c)) != CMS_NO_FAULT)
		return fault;
	if (!carries(c.certificates, cert, cert_len))
		return CMS_CERTIFICATE;
	if ((key = cms_key_new(cert, cert_len)) == NULL)
		return CMS_NO_MEMORY;
	fault = verify(&c, need, ranges, n, key, out);
	cms_key_free(key);
	return fault;
}

enum cms_fault
cms_verify(const uint8_t *cms, size_t len, enum cms_binding need, const struct cms_range *ranges, size_t n, const uint8_t *cert,
    size_t cert_len, struct cms_signed *out)
{
	struct buf der = BUF_INIT;
	enum cms_fault fault;

	memset(out, 0, sizeof(*out));
	if ((fault = to_der(cms, len, &out->len, &der)) == CMS_NO_FAULT)
		fault = verify_der(&der, need, ranges, n, cert, cert_len, out);
	buf_free(&der);
	return fault;
}

enum cms_fault
cms_verify_hex(const uint8_t *hex, size_t len, enum cms_binding need, const struct cms_range *ranges, size_t n,
    const uint8_t *cert, size_t cert_len, struct cms_signed *out)
{
	struct buf text = BUF_INIT;
	struct buf der = BUF_INIT;
	enum cms_fault fault = CMS_FORMAT;

	memset(out, 0, sizeof(*out));
	buf_put(&text, hex, len);
	if (buf_error(&text) != 0 || len == 0 || len % 2 != 0 || buf_room(&der, len / 2) == NULL)
		fault = len == 0 || len % 2 != 0 ? CMS_FORMAT : CMS_NO_MEMORY;
	else if (bytes_from_hex(der.p, len / 2, buf_str(&text)) == 0)
		fault = cms_verify(der.p, len / 2, need, ranges, n, cert, cert_len, out);
	buf_free(&text);
	buf_free(&der);
	return fault;
}
