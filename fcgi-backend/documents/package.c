#include "documents/package.h"

#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "libicert/error.h"

#define CHUNK 65536

static int
name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < PACKAGE_NAME && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-/") == len &&
	    name[0] != '/' && name[0] != '.' && name[len - 1] != '/' && strstr(name, "//") == NULL && strstr(name, "/.") == NULL;
}

struct buf *
package_add(struct package *p, const char *name)
{
	if (p->n == PACKAGE_FILES || !name_ok(name) || package_get(p, name) != NULL)
		return NULL;
	memset(&p->file[p->n], 0, sizeof(p->file[p->n]));
	strcpy(p->file[p->n].name, name);
	return &p->file[p->n++].bytes;
}

const struct buf *
package_get(const struct package *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->file[i].name, name) == 0)
			return &p->file[i].bytes;
	return NULL;
}

void
package_free(struct package *p)
{
	while (p->n > 0)
		buf_free(&p->file[--p->n].bytes);
}

static la_ssize_t
take(struct archive *a, void *out, const void *bytes, size_t len)
{
	(void)a;
	buf_put(out, bytes, len);
	return buf_error(out) == 0 ? (la_ssize_t)len : -1;
}

static int
write_file(struct archive *a, const struct package_file *f)
{
	struct archive_entry *e = archive_entry_new();
	int ok;

	if (e == NULL)
		return ICERT_E_MEMORY;
	archive_entry_set_pathname(e, f->name);
	archive_entry_set_size(e, (la_int64_t)f->bytes.len);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	ok = archive_write_header(a, e) == ARCHIVE_OK &&
	    (f->bytes.len == 0 || archive_write_data(a, f->bytes.p, f->bytes.len) == (la_ssize_t)f->bytes.len) &&
	    archive_write_finish_entry(a) == ARCHIVE_OK;
	archive_entry_free(e);
	return ok ? 0 : ICERT_E_INVALID;
}

int
package_write(const struct package *p, struct buf *out)
{
	struct archive *a = archive_write_new();
	int error = ICERT_E_INVALID;

	if (a == NULL)
		return ICERT_E_MEMORY;
	if (archive_write_set_format_zip(a) == ARCHIVE_OK && archive_write_zip_set_compression_store(a) == ARCHIVE_OK &&
	    archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
	    archive_write_open2(a, out, NULL, take, NULL, NULL) == ARCHIVE_OK) {
		error = 0;
		for (size_t i = 0; error == 0 && i < p->n; i++)
			error = buf_error(&p->file[i].bytes) != 0 ? ICERT_E_MEMORY : write_file(a, &p->file[i]);
		if (archive_write_close(a) != ARCHIVE_OK && error == 0)
			error = ICERT_E_INVALID;
	}
	archive_write_free(a);
	return error != 0 ? error : buf_error(out);
}

/* The rest counts down what may still come out of the archive. */
static int
read_file(struct archive *a, struct archive_entry *e, struct package *p, size_t *rest)
{
	const char *name = archive_entry_pathname(e);
	struct buf *out;
	uint8_t *room;
	la_ssize_t n;

	if (name == NULL || archive_entry_filetype(e) != AE_IFREG || archive_entry_is_encrypted(e) ||
	    (out = package_add(p, name)) == NULL)
		return ICERT_E_MALFORMED;
	while ((room = buf_room(out, CHUNK)) != NULL && (n = archive_read_data(a, room, CHUNK)) > 0) {
		if ((size_t)n > *rest)
			return ICERT_E_TOO_LARGE;
		*rest -= (size_t)n;
		buf_took(out, (size_t)n);
	}
	return room == NULL ? ICERT_E_MEMORY : n == 0 ? 0 : ICERT_E_MALFORMED;
}

int
package_read(const void *bytes, size_t len, struct package *p)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	size_t rest = PACKAGE_MAX;
	int rc = ARCHIVE_EOF, error = 0;

	p->n = 0;
	if (a == NULL)
		return ICERT_E_MEMORY;
	if (len > PACKAGE_MAX)
		error = ICERT_E_TOO_LARGE;
	else if (archive_read_support_format_zip_seekable(a) != ARCHIVE_OK || archive_read_open_memory(a, bytes, len) != ARCHIVE_OK)
		error = ICERT_E_MALFORMED;
	while (error == 0 && (rc = archive_read_next_header(a, &e)) == ARCHIVE_OK)
		error = read_file(a, e, p, &rest);
	if (error == 0 && (rc != ARCHIVE_EOF || p->n == 0))
		error = ICERT_E_MALFORMED;
	archive_read_free(a);
	return error;
}
