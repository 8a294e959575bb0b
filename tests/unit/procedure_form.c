/* The application's form and the billing data: the one form of each value, faults, and back from JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "procedure/order/billing.h"
#include "procedure/application/form.h"
#include "procedure/people/name.h"

static void
fill(struct application_form *f)
{
	static const struct { const char *name, *value; } typed[] = {
		{ "id_kind", "cedula" }, { "id_number", " 171003406-5 " }, { "given_names", "josé  ángel" },
		{ "surname1", "Núñez" }, { "surname2", "de la Cruz" }, { "province", "17" }, { "city", "Quito" },
		{ "address", "Av. Amazonas N24-155" }, { "telephone", "099 123 4567" }, { "invoices", "yes" },
		{ "ruc", "1710034065001" }, { "voting_paper", "certificate" }, { "privacy", "yes" },
	};

	memset(f, 0, sizeof *f);
	for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++)
		assert_int_equal(application_form_set(f, typed[i].name, typed[i].value), 0);
}

static void
expect_fault(struct application_form *f, const char *field, const char *code)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	size_t n = application_form_check(f, 0, faults);

	assert_int_equal(n, 1);
	assert_string_equal(faults[0].field, field);
	assert_string_equal(faults[0].code, code);
}

static void
change(struct application_form *f, const char *name, const char *value)
{
	fill(f);
	assert_int_equal(application_form_set(f, name, value), 0);
}

static void
test_one_form(void **state)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application_form f;
	char name[512];

	(void)state;
	fill(&f);
	assert_int_equal(application_form_check(&f, 0, faults), 0);
	assert_string_equal(f.id_number, "1710034065");
	assert_string_equal(f.given_names, "JOSÉ ÁNGEL");
	assert_string_equal(f.surname1, "NÚÑEZ");
	assert_string_equal(f.telephone, "+593991234567");
	assert_string_equal(f.city, "QUITO");
	application_full_name(&f, name, sizeof name);
	assert_string_equal(name, "JOSÉ ÁNGEL NÚÑEZ DE LA CRUZ");
	/* A single surname leaves no space behind. */
	f.surname2[0] = '\0';
	application_full_name(&f, name, sizeof name);
	assert_string_equal(name, "JOSÉ ÁNGEL NÚÑEZ");
}

static void
test_empty_form_names_every_field(void **state)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application_form f;

	(void)state;
	memset(&f, 0, sizeof f);
	/* surname2, ruc and voting_reason may be empty. */
	assert_int_equal(application_form_check(&f, 0, faults), FORM_FIELDS - 3);
	assert_int_equal(application_form_check(&f, 1, faults), 4);
	assert_string_equal(faults[0].field, "id_kind");
}

static void
test_faults(void **state)
{
	struct application_form f;

	(void)state;
	change(&f, "invoices", "no");
	strcpy(f.id_number, "1710034064");
	expect_fault(&f, "id_number", "form.id_number.check_digit");
	change(&f, "ruc", "1710034065000");
	expect_fault(&f, "ruc", "form.ruc.establishment");
	change(&f, "ruc", "1714616123001");
	expect_fault(&f, "ruc", "form.ruc.other_person");
	change(&f, "telephone", "12");
	expect_fault(&f, "telephone", "form.telephone.telephone");
	change(&f, "province", "25");
	expect_fault(&f, "province", "form.province.missing");
	change(&f, "given_names", "José <b>");
	expect_fault(&f, "given_names", "form.given_names.characters");
	change(&f, "voting_paper", "other");
	expect_fault(&f, "voting_reason", "form.voting_reason.missing");
	change(&f, "privacy", "");
	expect_fault(&f, "privacy", "form.privacy.missing");
	change(&f, "surname1", "Wxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyzwxyz");
	expect_fault(&f, "given_names", "form.given_names.too_long");
}

/* The RUC is asked in plain words and never kept when it is not wanted. */
static void
test_ruc_only_when_asked(void **state)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application_form f;

	(void)state;
	change(&f, "invoices", "no");
	assert_int_equal(application_form_check(&f, 0, faults), 0);
	assert_string_equal(f.ruc, "");
	change(&f, "ruc", "");
	expect_fault(&f, "ruc", "form.ruc.missing");
}

static void
test_passport(void **state)
{
	struct form_fault faults[FORM_FAULTS_MAX];
	struct application_form f;

	(void)state;
	change(&f, "id_kind", "passport");
	strcpy(f.id_number, "ab-123456");
	/* A foreigner with a RUC of their own: it begins with another number. */
	assert_int_equal(application_form_check(&f, 0, faults), 0);
	assert_string_equal(f.id_number, "AB123456");
}

static void
test_set_refuses(void **state)
{
	struct application_form f;
	char longer[600];

	(void)state;
	fill(&f);
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(application_form_set(&f, "address", longer), ICERT_E_TOO_LARGE);
	assert_int_equal(application_form_set(&f, "surname1", "a\x01" "b"), ICERT_E_MALFORMED);
	assert_int_equal(application_form_set(&f, "surname1", "a\xff"), ICERT_E_MALFORMED);
	assert_int_equal(application_form_set(&f, "nothing", "a"), ICERT_E_NOT_FOUND);
	assert_string_equal(f.surname1, "Núñez");
}

