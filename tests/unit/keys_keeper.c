/* The keeper, asked by its own clients over its own sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "key_server.h"
#include "keys/keeper.h"
#include "libicert/error.h"

#include <liboath/oath.h>
#include <sys/stat.h>

#define START 1795600000
#define CEDULA "1710034065"

static const char *const names[] = { "keeper-portal", "keeper-desk", "keeper-issuer", "keeper-clerk", "keeper-admin" };

static struct key_server server;
static struct keeper *keeper;
static struct serve serve;
static struct keyclient portal, desk, issuer, clerk, admin;
static struct keyclient *const clients[] = { &portal, &desk, &issuer, &clerk, &admin };
static uint8_t keeper_key[32];

static void
start(void)
{
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/keeper", server.folder);
	assert_int_equal(keeper_open(&keeper, folder, 30), 0);
	keeper_set_clock(keeper, test_clock);
	keeper_public(keeper, keeper_key);
	keeper_serve(keeper, &serve);
	serve.tick_ms = 20;
	run_server(&server, &serve);
	for (size_t i = 0; i < 5; i++)
		keyclient_init(clients[i], server.path[i]);
	assert_int_equal(keyclient_ping(&admin), 0);	/* it is up, and takes a signal as it should */
}

static void
stop(void)
{
	for (size_t i = 0; i < 5; i++)
		keyclient_close(clients[i]);
	assert_int_equal(stop_server(&server), 0);
	keeper_close(keeper);
}

static int
setup(void **state)
{
	char folder[96];

	(void)state;
	test_clock_start(START);
	bind_server(&server, names, 5);
	snprintf(folder, sizeof(folder), "%s/keeper", server.folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(keeper_init(folder), 0);
	start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stop();
	remove_server(&server);
	return 0;
}

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
code_for(const uint8_t seed[TOTP_SEED], int64_t at, char code[TOTP_DIGITS + 1])
{
	assert_int_equal(oath_hotp_generate((const char *)seed, TOTP_SEED, (uint64_t)at / 30, TOTP_DIGITS, false,
	    OATH_HOTP_DYNAMIC_TRUNCATION, code), OATH_OK);
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

static int
file_exists(const char *id, const char *label)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/keeper/delivery/%s.%s", server.folder, id, label);
	return access(path, F_OK) == 0;
}

static void
delivery_keys(void **state)
{
	char id[ID_TEXT];
	uint8_t key[32], again[32];

	(void)state;
	id_new(id);
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_PKCS12, key), ICERT_E_NOT_FOUND);
	assert_int_equal(keeper_delivery_new(&portal, id, DELIVERY_PKCS12, key), ICERT_E_DENIED);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PKCS12, key), 0);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PKCS12, again), 0);
	assert_memory_equal(key, again, 32);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PRIVATE, again), 0);
	assert_memory_not_equal(key, again, 32);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_ENVELOPE, again), ICERT_E_INVALID);
	assert_int_equal(keeper_delivery_new(&issuer, id, "code", again), ICERT_E_INVALID);
	assert_int_equal(keeper_delivery_get(&clerk, id, DELIVERY_PKCS12, again), 0);
	assert_memory_equal(key, again, 32);
	assert_int_equal(keeper_delivery_get(&portal, id, DELIVERY_PKCS12, again), 0);
	assert_int_equal(keeper_delivery_get(&clerk, id, DELIVERY_PRIVATE, again), ICERT_E_DENIED);
	assert_int_equal(keeper_delivery_get(&portal, id, DELIVERY_ENVELOPE, again), ICERT_E_DENIED);
	assert_int_equal(keeper_delivery_get(&desk, id, DELIVERY_PKCS12, again), ICERT_E_DENIED);
	assert_true(file_exists(id, "pkcs12"));
	assert_int_equal(keeper_delivery_destroy(&portal, id, DELIVERY_PKCS12), ICERT_E_DENIED);
	assert_int_equal(keeper_delivery_destroy(&clerk, id, DELIVERY_PKCS12), 0);
	assert_int_equal(keeper_delivery_destroy(&clerk, id, DELIVERY_PKCS12), 0);
	assert_false(file_exists(id, "pkcs12"));
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_PKCS12, again), ICERT_E_DESTROYED);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PKCS12, again), ICERT_E_DESTROYED);
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_PRIVATE, again), 0);
}

