/* Rows and columns of a result. */
#include <stdlib.h>
#include <string.h>

#include "libicert/buf.h"
#include "store/db_private.h"

struct db_result *
db_wrap(PGresult *res)
{
	struct db_result *r = calloc(1, sizeof *r);

	if (r == NULL) {
		PQclear(res);
		return NULL;
	}
	r->res = res;
	r->rows = PQntuples(res);
	r->cols = PQnfields(res);
	return r;
}

int
db_rows(const struct db_result *r)
{
	return r != NULL ? r->rows : 0;
}

int64_t
db_affected(const struct db_result *r)
{
	return r != NULL ? strtoll(PQcmdTuples(r->res), NULL, 10) : 0;
}

static int
inside(const struct db_result *r, int row, int col)
{
	return r != NULL && row >= 0 && row < r->rows && col >= 0 && col < r->cols;
}

int
db_is_null(const struct db_result *r, int row, int col)
{
	return !inside(r, row, col) || PQgetisnull(r->res, row, col);
}

const char *
db_text(const struct db_result *r, int row, int col)
{
	return inside(r, row, col) ? PQgetvalue(r->res, row, col) : "";
}

int64_t
db_int(const struct db_result *r, int row, int col)
{
	return strtoll(db_text(r, row, col), NULL, 10);
}

int
db_bool(const struct db_result *r, int row, int col)
{
	return db_text(r, row, col)[0] == 't';
}

const uint8_t *
db_bytes(struct db_result *r, int row, int col, size_t *n)
{
	static const uint8_t none[1];
	const char *text = db_text(r, row, col);
	size_t i, length = strlen(text);

	*n = 0;
	if (length < 2 || text[0] != '\\' || text[1] != 'x' || length % 2 != 0)
		return none;
	if (r->bytes == NULL) {
		r->bytes = calloc((size_t)r->rows * (size_t)r->cols, sizeof *r->bytes);
		if (r->bytes == NULL)
			return none;
	}
	i = (size_t)row * (size_t)r->cols + (size_t)col;
	length = length / 2 - 1;
	if (r->bytes[i] == NULL) {
		if ((r->bytes[i] = malloc(length + 1)) == NULL)
			return none;
		if (bytes_from_hex(r->bytes[i], length, text + 2) != 0)
			return none;
	}
	*n = length;
	return r->bytes[i];
}

void
db_result_free(struct db_result *r)
{
	if (r == NULL)
		return;
	if (r->bytes != NULL)
		for (size_t i = 0; i < (size_t)r->rows * (size_t)r->cols; i++)
			free(r->bytes[i]);
	free(r->bytes);
	PQclear(r->res);
	free(r);
}
