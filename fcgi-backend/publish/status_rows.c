#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "audit/audit.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/crl.h"
#include "publish/status_rows.h"

#define PAGE_TEXT2(n) #n
#define PAGE_TEXT(n) PAGE_TEXT2(n)
#define LIMIT_PAGE " limit " PAGE_TEXT(STATUS_ROWS_PAGE)

/*
 * A certificate that a restored database knows from the signer's journal alone stands in a table of its own, until a row
 * of the case has it.
 */
#define LOST "icert.lost_certificate l where not exists (select from icert.certificate c where c.serial = l.serial" \
	" and c.not_after is not null)"

/* As record_of() reads them. */
#define COLUMNS "c.serial, c.revoked_at, c.reason, c.not_after, c.issuer, c.crl_partition"
#define LOST_COLUMNS "l.serial, l.revoked_at, l.reason, l.not_after, l.issuer, 65535"	/* CERT_ANY_PARTITION */

/* Each half has its own limit: the planner does not see through a union of columns that are not quite alike. */
static const struct db_stmt sql_page = {
	"status_page",
	"(select " COLUMNS " from icert.certificate c where issuer = $2 and serial > $1 and not_after is not null"
	" order by serial" LIMIT_PAGE ") union all (select " LOST_COLUMNS " from " LOST " and l.issuer = $2 and l.serial > $1"
	" order by serial" LIMIT_PAGE ") order by serial" LIMIT_PAGE
};

static const struct db_stmt sql_revoked = {
	"status_revoked",
	"(select " COLUMNS " from icert.certificate c"
	" where issuer = $2 and serial > $1 and revoked_at is not null and not_after is not null"
	" order by serial" LIMIT_PAGE ") union all (select " LOST_COLUMNS " from " LOST " and l.issuer = $2 and l.serial > $1"
	" and l.revoked_at is not null order by serial" LIMIT_PAGE ") order by serial" LIMIT_PAGE
};

static const struct db_stmt sql_open_revoked = {
	"status_open_revoked",
	"select distinct " COLUMNS " from icert.status_change s"
	" join icert.certificate c on c.id = s.certificate_id where c.issuer = $2 and c.serial > $1 and s.published_epoch is null"
	" and c.revoked_at is not null and c.not_after is not null order by c.serial" LIMIT_PAGE
};

/* Those of the lost have numbers below zero. */
static const struct db_stmt sql_open = {
	"status_open",
	"(select s.id, s.certificate_id::text, " COLUMNS
	" from icert.status_change s join icert.certificate c on c.id = s.certificate_id"
	" where s.published_epoch is null and c.not_after is not null order by s.id limit $1)"
	" union all select -l.id, encode(l.serial, 'hex'), " LOST_COLUMNS
	" from icert.lost_certificate l where l.published_epoch is null limit $1"
};

static const struct db_stmt sql_lost_published = {
	"status_lost_published",
	"update icert.lost_certificate set published_epoch = $2 where id = -$1::bigint and published_epoch is null"
};

static const struct db_stmt sql_published = {
	"status_published",
	"update icert.status_change set published_epoch = $2, published_at = $3"
	" where id = $1 and published_epoch is null"
};

static const struct db_stmt sql_partitions = {
	"status_partitions",
	"select coalesce(max(crl_partition), 0), (select coalesce(max(number), 0) from icert.crl where issuer = $1)"
	" from icert.certificate where issuer = $1"
};

static const struct db_stmt sql_crl = {
	"status_crl",
	"select number, this_update, next_update, der from icert.crl where issuer = $1 and crl_partition = $2"
	" order by number desc limit 1"
};

static const struct db_stmt sql_crl_add = {
	"status_crl_add",
	"insert into icert.crl (number, this_update, next_update, entries, sha256, der, issuer, crl_partition)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8)"
};

/* COLUMNS from `at` on.  A row that could not be signed is made so that it can. */
static int
record_of(struct db_result *rows, int row, int at, struct cert_status *r)
{
	int64_t now = clock_real();
	const uint8_t *serial;
	size_t n;

	memset(r, 0, sizeof(*r));
	serial = db_bytes(rows, row, at, &n);
	if (n != sizeof(r->serial))
		return ICERT_E_MALFORMED;
	memcpy(r->serial, serial, n);
	r->not_after = db_int(rows, row, at + 3);
	r->issuer = (unsigned)db_int(rows, row, at + 4);
	r->partition = (unsigned)db_int(rows, row, at + 5);
	if (db_is_null(rows, row, at + 1))
		return 0;
	r->revoked = 1;
	r->revoked_at = db_int(rows, row, at + 1);
	r->reason = (int)db_int(rows, row, at + 2);
	/* A revocation of the future or with a reason that may not stand must still become public, now. */
	if (r->revoked_at > now)
		r->revoked_at = now;
	if (!crl_reason_valid(r->reason)) {
		log_warn("status_reason", "reason %d may not stand in a CRL: published without one", r->reason);
		r->reason = CRL_REASON_UNSPECIFIED;
	}
	return 0;
}

