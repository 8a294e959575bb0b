/* The keeper: data keys, look-ups, second factors, approvals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keeper_server.h"
#include "libicert/error.h"

static void
data_keys(void **state)
{
	char id[ID_TEXT], other[ID_TEXT];
	uint8_t key[32], wrapped[2][KEEPER_WRAPPED], back[2][32];

	(void)state;
	assert_int_equal(keeper_datakey_new(&portal, DATAKEY_CASE, id, key, wrapped[0]), 0);
	assert_int_equal(keeper_datakey_new(&portal, DATAKEY_CONTACT, other, back[1], wrapped[1]), 0);
	assert_int_equal(keeper_datakey_unwrap(&desk, 2, wrapped, back), 0);
	assert_memory_equal(key, back[0], 32);
	assert_memory_not_equal(back[0], back[1], 32);
	/* the id and the kind are bound */
	wrapped[1][5] ^= 1;
	assert_int_equal(keeper_datakey_unwrap(&desk, 2, wrapped, back), ICERT_E_FORGED);
	wrapped[1][5] ^= 1;
	wrapped[1][0] = DATAKEY_CASE;
	assert_int_equal(keeper_datakey_unwrap(&desk, 2, wrapped, back), ICERT_E_FORGED);
	/* kinds by socket */
	assert_int_equal(keeper_datakey_new(&portal, DATAKEY_PAYMENTS_MONTH, id, key, wrapped[0]), ICERT_E_DENIED);
	assert_int_equal(keeper_datakey_new(&issuer, DATAKEY_CASE, id, key, wrapped[0]), ICERT_E_DENIED);
	assert_int_equal(keeper_datakey_new(&clerk, DATAKEY_PAYMENTS_MONTH, id, key, wrapped[0]), 0);
	assert_int_equal(keeper_datakey_unwrap(&portal, 1, wrapped, back), ICERT_E_DENIED);
	assert_int_equal(keeper_datakey_unwrap(&clerk, 1, wrapped, back), 0);
	assert_int_equal(keeper_datakey_new(&portal, (enum datakey_kind)9, id, key, wrapped[0]), ICERT_E_DENIED);
}

static void
many_data_keys_in_batches(void **state)
{
	enum { N = KEEPER_BATCH + 3 };
	static uint8_t wrapped[N][KEEPER_WRAPPED], back[N][32];
	uint8_t key[32];
	char id[ID_TEXT];

	(void)state;
	assert_int_equal(keeper_datakey_new(&portal, DATAKEY_ORDER, id, key, wrapped[0]), 0);
	for (int i = 1; i < N; i++)
		memcpy(wrapped[i], wrapped[0], KEEPER_WRAPPED);
	assert_int_equal(keeper_datakey_unwrap(&clerk, N, (const uint8_t (*)[KEEPER_WRAPPED])wrapped, back), 0);
	assert_memory_equal(back[N - 1], key, 32);
}

static void
destroyed_stays_destroyed(void **state)
{
	char id[ID_TEXT];
	uint8_t key[32], wrapped[1][KEEPER_WRAPPED], back[1][32];

	(void)state;
	assert_int_equal(keeper_datakey_new(&portal, DATAKEY_CASE, id, key, wrapped[0]), 0);
	assert_int_equal(keeper_datakey_destroy(&portal, id), ICERT_E_DENIED);
	assert_int_equal(keeper_datakey_destroy(&clerk, id), 0);
	assert_int_equal(keeper_datakey_unwrap(&portal, 1, wrapped, back), ICERT_E_DESTROYED);
	stop();
	start();
	assert_int_equal(keeper_datakey_unwrap(&portal, 1, wrapped, back), ICERT_E_DESTROYED);
}

