#include "audit/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "audit/rows.h"
#include "audit/tree.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "store/db.h"

#define COLUMNS_N 15

static const struct db_stmt read_rows = { "receipt_rows",
	"select " AUDIT_ROW_COLUMNS ", coalesce(leaf, -1) from icert.audit where case_id = $1 order by leaf limit $2" };
static const struct db_stmt read_head = { "receipt_head", "select note from icert.audit_head order by size desc limit 1" };
static const struct db_stmt read_nodes = { "receipt_nodes",
	"select n.hash from unnest($1::text::smallint[], $2::text::bigint[]) with ordinality w (level, index, place)"
	" left join icert.audit_node n on n.level = w.level and n.index = w.index order by w.place" };

/* The full nodes that the proofs need: named in a first pass, read at once, taken in a second. */
struct nodes {
	struct node {
		unsigned level;
		uint64_t index;
		uint8_t hash[TREE_HASH];
	} *list;
	size_t n, room;
};

static int
by_place(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int
name_node(void *arg, unsigned level, uint64_t index, uint8_t hash[TREE_HASH])
{
	struct nodes *nodes = arg;

	if (nodes->n == nodes->room) {
		size_t room = nodes->room == 0 ? 256 : nodes->room * 2;
		struct node *list = reallocarray(nodes->list, room, sizeof(*list));

		if (list == NULL)
			return ICERT_E_MEMORY;
		nodes->list = list;
		nodes->room = room;
	}
	nodes->list[nodes->n++] = (struct node){ .level = level, .index = index };
	memset(hash, 0, TREE_HASH);
	return 0;
}

static int
take_node(void *arg, unsigned level, uint64_t index, uint8_t hash[TREE_HASH])
{
	const struct nodes *nodes = arg;
	const struct node wanted = { .level = level, .index = index };
	const struct node *found = bsearch(&wanted, nodes->list, nodes->n, sizeof(wanted), by_place);

	if (found == NULL)
		return ICERT_E_NOT_FOUND;
	memcpy(hash, found->hash, TREE_HASH);
	return 0;
}

/* Sorts, drops repeats, and reads them in one query. */
static int
fill_nodes(struct db *db, struct nodes *nodes)
{
	struct buf levels = BUF_INIT, indexes = BUF_INIT;
	struct db_result *r = NULL;
	size_t i, n = 0;
	int error;

	if (nodes->n > 0)
		qsort(nodes->list, nodes->n, sizeof(nodes->list[0]), by_place);
	for (i = 0; i < nodes->n; i++)
		if (n == 0 || by_place(&nodes->list[n - 1], &nodes->list[i]) != 0)
			nodes->list[n++] = nodes->list[i];
	nodes->n = n;
	for (i = 0; i < n; i++) {
		buf_printf(&levels, "%c%u", i == 0 ? '{' : ',', nodes->list[i].level);
		buf_printf(&indexes, "%c%" PRIu64, i == 0 ? '{' : ',', nodes->list[i].index);
	}
	buf_puts(&levels, n == 0 ? "{}" : "}");
	buf_puts(&indexes, n == 0 ? "{}" : "}");
	if ((error = buf_error(&levels)) == 0 && (error = buf_error(&indexes)) == 0)
		error = DB_QUERY(db, &read_nodes, &r, P_TEXT(buf_str(&levels)), P_TEXT(buf_str(&indexes)));
	for (i = 0; error == 0 && i < n; i++) {
		size_t len = 0;
		const uint8_t *hash = db_is_null(r, (int)i, 0) ? NULL : db_bytes(r, (int)i, 0, &len);

		if (hash == NULL || len != TREE_HASH)
			error = ICERT_E_DATABASE;
		else
			memcpy(nodes->list[i].hash, hash, TREE_HASH);
	}
	db_result_free(r);
	buf_free(&levels);
	buf_free(&indexes);
	return error;
}

static json_t *
proof_json(uint64_t leaf, uint64_t size, struct nodes *nodes)
{
	uint8_t path[TREE_PROOF_MAX][TREE_HASH];
	char hex[TREE_HASH * 2 + 1];
	json_t *list = json_array();
	size_t n;

	if (list == NULL || tree_inclusion(leaf, size, take_node, nodes, path, &n) != 0) {
		json_decref(list);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		bytes_to_hex(hex, path[i], TREE_HASH);
		json_array_append_new(list, json_string(hex));
	}
	return list;
}

/* The columns in the order of audit_row_bytes(). */
static json_t *
columns_json(const struct audit_row *row)
{
	const char *const columns[COLUMNS_N] = { row->id, row->at_us, row->action, row->outcome, row->reason, row->actor_kind,
		row->actor, row->subject_kind, row->subject, row->case_id, row->province, row->country, row->network, row->detail,
		row->count };
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < COLUMNS_N; i++)
		json_array_append_new(list, columns[i] != NULL ? json_string(columns[i]) : json_null());
	return list;
}

