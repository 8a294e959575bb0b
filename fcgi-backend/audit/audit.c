#include "audit/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "store/db.h"

#define LEAF_VERSION "icert-audit-v1"
#define ABSENT UINT32_C(0xffffffff)
#define WINDOW_S 60
#define MICRO INT64_C(1000000)

static const struct db_stmt append = { "audit_append",
	"insert into icert.audit (id, at_us, action, outcome, reason, actor_kind, actor, subject_kind, subject, case_id,"
	" province, country, network, detail, count)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)" };

/* Empty is absent too: callers pass fixed arrays. */
static struct db_param
text(const char *s)
{
	return s == NULL || s[0] == '\0' ? P_NULL : P_TEXT(s);
}

static int64_t
microseconds(const struct audit_event *event)
{
	struct timespec now;

	if (event->at != 0)
		return event->at * MICRO;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * MICRO + now.tv_nsec / 1000;
}

int
audit_append(struct db *db, const struct audit_event *event)
{
	char id[ID_TEXT];
	int error;

	if (event->action == NULL || event->actor_kind == NULL)
		return ICERT_E_INVALID;
	if ((error = id_new(id)) != 0)
		return error;
	error = DB_QUERY(db, &append, NULL, P_TEXT(id), P_INT(microseconds(event)), P_TEXT(event->action),
	    P_TEXT(event->outcome == NULL ? "done" : event->outcome), text(event->reason), P_TEXT(event->actor_kind),
	    text(event->actor), text(event->subject_kind), text(event->subject), text(event->case_id),
	    event->province == 0 ? P_NULL : P_INT(event->province), text(event->country), text(event->network),
	    P_TEXT(event->detail == NULL ? "{}" : event->detail), P_INT(event->count < 1 ? 1 : event->count));
	return error < 0 ? error : 0;
}

static void
put(struct buf *out, const char *value)
{
	if (value == NULL) {
		buf_u32be(out, ABSENT);
		return;
	}
	buf_u32be(out, (uint32_t)strlen(value));
	buf_puts(out, value);
}

int
audit_row_bytes(const struct audit_row *row, struct buf *out)
{
	put(out, LEAF_VERSION);
	put(out, row->id);
	put(out, row->at_us);
	put(out, row->action);
	put(out, row->outcome);
	put(out, row->reason);
	put(out, row->actor_kind);
	put(out, row->actor);
	put(out, row->subject_kind);
	put(out, row->subject);
	put(out, row->case_id);
	put(out, row->province);
	put(out, row->country);
	put(out, row->network);
	put(out, row->detail);
	put(out, row->count);
	return buf_error(out);
}

static void
copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s == NULL ? "" : s);
}

/* The slot of the event's action and reason; a free one; or the last, shared
 * by whatever no longer fits. */
static int
tally_find(struct audit_tally *tally, const struct audit_event *event)
{
	const char *reason = event->reason == NULL ? "" : event->reason;
	int i;

	for (i = 0; i < AUDIT_TALLY_KINDS - 1 && tally->kind[i].action[0] != '\0'; i++)
		if (strcmp(tally->kind[i].action, event->action) == 0 && strcmp(tally->kind[i].reason, reason) == 0 &&
		    strcmp(tally->kind[i].actor_kind, event->actor_kind) == 0)
			break;
	return i;
}

static int64_t
window_ms(const struct audit_tally *tally)
{
	return (tally->window_s == 0 ? WINDOW_S : tally->window_s) * 1000;
}

int
audit_tally_add(struct audit_tally *tally, struct db *db, const struct audit_event *event)
{
	int i = tally_find(tally, event), known = tally->kind[i].action[0] != '\0', error;
	int64_t now = clock_mono_ms();
	struct audit_event once = *event;

	if (known && now - tally->kind[i].since_ms < window_ms(tally)) {
		tally->kind[i].count++;
		return 0;
	}
	once.count = 1 + tally->kind[i].count;
	if ((error = audit_append(db, &once)) != 0)
		return error;
	copy(tally->kind[i].action, sizeof(tally->kind[i].action), event->action);
	copy(tally->kind[i].reason, sizeof(tally->kind[i].reason), event->reason);
	copy(tally->kind[i].actor_kind, sizeof(tally->kind[i].actor_kind), event->actor_kind);
	copy(tally->kind[i].actor, sizeof(tally->kind[i].actor), event->actor);
	copy(tally->kind[i].subject_kind, sizeof(tally->kind[i].subject_kind), event->subject_kind);
	copy(tally->kind[i].subject, sizeof(tally->kind[i].subject), event->subject);
	tally->kind[i].since_ms = now;
	tally->kind[i].count = 0;
	return 0;
}

int
audit_tally_flush(struct audit_tally *tally, struct db *db, int now)
{
	int64_t at = clock_mono_ms();
	int i, error;

	for (i = 0; i < AUDIT_TALLY_KINDS; i++) {
		struct audit_event event = {
			.action = tally->kind[i].action, .outcome = "refused", .reason = tally->kind[i].reason,
			.actor_kind = tally->kind[i].actor_kind, .actor = tally->kind[i].actor,
			.subject_kind = tally->kind[i].subject_kind, .subject = tally->kind[i].subject,
			.count = tally->kind[i].count,
		};

		if (tally->kind[i].count == 0 || (!now && at - tally->kind[i].since_ms < window_ms(tally)))
			continue;
		if ((error = audit_append(db, &event)) != 0)
			return error;
		tally->kind[i].count = 0;
		tally->kind[i].since_ms = at;
	}
	return 0;
}
