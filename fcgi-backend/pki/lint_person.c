#include "pki/lint_rule.h"
#include "pki/oid.h"

#include <string.h>

/* Rules on what a person's certificate says of the person. */

/* X.520's upper bounds, in characters, as RFC 5280, appendix A.1, repeats them. */
#define UB_LOCALITY 128
#define UB_SERIAL_NUMBER 64
#define UB_COMMON_NAME 64

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static int
check_subject(struct lint *lint)
{
	const struct cert_fields *f = lint->expect->fields;
	const struct {
		int nid, type;
		const char *value;
		size_t most;
	} wanted[] = {
		{ NID_countryName, V_ASN1_PRINTABLESTRING, f->country, 2 },
		{ NID_localityName, V_ASN1_UTF8STRING, f->locality, UB_LOCALITY },
		{ NID_serialNumber, V_ASN1_PRINTABLESTRING, f->serial_number, UB_SERIAL_NUMBER },
		{ NID_commonName, V_ASN1_UTF8STRING, f->common_name, UB_COMMON_NAME },
	};
	X509_NAME *name = X509_get_subject_name(lint->x);
	X509_NAME_ENTRY *entry;
	int i, n = X509_NAME_entry_count(name);

	if (n != 4)
		return lint_note(lint, "%d attributes", n);
	for (i = 0; i < 4; i++) {
		entry = X509_NAME_get_entry(name, i);
		/* X509_NAME_ENTRY_set() tells the RDN: one attribute in each. */
		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != wanted[i].nid || X509_NAME_ENTRY_set(entry) != i)
			return lint_note(lint, "attribute %d is not %s", i + 1, OBJ_nid2sn(wanted[i].nid));
		if (!lint_text_is(X509_NAME_ENTRY_get_data(entry), wanted[i].type, wanted[i].value))
			return lint_note(lint, "%s is not what was approved", OBJ_nid2sn(wanted[i].nid));
		if (wanted[i].value[0] == '\0' || characters(wanted[i].value) > wanted[i].most)
			return lint_note(lint, "%s is empty or above %zu characters", OBJ_nid2sn(wanted[i].nid),
			    wanted[i].most);
	}
	return strcmp(f->country, "EC") == 0 ? 0 : lint_note(lint, "C is not EC");
}

/* Small letters of ASCII and of Latin-1 (U+00E0 to U+00FE without the division sign). */
static int
has_small(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p != '\0'; p++)
		if ((*p >= 'a' && *p <= 'z') || (*p == 0xC3 && p[1] >= 0xA0 && p[1] <= 0xBE && p[1] != 0xB7))
			return 1;
	return 0;
}

static int
check_upper_case(struct lint *lint)
{
	const struct cert_fields *f = lint->expect->fields;
	const struct {
		const char *name, *value;
	} upper[] = { { "L", f->locality }, { "CN", f->common_name }, { "given names", f->given_names },
		{ "first surname", f->surname1 }, { "second surname", f->surname2 }, { "city", f->city } };
	size_t i;

	for (i = 0; i < sizeof(upper) / sizeof(upper[0]); i++)
		if (has_small(upper[i].value))
			return lint_note(lint, "small letters in %s", upper[i].name);
	return 0;
}

/* No control character, no space at either end, none doubled in a name. */
static int
check_characters(struct lint *lint)
{
	const struct cert_fields *f = lint->expect->fields;
	const unsigned char *p;
	const char *value;
	size_t i, n;

	for (i = 0; i < CERT_FIELDS_COUNT; i++) {
		value = cert_fields_get(f, i);
		n = strlen(value);
		if (n > 0 && (value[0] == ' ' || value[n - 1] == ' '))
			return lint_note(lint, "a space at an end of %s", cert_fields_name(i));
		for (p = (const unsigned char *)value; *p != '\0'; p++)
			if (*p < 0x20 || *p == 0x7F || (*p == 0xC2 && p[1] < 0xA0))
				return lint_note(lint, "a control character in %s", cert_fields_name(i));
	}
	return strstr(f->common_name, "  ") == NULL ? 0 : lint_note(lint, "two spaces in the name");
}

