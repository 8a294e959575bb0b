/*
 * Data keys of cases, made by the keeper and stored as it gave them, for cases that the bench adds by SQL:
 *	seed_keys PREFIX COUNT
 */
#include <stdio.h>
#include <stdlib.h>

#include "libicert/clock.h"
#include "operate/test_case.h"

static const struct db_stmt add = { "bench_key",
	"insert into icert.data_key (id, kind, wrapped, created_at) values ($1, 'case', $2, $3)" };

static int
seed(struct test_case *t, int count)
{
	uint8_t key[32], wrapped[KEEPER_WRAPPED];
	char id[ID_TEXT];
	int n, error;

	if ((error = db_begin(t->db, NULL)) != 0)
		return error;
	for (n = 0; n < count && error == 0; n++)
		if ((error = keeper_datakey_new(&t->portal, DATAKEY_CASE, id, key, wrapped)) == 0)
			error = DB_QUERY(t->db, &add, NULL, P_TEXT(id), P_BYTES(wrapped, sizeof(wrapped)), P_INT(clock_real()));
	return error == 0 ? db_commit(t->db) : error;
}

int
main(int argc, char *argv[])
{
	struct instance i;
	struct test_case t;
	int rc;

	if (argc != 3 || instance_find(&i, argv[1]) != 0 || instance_load(&i) != 0) {
		fprintf(stderr, "seed_keys PREFIX COUNT\n");
		return 2;
	}
	rc = test_case_open(&t, &i);
	if (rc == 0 && (rc = seed(&t, atoi(argv[2]))) != 0)
		complain("keys: %d %s", rc, db_detail(t.db));
	test_case_close(&t);
	return rc == 0 ? 0 : 1;
}
