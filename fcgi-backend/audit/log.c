#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/head.h"
#include "audit/rows.h"
#include "audit/tree.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "store/db.h"

#define PUBLIC_NAME "auditoria"	/* .pub */

struct audit_log {
	struct head_key *key;
	char origin[HEAD_ORIGIN_MAX];
	char folder[256];
	struct tree_edge edge;    /* of what is committed */
	int known;                /* edge is loaded */
	uint64_t published;       /* size of the newest head in the folder */
	char witness[256];        /* the file that only grows; "" none */
	uint64_t witnessed;       /* size of the newest head in it */
};

/* One writer: a second clerk waits here, and then finds the rows placed. */
static const struct db_stmt lock = { "audit_lock", "select pg_advisory_xact_lock(1768121700, 1)" };
static const struct db_stmt last_size = { "audit_last_size",
	"select coalesce(max(size), 0) from icert.audit_head" };
static const struct db_stmt unplaced = { "audit_unplaced",
	"select " AUDIT_ROW_COLUMNS " from icert.audit where leaf is null order by at_us, id limit 2000" };
/* Arrays as text: a round is three statements, however many rows it has. */
static const struct db_stmt place = { "audit_place",
	"update icert.audit a set leaf = p.leaf from unnest($1::text::uuid[], $2::text::bigint[]) p (id, leaf)"
	" where a.id = p.id and a.leaf is null" };
static const struct db_stmt add_nodes = { "audit_add_nodes",
	"insert into icert.audit_node (level, index, hash) select n.level, n.index, decode(n.hash, 'hex')"
	" from unnest($1::text::smallint[], $2::text::bigint[], $3::text::text[]) n (level, index, hash)" };
static const struct db_stmt read_node = { "audit_read_node",
	"select hash from icert.audit_node where level = $1 and index = $2" };
static const struct db_stmt add_head = { "audit_add_head",
	"insert into icert.audit_head (size, root, at, note) values ($1, $2, $3, $4)" };
static const struct db_stmt heads_after = { "audit_heads_after",
	"select size, at, note from icert.audit_head where size > $1 order by size limit 100" };

/* Beside the heads, so that a copy of the folder has all that is needed to check them. */
static int
public_path(const struct config *config, const char *suffix, char *out, size_t size)
{
	const char *folder = config_get(config, "paths", "audit_heads");

	if (folder == NULL)
		return ICERT_E_CONFIG;
	return snprintf(out, size, "%s/" PUBLIC_NAME "%s", folder, suffix) < (int)size ? 0 : ICERT_E_INVALID;
}

int
audit_log_public(const struct config *config, uint8_t pub[32])
{
	char path[320];
	int error = public_path(config, "", path, sizeof(path));

	return error != 0 ? error : head_public(path, pub);
}

int
audit_log_open(struct db *db, const struct config *config, struct audit_log **out)
{
	const char *origin = config_get(config, "audit", "origin"), *key = config_get(config, "audit", "key_file");
	const char *folder = config_get(config, "paths", "audit_heads"), *witness = config_get(config, "audit", "append_file");
	struct audit_log *log;
	char public[320];
	int error = ICERT_E_CONFIG;

	(void)db;
	*out = NULL;
	if ((log = calloc(1, sizeof(*log))) == NULL)
		return ICERT_E_MEMORY;
	if (origin == NULL || key == NULL || folder == NULL || strlen(origin) >= sizeof(log->origin) ||
	    strlen(folder) >= sizeof(log->folder))
		goto fail;
	strcpy(log->origin, origin);
	strcpy(log->folder, folder);
	if (witness != NULL && strlen(witness) >= sizeof(log->witness))
		goto fail;
	strcpy(log->witness, witness != NULL ? witness : "");
	if ((error = head_key_open(key, &log->key)) != 0 || (error = public_path(config, ".pub", public, sizeof(public))) != 0 ||
	    (error = head_key_publish(log->key, public)) != 0)
		goto fail;
	*out = log;
	return 0;
fail:
	log_error("audit_config", "the log of audit cannot be opened: %s", icert_err_code(error));
	audit_log_free(log);
	return error;
}

void
audit_log_free(struct audit_log *log)
{
	if (log == NULL)
		return;
	head_key_free(log->key);
	free(log);
}

/* The edge from the stored full nodes, one for each bit of the size. */
static int
load_edge(struct audit_log *log, struct db *db, uint64_t size)
{
	struct tree_edge edge = { .size = size };
	unsigned level;

	for (level = 0; level < TREE_LEVELS; level++) {
		struct db_result *r = NULL;
		const uint8_t *hash;
		size_t n;
		int error;

		if ((size >> level & 1) == 0)
			continue;
		error = DB_QUERY(db, &read_node, &r, P_INT(level), P_INT((int64_t)((size >> level) - 1)));
		if (error < 0)
			return error;
		hash = db_bytes(r, 0, 0, &n);
		if (db_rows(r) != 1 || n != TREE_HASH) {
			db_result_free(r);
			log_error("audit_node_missing", "level %u of size %" PRIu64, level, size);
			return ICERT_E_DATABASE;
		}
		memcpy(edge.hash[level], hash, TREE_HASH);
		db_result_free(r);
	}
	log->edge = edge;
	log->known = 1;
	return 0;
}

