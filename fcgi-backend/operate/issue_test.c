#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "operate/issue_test.h"
#include "operate/test_case.h"
#include "operate/totp.h"
#include "pki/keyfile.h"

#ifndef ICERT_PRODUCTION

#define OPERATOR "operador.pichincha"	/* a sample account */
#define WAIT_S 90	/* keys are made for it, and the machine may be busy */

static const struct db_stmt sql_state = {
	"test_state",
	"select c.state, c.refusal, c.refusal_detail, c.der, exists (select from icert.status_change s"
	" where s.certificate_id = c.id and s.published_epoch is not null) from icert.certificate c where c.id = $1"
};

struct test {
	const struct instance *i;
	struct test_case c;
};

static int
write_result(struct test *t, struct db_result *rows)
{
	char path[FILES_PATH], serial[2 * PROFILE_SERIAL + 1], place[80];
	struct buf der = BUF_INIT;
	const uint8_t *sealed;
	size_t n;
	int written;

	bytes_to_hex(serial, t->c.serial, sizeof(t->c.serial));
	snprintf(place, sizeof(place), "certificate|der|%s", t->c.certificate);
	sealed = db_bytes(rows, 0, 3, &n);
	written = open_field(t->c.key[CASE], place, sealed, n, &der) == 0 &&
	    path_join(path, "%s/demo/%s.cer", t->i->data, serial) == 0 && keyfile_write(path, der.p, der.len, 0644) == 0;
	buf_free(&der);
	if (!written)
		return complain("the certificate was not written");
	printf("%s\nopenssl ocsp -issuer %s/chain.pem -CAfile %s/chain.pem -cert %s -url %s\n", path,
	    config_require(&t->i->config, "paths", "ca"), config_require(&t->i->config, "paths", "ca"), path,
	    config_require(&t->i->config, "public", "ocsp_url"));
	return 0;
}

/* Until the edge was seen to call it good.  1: not yet. */
static int
look(struct test *t)
{
	struct db_result *rows;
	int rc = 1;

	if (DB_QUERY(t->c.db, &sql_state, &rows, P_TEXT(t->c.certificate)) != 0)
		return complain("the case cannot be read: %s", db_detail(t->c.db));
	if (strcmp(db_text(rows, 0, 0), "refused") == 0)
		rc = complain("refused: %s %s", db_text(rows, 0, 1), db_text(rows, 0, 2));
	else if (db_bool(rows, 0, 4))
		rc = write_result(t, rows);
	db_result_free(rows);
	return rc;
}

static int
run(struct test *t, int renew, const char *cedula, const char *names, const char *surname1, const char *surname2)
{
	struct timespec pause = { 0, 50000000 };
	char code[TOTP_DIGITS + 1], staff[ID_TEXT];
	int64_t until;
	int rc;

	if (totp_take(t->i, OPERATOR, renew, code, staff) != 0 ||
	    test_case_make(&t->c, cedula, names, surname1, surname2, staff, code, staff) != 0)
		return -1;
	for (until = clock_mono_ms() + WAIT_S * 1000; (rc = look(t)) == 1 && clock_mono_ms() < until;)
		nanosleep(&pause, NULL);
	return rc == 1 ? complain("not published in %d s; icertctl status, and the logs, say more", WAIT_S) : rc;
}

int
issue_test(const struct instance *i, int renew, const char *cedula, const char *names, const char *surname1, const char *surname2)
{
	struct test t = { .i = i };
	int rc = test_case_open(&t.c, i);

	if (rc == 0)
		rc = run(&t, renew, cedula, names, surname1, surname2);
	test_case_close(&t.c);
	return rc;
}

#endif