/* A file that comes back, from a copy of the disk, opens nothing. */
static void
restored_delivery_key(void **state)
{
	char id[ID_TEXT], command[512];
	uint8_t key[32];

	(void)state;
	id_new(id);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PRIVATE, key), 0);
	snprintf(command, sizeof(command), "cp %s/keeper/delivery/%s.private %s/copy", server.folder, id, server.folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(keeper_delivery_destroy(&issuer, id, DELIVERY_PRIVATE), 0);
	snprintf(command, sizeof(command), "cp %s/copy %s/keeper/delivery/%s.private", server.folder, server.folder, id);
	assert_int_equal(system(command), 0);
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_PRIVATE, key), ICERT_E_DESTROYED);
	/* nor under another case's name */
	id_new(id);
	snprintf(command, sizeof(command), "cp %s/copy %s/keeper/delivery/%s.private", server.folder, server.folder, id);
	assert_int_equal(system(command), 0);
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_PRIVATE, key), ICERT_E_FORGED);
}

static void
new_envelope(char id[ID_TEXT], uint8_t key[32], char code[OPENING_DIGITS + 1])
{
	char staff[ID_TEXT], other[ID_TEXT], same[OPENING_DIGITS + 1];
	uint8_t again[32];

	id_new(id);
	id_new(staff);
	id_new(other);
	assert_int_equal(keeper_envelope_new(&issuer, id, key), 0);
	assert_int_equal(keeper_envelope_new(&issuer, id, again), 0);
	assert_memory_equal(key, again, 32);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, code), 0);
	assert_int_equal(strspn(code, "0123456789"), OPENING_DIGITS);
	/* whoever took it may ask again until it is told: a crash on the way loses nothing */
	assert_int_equal(keeper_opening_code_take(&desk, id, other, same), ICERT_E_STATE);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, same), 0);
	assert_string_equal(code, same);
	assert_int_equal(keeper_opening_code_told(&portal, id, staff), ICERT_E_DENIED);
	assert_int_equal(keeper_opening_code_told(&desk, id, other), ICERT_E_STATE);
	assert_int_equal(keeper_opening_code_told(&desk, id, staff), 0);
	assert_int_equal(keeper_opening_code_told(&desk, id, staff), 0);
	/* and a minute longer: a button pressed twice */
	*shared_time += 59;
	assert_int_equal(keeper_opening_code_take(&desk, id, other, same), ICERT_E_STATE);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, same), 0);
	assert_string_equal(code, same);
	*shared_time += 1;
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, same), ICERT_E_STATE);
	*shared_time -= 60;
}

/* A code that was tried was heard, whatever the desk says. */
static void
tried_is_told(void **state)
{
	const uint8_t session[32] = { 1 };
	char id[ID_TEXT], staff[ID_TEXT], code[OPENING_DIGITS + 1];
	uint8_t key[32];

	(void)state;
	id_new(id);
	id_new(staff);
	assert_int_equal(keeper_envelope_new(&issuer, id, key), 0);
	assert_int_equal(keeper_opening_code_told(&desk, id, staff), ICERT_E_STATE);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, code), 0);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, NULL), 0);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, code), ICERT_E_STATE);
	assert_int_equal(keeper_opening_code_told(&desk, id, staff), 0);
}