static void
test_json_and_back(void **state)
{
	struct application_form f, g;
	struct buf json = BUF_INIT;

	(void)state;
	fill(&f);
	strcpy(f.address, "Calle \"Ñ\" \\ 1");
	assert_int_equal(application_form_write(&f, &json), 0);
	assert_int_equal(application_form_read(&g, json.p, json.len), 0);
	for (size_t i = 0; i < FORM_FIELDS; i++)
		assert_string_equal(application_form_get(&g, application_fields[i].name),
		    application_form_get(&f, application_fields[i].name));
	assert_int_equal(application_form_read(&g, "{\"surname1\":\"A\",\"strange\":[1]}", 30), 0);
	assert_string_equal(g.surname1, "A");
	assert_int_equal(application_form_read(&g, "{", 1), ICERT_E_MALFORMED);
	assert_int_equal(application_form_read(&g, "", 0), 0);
	buf_free(&json);
}

static void
test_names(void **state)
{
	char out[64];

	(void)state;
	/* The accent as a mark of its own, as some systems type it. */
	assert_int_equal(name_upper("Jose\xcc\x81 Mun\xcc\x83oz", out, sizeof out), 0);
	assert_string_equal(out, "JOSÉ MUÑOZ");
	assert_int_equal(name_upper("  üñëç\t ž ", out, sizeof out), 0);
	assert_string_equal(out, "ÜÑËÇ Ž");
	assert_int_equal(name_upper("O'Brien-Pérez", out, sizeof out), 0);
	assert_string_equal(out, "O'BRIEN-PÉREZ");
	assert_int_equal(name_upper("abcdefgh", out, 8), ICERT_E_TOO_LARGE);
	assert_int_equal(name_upper("abcdefg", out, 8), 0);
	assert_true(name_plausible("MARÍA DEL CARMEN"));
	assert_false(name_plausible("MARÍA 2"));
	assert_false(name_plausible("---"));
	assert_false(name_plausible(""));
}

static void
test_billing(void **state)
{
	struct billing_fault faults[BILLING_FAULTS_MAX];
	struct billing b = { "ruc", "1790011674001", " Compañía  S.A. ", "Quito", "022345678", "", "no" }, c;
	struct buf json = BUF_INIT;

	(void)state;
	assert_int_equal(billing_check(&b, faults), 0);
	assert_string_equal(b.name, "Compañía S.A.");
	assert_string_equal(b.telephone, "+59322345678");
	assert_int_equal(billing_write(&b, &json), 0);
	assert_int_equal(billing_read(&c, json.p, json.len), 0);
	assert_string_equal(c.name, b.name);
	buf_free(&json);
	strcpy(b.id_number, "179001167400");
	assert_int_equal(billing_check(&b, faults), 1);
	assert_string_equal(faults[0].code, "billing.id_number.ruc_length");
	memset(&b, 0, sizeof b);
	/* Every field, in the order of the page. */
	assert_int_equal(billing_check(&b, faults), 6);
	assert_string_equal(faults[0].field, "for_me");
	assert_string_equal(faults[1].field, "id_kind");
	assert_string_equal(faults[2].field, "id_number");
}

/* The final consumer is nobody: what was typed of a person is not kept. */
static void
test_consumer(void **state)
{
	struct billing_fault faults[BILLING_FAULTS_MAX];
	struct billing b = { "consumer", "1710034065", "Ana", "Quito", "099 123 4567", "", "yes" };

	(void)state;
	assert_int_equal(billing_check(&b, faults), 0);
	assert_string_equal(b.id_number, "9999999999999");
	assert_string_equal(b.name, "CONSUMIDOR FINAL");
	assert_string_equal(b.address, "");
	assert_string_equal(b.for_me, "no");
	assert_string_equal(b.telephone, "+593991234567");
	strcpy(b.telephone, "1");
	assert_int_equal(billing_check(&b, faults), 1);
	assert_string_equal(faults[0].field, "telephone");
	assert_string_equal(faults[0].code, "billing.telephone.telephone");
	b.telephone[0] = '\0';
	assert_int_equal(billing_check(&b, faults), 1);
	assert_string_equal(faults[0].code, "billing.telephone.missing");
}

static void
test_kept_pages(void **state)
{
	struct application_form f = { .kept = "identidad,nombres,ruc" }, g;
	struct buf json = BUF_INIT;

	(void)state;
	assert_true(application_form_kept(&f, "identidad"));
	assert_true(application_form_kept(&f, "ruc"));
	assert_false(application_form_kept(&f, "nombre"));
	assert_false(application_form_kept(&f, "identidad,nombres"));
	assert_int_equal(application_form_write(&f, &json), 0);
	assert_int_equal(application_form_read(&g, json.p, json.len), 0);
	assert_string_equal(g.kept, f.kept);
	buf_free(&json);
	application_form_confirm(&f, "nombres");
	assert_string_equal(f.kept, "identidad,ruc");
	application_form_confirm(&f, "nombres");
	application_form_confirm(&f, "ruc");
	assert_string_equal(f.kept, "identidad");
	application_form_confirm(&f, "identidad");
	assert_string_equal(f.kept, "");
	assert_false(application_form_kept(&f, "identidad"));
	/* What is confirmed is not written at all. */
	assert_int_equal(application_form_write(&f, &json), 0);
	assert_null(strstr(buf_str(&json), "kept"));
	buf_free(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_form),
		cmocka_unit_test(test_empty_form_names_every_field),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_ruc_only_when_asked),
		cmocka_unit_test(test_passport),
		cmocka_unit_test(test_set_refuses),
		cmocka_unit_test(test_json_and_back),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_billing),
		cmocka_unit_test(test_consumer),
		cmocka_unit_test(test_kept_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
