#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/journal.h"
#include "procedure/people/staff.h"
#include "web/desk/desk.h"

/* Lists of those who do not work on cases: people, the log. */

#define POSTS		500
#define LINES		100

static int
people(struct request *rq)
{
	struct view_desk_people v = { 0 };
	struct staff_post *list = arena_array(&rq->arena, struct staff_post, POSTS);
	struct view_desk_people_rows *rows = arena_array(&rq->arena, struct view_desk_people_rows, POSTS);
	size_t n = POSTS;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = staff_posts(desk_act(rq), list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].name = list[i].name;
		rows[i].login = list[i].login;
		rows[i].email = list[i].email;
		rows[i].role = list[i].role;
		rows[i].province = list[i].province;
		rows[i].enabled = list[i].enabled;
	}
	v.rows = rows;
	v.nrows = n;
	return page_send(rq, 200, desk_people, &v);
}

/* The words for a code of the log, under the first of those prefixes that has some; else the code. */
static const char *
words_of(struct request *rq, const char *const *prefixes, const char *code)
{
	for (; code[0] != '\0' && *prefixes != NULL; prefixes++) {
		const char *words = catalogue(arena_printf(&rq->arena, "%s%s", *prefixes, code));

		if (words != NULL)
			return words;
	}
	return code;
}

/* What a reason says depends on the act: the mail, the document, the point that was checked. */
static const char *const *
reasons_of(const char *action)
{
	static const char *const mails[] = { "mail_name.", "desk.why.", NULL }, *const documents[] = { "desk.document.", "desk.why.", NULL };
	static const char *const points[] = { "desk.check.", "desk.why.", NULL };
	static const char *const others[] = { "desk.why.", "desk.refusal.", "desk.reason.", NULL };

	return strncmp(action, "mail.", 5) == 0 ? mails : strncmp(action, "document.", 9) == 0 ? documents :
	    strncmp(action, "identification.", 15) == 0 ? points : others;
}

static int
journal(struct request *rq)
{
	struct view_desk_journal v = { 0 };
	struct audit_line *list = arena_array(&rq->arena, struct audit_line, LINES);
	struct view_desk_journal_rows *rows = arena_array(&rq->arena, struct view_desk_journal_rows, LINES);
	const char *before = request_query(rq, "antes");
	size_t n = LINES;
	int rv;

	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = journal_list(desk_act(rq), before != NULL ? atoll(before) : 0, list, &n)) != 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		const struct audit_line *l = &list[i];

		rows[i].at = l->at;
		rows[i].action = words_of(rq, (const char *const[]){ "desk.event.", NULL }, l->action);
		rows[i].refused = strcmp(l->outcome, "refused") == 0;
		rows[i].reason = words_of(rq, reasons_of(l->action), l->reason);
		rows[i].actor_kind = l->actor_kind;
		rows[i].actor = l->actor_name[0] != '\0' ? l->actor_name :
		    strcmp(l->actor_kind, "program") == 0 ? l->actor : arena_strndup(&rq->arena, l->actor, 8);
		rows[i].number = l->case_number;
		rows[i].href = l->case_number[0] != '\0' ? arena_printf(&rq->arena, "/caso/%s", l->case_id) : NULL;
		rows[i].subject = words_of(rq, (const char *const[]){ "desk.subject.", NULL }, l->subject_kind);
		rows[i].country = strcmp(l->country, "unk") == 0 ? NULL : l->country;
		rows[i].count = l->count;
		rows[i].placed = l->leaf >= 0;
		rows[i].leaf = l->leaf;
	}
	v.rows = rows;
	v.nrows = n;
	if (n == LINES)
		v.next = arena_printf(&rq->arena, "/registro?antes=%lld", (long long)list[n - 1].at_us);
	return page_send(rq, 200, desk_journal, &v);
}

const struct route desk_office_routes[] = {
	{ METHOD_GET, "/personal", ROLE_ADMIN, PROVINCE_NONE, 0, people },
	{ METHOD_GET, "/registro", ROLE_NATIONAL | ROLE_AUDITOR, PROVINCE_ALL, 0, journal },
	{ 0 }
};
