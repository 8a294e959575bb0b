#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "operate/lost.h"
#include "operate/postgres.h"
#include "store/db.h"

#define SERIAL_BYTES 16

static const struct db_stmt find_staff = { "lost_staff",
	"select s.id::text, s.person_hash from icert.staff s where s.login = $1 and s.enabled and exists (select from"
	" icert.staff_role r where r.staff_id = s.id and r.role = 'national')" };
static const struct db_stmt revoke = { "lost_revoke",
	"update icert.lost_certificate set state = 'revoked', revoked_at = $2, reason = 0, revoked_by_first = $3,"
	" revoked_by_second = $4, published_epoch = null where serial = $1 and state = 'good'" };

struct person {
	char id[ID_TEXT];
	uint8_t hash[32];
};

int
lost_list(const struct instance *i)
{
	char *rows;

	if (postgres_psql(i, "icert_admin", "icert", (const char *[]){ "-At", "-F", "  ", "-c",
	    "select encode(serial, 'hex'), state, to_timestamp(not_after)::date, 'case ' || case_id"
	    " from icert.lost_certificate order by found_at, serial", NULL }, &rows) != 0)
		return -1;
	fputs(rows, stdout);
	free(rows);
	return 0;
}

static int
find(struct db *db, const char *login, struct person *p)
{
	struct db_result *r;
	const uint8_t *hash;
	size_t n;
	int error, found;

	if ((error = DB_QUERY(db, &find_staff, &r, P_TEXT(login))) != 0)
		return complain("%s: %s", icert_err_code(error), db_detail(db));
	hash = db_bytes(r, 0, 1, &n);
	if ((found = db_rows(r) == 1 && n == sizeof(p->hash)) != 0) {
		snprintf(p->id, sizeof(p->id), "%s", db_text(r, 0, 0));
		memcpy(p->hash, hash, n);
	}
	db_result_free(r);
	return found ? 0 : complain("%s is nobody of the national office", login);
}

/* Both codes are used up, also when the second is wrong. */
static int
verify(const struct instance *i, const struct person p[2], const char *const people[4])
{
	struct keyclient keeper;
	int n, error = 0;

	keyclient_init(&keeper, config_require(&i->config, "sockets", "keeper-desk"));
	for (n = 0; n < 2 && error == 0; n++)
		if ((error = keeper_totp_verify(&keeper, p[n].id, people[2 * n + 1])) != 0)
			complain("the code of %s: %s", people[2 * n], icert_err_code(error));
	keyclient_close(&keeper);
	return error == 0 ? 0 : -1;
}

static int
write_down(struct db *db, const uint8_t serial[SERIAL_BYTES], const char *hex, const struct person p[2])
{
	char detail[160];
	struct audit_event event = { .action = "certificate.revoke_lost", .actor_kind = "staff", .actor = p[0].id,
	    .subject_kind = "certificate", .subject = hex, .detail = detail };
	struct db_result *r = NULL;
	int error, rows = 0;

	snprintf(detail, sizeof(detail), "{\"second\":\"%s\"}", p[1].id);
	if ((error = db_begin(db, NULL)) == 0 && (error = DB_QUERY(db, &revoke, &r, P_BYTES(serial, SERIAL_BYTES),
	    P_INT(clock_real()), P_TEXT(p[0].id), P_TEXT(p[1].id))) == 0) {
		rows = (int)db_affected(r);
		db_result_free(r);
		if (rows == 1 && (error = audit_append(db, &event)) == 0 && (error = db_notify(db, "icert_status", "")) == 0 &&
		    (error = db_recv(db, NULL)) == 0)
			error = db_commit(db);
	}
	if (db_in_tx(db))
		db_rollback(db);
	if (error != 0)
		return complain("%s: %s", icert_err_code(error), db_detail(db));
	return rows == 1 ? 0 : complain("%s is no lost certificate that is good", hex);
}

int
lost_revoke(const struct instance *i, const char *hex, const char *const people[4])
{
	uint8_t serial[SERIAL_BYTES];
	char conninfo[FILES_PATH];
	struct person p[2];
	struct db *db;
	int rc;

	if (strlen(hex) != 2 * SERIAL_BYTES || bytes_from_hex(serial, SERIAL_BYTES, hex) != 0)
		return complain("%s is no serial: %d hexadecimal digits", hex, 2 * SERIAL_BYTES);
	if (config_conninfo(&i->config, "migrate", conninfo, sizeof(conninfo)) != 0 || (db = db_open(conninfo)) == NULL)
		return complain("no memory");
	rc = find(db, people[0], &p[0]) != 0 || find(db, people[2], &p[1]) != 0 ? -1 : 0;
	if (rc == 0 && memcmp(p[0].hash, p[1].hash, sizeof(p[0].hash)) == 0)
		rc = complain("%s and %s are one person", people[0], people[2]);
	if (rc == 0 && (rc = verify(i, p, people)) == 0 && (rc = write_down(db, serial, hex, p)) == 0)
		printf("%s is revoked\n", hex);
	db_close(db);
	return rc;
}
