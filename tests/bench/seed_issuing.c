/*
 * Cases that stand at `issuing` with the keeper's statements for them, as many as asked for:
 *	seed_issuing PREFIX FIRST COUNT
 * Each is another person (FIRST, FIRST + 1, …).  Second factors are enrolled for the purpose: a code is good once and in three
 * steps only, so that every third case has a member of staff of its own, who is known to the keeper alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <liboath/oath.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "operate/test_case.h"

#define STEP 30
#define OWN_CEDULA "0102030405"	/* of that staff: nobody of the cases */

static const struct db_stmt operator_id = { "bench_operator", "select id::text from icert.staff where login = 'operador.pichincha'" };

/* The n-th person of province 17, check digit included. */
static void
cedula_of(int n, char out[16])
{
	int sum = 0;

	snprintf(out, 16, "17%07d", n);
	for (int i = 0; i < 9; i++) {
		int d = (out[i] - '0') * (i % 2 == 0 ? 2 : 1);

		sum += d > 9 ? d - 9 : d;
	}
	out[9] = (char)('0' + (10 - sum % 10) % 10);
	out[10] = '\0';
}

struct factor {
	char staff[ID_TEXT];
	uint8_t seed[TOTP_SEED];
	int64_t step;		/* of its next code */
	int left;
};

static int
next_code(struct factor *f, struct keyclient *admin, char code[TOTP_DIGITS + 1])
{
	int64_t now = clock_real() / STEP;

	if (f->left == 0 || f->step < now - 1) {
		if (id_new(f->staff) != 0 || keeper_totp_enrol(admin, f->staff, OWN_CEDULA, f->seed) != 0)
			return -1;
		f->step = now - 1;
		f->left = 3;
	}
	f->left--;
	return oath_totp_generate((const char *)f->seed, TOTP_SEED, (time_t)(f->step++ * STEP), STEP, 0, TOTP_DIGITS, code) ==
	    OATH_OK ? 0 : -1;
}

static int
seed(struct test_case *t, struct keyclient *admin, int first, int count)
{
	struct factor f = { .left = 0 };
	char code[TOTP_DIGITS + 1], cedula[16], operator[ID_TEXT];
	struct db_result *r;

	if (db_query(t->db, &operator_id, NULL, 0, &r) != 0)
		return complain("no operator");
	snprintf(operator, sizeof(operator), "%s", db_text(r, 0, 0));
	db_result_free(r);
	for (int n = first; n < first + count; n++) {
		cedula_of(n, cedula);
		if (next_code(&f, admin, code) != 0)
			return complain("no code");
		if (test_case_make(t, cedula, "María José", "Muñoz", "Peña", f.staff, code, operator) != 0)
			return -1;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	struct instance i;
	struct keyclient admin;
	struct test_case t;
	int rc;

	if (argc != 4 || instance_find(&i, argv[1]) != 0 || instance_load(&i) != 0) {
		fprintf(stderr, "seed_issuing PREFIX FIRST COUNT\n");
		return 2;
	}
	keyclient_init(&admin, config_require(&i.config, "sockets", "keeper-admin"));
	rc = test_case_open(&t, &i);
	if (rc == 0)
		rc = seed(&t, &admin, atoi(argv[2]), atoi(argv[3]));
	test_case_close(&t);
	keyclient_close(&admin);
	return rc == 0 ? 0 : 1;
}