static void
look_ups(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	assert_int_equal(keeper_lookup(&portal, "person", CEDULA, a), 0);
	assert_int_equal(keeper_lookup(&desk, "person", " 171003406-5", b), 0);
	assert_memory_equal(a, b, 32);
	assert_int_equal(keeper_lookup(&desk, "email", "A@B.ec", a), 0);
	assert_int_equal(keeper_lookup(&desk, "email", "a@b.ec", b), 0);
	assert_memory_equal(a, b, 32);
	assert_int_equal(keeper_lookup(&desk, "telephone", "a@b.ec", b), 0);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(keeper_lookup(&portal, "person", "¿?", a), ICERT_E_INVALID);
	assert_int_equal(keeper_lookup(&portal, "Bad Label", "x", a), ICERT_E_INVALID);
	assert_int_equal(keeper_lookup(&portal, "", "x", a), ICERT_E_INVALID);
}

static void
wrong_code(const uint8_t seed[TOTP_SEED], char code[TOTP_DIGITS + 1])
{
	code_for(seed, *shared_time, code);
	code[0] = code[0] == '9' ? '0' : (char)(code[0] + 1);
}

static void
totp_once(void **state)
{
	char staff[ID_TEXT], code[TOTP_DIGITS + 1], earlier[TOTP_DIGITS + 1];
	uint8_t seed[TOTP_SEED];
	uint64_t step = 1;

	(void)state;
	id_new(staff);
	*shared_time = START;
	assert_int_equal(keeper_totp_verify(&desk, staff, "123456"), ICERT_E_NOT_FOUND);
	assert_int_equal(keeper_totp_enrol(&desk, staff, CEDULA, seed), ICERT_E_DENIED);
	assert_int_equal(keeper_totp_enrol(&admin, staff, CEDULA, seed), 0);
	assert_int_equal(keeper_totp_last(&admin, staff, &step), 0);
	assert_int_equal(step, 0);
	code_for(seed, START, code);
	code_for(seed, START - 30, earlier);
	assert_int_equal(keeper_totp_verify(&portal, staff, code), ICERT_E_DENIED);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), 0);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_REPLAYED);
	assert_int_equal(keeper_totp_verify(&desk, staff, earlier), ICERT_E_CODE_REPLAYED);
	assert_int_equal(keeper_totp_last(&admin, staff, &step), 0);
	assert_int_equal(step, START / 30);
	/* the next step's is taken already now, once; and what was used stays used over a restart */
	code_for(seed, START + 30, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), 0);
	stop();
	start();
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_REPLAYED);
	code_for(seed, START + 90, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_WRONG);
	assert_int_equal(keeper_totp_verify(&desk, staff, "12345"), ICERT_E_INVALID);
	assert_int_equal(keeper_totp_verify(&desk, staff, "12345x"), ICERT_E_CODE_WRONG);
	assert_int_equal(keeper_totp_forget(&admin, staff), 0);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_NOT_FOUND);
}

static void
totp_tries(void **state)
{
	char staff[ID_TEXT], wrong[TOTP_DIGITS + 1], code[TOTP_DIGITS + 1];
	uint8_t seed[TOTP_SEED];

	(void)state;
	*shared_time = START + 10000;
	id_new(staff);
	assert_int_equal(keeper_totp_enrol(&admin, staff, CEDULA, seed), 0);
	wrong_code(seed, wrong);
	for (int i = 0; i < 10; i++)
		assert_int_equal(keeper_totp_verify(&desk, staff, wrong), ICERT_E_CODE_WRONG);
	code_for(seed, *shared_time, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_SPENT);
	*shared_time += 900;
	code_for(seed, *shared_time, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), 0);
	*shared_time = START;
}

