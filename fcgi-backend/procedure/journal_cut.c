#include <inttypes.h>
#include <stdio.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "mail/outbox.h"
#include "procedure/journal_cut.h"
#include "procedure/people/staff.h"

static const struct db_stmt untold = { "journal_cut_untold",
	"select issuer, sequence from icert.journal_cut where told_at is null order by at limit 1" };
static const struct db_stmt told = { "journal_cut_told",
	"update icert.journal_cut set told_at = $3 where issuer = $1 and sequence = $2 and told_at is null" };

/* No case, so nothing to seal: the mail says what to do, the log which line. */
static int
tell(struct act *act, int64_t issuer, int64_t sequence)
{
	const struct outbox_mail mail = { .template = MAIL_STAFF_JOURNAL, .province = PROVINCE_NATIONAL };
	char detail[80];
	int error;

	snprintf(detail, sizeof detail, "{\"issuer\":%" PRId64 ",\"sequence\":%" PRId64 "}", issuer, sequence);
	if ((error = outbox_add(act->db, &mail, NULL)) != 0 ||
	    (error = act_audit(act, "signer.told", NULL, NULL, NULL, 0, "journal-cut", detail)) != 0)
		return error;
	return DB_QUERY(act->db, &told, NULL, P_INT(issuer), P_INT(sequence), P_INT(clock_real()));
}

int
journal_cut_tell(struct act *act)
{
	struct db_result *r;
	int error, rows;

	do {
		if ((error = act_begin(act)) != 0 || (error = db_query(act->db, &untold, NULL, 0, &r)) != 0)
			break;
		rows = db_rows(r);
		if (rows == 1)
			error = tell(act, db_int(r, 0, 0), db_int(r, 0, 1));
		db_result_free(r);
		if (error == 0)
			error = db_commit(act->db);
	} while (error == 0 && rows == 1);
	if (error != 0)
		db_rollback(act->db);
	return error;
}
