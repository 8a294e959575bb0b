/* A certificate composed a second time from what was approved. */
#include "pki/proof.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "libicert/error.h"
#include "pki/profile.h"

/* The addresses that stand in the certificate, as the profile takes them. */
struct addresses {
	struct buf ocsp, issuer, crl, cps;
};

static void
take_uri(struct buf *out, const GENERAL_NAME *name)
{
	if (name != NULL && name->type == GEN_URI && out->len == 0)
		buf_put(out, ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
		    (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
}

static void
take_access(struct addresses *a, X509 *cert)
{
	AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);

	for (int i = 0; list != NULL && i < sk_ACCESS_DESCRIPTION_num(list); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(list, i);

		take_uri(OBJ_obj2nid(d->method) == NID_ad_OCSP ? &a->ocsp : &a->issuer, d->location);
	}
	AUTHORITY_INFO_ACCESS_free(list);
}

static void
take_crl(struct addresses *a, X509 *cert)
{
	CRL_DIST_POINTS *list = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	const DIST_POINT *point = list != NULL && sk_DIST_POINT_num(list) > 0 ? sk_DIST_POINT_value(list, 0) : NULL;

	if (point != NULL && point->distpoint != NULL && point->distpoint->type == 0 &&
	    sk_GENERAL_NAME_num(point->distpoint->name.fullname) > 0)
		take_uri(&a->crl, sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0));
	CRL_DIST_POINTS_free(list);
}

static void
take_cps(struct addresses *a, X509 *cert)
{
	CERTIFICATEPOLICIES *list = X509_get_ext_d2i(cert, NID_certificate_policies, NULL, NULL);

	for (int i = 0; list != NULL && i < sk_POLICYINFO_num(list); i++) {
		const POLICYINFO *p = sk_POLICYINFO_value(list, i);

		for (int k = 0; p->qualifiers != NULL && k < sk_POLICYQUALINFO_num(p->qualifiers); k++) {
			const POLICYQUALINFO *q = sk_POLICYQUALINFO_value(p->qualifiers, k);

			if (OBJ_obj2nid(q->pqualid) == NID_id_qt_cps && a->cps.len == 0)
				buf_put(&a->cps, ASN1_STRING_get0_data(q->d.cpsuri), (size_t)ASN1_STRING_length(q->d.cpsuri));
		}
	}
	CERTIFICATEPOLICIES_free(list);
}

static int
serial_of(X509 *cert, uint8_t out[PROFILE_SERIAL])
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(cert);

	if (ASN1_STRING_length(n) != PROFILE_SERIAL)
		return -1;
	memcpy(out, ASN1_STRING_get0_data(n), PROFILE_SERIAL);
	return 0;
}

/* The TBSCertificate inside, as it was signed. */
static int
tbs_of(X509 *cert, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_re_X509_tbs(cert, &der);

	if (n > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	return n > 0 ? buf_error(out) : ICERT_E_MALFORMED;
}

static const char *
compare(X509 *x, const struct buf *cert, struct profile_issuer *issuer, const struct cert_fields *fields)
{
	struct buf spki = BUF_INIT, is = BUF_INIT, said = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];
	const char *fault = "fields-format";
	int64_t not_before;

	if (serial_of(x, serial) == 0 && proof_key(cert, &spki, &not_before) == 0 && tbs_of(x, &said) == 0) {
		fault = "fields";
		if (profile_person(issuer, fields, serial, not_before, spki.p, spki.len, &is) == 0 && is.len == said.len &&
		    memcmp(is.p, said.p, is.len) == 0)
			fault = NULL;
	}
	buf_free(&spki);
	buf_free(&is);
	buf_free(&said);
	return fault;
}

const char *
proof_fields(const struct buf *cert, const struct buf *issuer, const struct cert_fields *fields)
{
	struct addresses a = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };
	struct profile_issuer pi = PROFILE_ISSUER_INIT;
	const uint8_t *p = cert->p;
	X509 *x = cert->len == 0 ? NULL : d2i_X509(NULL, &p, (long)cert->len);
	const char *fault = "fields-format";

	if (x != NULL && profile_issuer_read(&pi, issuer->p, issuer->len) == 0) {
		take_access(&a, x);
		take_crl(&a, x);
		take_cps(&a, x);
		pi.ocsp_url = buf_str(&a.ocsp);
		pi.issuer_url = buf_str(&a.issuer);
		pi.crl_url = buf_str(&a.crl);
		pi.cps_url = buf_str(&a.cps);
		fault = compare(x, cert, &pi, fields);
	}
	ERR_clear_error();
	profile_issuer_free(&pi);
	buf_free(&a.ocsp);
	buf_free(&a.issuer);
	buf_free(&a.crl);
	buf_free(&a.cps);
	X509_free(x);
	return fault;
}
