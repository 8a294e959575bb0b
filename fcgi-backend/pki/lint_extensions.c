#include "pki/lint_rule.h"
#include "pki/spki.h"

#include <string.h>

/* Rules on the extensions that certificates of all kinds share. */

int
lint_extension(const struct lint *lint, int nid, int *critical)
{
	int at = X509_get_ext_by_NID(lint->x, nid, -1);

	if (at >= 0)
		*critical = X509_EXTENSION_get_critical(X509_get_ext(lint->x, at));
	return at;
}

/* Each kind's extensions, all of them and in this order. */
static int
check_order(struct lint *lint)
{
	static const int person[] = { NID_subject_alt_name, NID_info_access, NID_subject_key_identifier,
	    NID_basic_constraints, NID_authority_key_identifier, NID_certificate_policies,
	    NID_crl_distribution_points, NID_key_usage, NID_ext_key_usage, 0 };
	static const int responder[] = { NID_subject_key_identifier, NID_basic_constraints,
	    NID_authority_key_identifier, NID_key_usage, NID_ext_key_usage, NID_id_pkix_OCSP_noCheck, 0 };
	static const int issuing[] = { NID_info_access, NID_subject_key_identifier, NID_basic_constraints,
	    NID_authority_key_identifier, NID_certificate_policies, NID_crl_distribution_points, NID_key_usage, 0 };
	static const int root[] = { NID_subject_key_identifier, NID_basic_constraints, NID_certificate_policies,
	    NID_key_usage, 0 };
	const int *order = lint->expect->kind == LINT_PERSON ? person : lint->expect->kind == LINT_RESPONDER
	    ? responder : lint->expect->kind == LINT_ISSUING ? issuing : root;
	int i, n = X509_get_ext_count(lint->x);

	for (i = 0; order[i] != 0 && i < n; i++)
		if (OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(lint->x, i))) != order[i])
			return lint_note(lint, "extension %d is not %s", i + 1, OBJ_nid2sn(order[i]));
	if (order[i] != 0 || i != n)
		return lint_note(lint, "%d extensions", n);
	return 0;
}

/* keyUsage is critical, and basicConstraints of a CA; nothing else is. */
static int
check_critical(struct lint *lint)
{
	int i, nid, wanted, n = X509_get_ext_count(lint->x);
	X509_EXTENSION *extension;

	for (i = 0; i < n; i++) {
		extension = X509_get_ext(lint->x, i);
		nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
		wanted = nid == NID_key_usage ||
		    (nid == NID_basic_constraints && (lint->expect->kind & LINT_CA) != 0);
		if ((X509_EXTENSION_get_critical(extension) != 0) != wanted)
			return lint_note(lint, "%s is%s critical", OBJ_nid2sn(nid), wanted ? " not" : "");
	}
	return 0;
}

static int
is_url(const GENERAL_NAME *name, const char *url)
{
	return name->type == GEN_URI && lint_text_is(name->d.uniformResourceIdentifier, V_ASN1_IA5STRING, url);
}

/* OCSP first, because a client takes the first entry, and it finds it by "ocsp" in the URL. */
static int
check_aia(struct lint *lint)
{
	const struct lint_expect *e = lint->expect;
	AUTHORITY_INFO_ACCESS *aia;
	ACCESS_DESCRIPTION *entry;
	int i = 0, broken = 0;

	if (e->kind != LINT_PERSON && e->ocsp_url[0] == '\0' && e->issuer_url[0] == '\0')
		return 0;
	if ((aia = X509_get_ext_d2i(lint->x, NID_info_access, NULL, NULL)) == NULL)
		return lint_note(lint, "absent or not readable");
	if (e->kind == LINT_PERSON || e->ocsp_url[0] != '\0') {
		entry = sk_ACCESS_DESCRIPTION_value(aia, i++);
		if (entry == NULL || OBJ_obj2nid(entry->method) != NID_ad_OCSP || !is_url(entry->location, e->ocsp_url))
			broken = lint_note(lint, "the first entry is not our OCSP responder");
		else if (strstr(e->ocsp_url, "ocsp") == NULL)
			broken = lint_note(lint, "no \"ocsp\" in the URL");
	}
	if (!broken && e->issuer_url[0] != '\0') {
		entry = sk_ACCESS_DESCRIPTION_value(aia, i++);
		if (entry == NULL || OBJ_obj2nid(entry->method) != NID_ad_ca_issuers ||
		    !is_url(entry->location, e->issuer_url))
			broken = lint_note(lint, "caIssuers is not the issuer's certificate");
	}
	if (!broken && sk_ACCESS_DESCRIPTION_num(aia) != i)
		broken = lint_note(lint, "%d entries", sk_ACCESS_DESCRIPTION_num(aia));
	AUTHORITY_INFO_ACCESS_free(aia);
	return broken;
}

