/* The keeper: delivery keys, envelopes and their opening codes, what is purged and what a crash leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypt/seal.h"
#include "keeper_server.h"
#include "libicert/error.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivery_keys),
		cmocka_unit_test(restored_delivery_key),
		cmocka_unit_test(tried_is_told),
		cmocka_unit_test(envelope_opens_once),
		cmocka_unit_test(envelope_tries),
		cmocka_unit_test(envelope_renewed),
		cmocka_unit_test(envelope_done),
		cmocka_unit_test(purge),
		cmocka_unit_test(purge_renewed),
		cmocka_unit_test(left_by_a_crash)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
