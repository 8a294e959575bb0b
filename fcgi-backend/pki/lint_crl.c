#include "pki/lint_crl.h"
#include "libicert/error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int
broken(struct lint_finding *f, const char *rule, const char *source, const char *detail)
{
	f->rule = rule;
	f->source = source;
	snprintf(f->detail, sizeof(f->detail), "%s", detail);
	return ICERT_E_LINT;
}

static int
time_is(const ASN1_TIME *t, int64_t wanted)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 && (int64_t)timegm(&tm) == wanted;
}

/* Critical, one name, which is the address asked for, and for people's certificates alone. */
static int
point_is(X509_CRL *crl, const char *url)
{
	int critical = -1, same = 0;
	ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
	const GENERAL_NAME *name;

	if (idp != NULL && critical == 1 && idp->onlyuser && !idp->onlyCA && !idp->onlyattr && !idp->indirectCRL &&
	    idp->onlysomereasons == NULL && idp->distpoint != NULL && idp->distpoint->type == 0 &&
	    sk_GENERAL_NAME_num(idp->distpoint->name.fullname) == 1) {
		name = sk_GENERAL_NAME_value(idp->distpoint->name.fullname, 0);
		same = name->type == GEN_URI && (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier) == strlen(url) &&
		    memcmp(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier), url, strlen(url)) == 0;
	}
	ISSUING_DIST_POINT_free(idp);
	return same;
}

static int
check_extensions(X509_CRL *crl, X509 *issuer, const struct crl *expect, struct lint_finding *f)
{
	AUTHORITY_KEYID *aki = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	uint64_t value = 0;
	int error = 0;

	if (X509_CRL_get_ext_count(crl) != (expect->point == NULL ? 2 : 3))
		error = broken(f, "crl-extensions", "RFC 5280, 5.2", "not as many extensions as its kind has");
	else if (expect->point != NULL && !point_is(crl, expect->point))
		error = broken(f, "crl-point", "RFC 5280, 5.2.5", "not a critical issuingDistributionPoint of this address");
	else if (aki == NULL || aki->keyid == NULL ||
	    ASN1_OCTET_STRING_cmp(aki->keyid, X509_get0_subject_key_id(issuer)) != 0)
		error = broken(f, "crl-aki", "RFC 5280, 5.2.1", "not the issuer's key identifier");
	else if (number == NULL || ASN1_INTEGER_get_uint64(&value, number) != 1 || value != expect->number)
		error = broken(f, "crl-number", "RFC 5280, 5.2.3", "not the number asked for");
	AUTHORITY_KEYID_free(aki);
	ASN1_INTEGER_free(number);
	return error;
}

static int
check_entry(X509_REVOKED *entry, const struct crl_entry *wanted, struct lint_finding *f)
{
	const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(entry);
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	const uint8_t *p = wanted->serial;
	size_t n = sizeof(wanted->serial);
	long value = reason == NULL ? 0 : ASN1_ENUMERATED_get(reason);
	int error = 0;

	while (n > 1 && *p == 0) {
		p++;
		n--;
	}
	if ((size_t)ASN1_STRING_length(serial) != n || memcmp(ASN1_STRING_get0_data(serial), p, n) != 0)
		error = broken(f, "crl-serial", "RFC 5280, 5.1.2.6", "an entry for another serial");
	else if (!time_is(X509_REVOKED_get0_revocationDate(entry), wanted->revoked_at))
		error = broken(f, "crl-date", "RFC 5280, 5.1.2.6", "an entry with another date");
	else if (value != wanted->reason || (reason != NULL && value == 0))
		error = broken(f, "crl-reason", "RFC 5280, 5.3.1", "an entry with another reason");
	ASN1_ENUMERATED_free(reason);
	return error;
}

static int
check(X509_CRL *crl, X509 *issuer, const struct crl *expect, struct lint_finding *f)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	int error;
	size_t i;

	if (X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1)
		return broken(f, "crl-signature", "RFC 5280, 5.1.1.3", "does not verify");
	if (X509_CRL_get_version(crl) != X509_CRL_VERSION_2)
		return broken(f, "crl-version", "RFC 5280, 5.1.2.1", "not version 2");
	if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0)
		return broken(f, "crl-issuer", "RFC 5280, 5.1.2.3", "another issuer");
	if (!time_is(X509_CRL_get0_lastUpdate(crl), expect->this_update) ||
	    !time_is(X509_CRL_get0_nextUpdate(crl), expect->next_update))
		return broken(f, "crl-times", "RFC 5280, 5.1.2.4, 5.1.2.5", "not the times asked for");
	if ((error = check_extensions(crl, issuer, expect, f)) != 0)
		return error;
	if ((size_t)(entries == NULL ? 0 : sk_X509_REVOKED_num(entries)) != expect->n || (entries != NULL && expect->n == 0))
		return broken(f, "crl-entries", "RFC 5280, 5.1.2.6", "not so many entries as asked for");
	for (i = 0; i < expect->n; i++)
		if ((error = check_entry(sk_X509_REVOKED_value(entries, (int)i), &expect->entries[i], f)) != 0)
			return error;
	return 0;
}

int
lint_crl(const uint8_t *issuer, size_t issuer_len, const struct crl *expect, const uint8_t *der, size_t len,
    struct lint_finding *f)
{
	const uint8_t *p = der, *q = issuer;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)len);
	X509 *x = d2i_X509(NULL, &q, (long)issuer_len);
	int error;

	if (crl == NULL || x == NULL || p != der + len)
		error = broken(f, "crl-parse", "RFC 5280, 5.1", "not a CRL, or more than one");
	else
		error = check(crl, x, expect, f);
	ERR_clear_error();
	X509_CRL_free(crl);
	X509_free(x);
	return error;
}