static int
compose(struct db_result *rows, int placed, const struct audit_head *head, struct nodes *nodes, json_t *list)
{
	for (int i = 0; i < placed; i++) {
		uint64_t leaf = (uint64_t)db_int(rows, i, COLUMNS_N);
		struct audit_row row;
		json_t *proof = proof_json(leaf, head->size, nodes);

		audit_row_read(rows, i, &row);
		if (proof == NULL || json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "leaf", (json_int_t)leaf, "row",
		    columns_json(&row), "proof", proof)) != 0)
			return ICERT_E_MEMORY;
	}
	return 0;
}

/* Those with a place come first; *placed counts them. */
static int
read_case(struct db *db, const char *case_id, int all, struct db_result **rows, int *placed)
{
	int error = DB_QUERY(db, &read_rows, rows, P_TEXT(case_id), P_INT(RECEIPT_ROWS));

	if (error != 0)
		return error;
	for (*placed = 0; *placed < db_rows(*rows) && db_int(*rows, *placed, COLUMNS_N) >= 0; (*placed)++)
		;
	if (all && *placed < db_rows(*rows))
		return ICERT_E_STATE;
	return *placed == 0 ? ICERT_E_NOT_FOUND : 0;
}

static int
dump(const char *case_id, const char *number, const uint8_t key[32], const char *note, json_t *rows, struct buf *out)
{
	char hex[65];
	json_t *all;
	char *text;

	bytes_to_hex(hex, key, 32);
	all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "format", RECEIPT_FORMAT, "number", number, "case", case_id, "key", hex,
	    "head", note, "rows", rows);
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(1));
	json_decref(all);
	if (text == NULL)
		return ICERT_E_MEMORY;
	buf_puts(out, text);
	buf_putc(out, '\n');
	free(text);
	return buf_error(out);
}

int
receipt_make(struct db *db, const char *case_id, const char *number, const uint8_t key[32], int all, struct buf *out)
{
	struct db_result *rows = NULL, *r = NULL;
	uint8_t path[TREE_PROOF_MAX][TREE_HASH];
	struct nodes nodes = { NULL, 0, 0 };
	struct audit_head head;
	json_t *list = json_array();
	size_t used, n;
	int placed = 0, error = list == NULL ? ICERT_E_MEMORY : 0;

	/* The rows first: what has a place stands under the newest head, which is committed with it. */
	if (error == 0 && (error = read_case(db, case_id, all, &rows, &placed)) == 0 &&
	    (error = db_query(db, &read_head, NULL, 0, &r)) == 0)
		error = db_rows(r) == 1 ? head_parse(db_text(r, 0, 0), strlen(db_text(r, 0, 0)), key, &head, &used) : ICERT_E_STATE;
	for (int i = 0; error == 0 && i < placed; i++)
		error = tree_inclusion((uint64_t)db_int(rows, i, COLUMNS_N), head.size, name_node, &nodes, path, &n);
	if (error == 0 && (error = fill_nodes(db, &nodes)) == 0 && (error = compose(rows, placed, &head, &nodes, list)) == 0)
		error = dump(case_id, number, key, db_text(r, 0, 0), list, out);
	json_decref(list);
	free(nodes.list);
	db_result_free(r);
	db_result_free(rows);
	return error;
}

/* --- reading ------------------------------------------------------------------ */