/* rfc822Name, then each personal field as otherName { OID, [0] UTF8String }, in order. */
static int
check_san(struct lint *lint)
{
	const struct cert_fields *f = lint->expect->fields;
	const struct {
		const char *oid, *value;
		int optional;
	} wanted[] = {
		{ OID_IDENTIFICATION, f->identification, 0 }, { OID_GIVEN_NAMES, f->given_names, 0 },
		{ OID_SURNAME1, f->surname1, 0 }, { OID_SURNAME2, f->surname2, 0 }, { OID_ADDRESS, f->address, 0 },
		{ OID_TELEPHONE, f->telephone, 0 }, { OID_CITY, f->city, 0 }, { OID_RUC, f->ruc, 1 },
		{ OID_COUNTRY_NAME, f->country_name, 0 }, { OID_KIND, f->kind, 0 },
		{ OID_CONTAINER, f->container, 0 }, { OID_RUP, f->rup, 0 }, { OID_PROFESSION, f->profession, 0 },
	};
	GENERAL_NAMES *san = X509_get_ext_d2i(lint->x, NID_subject_alt_name, NULL, NULL);
	GENERAL_NAME *name;
	char oid[80];
	int at = 0, broken = 0;
	size_t i;

	name = san == NULL ? NULL : sk_GENERAL_NAME_value(san, at++);
	if (name == NULL || name->type != GEN_EMAIL || !lint_text_is(name->d.rfc822Name, V_ASN1_IA5STRING, f->email))
		broken = lint_note(lint, "the first name is not the approved rfc822Name");
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && !broken; i++) {
		if (wanted[i].optional && wanted[i].value[0] == '\0')
			continue;
		name = sk_GENERAL_NAME_value(san, at++);
		oid[0] = '\0';
		if (name != NULL && name->type == GEN_OTHERNAME)
			OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1);
		if (strcmp(oid, wanted[i].oid) != 0)
			broken = lint_note(lint, "name %d is not %s", at, wanted[i].oid);
		else if (name->d.otherName->value->type != V_ASN1_UTF8STRING ||
		    !lint_text_is(name->d.otherName->value->value.utf8string, V_ASN1_UTF8STRING, wanted[i].value))
			broken = lint_note(lint, "%s is not the approved UTF8String", wanted[i].oid);
	}
	if (!broken && sk_GENERAL_NAME_num(san) != at)
		broken = lint_note(lint, "%d names", sk_GENERAL_NAME_num(san));
	GENERAL_NAMES_free(san);
	return broken;
}

static int
check_email(struct lint *lint)
{
	const char *email = lint->expect->fields->email, *at = strchr(email, '@'), *p;

	if (at == NULL || at == email || at[1] == '\0' || strchr(at + 1, '@') != NULL || strlen(email) > 254)
		return lint_note(lint, "not one @ between two parts");
	for (p = email; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return lint_note(lint, "a character that an IA5 mailbox may not have");
	return 0;
}

static int
digits(const char *text, size_t least, size_t most)
{
	size_t n = strspn(text, "0123456789");

	return text[n] == '\0' && n >= least && n <= most;
}

/* Fields that must be there, agree with each other, or have a form. */
static int
check_fields(struct lint *lint)
{
	const struct cert_fields *f = lint->expect->fields;

	if (strcmp(f->identification, f->serial_number) != 0)
		return lint_note(lint, "identification and serialNumber differ");
	if (f->given_names[0] == '\0' || f->surname1[0] == '\0' || f->address[0] == '\0' || f->city[0] == '\0')
		return lint_note(lint, "a field that must be there is empty");
	if (strcmp(f->city, f->locality) != 0)
		return lint_note(lint, "city and L differ");
	if (f->telephone[0] != '+' || !digits(f->telephone + 1, 8, 15))
		return lint_note(lint, "the telephone is not in E.164");
	if (f->ruc[0] != '\0' && !digits(f->ruc, 13, 13))
		return lint_note(lint, "the RUC has not 13 digits");
	if (strcmp(f->country_name, "ECUADOR") != 0 || strcmp(f->kind, "PERSONA NATURAL") != 0)
		return lint_note(lint, "country or kind is another");
	if (f->years[0] < '1' || f->years[0] > '5' || f->years[1] != '\0')
		return lint_note(lint, "years is not 1 to 5");
	return 0;
}

/* The policy must be one of the authority's and agree with the container. */
static int
check_container(struct lint *lint)
{
	static const struct {
		const char *container, *policy;
	} known[] = { { "ARCHIVO PKCS#12", OID_POLICY_FILE }, { "TOKEN", OID_POLICY_TOKEN },
		{ "REMOTO", OID_POLICY_REMOTE }, { "REMOTO", OID_POLICY_HSM } };
	const struct cert_fields *f = lint->expect->fields;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(f->container, known[i].container) == 0 && strcmp(f->policy_oid, known[i].policy) == 0)
			return 0;
	return lint_note(lint, "container and policy do not belong together");
}

const struct lint_rule lint_rules_person[] = {
	{ "fields", "profile 1.2, 1.3", LINT_PERSON, check_fields },
	{ "subject", "profile 1.2; RFC 5280, A.1", LINT_PERSON, check_subject },
	{ "upper-case", "profile 1.2", LINT_PERSON, check_upper_case },
	{ "characters", "RFC 5280, 4.1.2.6; RFC 4518, 2.6.1", LINT_PERSON, check_characters },
	{ "email", "RFC 5280, 4.2.1.6; RFC 5321, 4.5.3.1", LINT_PERSON, check_email },
	{ "san", "profile 1.2, 1.3; RFC 5280, 4.2.1.6", LINT_PERSON, check_san },
	{ "container", "profile 1.3, 1.4", LINT_PERSON, check_container },
	{ NULL, NULL, 0, NULL }
};