static void
envelope_opens_once(void **state)
{
	const uint8_t session[32] = { 1 }, other[32] = { 2 };
	char id[ID_TEXT], code[OPENING_DIGITS + 1], wrong[OPENING_DIGITS + 1];
	uint8_t key[32], got[32];
	int left = -1;

	(void)state;
	id_new(id);
	*shared_time = START;
	assert_int_equal(keeper_envelope_open(&portal, id, session, "12345678", got, &left), ICERT_E_NOT_FOUND);
	assert_int_equal(keeper_envelope_new(&portal, id, key), ICERT_E_DENIED);
	assert_int_equal(keeper_envelope_new(&issuer, id, key), 0);
	/* before the code was told, nobody can have heard it: no try is counted */
	assert_int_equal(keeper_envelope_open(&portal, id, session, "12345678", got, &left), ICERT_E_STATE);
	assert_int_equal(left, 5);
	new_envelope(id, key, code);
	strcpy(wrong, code);
	wrong[7] = wrong[7] == '9' ? '0' : (char)(wrong[7] + 1);
	assert_int_equal(keeper_envelope_open(&portal, id, session, NULL, got, &left), ICERT_E_STATE);
	assert_int_equal(keeper_envelope_open(&portal, id, session, wrong, got, &left), ICERT_E_CODE_WRONG);
	assert_int_equal(left, 4);
	assert_int_equal(keeper_envelope_open(&desk, id, session, code, got, &left), ICERT_E_DENIED);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, got, &left), 0);
	assert_memory_equal(key, got, 32);
	*shared_time = START + 1799;
	assert_int_equal(keeper_envelope_open(&portal, id, session, NULL, got, &left), 0);
	assert_int_equal(keeper_envelope_open(&portal, id, other, NULL, got, &left), ICERT_E_DENIED);
	assert_int_equal(keeper_envelope_open(&portal, id, other, code, got, &left), ICERT_E_DENIED);
	assert_int_equal(keeper_envelope_done(&portal, id, other), ICERT_E_DENIED);
	*shared_time = START + 1800;
	assert_int_equal(keeper_envelope_open(&portal, id, session, NULL, got, &left), ICERT_E_DESTROYED);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, got, &left), ICERT_E_DESTROYED);
	assert_false(file_exists(id, "envelope"));
	assert_false(file_exists(id, "code"));
	assert_int_equal(keeper_delivery_get(&issuer, id, DELIVERY_ENVELOPE, got), ICERT_E_DESTROYED);
	*shared_time = START;
}

static void
envelope_tries(void **state)
{
	const uint8_t session[32] = { 1 };
	char id[ID_TEXT], code[OPENING_DIGITS + 1], wrong[OPENING_DIGITS + 1];
	uint8_t key[32];
	int left;

	(void)state;
	new_envelope(id, key, code);
	strcpy(wrong, code);
	wrong[0] = wrong[0] == '9' ? '0' : (char)(wrong[0] + 1);
	for (int i = 4; i > 0; i--) {
		assert_int_equal(keeper_envelope_open(&portal, id, session, wrong, key, &left), ICERT_E_CODE_WRONG);
		assert_int_equal(left, i);
		/* a restart gives no try back */
		if (i == 3) {
			stop();
			start();
		}
	}
	assert_int_equal(keeper_envelope_open(&portal, id, session, wrong, key, &left), ICERT_E_CODE_SPENT);
	assert_int_equal(left, 0);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, &left), ICERT_E_CODE_SPENT);
	assert_int_equal(keeper_envelope_new(&issuer, id, key), ICERT_E_CODE_SPENT);
	assert_true(file_exists(id, "envelope"));
}

static void
copy(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s/keeper/delivery/%s %s/keeper/delivery/%s", server.folder, from, server.folder, to);
	assert_int_equal(system(command), 0);
}

static int
is_there(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/keeper/delivery/%s", server.folder, name);
	return access(path, F_OK) == 0;
}

static void
spend_tries(const char *id, const char *code)
{
	const uint8_t session[32] = { 1 };
	char wrong[OPENING_DIGITS + 1];
	uint8_t key[32];
	int left;

	strcpy(wrong, code);
	wrong[0] = wrong[0] == '9' ? '0' : (char)(wrong[0] + 1);
	for (int i = 4; i >= 0; i--) {
		assert_int_equal(keeper_envelope_open(&portal, id, session, wrong, key, &left), i > 0 ? ICERT_E_CODE_WRONG : ICERT_E_CODE_SPENT);
		assert_int_equal(left, i);
	}
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, &left), ICERT_E_CODE_SPENT);
}