static int
check_ski(struct lint *lint)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(lint->x);
	uint8_t wanted[SPKI_KEY_ID];

	if (id == NULL || spki_key_id(lint->expect->spki, lint->expect->spki_len, wanted) != 0)
		return lint_note(lint, "absent or not readable");
	if (ASN1_STRING_length(id) != SPKI_KEY_ID || memcmp(ASN1_STRING_get0_data(id), wanted, SPKI_KEY_ID) != 0)
		return lint_note(lint, "not the SHA-1 of the key");
	return 0;
}

static int
check_aki(struct lint *lint)
{
	const ASN1_OCTET_STRING *issuer = X509_get0_subject_key_id(lint->issuer);
	AUTHORITY_KEYID *aki;
	int broken = 0;

	if ((aki = X509_get_ext_d2i(lint->x, NID_authority_key_identifier, NULL, NULL)) == NULL || issuer == NULL) {
		broken = lint_note(lint, "absent or not readable");
	} else if (aki->keyid == NULL || aki->issuer != NULL || aki->serial != NULL) {
		broken = lint_note(lint, "not keyIdentifier alone");
	} else if (ASN1_OCTET_STRING_cmp(aki->keyid, issuer) != 0) {
		broken = lint_note(lint, "not the issuer's subjectKeyIdentifier");
	}
	AUTHORITY_KEYID_free(aki);
	return broken;
}

static int
check_basic(struct lint *lint)
{
	static const uint8_t empty[] = { 0x30, 0x00 };
	BASIC_CONSTRAINTS *basic;
	const ASN1_OCTET_STRING *raw;
	int at, critical, broken = 0, ca = (lint->expect->kind & LINT_CA) != 0;

	if ((at = lint_extension(lint, NID_basic_constraints, &critical)) < 0)
		return lint_note(lint, "absent");
	raw = X509_EXTENSION_get_data(X509_get_ext(lint->x, at));
	if (!ca) {
		if (ASN1_STRING_length(raw) != 2 || memcmp(ASN1_STRING_get0_data(raw), empty, 2) != 0)
			return lint_note(lint, "not the empty SEQUENCE");
		return 0;
	}
	if ((basic = X509_get_ext_d2i(lint->x, NID_basic_constraints, NULL, NULL)) == NULL)
		return lint_note(lint, "not readable");
	if (!basic->ca)
		broken = lint_note(lint, "cA is not TRUE");
	else if (lint->expect->kind == LINT_ISSUING && (basic->pathlen == NULL || ASN1_INTEGER_get(basic->pathlen) != 0))
		broken = lint_note(lint, "pathLenConstraint is not 0");
	else if (lint->expect->kind == LINT_ROOT && basic->pathlen != NULL)
		broken = lint_note(lint, "a pathLenConstraint in the root");
	BASIC_CONSTRAINTS_free(basic);
	return broken;
}

static int
check_policy(struct lint *lint)
{
	const char *policy = lint->expect->kind == LINT_PERSON ? lint->expect->fields->policy_oid : "2.5.29.32.0";
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(lint->x, NID_certificate_policies, NULL, NULL);
	POLICYINFO *information;
	POLICYQUALINFO *qualifier;
	char text[80] = "";
	int broken = 0;

	if (policies == NULL || sk_POLICYINFO_num(policies) != 1) {
		broken = lint_note(lint, "absent, not readable, or not one policy");
		goto out;
	}
	information = sk_POLICYINFO_value(policies, 0);
	OBJ_obj2txt(text, sizeof(text), information->policyid, 1);
	if (strcmp(text, policy) != 0)
		broken = lint_note(lint, "policy %s", text);
	else if (sk_POLICYQUALINFO_num(information->qualifiers) != 1)
		broken = lint_note(lint, "not one qualifier");
	if (broken)
		goto out;
	qualifier = sk_POLICYQUALINFO_value(information->qualifiers, 0);
	if (OBJ_obj2nid(qualifier->pqualid) != NID_id_qt_cps ||
	    !lint_text_is(qualifier->d.cpsuri, V_ASN1_IA5STRING, lint->expect->cps_url))
		broken = lint_note(lint, "the qualifier is not our CPS");
out:
	CERTIFICATEPOLICIES_free(policies);
	return broken;
}

