/*
 * Whom the invoice is for.
 */
#include <jansson.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/normalise.h"
#include "libicert/utf8.h"
#include "procedure/order/billing.h"
#include "procedure/people/identifier.h"
#include "procedure/people/name.h"

#define JSON_MAX 8192

#define FIELD(member) { #member, offsetof(struct billing, member), sizeof(((struct billing *)0)->member) }

static const struct { const char *name; size_t offset, size; } fields[] = {
	FIELD(id_kind), FIELD(id_number), FIELD(name), FIELD(address), FIELD(telephone), FIELD(email), FIELD(for_me),
};
#define FIELDS (sizeof fields / sizeof fields[0])

static int
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const char *
check_id(struct billing *b)
{
	char one[NORMALISED_MAX];
	const char *wrong;
	int doubtful;

	if (b->id_number[0] == '\0')
		return "billing.id_number.missing";
	if (normalise_person(b->id_number, one, sizeof one) != 0 || strlen(one) >= sizeof b->id_number)
		return "billing.id_number.characters";
	memcpy(b->id_number, one, strlen(one) + 1);
	if (is(b->id_kind, "cedula"))
		wrong = identifier_cedula(one);
	else if (is(b->id_kind, "ruc"))
		wrong = identifier_ruc(one, &doubtful);
	else
		wrong = identifier_passport(one);
	if (wrong == NULL)
		return NULL;
	if (is(wrong, "length"))
		return is(b->id_kind, "ruc") ? "billing.id_number.ruc_length" : is(b->id_kind, "cedula") ?
		    "billing.id_number.cedula_length" : "billing.id_number.passport";
	return is(b->id_kind, "ruc") ? "billing.id_number.ruc" : is(b->id_kind, "cedula") ? "billing.id_number.cedula" :
	    "billing.id_number.passport";
}

static int
known_kind(const char *kind)
{
	return is(kind, "cedula") || is(kind, "ruc") || is(kind, "passport");
}

/* How the payer is reached: after n faults, all of them. */
static size_t
check_reach(struct billing *b, struct billing_fault faults[BILLING_FAULTS_MAX], size_t n)
{
	char one[NORMALISED_MAX], telephone[20];

	if (b->telephone[0] == '\0')
		faults[n++] = (struct billing_fault){ "telephone", "billing.telephone.missing" };
	else if (identifier_telephone(b->telephone, telephone, sizeof telephone) != NULL)
		faults[n++] = (struct billing_fault){ "telephone", "billing.telephone.telephone" };
	else
		memcpy(b->telephone, telephone, strlen(telephone) + 1);
	if (b->email[0] != '\0') {
		if (normalise_email(b->email, one, sizeof one) != 0 || identifier_email(one) != NULL)
			faults[n++] = (struct billing_fault){ "email", "billing.email.email" };
		else
			memcpy(b->email, one, strlen(one) + 1);
	}
	return n;
}

static size_t
check_consumer(struct billing *b, struct billing_fault faults[BILLING_FAULTS_MAX])
{
	strcpy(b->id_number, BILLING_CONSUMER_ID);
	strcpy(b->name, BILLING_CONSUMER_NAME);
	b->address[0] = '\0';
	strcpy(b->for_me, "no");
	return check_reach(b, faults, 0);
}

size_t
billing_check(struct billing *b, struct billing_fault faults[BILLING_FAULTS_MAX])
{
	char one[NORMALISED_MAX];
	const char *code;
	size_t n = 0;

	if (is(b->id_kind, "consumer"))
		return check_consumer(b, faults);
	if (!is(b->for_me, "yes") && !is(b->for_me, "no"))
		faults[n++] = (struct billing_fault){ "for_me", "billing.for_me.missing" };
	if (!known_kind(b->id_kind))
		faults[n++] = (struct billing_fault){ "id_kind", "billing.id_kind.missing" };
	if ((b->id_number[0] == '\0' || known_kind(b->id_kind)) && (code = check_id(b)) != NULL)
		faults[n++] = (struct billing_fault){ "id_number", code };
	if (name_fold(b->name, one, sizeof one) != 0 || one[0] == '\0' || strlen(one) >= sizeof b->name)
		faults[n++] = (struct billing_fault){ "name", "billing.name.missing" };
	else
		memcpy(b->name, one, strlen(one) + 1);
	if (name_fold(b->address, one, sizeof one) != 0 || one[0] == '\0' || strlen(one) >= sizeof b->address)
		faults[n++] = (struct billing_fault){ "address", "billing.address.missing" };
	else
		memcpy(b->address, one, strlen(one) + 1);
	return check_reach(b, faults, n);
}

int
billing_same(const struct billing *a, const struct billing *b)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset) != 0)
			return 0;
	return 1;
}

int
billing_write(const struct billing *b, struct buf *out)
{
	json_t *root = json_object();
	char *text = NULL;
	int error = ICERT_E_MEMORY;

	if (root == NULL)
		return error;
	for (size_t i = 0; i < FIELDS; i++)
		if (json_object_set_new(root, fields[i].name, json_string((const char *)b + fields[i].offset)) != 0)
			goto out;
	if ((text = json_dumps(root, JSON_COMPACT)) == NULL)
		goto out;
	buf_puts(out, text);
	bytes_wipe(text, strlen(text));
	error = buf_error(out);
out:
	free(text);
	json_decref(root);
	return error;
}

int
billing_read(struct billing *b, const void *json, size_t n)
{
	json_t *root;

	memset(b, 0, sizeof *b);
	if (n > JSON_MAX || (root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return ICERT_E_MALFORMED;
	for (size_t i = 0; i < FIELDS; i++) {
		const char *value = json_string_value(json_object_get(root, fields[i].name));

		if (value != NULL)
			utf8_cut((char *)b + fields[i].offset, fields[i].size, value);
	}
	json_decref(root);
	return 0;
}