static void
envelope_renewed(void **state)
{
	const uint8_t session[32] = { 1 };
	char id[ID_TEXT], staff[ID_TEXT], code[OPENING_DIGITS + 1], former[OPENING_DIGITS + 1], totp[TOTP_DIGITS + 1], name[64];
	uint8_t key[32], got[32], seed[TOTP_SEED];

	(void)state;
	*shared_time = START;
	id_new(staff);
	assert_int_equal(keeper_totp_enrol(&admin, staff, CEDULA, seed), 0);
	new_envelope(id, key, code);
	snprintf(name, sizeof(name), "%s.code", id);
	copy(name, "former-code");
	spend_tries(id, code);
	for (int i = 0; i < 3; i++) {
		strcpy(former, code);
		*shared_time += 60;
		code_for(seed, *shared_time, totp);
		assert_int_equal(keeper_envelope_renew(&portal, id, staff, totp), ICERT_E_DENIED);
		assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), 0);
		assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), ICERT_E_CODE_REPLAYED);
		/* one that nobody has seen is not made anew, and costs no round */
		*shared_time += 60;
		code_for(seed, *shared_time, totp);
		assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), 0);
		assert_int_equal(keeper_opening_code_take(&desk, id, staff, code), 0);
		assert_int_equal(keeper_envelope_open(&portal, id, session, former, got, NULL), ICERT_E_CODE_WRONG);
		/* neither a restart nor a copy of the former record brings the former code back */
		if (i == 0) {
			stop();
			copy(name, "present-code");
			copy("former-code", name);
			start();
			assert_int_equal(keeper_envelope_open(&portal, id, session, former, got, NULL), ICERT_E_CODE_SPENT);
			stop();
			copy("present-code", name);
			start();
		}
	}
	*shared_time += 60;
	code_for(seed, *shared_time, totp);
	assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), ICERT_E_CONFLICT);
	/* a refused one uses no second factor up, and leaves the code that is there */
	assert_int_equal(keeper_totp_verify(&desk, staff, totp), 0);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, got, NULL), 0);
	assert_memory_equal(key, got, 32);
	*shared_time += 60;
	code_for(seed, *shared_time, totp);
	assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), ICERT_E_STATE);
}

static void
envelope_done(void **state)
{
	const uint8_t session[32] = { 7 };
	char id[ID_TEXT], code[OPENING_DIGITS + 1];
	uint8_t key[32];

	(void)state;
	new_envelope(id, key, code);
	assert_int_equal(keeper_envelope_done(&portal, id, session), ICERT_E_STATE);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, NULL), 0);
	assert_int_equal(keeper_envelope_done(&portal, id, session), 0);
	assert_int_equal(keeper_envelope_done(&portal, id, session), 0);
	assert_int_equal(keeper_envelope_open(&portal, id, session, NULL, key, NULL), ICERT_E_DESTROYED);
}

/* Nobody asks, and still it is destroyed in time. */
static void
purge(void **state)
{
	const uint8_t session[32] = { 7 };
	char id[ID_TEXT], old[ID_TEXT], code[OPENING_DIGITS + 1];
	uint8_t key[32];

	(void)state;
	*shared_time = START;
	new_envelope(id, key, code);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, NULL), 0);
	id_new(old);
	assert_int_equal(keeper_delivery_new(&issuer, old, DELIVERY_PKCS12, key), 0);
	*shared_time = START + 1801;
	for (int i = 0; i < 100 && file_exists(id, "envelope"); i++)
		usleep(20000);
	assert_false(file_exists(id, "envelope"));
	assert_true(file_exists(old, "pkcs12"));
	*shared_time = START + 30 * 86400;
	for (int i = 0; i < 100 && file_exists(old, "pkcs12"); i++)
		usleep(20000);
	assert_false(file_exists(old, "pkcs12"));
	*shared_time = START;
}

