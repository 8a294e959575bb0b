#ifndef ICERT_PROCEDURE_CASE_H
#define ICERT_PROCEDURE_CASE_H
/*
 * What the acts on an application share: the row with its key, inside the
 * open transaction.  For this room alone.
 */
#include "procedure/application/application.h"
#include "procedure/datakey.h"
#include "procedure/mailing.h"

struct case_file {
	struct application	 a;
	uint8_t			 key[DATAKEY_BYTES];	/* of the case */
	int			 own;	/* desk: the caller is the person of the case */
};

/*
 * Begins a transaction and loads the row; wiped and closed by case_done().
 * version < 0: any.  ICERT_E_NOT_FOUND, ICERT_E_CONFLICT.
 */
int	case_open(struct act *, const char *id, int version, struct case_file *);

/* For the acts of the desk: besides, the action must be possible, the case the
 * caller's own to work on, and the caller not its person. */
int	case_open_staff(struct act *, const char *id, int version, enum application_action, struct case_file *);

/*
 * error 0: commits.  Otherwise rolls back and writes the refusal of
 * "application.<action>".  Wipes the key.  Returns the error.
 */
int	case_done(struct act *, enum application_action, struct case_file *, int error);

/* transition_apply() on it; a.version and a.state follow. */
int	case_move(struct act *, struct case_file *, enum application_action, const char *reason, const char *detail);

/* The changed columns of an UPDATE raised the version by one: affected must be 1. */
int	case_changed(struct case_file *, struct db_result *);

/* mailing_contact() about it; the container goes with what the mail says. */
int	case_mail(struct act *, const struct case_file *, enum mail_template, const struct outbox_variable *, size_t n,
	    const char *dedup);
int	case_mail_staff(struct act *, const struct case_file *, const char *queue, const char *dedup);

/* Seals text under the case's key, appended.  column: "table|column". */
int	case_seal(const struct case_file *, const char *column, const char *row, const char *text, struct buf *);

/* The appointment that stands, if any, goes to `state`. */
int	case_drop_appointment(struct act *, const struct case_file *, const char *state);

/* The envelope's number belongs to the case from its first scheduling on, or from an identification without one. */
int	case_allot_envelope(struct act *, const struct case_file *);

/* application_get()'s row from a result of case_select; keys may be NULL (nothing opened). */
extern const struct db_stmt case_select_portal, case_select_desk;
#define CASE_COLUMNS \
	"a.id, a.number, a.state, a.version, a.province, a.contact_id, a.purchase_id, a.key_id, a.container, a.kind, a.years," \
	" a.operator_id, a.reason, a.created_at, a.submitted_at, a.state_since, a.closes_at, a.consent_at, a.form, c.masked," \
	" c.email, k.wrapped, ck.wrapped, e.number, coalesce(a.origin_id::text, '')," \
	" case when a.container = 'token' then (select encode(t.spki_sha256, 'hex') from icert.token_request t" \
	" where t.application_id = a.id and t.replaced_at is null) end, a.ruc"
#define CASE_FROM \
	" from icert.application a join icert.contact c on c.id = a.contact_id join icert.data_key k on k.id = a.key_id" \
	" join icert.data_key ck on ck.id = c.key_id left join icert.envelope e on e.application_id = a.id"
/* At the desk besides: operator's name, another open application, own case. */
#define CASE_COLUMNS_DESK CASE_COLUMNS ", s.name, icert.also_open(a.id), icert.own_case(a.id)"
#define CASE_FROM_DESK CASE_FROM " left join icert.staff s on s.id = a.operator_id"

/* Opens and fills every row of a result with one batch to the keeper; case_keys may be NULL. */
int	case_fill(struct act *, struct db_result *, struct application *rows, size_t n, uint8_t (*case_keys)[DATAKEY_BYTES]);

#endif