static int
check_crl_dp(struct lint *lint)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(lint->x, NID_crl_distribution_points, NULL, NULL);
	const char *url = lint->expect->crl_url;
	DIST_POINT *point;
	int broken = 0;

	if (points == NULL || sk_DIST_POINT_num(points) != 1) {
		broken = lint_note(lint, "absent, not readable, or not one point");
		goto out;
	}
	point = sk_DIST_POINT_value(points, 0);
	if (point->distpoint == NULL || point->distpoint->type != 0 || point->reasons != NULL || point->CRLissuer != NULL ||
	    sk_GENERAL_NAME_num(point->distpoint->name.fullname) != 1 ||
	    !is_url(sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0), url))
		broken = lint_note(lint, "not our CRL's URL alone");
	else if (strstr(url, "crl") == NULL)
		broken = lint_note(lint, "no \"crl\" in the URL");
out:
	CRL_DIST_POINTS_free(points);
	return broken;
}

static int
check_key_usage(struct lint *lint)
{
	ASN1_BIT_STRING *usage = X509_get_ext_d2i(lint->x, NID_key_usage, NULL, NULL);
	unsigned wanted, seen = 0;
	int i;

	if (usage == NULL)
		return lint_note(lint, "absent or not readable");
	for (i = 0; i < 9; i++)
		if (ASN1_BIT_STRING_get_bit(usage, i))
			seen |= 1U << i;
	ASN1_BIT_STRING_free(usage);
	wanted = lint->expect->kind == LINT_PERSON ? 0x003 : lint->expect->kind == LINT_RESPONDER ? 0x001 : 0x060;
	return seen == wanted ? 0 : lint_note(lint, "bits 0x%03x", seen);
}

static int
check_eku(struct lint *lint)
{
	static const int person[] = { NID_client_auth, NID_email_protect, 0 };
	static const int responder[] = { NID_OCSP_sign, 0 };
	const int *wanted = lint->expect->kind == LINT_PERSON ? person : responder;
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(lint->x, NID_ext_key_usage, NULL, NULL);
	int i, broken = 0;

	if (eku == NULL)
		return lint_note(lint, "absent or not readable");
	for (i = 0; wanted[i] != 0 && !broken; i++)
		if (i >= sk_ASN1_OBJECT_num(eku) || OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i)) != wanted[i])
			broken = lint_note(lint, "purpose %d is not %s", i + 1, OBJ_nid2sn(wanted[i]));
	if (!broken && sk_ASN1_OBJECT_num(eku) != i)
		broken = lint_note(lint, "%d purposes", sk_ASN1_OBJECT_num(eku));
	EXTENDED_KEY_USAGE_free(eku);
	return broken;
}

const struct lint_rule lint_rules_extensions[] = {
	{ "extension-order", "profile 1.1, 1.2; RFC 6960, 4.2.2.2", LINT_ALL, check_order },
	{ "critical", "RFC 5280, 4.2.1.3, 4.2.1.9", LINT_ALL, check_critical },
	{ "aia", "profile 1.5, 5; RFC 5280, 4.2.2.1", LINT_PERSON | LINT_ISSUING, check_aia },
	{ "ski", "RFC 5280, 4.2.1.2", LINT_ALL, check_ski },
	{ "aki", "RFC 5280, 4.2.1.1", LINT_PERSON | LINT_RESPONDER | LINT_ISSUING, check_aki },
	{ "basic-constraints", "RFC 5280, 4.2.1.9; profile 1.1, 1.2", LINT_ALL, check_basic },
	{ "policy", "profile 1.4, 1.5, 2; RFC 5280, 4.2.1.4", LINT_PERSON | LINT_CA, check_policy },
	{ "crl-dp", "profile 1.5, 5; RFC 5280, 4.2.1.13", LINT_PERSON | LINT_ISSUING, check_crl_dp },
	{ "key-usage", "profile 1.5, 4; RFC 5280, 4.2.1.3", LINT_ALL, check_key_usage },
	{ "eku", "profile 1.2; RFC 6960, 4.2.2.2", LINT_PERSON | LINT_RESPONDER, check_eku },
	{ NULL, NULL, 0, NULL }
};