/* Neither a lock nor a new code makes an envelope live longer. */
static void
purge_renewed(void **state)
{
	char id[ID_TEXT], staff[ID_TEXT], code[OPENING_DIGITS + 1], totp[TOTP_DIGITS + 1];
	uint8_t key[32], seed[TOTP_SEED];

	(void)state;
	*shared_time = START;
	id_new(staff);
	assert_int_equal(keeper_totp_enrol(&admin, staff, CEDULA, seed), 0);
	new_envelope(id, key, code);
	spend_tries(id, code);
	*shared_time = START + 29 * 86400;
	code_for(seed, *shared_time, totp);
	assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), 0);
	assert_int_equal(keeper_opening_code_take(&desk, id, staff, code), 0);
	*shared_time = START + 30 * 86400;
	for (int i = 0; i < 100 && (file_exists(id, "envelope") || file_exists(id, "code")); i++)
		usleep(20000);
	assert_false(file_exists(id, "envelope"));
	assert_false(file_exists(id, "code"));
	code_for(seed, *shared_time, totp);
	assert_int_equal(keeper_envelope_renew(&desk, id, staff, totp), ICERT_E_DESTROYED);
	*shared_time = START;
}

/*
 * Killed between the list and the unlinking, or before a rename: what is destroyed does not stay on the disk.
 */
static void
left_by_a_crash(void **state)
{
	const uint8_t session[32] = { 7 };
	char id[ID_TEXT], kept[ID_TEXT], code[OPENING_DIGITS + 1], files[4][64];
	uint8_t key[32];

	(void)state;
	*shared_time = START;
	new_envelope(id, key, code);
	id_new(kept);
	assert_int_equal(keeper_delivery_new(&issuer, id, DELIVERY_PKCS12, key), 0);
	assert_int_equal(keeper_delivery_new(&issuer, kept, DELIVERY_PRIVATE, key), 0);
	snprintf(files[0], sizeof(files[0]), "%s.envelope", id);
	snprintf(files[1], sizeof(files[1]), "%s.code", id);
	snprintf(files[2], sizeof(files[2]), "%s.pkcs12", id);
	snprintf(files[3], sizeof(files[3]), ".%s.pkcs12.new", id);
	for (int i = 0; i < 3; i++) {
		char away[80];

		snprintf(away, sizeof(away), "away%d", i);
		copy(files[i], away);
	}
	for (int i = 0; i < 5; i++)
		keeper_envelope_open(&portal, id, session, strcmp(code, "00000000") == 0 ? "11111111" : "00000000", key, NULL);
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, NULL), ICERT_E_CODE_SPENT);
	assert_int_equal(keeper_delivery_destroy(&clerk, id, DELIVERY_PKCS12), 0);
	stop();
	copy("away0", files[0]);
	copy("away1", files[1]);
	copy("away2", files[2]);
	copy("away2", files[3]);
	start();
	for (int i = 2; i < 4; i++)
		assert_false(is_there(files[i]));
	/* the envelope is locked, not gone: the copy with its tries gives none back */
	assert_true(is_there(files[0]));
	assert_int_equal(keeper_envelope_open(&portal, id, session, code, key, NULL), ICERT_E_CODE_SPENT);
	assert_true(file_exists(kept, "private"));
	assert_int_equal(keeper_delivery_get(&issuer, kept, DELIVERY_PRIVATE, key), 0);
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
		cmocka_unit_test(delivery_keys),
		cmocka_unit_test(restored_delivery_key),
		cmocka_unit_test(tried_is_told),
		cmocka_unit_test(envelope_opens_once),
		cmocka_unit_test(envelope_tries),
		cmocka_unit_test(envelope_renewed),
		cmocka_unit_test(envelope_done),
		cmocka_unit_test(purge),
		cmocka_unit_test(purge_renewed),
		cmocka_unit_test(left_by_a_crash),
		cmocka_unit_test(initialising_again)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
