#include "pki/crl.h"
#include "pki/der_write.h"
#include "pki/oid.h"
#include "pki/issuer_list.h"
#include "libicert/error.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

int
crl_reason_valid(int reason)
{
	switch (reason) {
	case CRL_REASON_UNSPECIFIED:
	case CRL_REASON_KEY_COMPROMISE:
	case CRL_REASON_AFFILIATION_CHANGED:
	case CRL_REASON_SUPERSEDED:
	case CRL_REASON_CESSATION:
	case CRL_REASON_PRIVILEGE_WITHDRAWN:
		return 1;
	}
	return 0;
}

static int
by_serial(const void *a, const void *b)
{
	return memcmp(((const struct crl_entry *)a)->serial, ((const struct crl_entry *)b)->serial, 16);
}

static int
check(const struct crl *crl)
{
	size_t i;

	if (crl->number == 0 || crl->next_update <= crl->this_update)
		return ICERT_E_INVALID;
	for (i = 0; i < crl->n; i++) {
		if (!crl_reason_valid(crl->entries[i].reason) || crl->entries[i].revoked_at > crl->this_update)
			return ICERT_E_INVALID;
		if (i > 0 && by_serial(&crl->entries[i - 1], &crl->entries[i]) == 0)
			return ICERT_E_INVALID;
	}
	return 0;
}

static void
extension(struct buf *b, const char *oid, int critical, const struct buf *value)
{
	static const uint8_t yes = 0xFF;
	size_t seq = der_open(b, DER_SEQUENCE);

	der_oid(b, oid);
	if (critical)
		der_value(b, DER_BOOLEAN, &yes, 1);
	der_value(b, DER_OCTET_STRING, value->p, value->len);
	der_close(b, seq);
}

static void
entry(struct buf *b, const struct crl_entry *e, struct buf *scratch)
{
	size_t seq = der_open(b, DER_SEQUENCE), list;

	der_unsigned(b, DER_INTEGER, e->serial, sizeof(e->serial));
	der_time(b, e->revoked_at);
	if (e->reason != CRL_REASON_UNSPECIFIED) {
		buf_reset(scratch);
		der_number(scratch, DER_ENUMERATED, e->reason);
		list = der_open(b, DER_SEQUENCE);
		extension(b, OID_REASON_CODE, 0, scratch);
		der_close(b, list);
	}
	der_close(b, seq);
}

/* RFC 5280, 5.2.5: the scope, for the certificates of people that name this point. */
static void
distribution_point(struct buf *b, const char *url, struct buf *scratch)
{
	static const uint8_t yes = 0xFF;
	size_t idp, point, name;

	buf_reset(scratch);
	idp = der_open(scratch, DER_SEQUENCE);
	point = der_open(scratch, DER_CONTEXT_CONSTRUCTED(0));
	name = der_open(scratch, DER_CONTEXT_CONSTRUCTED(0));
	der_value(scratch, DER_CONTEXT(6), url, strlen(url));
	der_close(scratch, name);
	der_close(scratch, point);
	der_value(scratch, DER_CONTEXT(1), &yes, 1);	/* onlyContainsUserCerts */
	der_close(scratch, idp);
	extension(b, OID_ISSUING_DP, 1, scratch);
}

static void
extensions(struct buf *b, const struct crl *crl, struct buf *scratch)
{
	size_t explicit = der_open(b, DER_CONTEXT_CONSTRUCTED(0)), list, aki;

	list = der_open(b, DER_SEQUENCE);
	buf_reset(scratch);
	aki = der_open(scratch, DER_SEQUENCE);
	der_value(scratch, DER_CONTEXT(0), crl->issuer->key_id.p, crl->issuer->key_id.len);
	der_close(scratch, aki);
	extension(b, OID_AKI, 0, scratch);
	buf_reset(scratch);
	der_number(scratch, DER_INTEGER, crl->number);
	extension(b, OID_CRL_NUMBER, 0, scratch);
	if (crl->point != NULL)
		distribution_point(b, crl->point, scratch);
	der_close(b, list);
	der_close(b, explicit);
}

int
crl_compose(const struct crl *crl, struct buf *b)
{
	struct buf scratch = BUF_INIT;
	size_t seq, list, i;
	int error;

	if (crl->n > 0)
		qsort(crl->entries, crl->n, sizeof(crl->entries[0]), by_serial);
	if ((error = check(crl)) != 0)
		return error;
	seq = der_open(b, DER_SEQUENCE);
	der_number(b, DER_INTEGER, 1);
	profile_sha256_rsa(b);
	buf_put(b, crl->issuer->name.p, crl->issuer->name.len);
	der_time(b, crl->this_update);
	der_time(b, crl->next_update);
	if (crl->n > 0) {
		/* revokedCertificates is absent, not empty, when there are none (RFC 5280, 5.1.2.6). */
		list = der_open(b, DER_SEQUENCE);
		for (i = 0; i < crl->n; i++)
			entry(b, &crl->entries[i], &scratch);
		der_close(b, list);
	}
	extensions(b, crl, &scratch);
	der_close(b, seq);
	if ((error = buf_error(b)) == 0)
		error = buf_error(&scratch);
	buf_free(&scratch);
	return error;
}

/* The first address of the first point, which is all that our certificates have. */
static const ASN1_STRING *
first_address(const STACK_OF(DIST_POINT) *points)
{
	const DIST_POINT *point = sk_DIST_POINT_num(points) > 0 ? sk_DIST_POINT_value(points, 0) : NULL;
	const GENERAL_NAME *name;

	if (point == NULL || point->distpoint == NULL || point->distpoint->type != 0 ||
	    sk_GENERAL_NAME_num(point->distpoint->name.fullname) < 1)
		return NULL;
	name = sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0);
	return name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;
}

int
crl_point_partition(const X509 *x, const char *url, unsigned *partition)
{
	STACK_OF(DIST_POINT) *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
	const ASN1_STRING *address = points == NULL ? NULL : first_address(points);
	int error = address == NULL ? ICERT_E_MALFORMED : ICERT_E_NOT_FOUND;
	char wanted[ISSUER_URL];
	unsigned part;

	for (part = 0; part <= CRL_PARTITIONS_MAX && error == ICERT_E_NOT_FOUND; part++) {
		if (issuer_name(wanted, sizeof(wanted), url, ISSUER_FIRST, part) == 0 &&
		    (size_t)ASN1_STRING_length(address) == strlen(wanted) &&
		    memcmp(ASN1_STRING_get0_data(address), wanted, strlen(wanted)) == 0) {
			*partition = part;
			error = 0;
		}
	}
	sk_DIST_POINT_pop_free(points, DIST_POINT_free);
	return error;
}

int
crl_point_find(const uint8_t *certificate, size_t len, const char *url, unsigned *issuer, unsigned *partition)
{
	X509 *x = d2i_X509(NULL, &certificate, (long)len);
	char own[ISSUER_URL];
	unsigned n;
	int error = x == NULL ? ICERT_E_MALFORMED : ICERT_E_NOT_FOUND;

	for (n = ISSUER_FIRST; n < ISSUER_FIRST + ISSUERS_MAX && error == ICERT_E_NOT_FOUND; n++) {
		if (issuer_name(own, sizeof(own), url, n, 0) == 0)
			error = crl_point_partition(x, own, partition);
		if (error == 0)
			*issuer = n;
	}
	X509_free(x);
	return error;
}