/* What a round will write, as the text of arrays: "{a,b". */
struct round {
	struct buf ids, leaves;              /* places */
	struct buf levels, indexes, hashes;  /* nodes */
};

static void item(struct buf *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
item(struct buf *list, const char *format, ...)
{
	va_list args;

	buf_putc(list, list->len == 0 ? '{' : ',');
	va_start(args, format);
	buf_vprintf(list, format, args);
	va_end(args);
}

static void
round_free(struct round *round)
{
	buf_free(&round->ids);
	buf_free(&round->leaves);
	buf_free(&round->levels);
	buf_free(&round->indexes);
	buf_free(&round->hashes);
}

static int
note_node(void *arg, unsigned level, uint64_t index, const uint8_t hash[TREE_HASH])
{
	struct round *round = arg;
	char hex[TREE_HASH * 2 + 1];

	bytes_to_hex(hex, hash, TREE_HASH);
	item(&round->levels, "%u", level);
	item(&round->indexes, "%" PRIu64, index);
	item(&round->hashes, "%s", hex);
	return 0;
}

/* What one row needs: its place, its leaf, the nodes it completes. */
static int
place_row(struct round *round, struct tree_edge *edge, const struct audit_row *row)
{
	struct buf bytes = BUF_INIT;
	uint8_t leaf[TREE_HASH];
	int error;

	if ((error = audit_row_bytes(row, &bytes)) == 0) {
		tree_leaf_hash(bytes.p, bytes.len, leaf);
		item(&round->ids, "%s", row->id);
		item(&round->leaves, "%" PRIu64, edge->size);
		note_node(round, 0, edge->size, leaf);
		error = tree_append(edge, leaf, note_node, round);
	}
	buf_free(&bytes);
	return error;
}

static int
write_round(struct round *round, struct db *db, int n)
{
	struct buf *lists[] = { &round->ids, &round->leaves, &round->levels, &round->indexes, &round->hashes };
	struct db_result *r = NULL;
	size_t i;
	int error;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		buf_putc(lists[i], '}');
		if ((error = buf_error(lists[i])) != 0)
			return error;
	}
	error = DB_QUERY(db, &place, &r, P_TEXT(buf_str(&round->ids)), P_TEXT(buf_str(&round->leaves)));
	if (error >= 0)
		error = db_affected(r) == n ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	if (error == 0)
		error = DB_QUERY(db, &add_nodes, NULL, P_TEXT(buf_str(&round->levels)), P_TEXT(buf_str(&round->indexes)),
		    P_TEXT(buf_str(&round->hashes)));
	return error < 0 ? error : 0;
}

static int
write_head(const struct audit_log *log, struct db *db, const struct tree_edge *edge)
{
	struct audit_head head = { .size = edge->size, .at = clock_real() };
	struct buf note = BUF_INIT;
	int error;

	strcpy(head.origin, log->origin);
	tree_root(edge, head.root);
	if ((error = head_sign(log->key, &head, &note)) == 0)
		error = DB_QUERY(db, &add_head, NULL, P_INT((int64_t)head.size), P_BYTES(head.root, TREE_HASH),
		    P_INT(head.at), P_TEXT(buf_str(&note)));
	buf_free(&note);
	return error < 0 ? error : 0;
}

/* Locks, checks that the edge is the table's, and reads the rows without a place. */
static int
begin(struct audit_log *log, struct db *db, struct db_result **rows)
{
	struct db_result *r = NULL;
	uint64_t size;
	int error;

	if ((error = db_begin(db, NULL)) != 0 || (error = db_query(db, &lock, NULL, 0, NULL)) < 0 ||
	    (error = db_query(db, &last_size, NULL, 0, &r)) < 0)
		return error;
	size = (uint64_t)db_int(r, 0, 0);
	db_result_free(r);
	if ((!log->known || log->edge.size != size) && (error = load_edge(log, db, size)) != 0)
		return error;
	error = db_query(db, &unplaced, NULL, 0, rows);
	return error < 0 ? error : 0;
}

static int
append_name(char *out, size_t size, const char *folder, int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	char day[16];

	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	return snprintf(out, size, "%s/%s.heads", folder, day) < (int)size ? 0 : ICERT_E_INVALID;
}

/* The size of the last whole note of a file; 0 when there is none. */
static uint64_t
last_published(const char *path)
{
	struct audit_head head;
	struct buf text = BUF_INIT;
	FILE *file = fopen(path, "re");
	uint64_t size = 0;
	size_t at = 0, used, n;
	uint8_t *room;

	if (file == NULL)
		return 0;
	while ((room = buf_room(&text, 65536)) != NULL && (n = fread(room, 1, 65536, file)) > 0)
		buf_took(&text, n);
	fclose(file);
	while (at < text.len && head_parse((const char *)text.p + at, text.len - at, NULL, &head, &used) == 0) {
		size = head.size;
		at += used;
	}
	/* A note cut by a crash is taken off, or nothing after it could be read. */
	if (at < text.len && truncate(path, (off_t)at) == -1)
		log_error("audit_heads_file", "a cut note cannot be taken off");
	buf_free(&text);
	return size;
}