static int
page(struct db *db, const struct db_stmt *stmt, unsigned issuer, const uint8_t after[16], struct cert_status *status, size_t *n)
{
	struct db_result *rows;
	int i, error;

	*n = 0;
	if ((error = DB_QUERY(db, stmt, &rows, P_BYTES(after, 16), P_INT(issuer))) != 0)
		return error;
	for (i = 0; i < db_rows(rows) && error == 0; i++)
		if ((error = record_of(rows, i, 0, &status[*n])) == 0)
			(*n)++;
	db_result_free(rows);
	return error;
}

int
status_rows_page(struct db *db, unsigned issuer, const uint8_t after[16], struct cert_status *status, size_t *n)
{
	return page(db, &sql_page, issuer, after, status, n);
}

int
status_rows_revoked(struct db *db, unsigned issuer, const uint8_t after[16], struct cert_status *status, size_t *n)
{
	return page(db, &sql_revoked, issuer, after, status, n);
}

int
status_rows_open_revoked(struct db *db, unsigned issuer, struct cert_status **list, size_t *n)
{
	uint8_t after[16] = { 0 };
	struct cert_status *more;
	size_t got;
	int error;

	*list = NULL;
	*n = 0;
	do {
		if ((more = reallocarray(*list, *n + STATUS_ROWS_PAGE, sizeof(*more))) == NULL)
			return ICERT_E_MEMORY;
		*list = more;
		if ((error = page(db, &sql_open_revoked, issuer, after, more + *n, &got)) != 0)
			return error;
		*n += got;
		if (got > 0)
			memcpy(after, more[*n - 1].serial, sizeof(after));
	} while (got == STATUS_ROWS_PAGE);
	return 0;
}

int
status_rows_open(struct db *db, struct status_change *changes, size_t *n)
{
	struct db_result *rows;
	size_t room = *n;
	int i, error;

	*n = 0;
	if ((error = DB_QUERY(db, &sql_open, &rows, P_INT((int64_t)room))) != 0)
		return error;
	for (i = 0; i < db_rows(rows) && *n < room && error == 0; i++) {
		changes[*n].id = db_int(rows, i, 0);
		snprintf(changes[*n].certificate, ID_TEXT, "%s", db_text(rows, i, 1));
		if ((error = record_of(rows, i, 2, &changes[*n].status)) == 0)
			(*n)++;
	}
	db_result_free(rows);
	return error;
}

static int
published(struct db *db, const struct status_change *change, uint64_t epoch, int64_t now)
{
	char detail[64];
	struct audit_event event = { .action = "certificate.published", .actor_kind = "program",
	    .actor = "icert-publisher", .subject_kind = "certificate", .subject = change->certificate, .detail = detail };
	int error;

	snprintf(detail, sizeof(detail), "{\"status\":\"%s\",\"epoch\":%" PRIu64 "}",
	    change->status.revoked ? "revoked" : "good", epoch);
	if (change->id < 0)
		error = DB_QUERY(db, &sql_lost_published, NULL, P_INT(change->id), P_INT((int64_t)epoch));
	else
		error = DB_QUERY(db, &sql_published, NULL, P_INT(change->id), P_INT((int64_t)epoch), P_INT(now));
	return error != 0 ? error : audit_append(db, &event);
}

int
status_rows_published(struct db *db, const struct status_change *changes, size_t n, uint64_t epoch, int64_t now)
{
	size_t i;
	int error;

	if ((error = db_begin(db, NULL)) != 0)
		return error;
	for (i = 0; i < n && error == 0; i++)
		error = published(db, &changes[i], epoch, now);
	if (error == 0 && (error = db_notify(db, "icert_outbox", "")) == 0)
		error = db_recv(db, NULL);
	if (error == 0)
		return db_commit(db);
	db_rollback(db);
	return error;
}

int
status_rows_lists(struct db *db, unsigned issuer, unsigned *partitions, int64_t *number)
{
	struct db_result *rows;
	int error;

	if ((error = DB_QUERY(db, &sql_partitions, &rows, P_INT(issuer))) != 0)
		return error;
	*partitions = (unsigned)db_int(rows, 0, 0);
	*number = db_int(rows, 0, 1);
	db_result_free(rows);
	return 0;
}

int
status_rows_crl(struct db *db, unsigned issuer, unsigned partition, struct status_crl *crl, struct buf *der)
{
	struct db_result *rows;
	const uint8_t *p;
	size_t n;
	int error;

	if ((error = DB_QUERY(db, &sql_crl, &rows, P_INT(issuer), P_INT(partition))) != 0)
		return error;
	if (db_rows(rows) == 0) {
		error = ICERT_E_NOT_FOUND;
	} else {
		crl->number = db_int(rows, 0, 0);
		crl->this_update = db_int(rows, 0, 1);
		crl->next_update = db_int(rows, 0, 2);
		p = db_bytes(rows, 0, 3, &n);
		buf_put(der, p, n);
		error = buf_error(der);
	}
	db_result_free(rows);
	return error;
}

int
status_rows_crl_add(struct db *db, unsigned issuer, unsigned partition, const struct status_crl *crl, size_t entries,
    const struct buf *der)
{
	uint8_t digest[32];

	if (EVP_Digest(der->p, der->len, digest, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	return DB_QUERY(db, &sql_crl_add, NULL, P_INT(crl->number), P_INT(crl->this_update), P_INT(crl->next_update),
	    P_INT((int64_t)entries), P_BYTES(digest, sizeof(digest)), P_BYTES(der->p, der->len),
	    P_INT(issuer), P_INT(partition));
}