/* Patience does not help who guesses: the pauses grow, up to a day, until a right code. */
static void
totp_pauses_grow(void **state)
{
	static const int pauses[] = { 900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400 };
	char staff[ID_TEXT], wrong[TOTP_DIGITS + 1], code[TOTP_DIGITS + 1];
	uint8_t seed[TOTP_SEED];

	(void)state;
	id_new(staff);
	assert_int_equal(keeper_totp_enrol(&admin, staff, CEDULA, seed), 0);
	for (size_t round = 0; round < sizeof(pauses) / sizeof(pauses[0]); round++) {
		wrong_code(seed, wrong);
		for (int i = 0; i < 10; i++)
			assert_int_equal(keeper_totp_verify(&desk, staff, wrong), ICERT_E_CODE_WRONG);
		*shared_time += pauses[round] - 1;
		code_for(seed, *shared_time, code);
		assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_SPENT);
		*shared_time += 1;
	}
	code_for(seed, *shared_time, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), 0);
	/* forgotten */
	wrong_code(seed, wrong);
	for (int i = 0; i < 10; i++)
		assert_int_equal(keeper_totp_verify(&desk, staff, wrong), ICERT_E_CODE_WRONG);
	*shared_time += 900;
	code_for(seed, *shared_time, code);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), 0);
	*shared_time = START;
}

static struct cert_fields
fields_of(const char *cedula)
{
	struct cert_fields f;

	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		*cert_fields_at(&f, i) = "";
	f.country = "EC";
	f.common_name = "MARÍA ÑANDÚ";
	f.serial_number = f.identification = cedula;
	return f;
}

static void
applicant_accepts(void **state)
{
	struct cert_fields f = fields_of(CEDULA);
	uint8_t hash[32], person[32], raw[ID_RAW];
	struct statement s;
	struct approval a;
	char id[ID_TEXT];

	(void)state;
	id_new(id);
	assert_int_equal(keeper_accept(&desk, id, &f, &s), ICERT_E_DENIED);
	assert_int_equal(keeper_accept(&issuer, id, &f, &s), ICERT_E_DENIED);
	assert_int_equal(keeper_accept(&portal, id, &f, &s), 0);
	assert_int_equal(statement_verify(&s, keeper_key), 0);
	assert_int_equal(approval_parse(&s, &a), 0);
	assert_int_equal(a.kind, APPROVAL_ACCEPT);
	assert_true(a.time == *shared_time);
	id_raw(id, raw);
	assert_memory_equal(a.case_id, raw, ID_RAW);
	cert_fields_hash(&f, hash);
	assert_memory_equal(a.fields_hash, hash, 32);
	keeper_lookup(&portal, "person", CEDULA, person);
	assert_memory_equal(a.person_hash, person, 32);
	f.serial_number = "";
	assert_int_equal(keeper_accept(&portal, id, &f, &s), ICERT_E_INVALID);
}

