#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/utf8.h"
#include "procedure/case.h"
#include "procedure/application/contact_attempt.h"

const char *const contact_channels[] = { "telephone", "email", "other", NULL };
const char *const contact_outcomes[] = { "reached", "no_answer", "wrong_number", "later", NULL };

static const struct db_stmt add = { "contact_attempt_add",
	"insert into icert.contact_attempt (id, application_id, channel, outcome, note, staff_id, at)"
	" values ($1, $2, $3, $4, $5, $6, $7)" };
static const struct db_stmt list = { "contact_attempt_list",
	"select t.id, t.channel, t.outcome, t.note, t.at, s.name from icert.contact_attempt t"
	" join icert.staff s on s.id = t.staff_id where t.application_id = $1 order by t.at desc, t.id limit 50" };

static int
known(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return 1;
	return 0;
}

static int
insert(struct act *act, const struct case_file *c, const struct contact_attempt *t)
{
	struct buf note = BUF_INIT;
	char id[ID_TEXT];
	int error;

	if ((error = id_new(id)) == 0 && t->note[0] != '\0')
		error = case_seal(c, "contact_attempt|note", id, t->note, &note);
	if (error == 0)
		error = DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(c->a.id), P_TEXT(t->channel),
		    P_TEXT(t->outcome), note.len > 0 ? P_BYTES(note.p, note.len) : P_NULL, P_TEXT(act->id),
		    P_INT(clock_business()));
	buf_free(&note);
	return error;
}

int
contact_attempt_add(struct act *act, const char *application, const struct contact_attempt *t)
{
	struct case_file c;
	int error;

	if ((error = case_open(act, application, -1, &c)) == 0) {
		if (!(act->roles & BY_OPERATOR))
			error = ICERT_E_DENIED;
		else if (!known(contact_channels, t->channel) || !known(contact_outcomes, t->outcome) ||
		    (t->note[0] != '\0' && !utf8_text(t->note, strlen(t->note))))
			error = ICERT_E_INVALID;
		else if ((error = insert(act, &c, t)) == 0)
			error = act_audit(act, "contact.attempt", "application", c.a.id, c.a.id, c.a.province, t->outcome, NULL);
	}
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		return act_refuse(act, "contact.attempt", "application", id_valid(application) ? application : NULL, 0, error);
	return 0;
}

static int
fill(const struct case_file *c, struct db_result *r, int row, struct contact_attempt *t)
{
	struct buf plain = BUF_INIT;
	const uint8_t *sealed;
	char place[80];
	size_t n;
	int error = 0;

	memset(t, 0, sizeof *t);
	snprintf(t->id, sizeof t->id, "%s", db_text(r, row, 0));
	snprintf(t->channel, sizeof t->channel, "%s", db_text(r, row, 1));
	snprintf(t->outcome, sizeof t->outcome, "%s", db_text(r, row, 2));
	t->at = db_int(r, row, 4);
	snprintf(t->by_name, sizeof t->by_name, "%s", db_text(r, row, 5));
	snprintf(place, sizeof place, "contact_attempt|note|%s", t->id);
	sealed = db_bytes(r, row, 3, &n);
	if (n > 0 && (error = open_field(c->key, place, sealed, n, &plain)) == 0)
		snprintf(t->note, sizeof t->note, "%s", buf_str(&plain));
	buf_free(&plain);
	return error;
}

int
contact_attempt_list(struct act *act, const char *application, struct contact_attempt *out, size_t *n)
{
	struct case_file c;
	struct db_result *r = NULL;
	size_t room = *n;
	int error;

	*n = 0;
	if ((error = case_open(act, application, -1, &c)) == 0)
		error = DB_QUERY(act->db, &list, &r, P_TEXT(application));
	for (int i = 0; error == 0 && i < db_rows(r) && *n < room; i++)
		error = fill(&c, r, i, &out[(*n)++]);
	db_result_free(r);
	bytes_wipe(&c, sizeof c);
	if (error == 0)
		error = db_commit(act->db);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
