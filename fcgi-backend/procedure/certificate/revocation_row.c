#include <string.h>

#include "libicert/error.h"
#include "procedure/certificate/revocation_row.h"

static const struct db_stmt revoke = { "certificate_revoke",
	"update icert.certificate set state = 'revoked', revoked_at = $2, reason = $3, reason_code = $4, revoked_by = $5"
	" where id = $1 and state = 'good'" };
static const struct db_stmt change = { "certificate_status_change",
	"insert into icert.status_change (certificate_id, state, reason, at) values ($1, 'revoked', $2, $3)" };

/* docs/money.md, by the code of a revocation; the others are the holder's own wish. */
static const struct { const char *code, *money; } moneys[] = {
	{ "contract_unsigned", "unsigned" },
	{ "authority_fault", "authority" },
	{ "court_order", "office" },
	{ "death", "office" },
	{ "false_data", "office" },
	{ "stolen", "office" },
};

const char *
revocation_money(const char *code)
{
	for (size_t i = 0; i < sizeof moneys / sizeof moneys[0]; i++)
		if (strcmp(moneys[i].code, code) == 0)
			return moneys[i].money;
	return "holder";
}

int
revocation_write(struct act *act, const char *certificate, const char *by, const char *code, int reason, int64_t at)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &revoke, &r, P_TEXT(certificate), P_INT(at), P_INT(reason), P_TEXT(code),
	    P_TEXT(by))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	if (error != 0 || (error = DB_QUERY(act->db, &change, NULL, P_TEXT(certificate), P_INT(reason), P_INT(at))) != 0 ||
	    (error = db_notify(act->db, "icert_status", "")) != 0)
		return error;
	return db_recv(act->db, NULL);
}

int
revocation_tell(struct act *act, const struct mailing *m, const char *certificate, const char *code, const char *serial,
    int64_t at)
{
	char moment[MAILING_MOMENT];
	struct outbox_variable variables[] = {
		{ "reason", code }, { "serial", serial }, { "at", mailing_moment(at, moment) }, { "money", revocation_money(code) },
	};

	return mailing_contact(act, m, MAIL_REVOKED, variables, 4, "revoked", certificate);
}
