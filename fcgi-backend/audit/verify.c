#include "audit/verify.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "audit/rows.h"
#include "audit/tree.h"
#include "audit/verify_heads.h"
#include "libicert/buf.h"
#include "libicert/error.h"
#include "store/db.h"

#define LATE_S 10              /* a row still without a place after this is a finding */
#define FINDINGS_SHOWN 20

/* The stored leaf stands beside each row: a row that does not give it was changed. */
static const struct db_stmt rows_after = { "verify_rows",
	"select " AUDIT_ROW_COLUMNS ", a.leaf, n.hash from icert.audit a"
	" left join icert.audit_node n on n.level = 0 and n.index = a.leaf where a.leaf > $1 order by a.leaf limit 2000" };
static const struct db_stmt unplaced = { "verify_unplaced",
	"select count(*) from icert.audit where leaf is null and at_us < $1" };

struct check {
	FILE *out;
	struct heads heads;
	struct tree_edge edge;
	size_t next_head;            /* first head not compared yet */
	uint64_t held;               /* size of the last head that held */
	unsigned long findings;
	int broken;                  /* a head failed: later ones cannot hold either */
};

static void
finding(struct check *check, const char *kind, uint64_t leaf, const char *id)
{
	if (check->findings++ < FINDINGS_SHOWN)
		fprintf(check->out, "%s: leaf %" PRIu64 "%s%s\n", kind, leaf, id == NULL ? "" : ", row ", id == NULL ? "" : id);
}

/* Heads of exactly the size reached so far. */
static void
compare_heads(struct check *check)
{
	uint8_t root[TREE_HASH];

	tree_root(&check->edge, root);
	while (check->next_head < check->heads.n && check->heads.list[check->next_head].size == check->edge.size) {
		const struct known_head *head = &check->heads.list[check->next_head++];

		if (memcmp(head->root, root, TREE_HASH) == 0) {
			check->held = head->size;
			continue;
		}
		if (!check->broken) {
			fprintf(check->out, "history: the rows from leaf %" PRIu64 " to %" PRIu64
			    " are not those that were signed\n", check->held, head->size - 1);
			check->findings++;
		}
		check->broken = 1;
	}
}

static int
check_row(struct check *check, struct db_result *r, int i)
{
	uint64_t leaf = (uint64_t)db_int(r, i, 15);
	uint8_t hash[TREE_HASH];
	const uint8_t *stored;
	struct buf bytes = BUF_INIT;
	struct audit_row row;
	size_t n;
	int error;

	if (leaf != check->edge.size) {
		finding(check, "deleted", check->edge.size, NULL);
		return ICERT_E_TRUNCATED;
	}
	audit_row_read(r, i, &row);
	if ((error = audit_row_bytes(&row, &bytes)) == 0) {
		tree_leaf_hash(bytes.p, bytes.len, hash);
		stored = db_bytes(r, i, 16, &n);
		if (n != TREE_HASH || memcmp(stored, hash, TREE_HASH) != 0)
			finding(check, "changed", leaf, row.id);
		error = tree_append(&check->edge, hash, NULL, NULL);
	}
	buf_free(&bytes);
	if (error == 0)
		compare_heads(check);
	return error;
}

/* ICERT_E_TRUNCATED: a leaf is missing, so nothing after it can be computed. */
static int
check_rows(struct check *check, struct db *db)
{
	int i, n, error;

	do {
		struct db_result *r = NULL;

		if ((error = DB_QUERY(db, &rows_after, &r, P_INT((int64_t)check->edge.size - 1))) < 0)
			return error;
		n = db_rows(r);
		for (i = 0, error = 0; error == 0 && i < n; i++)
			error = check_row(check, r, i);
		db_result_free(r);
	} while (error == 0 && n > 0);
	return error;
}

static int
check_unplaced(struct check *check, struct db *db)
{
	struct db_result *r = NULL;
	int error = DB_QUERY(db, &unplaced, &r, P_INT(((int64_t)time(NULL) - LATE_S) * 1000000));

	if (error < 0)
		return error;
	if (db_int(r, 0, 0) > 0) {
		fprintf(check->out, "unplaced: %" PRId64 " rows have had no leaf for more than %d s\n", db_int(r, 0, 0), LATE_S);
		check->findings++;
	}
	db_result_free(r);
	return 0;
}

static int
conclude(struct check *check)
{
	uint64_t last = check->heads.n == 0 ? 0 : check->heads.list[check->heads.n - 1].size;

	if (check->next_head < check->heads.n && check->edge.size < last) {
		fprintf(check->out, "truncated: a signed head has %" PRIu64 " leaves, %" PRIu64 " can be read in order\n", last,
		    check->edge.size);
		check->findings++;
	}
	if (check->edge.size > last) {
		fprintf(check->out, "unsigned: leaves from %" PRIu64 " on stand under no signed head\n", last);
		check->findings++;
	}
	check->findings += check->heads.bad + check->heads.forks;
	fprintf(check->out, "%s: %" PRIu64 " leaves, %zu signed heads, %lu findings\n",
	    check->findings == 0 ? "sound" : "NOT SOUND", check->edge.size, check->heads.n, check->findings);
	return check->findings == 0 ? 0 : 1;
}

int
audit_verify(struct db *db, const struct verify_options *options, FILE *out)
{
	struct check check = { .out = out };
	uint8_t pub[32];
	int error;

	if (head_public(options->key, pub) != 0) {
		fprintf(out, "the public key %s.pub cannot be read\n", options->key);
		return 2;
	}
	/* The folder first, then one snapshot: the clerk goes on writing meanwhile,
	 * and commits a head before it appends it to the folder. */
	if ((error = heads_from_folder(&check.heads, options->heads, pub, out)) == ICERT_E_NOT_FOUND)
		fprintf(out, "the folder %s cannot be read\n", options->heads);
	if (error == 0 && (error = db_begin(db, NULL)) == 0) {
		static const struct db_stmt snapshot = { "verify_snapshot",
			"set transaction isolation level repeatable read, read only" };

		error = db_query(db, &snapshot, NULL, 0, NULL);
	}
	if (error >= 0 && (error = heads_from_table(&check.heads, db, pub, out)) == 0)
		error = check_unplaced(&check, db);
	if (error == 0) {
		heads_settle(&check.heads, out);
		while (check.next_head < check.heads.n && check.heads.list[check.next_head].size == 0)
			check.next_head++;
		error = check_rows(&check, db);
	}
	db_rollback(db);
	if (error == 0 || error == ICERT_E_TRUNCATED)
		error = conclude(&check);
	else {
		fprintf(out, "cannot be checked: %s\n", icert_err_code(error));
		error = 2;
	}
	heads_free(&check.heads);
	return error;
}
