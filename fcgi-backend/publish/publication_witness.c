#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

/*
 * The witness of the signer's journals.  A journal that is cut back to an earlier line links as it did, and nothing in it tells.  So how
 * far it goes is kept where the signer has no hand: a row for each look that found it longer, and a row of the log of audit, whose
 * signed heads leave this host.  What was witnessed must stand in the journal for ever, under its number.
 */
#define EVERY_MS 10000
#define AGAIN_MS 60000	/* after the signer did not answer */

static const struct db_stmt newest = { "witness_newest",
	"select sequence, hash from icert.journal_witness where issuer = $1 order by sequence desc limit 1" };
static const struct db_stmt add = { "witness_add",
	"insert into icert.journal_witness (issuer, sequence, hash, at) values ($1, $2, $3, $4) on conflict do nothing" };
/* Whoever has to know is mailed by the clerk, once for each line that is missing. */
static const struct db_stmt note_cut = { "witness_cut",
	"insert into icert.journal_cut (issuer, sequence, at) values ($1, $2, $3) on conflict do nothing" };

/* What the row of audit says: numbers and a hash, so that a signed head stands for the journal up to there. */
static int
record(struct db *db, const char *outcome, const char *reason, unsigned issuer, uint64_t sequence, const uint8_t hash[32])
{
	char detail[160], hex[65];
	struct audit_event event = { .action = "signer.journal", .outcome = outcome, .reason = reason, .actor_kind = "program",
		.actor = "icert-publisher", .detail = detail };

	bytes_to_hex(hex, hash, 32);
	snprintf(detail, sizeof(detail), "{\"issuer\":%u,\"sequence\":%" PRIu64 ",\"hash\":\"%s\"}", issuer, sequence, hex);
	return audit_append(db, &event);
}

/* It was cut back: said once for each start of this program and in the log until it is whole again. */
static int
cut(struct publication *p, struct ca *ca, uint64_t witnessed, const uint8_t hash[32])
{
	int error;

	if (ca->witness_told)
		return ICERT_E_FORGED;
	if ((error = db_begin(p->db, NULL)) == 0 && (error = record(p->db, "refused", "journal-cut", ca->number, witnessed, hash)) == 0 &&
	    (error = DB_QUERY(p->db, &note_cut, NULL, P_INT(ca->number), P_INT((int64_t)witnessed), P_INT(clock_real()))) == 0)
		error = db_commit(p->db);
	if (error != 0) {
		db_rollback(p->db);
		return error;
	}
	ca->witness_told = 1;
	log_error("journal_cut", "issuer %u: line %" PRIu64 " was witnessed and is not in the signer's journal", ca->number, witnessed);
	return ICERT_E_FORGED;
}

static int
witness(struct publication *p, struct ca *ca, int64_t now)
{
	static const uint8_t nothing[32];
	uint8_t hash[32], asked[32], known[32] = { 0 };
	uint64_t sequence, at = 0;
	struct db_result *r;
	const uint8_t *bytes;
	size_t n;
	int error;

	if ((error = DB_QUERY(p->db, &newest, &r, P_INT(ca->number))) != 0)
		return error;
	if (db_rows(r) == 1) {
		at = (uint64_t)db_int(r, 0, 0);
		bytes = db_bytes(r, 0, 1, &n);
		memcpy(known, bytes, n < sizeof(known) ? n : sizeof(known));
	}
	db_result_free(r);
	if ((error = signer_journal(&p->signer, ca->number, at, &sequence, hash, asked)) != 0)
		return error;
	if (at != 0 && (memcmp(asked, nothing, sizeof(asked)) == 0 || memcmp(asked, known, sizeof(asked)) != 0))
		return cut(p, ca, at, known);
	ca->witness_told = 0;
	if (sequence == at)
		return 0;
	if ((error = db_begin(p->db, NULL)) == 0 &&
	    (error = DB_QUERY(p->db, &add, NULL, P_INT(ca->number), P_INT((int64_t)sequence), P_BYTES(hash, sizeof(hash)),
	    P_INT(now))) == 0 && (error = record(p->db, "done", NULL, ca->number, sequence, hash)) == 0)
		error = db_commit(p->db);
	if (error != 0)
		db_rollback(p->db);
	return error;
}

int
publication_witness(struct publication *p, int64_t now)
{
	int64_t ms = clock_mono_ms();
	int error = 0;

	if (ms < p->witness_ms)
		return p->last[STEP_JOURNAL];
	p->witness_ms = ms + EVERY_MS;
	for (size_t i = 0; i < p->cas; i++) {
		int one;

		publication_leave(p);
		one = witness(p, &p->ca[i], now);
		publication_come_back(p);
		/* A CA that has ended may have no journal here any more. */
		if (one == ICERT_E_NOT_FOUND && p->ca[i].state != ISSUER_ISSUES)
			one = 0;
		if (error == 0)
			error = one;
	}
	if (error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT)
		p->witness_ms = ms + AGAIN_MS;
	return error;
}