static int
read_row(json_t *one, struct receipt_row *out, uint8_t path[][TREE_HASH], size_t *n)
{
	json_t *columns = json_object_get(one, "row"), *proof = json_object_get(one, "proof"), *leaf = json_object_get(one, "leaf");
	const char **fields[COLUMNS_N] = { &out->row.id, &out->row.at_us, &out->row.action, &out->row.outcome, &out->row.reason,
		&out->row.actor_kind, &out->row.actor, &out->row.subject_kind, &out->row.subject, &out->row.case_id,
		&out->row.province, &out->row.country, &out->row.network, &out->row.detail, &out->row.count };

	if (!json_is_integer(leaf) || json_integer_value(leaf) < 0 || json_array_size(columns) != COLUMNS_N ||
	    !json_is_array(proof) || json_array_size(proof) > TREE_PROOF_MAX)
		return 0;
	out->leaf = (uint64_t)json_integer_value(leaf);
	for (size_t i = 0; i < COLUMNS_N; i++) {
		json_t *value = json_array_get(columns, i);

		if (!json_is_string(value) && !json_is_null(value))
			return 0;
		*fields[i] = json_string_value(value);
	}
	*n = json_array_size(proof);
	for (size_t i = 0; i < *n; i++) {
		const char *hex = json_string_value(json_array_get(proof, i));

		if (hex == NULL || strlen(hex) != TREE_HASH * 2 || bytes_from_hex(path[i], TREE_HASH, hex) != 0)
			return 0;
	}
	return 1;
}

/* NULL, or what is wrong with the row. */
static const char *
check_row(const struct receipt *r, json_t *one, struct receipt_row *out)
{
	uint8_t path[TREE_PROOF_MAX][TREE_HASH], leaf[TREE_HASH];
	struct buf bytes = BUF_INIT;
	const char *fault = NULL;
	size_t n;

	if (!read_row(one, out, path, &n) || out->row.id == NULL || out->row.at_us == NULL || out->row.action == NULL)
		return "form";
	if (out->row.case_id == NULL || strcmp(out->row.case_id, r->case_id) != 0)
		return "case";
	if (r->n > 0 && out->leaf <= r->rows[r->n - 1].leaf)
		return "order";
	if (audit_row_bytes(&out->row, &bytes) != 0)
		fault = "form";
	else {
		tree_leaf_hash(bytes.p, bytes.len, leaf);
		if (out->leaf >= r->head.size || !tree_inclusion_holds(out->leaf, r->head.size, leaf, (const uint8_t (*)[TREE_HASH])path, n,
		    r->head.root))
			fault = "row";
	}
	buf_free(&bytes);
	return fault;
}

static const char *
check_frame(struct receipt *r, const uint8_t *pin, json_t **rows)
{
	const char *format = json_string_value(json_object_get(r->json, "format"));
	const char *key = json_string_value(json_object_get(r->json, "key"));
	const char *note = json_string_value(json_object_get(r->json, "head"));
	size_t used;

	r->case_id = json_string_value(json_object_get(r->json, "case"));
	r->number = json_string_value(json_object_get(r->json, "number"));
	*rows = json_object_get(r->json, "rows");
	if (format == NULL || strcmp(format, RECEIPT_FORMAT) != 0 || key == NULL || strlen(key) != 64 ||
	    bytes_from_hex(r->key, 32, key) != 0 || note == NULL || r->case_id == NULL || !id_valid(r->case_id) || r->number == NULL ||
	    !json_is_array(*rows) || json_array_size(*rows) == 0 || json_array_size(*rows) > RECEIPT_ROWS)
		return "form";
	if (pin != NULL && memcmp(pin, r->key, 32) != 0)
		return "key";
	return head_parse(note, strlen(note), r->key, &r->head, &used) != 0 || used != strlen(note) ? "head" : NULL;
}

int
receipt_read(const char *text, size_t len, const uint8_t *key, struct receipt *r)
{
	json_t *rows, *one;
	size_t i;

	memset(r, 0, sizeof(*r));
	if (len > RECEIPT_MAX || (r->json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)) == NULL ||
	    !json_is_object((json_t *)r->json)) {
		r->fault = "form";
		return 0;
	}
	if ((r->fault = check_frame(r, key, &rows)) != NULL)
		return 0;
	if ((r->rows = calloc(json_array_size(rows), sizeof(*r->rows))) == NULL)
		return ICERT_E_MEMORY;
	json_array_foreach(rows, i, one) {
		if ((r->fault = check_row(r, one, &r->rows[i])) != NULL) {
			r->fault_leaf = r->rows[i].leaf;
			return 0;
		}
		r->n++;
	}
	return 0;
}

void
receipt_free(struct receipt *r)
{
	free(r->rows);
	json_decref(r->json);
	memset(r, 0, sizeof(*r));
}
