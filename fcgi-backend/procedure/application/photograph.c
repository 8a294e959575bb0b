#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/error.h"
#include "procedure/case.h"
#include "procedure/application/photograph.h"

static const struct db_stmt face = { "photograph_get",
	"select id, caption, override_reason from icert.document where application_id = $1 and kind = 'face'"
	" and replaced_by is null and destroyed_at is null" };

static int
open_column(const struct case_file *c, struct db_result *r, int column, const char *name, struct buf *out)
{
	const uint8_t *sealed;
	char place[96];
	size_t n;

	buf_reset(out);
	sealed = db_bytes(r, 0, column, &n);
	if (n == 0)
		return 0;
	snprintf(place, sizeof place, "document|%s|%s", name, db_text(r, 0, 0));
	return open_field(c->key, place, sealed, n, out);
}

/* Three lines, as document_add() sealed them. */
static void
split(char *text, struct photograph *p)
{
	char *second = strchr(text, '\n'), *third = second != NULL ? strchr(second + 1, '\n') : NULL;

	if (third == NULL)
		return;
	*second++ = '\0';
	*third++ = '\0';
	snprintf(p->envelope, sizeof p->envelope, "%s", text);
	snprintf(p->identification, sizeof p->identification, "%s", second);
	snprintf(p->name, sizeof p->name, "%s", third);
}

static int
read_row(const struct case_file *c, struct db_result *r, struct photograph *p)
{
	struct buf plain = BUF_INIT;
	int error;

	if (db_rows(r) != 1)
		return ICERT_E_NOT_FOUND;
	if ((error = open_column(c, r, 1, "caption", &plain)) == 0 && plain.len > 0)
		split((char *)plain.p, p);
	if (error == 0 && (error = open_column(c, r, 2, "override_reason", &plain)) == 0)
		snprintf(p->override_reason, sizeof p->override_reason, "%s", buf_str(&plain));
	buf_free(&plain);
	return error;
}

int
photograph_get(struct act *act, const char *application, struct photograph *p)
{
	struct case_file c;
	struct db_result *r = NULL;
	int error;

	memset(p, 0, sizeof *p);
	if ((error = case_open(act, application, -1, &c)) == 0 &&
	    (error = DB_QUERY(act->db, &face, &r, P_TEXT(application))) == 0)
		error = read_row(&c, r, p);
	db_result_free(r);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