static int
append(const char *path, int flags, const char *note)
{
	size_t len = strlen(note);
	int fd, ok;

	if ((fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0644)) == -1)
		return ICERT_E_SYSTEM;
	/* Heads are public, whatever the umask. */
	ok = (flags == 0 || fchmod(fd, 0644) == 0) && write(fd, note, len) == (ssize_t)len && fdatasync(fd) == 0;
	close(fd);
	return ok ? 0 : ICERT_E_SYSTEM;
}

static int
write_note(struct audit_log *log, int64_t at, const char *note, uint64_t size)
{
	char path[320];
	int error;

	if (append_name(path, sizeof(path), log->folder, at) != 0)
		return ICERT_E_INVALID;
	if ((error = append(path, O_CREAT, note)) == 0)
		log->published = size;
	return error;
}

/* The newest head of the file that only grows, from its last octets. */
static uint64_t
last_witnessed(const struct audit_log *log)
{
	char tail[4096 + 1], begins[HEAD_ORIGIN_MAX + 2];
	struct audit_head head;
	uint64_t size = 0;
	size_t n, used;
	FILE *file = fopen(log->witness, "re");

	if (file == NULL)
		return 0;
	if (fseeko(file, -(off_t)(sizeof(tail) - 1), SEEK_END) != 0)
		rewind(file);
	n = fread(tail, 1, sizeof(tail) - 1, file);
	tail[n] = '\0';
	fclose(file);
	snprintf(begins, sizeof(begins), "%s\n", log->origin);
	for (const char *p = tail; (p = strstr(p, begins)) != NULL; p++)
		if (head_parse(p, n - (size_t)(p - tail), NULL, &head, &used) == 0)
			size = head.size;
	return size;
}

/* The same heads in the file that only grows, which this process could not mend. */
static int
witness(struct audit_log *log, struct db *db)
{
	struct db_result *r = NULL;
	int i, error;

	if (log->witness[0] == '\0')
		return 0;
	if (log->witnessed == 0)
		log->witnessed = last_witnessed(log);
	if (log->witnessed >= log->edge.size)
		return 0;
	error = DB_QUERY(db, &heads_after, &r, P_INT((int64_t)log->witnessed));
	for (i = 0; error >= 0 && i < db_rows(r); i++)
		if ((error = append(log->witness, 0, db_text(r, i, 2))) == 0)
			log->witnessed = (uint64_t)db_int(r, i, 0);
	db_result_free(r);
	if (error < 0)
		log_error("audit_heads_file", "%s cannot be appended to: %s", log->witness, strerror(errno));
	return error < 0 ? error : 0;
}

/* Appends to the file of the day every committed head that it lacks. */
static int
publish(struct audit_log *log, struct db *db)
{
	struct db_result *r = NULL;
	char path[320];
	int i, error;

	if (log->published == 0) {
		if ((error = append_name(path, sizeof(path), log->folder, clock_real())) != 0)
			return error;
		log->published = last_published(path);
	}
	if (log->published == 0) {
		if ((error = append_name(path, sizeof(path), log->folder, clock_real() - 86400)) != 0)
			return error;
		log->published = last_published(path);
	}
	if (log->published >= log->edge.size)
		return 0;
	error = DB_QUERY(db, &heads_after, &r, P_INT((int64_t)log->published));
	for (i = 0; error >= 0 && i < db_rows(r); i++)
		error = write_note(log, db_int(r, i, 1), db_text(r, i, 2), (uint64_t)db_int(r, i, 0));
	db_result_free(r);
	if (error < 0)
		log_error("audit_heads_file", "heads cannot be written: %s", strerror(errno));
	return error < 0 ? error : 0;
}

int
audit_log_extend(struct audit_log *log, struct db *db, size_t *rows)
{
	struct round round = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };
	struct tree_edge edge;
	struct db_result *r = NULL;
	int i, n = 0, error;

	*rows = 0;
	if ((error = begin(log, db, &r)) != 0)
		goto out;
	edge = log->edge;
	n = db_rows(r);
	for (i = 0; error == 0 && i < n; i++) {
		struct audit_row row;

		audit_row_read(r, i, &row);
		error = place_row(&round, &edge, &row);
	}
	if (error == 0 && n > 0 && (error = write_round(&round, db, n)) == 0)
		error = write_head(log, db, &edge);
	if (error == 0 && (error = db_commit(db)) == 0) {
		log->edge = edge;
		*rows = (size_t)n;
	}
out:
	db_result_free(r);
	round_free(&round);
	if (error != 0) {
		db_rollback(db);
		log->known = 0;
		return error;
	}
	error = publish(log, db);
	return error != 0 ? error : witness(log, db);
}
