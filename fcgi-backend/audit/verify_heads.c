#include "audit/verify_heads.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "store/db.h"

#define SUFFIX ".heads"
#define CHUNK 65536

static const struct db_stmt table_heads = { "verify_heads",
	"select size, note from icert.audit_head where size > $1 order by size limit 5000" };

static int
add(struct heads *heads, const struct audit_head *head, int from_table)
{
	struct known_head *slot;

	if (heads->n == heads->room) {
		size_t room = heads->room == 0 ? 256 : heads->room * 2;
		struct known_head *list = reallocarray(heads->list, room, sizeof(*list));

		if (list == NULL)
			return ICERT_E_MEMORY;
		heads->list = list;
		heads->room = room;
	}
	slot = &heads->list[heads->n++];
	slot->size = head->size;
	slot->at = head->at;
	slot->from_table = from_table;
	memcpy(slot->root, head->root, TREE_HASH);
	return 0;
}

/* Notes one after the other; what follows a malformed one cannot be read. */
static int
add_notes(struct heads *heads, const char *text, size_t len, const uint8_t pub[32], const char *where, int from_table,
    FILE *out)
{
	struct audit_head head;
	size_t used, at = 0;
	int error;

	while (at < len) {
		if (head_parse(text + at, len - at, NULL, &head, &used) != 0) {
			fprintf(out, "head: %s: what stands at octet %zu is no signed head\n", where, at);
			heads->bad++;
			return 0;
		}
		if (head_parse(text + at, len - at, pub, &head, &used) != 0) {
			fprintf(out, "head: %s: the head of size %" PRIu64 " is not signed by this key\n", where, head.size);
			heads->bad++;
		} else if ((error = add(heads, &head, from_table)) != 0) {
			return error;
		}
		at += used;
	}
	return 0;
}

static int
add_file(struct heads *heads, const char *folder, const char *name, const uint8_t pub[32], FILE *out)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	FILE *file = NULL;
	uint8_t *room;
	size_t n;
	int error = ICERT_E_SYSTEM;

	buf_printf(&path, "%s/%s", folder, name);
	if (buf_error(&path) == 0 && (file = fopen(buf_str(&path), "re")) != NULL) {
		while ((room = buf_room(&text, CHUNK)) != NULL && (n = fread(room, 1, CHUNK, file)) > 0)
			buf_took(&text, n);
		error = ferror(file) || buf_error(&text) != 0 ? ICERT_E_SYSTEM :
		    add_notes(heads, buf_str(&text), text.len, pub, name, 0, out);
		fclose(file);
	}
	buf_free(&path);
	buf_free(&text);
	return error;
}

int
heads_from_folder(struct heads *heads, const char *folder, const uint8_t pub[32], FILE *out)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);
	int error = 0;

	if (dir == NULL)
		return ICERT_E_NOT_FOUND;
	while (error == 0 && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

		if (len > suffix && strcmp(entry->d_name + len - suffix, SUFFIX) == 0)
			error = add_file(heads, folder, entry->d_name, pub, out);
	}
	closedir(dir);
	return error;
}

int
heads_from_table(struct heads *heads, struct db *db, const uint8_t pub[32], FILE *out)
{
	int64_t after = -1;
	int i, n, error;

	do {
		struct db_result *r = NULL;

		if ((error = DB_QUERY(db, &table_heads, &r, P_INT(after))) < 0)
			return error;
		n = db_rows(r);
		for (i = 0, error = 0; error == 0 && i < n; i++) {
			const char *note = db_text(r, i, 1);

			after = db_int(r, i, 0);
			error = add_notes(heads, note, strlen(note), pub, "table", 1, out);
		}
		db_result_free(r);
	} while (error == 0 && n > 0);
	return error;
}

static int
by_size(const void *a, const void *b)
{
	const struct known_head *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return memcmp(x->root, y->root, TREE_HASH);
}

void
heads_settle(struct heads *heads, FILE *out)
{
	size_t i, n = 0;

	if (heads->n == 0)
		return;
	qsort(heads->list, heads->n, sizeof(heads->list[0]), by_size);
	for (i = 1; i < heads->n; i++) {
		if (by_size(&heads->list[n], &heads->list[i]) == 0)
			continue;
		if (heads->list[n].size == heads->list[i].size) {
			fprintf(out, "fork: two signed heads of size %" PRIu64 " have different roots\n", heads->list[i].size);
			heads->forks++;
		}
		heads->list[++n] = heads->list[i];
	}
	heads->n = n + 1;
}

void
heads_free(struct heads *heads)
{
	free(heads->list);
	memset(heads, 0, sizeof(*heads));
}