static void
operator_approves(void **state)
{
	struct cert_fields f = fields_of(CEDULA), own = fields_of("1714616123"), crossed = fields_of(CEDULA);
	char staff[ID_TEXT], id[ID_TEXT], other[ID_TEXT], code[TOTP_DIGITS + 1], wrong[TOTP_DIGITS + 1];
	uint8_t seed[TOTP_SEED], person[32];
	struct statement s;
	struct approval a;

	(void)state;
	*shared_time = START + 5000;
	id_new(staff);
	id_new(id);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &f, staff, "123456", &s), ICERT_E_NOT_FOUND);
	assert_int_equal(keeper_totp_enrol(&admin, staff, "1714616123", seed), 0);
	code_for(seed, *shared_time, code);
	wrong_code(seed, wrong);
	assert_int_equal(keeper_approve(&portal, APPROVAL_ISSUE, id, &f, staff, code, &s), ICERT_E_DENIED);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ACCEPT, id, &f, staff, code, &s), ICERT_E_INVALID);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &own, staff, code, &s), ICERT_E_OWN_CASE);
	crossed.identification = "171461612-3";
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &crossed, staff, code, &s), ICERT_E_OWN_CASE);
	/* The same person under a passport, also after a new authenticator. */
	crossed = fields_of("AB 123456");
	assert_int_equal(keeper_staff_passport(&desk, staff, "ab123456"), ICERT_E_DENIED);
	assert_int_equal(keeper_staff_passport(&admin, staff, "ab123456"), 0);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &crossed, staff, code, &s), ICERT_E_OWN_CASE);
	assert_int_equal(keeper_totp_enrol(&admin, staff, "1714616123", seed), 0);
	code_for(seed, *shared_time, code);
	wrong_code(seed, wrong);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &crossed, staff, code, &s), ICERT_E_OWN_CASE);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &f, staff, wrong, &s), ICERT_E_CODE_WRONG);
	/* none of those used the code up */
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &f, staff, code, &s), 0);
	assert_int_equal(statement_verify(&s, keeper_key), 0);
	assert_int_equal(approval_parse(&s, &a), 0);
	assert_int_equal(a.kind, APPROVAL_ISSUE);
	keeper_lookup(&desk, "person", "1714616123", person);
	assert_memory_equal(a.person_hash, person, 32);
	/* the same again, because its desk died before it heard: the same approval */
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &f, staff, code, &s), 0);
	assert_int_equal(approval_parse(&s, &a), 0);
	assert_int_equal(a.kind, APPROVAL_ISSUE);
	/* each approval wants a code of its own */
	id_new(other);
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, other, &f, staff, code, &s), ICERT_E_CODE_REPLAYED);
	f.city = "OTRA";
	assert_int_equal(keeper_approve(&desk, APPROVAL_ISSUE, id, &f, staff, code, &s), ICERT_E_CODE_REPLAYED);
	assert_int_equal(keeper_approve(&desk, APPROVAL_SECOND, id, &f, staff, code, &s), ICERT_E_CODE_REPLAYED);
	assert_int_equal(keeper_totp_verify(&desk, staff, code), ICERT_E_CODE_REPLAYED);
	*shared_time += 30;
	code_for(seed, *shared_time, code);
	assert_int_equal(keeper_approve(&desk, APPROVAL_SECOND, id, &f, staff, code, &s), 0);
	approval_parse(&s, &a);
	assert_int_equal(a.kind, APPROVAL_SECOND);
	*shared_time += 120;
	assert_int_equal(keeper_approve(&desk, APPROVAL_SECOND, id, &f, staff, code, &s), ICERT_E_CODE_WRONG);
	*shared_time = START;
}

static void
initialising_again(void **state)
{
	char folder[96], path[128];
	uint8_t before[32];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/keeper", server.folder);
	memcpy(before, keeper_key, 32);
	assert_int_equal(keeper_init(folder), 0);
	stop();
	start();
	assert_memory_equal(before, keeper_key, 32);
	/* keys that are gone are not made up anew over what they guarded */
	stop();
	snprintf(path, sizeof(path), "%s/keeper/master", server.folder);
	snprintf(folder, sizeof(folder), "%s/master", server.folder);
	assert_int_equal(rename(path, folder), 0);
	snprintf(path, sizeof(path), "%s/keeper", server.folder);
	assert_int_equal(keeper_init(path), ICERT_E_CONFLICT);
	assert_int_equal(keeper_open(&keeper, path, 30), ICERT_E_NOT_FOUND);
	/* second factors restored from a backup, and no keys: a trace as well */
	snprintf(path, sizeof(path), "%s/half", server.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/half/totp", server.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/half", server.folder);
	assert_int_equal(keeper_init(path), ICERT_E_CONFLICT);
	snprintf(path, sizeof(path), "%s/keeper/master", server.folder);
	assert_int_equal(rename(folder, path), 0);
	start();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_keys),
		cmocka_unit_test(many_data_keys_in_batches),
		cmocka_unit_test(destroyed_stays_destroyed),
		cmocka_unit_test(look_ups),
		cmocka_unit_test(totp_once),
		cmocka_unit_test(totp_tries),
		cmocka_unit_test(totp_pauses_grow),
		cmocka_unit_test(applicant_accepts),
		cmocka_unit_test(operator_approves),
		cmocka_unit_test(initialising_again)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
