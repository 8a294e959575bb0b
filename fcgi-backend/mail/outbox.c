#include "mail/outbox.h"

#include <stdio.h>
#include <string.h>

#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "mail/letter.h"
#include "store/db.h"

#define CHANNEL "icert_outbox"

/* A mail that is there already (dedup) conflicts and is left alone; no target
 * is named, since that would ask for the right to read. */
static const struct db_stmt add_row = { "outbox_add",
	"insert into icert.outbox (id, template, contact_id, province, application_id, purchase_id, key_id, variables,"
	" certificate_id, dedup, not_before, created_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing" };

static const struct db_stmt add_document = { "outbox_add_document",
	"insert into icert.outbox_document (outbox_id, position, document_id, sha256, filename)"
	" values ($1, $2, $3, $4, $5)" };

static int
rules_hold(const struct outbox_mail *mail)
{
	size_t i;

	if (mail_template_name(mail->template) == NULL)
		return 0;
	if ((mail->contact == NULL) == (mail->province == 0))
		return 0;
	if (mail->n_variables > OUTBOX_VARIABLES_MAX || mail->n_documents > OUTBOX_DOCUMENTS_MAX)
		return 0;
	if (mail->n_variables > 0 && (mail->key == NULL || mail->key_id == NULL))
		return 0;
	for (i = 0; i < mail->n_variables; i++)
		if (mail->variables[i].name == NULL)
			return 0;
	return 1;
}

static int
seal_variables(const struct outbox_mail *mail, const char *id, struct buf *out)
{
	struct buf plain = BUF_INIT;
	char place[64 + ID_TEXT];
	int error;

	if (mail->n_variables == 0)
		return 0;
	snprintf(place, sizeof(place), "outbox|variables|%s", id);
	error = letter_variables_pack(mail->variables, mail->n_variables, &plain);
	if (error == 0)
		error = seal_field(mail->key, place, plain.p, plain.len, out);
	buf_free(&plain);
	return error;
}

static int
add_documents(struct db *db, const struct outbox_mail *mail, const char *id)
{
	size_t i;
	int error = 0;

	for (i = 0; error == 0 && i < mail->n_documents; i++)
		error = DB_QUERY(db, &add_document, NULL, P_TEXT(id), P_INT((int64_t)i), P_TEXT(mail->documents[i].id),
		    P_BYTES(mail->documents[i].sha256, 32), P_TEXT(mail->documents[i].filename));
	return error;
}

int
outbox_add(struct db *db, const struct outbox_mail *mail, char *id)
{
	struct buf sealed = BUF_INIT;
	struct db_result *r = NULL;
	char row[ID_TEXT];
	int error, fresh;

	if (id != NULL)
		id[0] = '\0';
	if (!rules_hold(mail))
		return ICERT_E_INVALID;
	if ((error = id_new(row)) != 0 || (error = seal_variables(mail, row, &sealed)) != 0)
		goto out;
	error = DB_QUERY(db, &add_row, &r, P_TEXT(row), P_TEXT(mail_template_name(mail->template)), P_TEXT(mail->contact),
	    mail->province == 0 ? P_NULL : P_INT(mail->province), P_TEXT(mail->application), P_TEXT(mail->order),
	    mail->n_variables == 0 ? P_NULL : P_TEXT(mail->key_id),
	    mail->n_variables == 0 ? P_NULL : P_BYTES(sealed.p, sealed.len), P_TEXT(mail->certificate),
	    P_TEXT(mail->dedup), P_INT(mail->not_before), P_INT(clock_business()));
	if (error < 0)
		goto out;
	fresh = db_affected(r) > 0;
	error = fresh ? add_documents(db, mail, row) : 0;
	if (error == 0 && fresh && (error = db_notify(db, CHANNEL, "")) == 0)
		error = db_recv(db, NULL);
	if (error == 0 && fresh && id != NULL)
		memcpy(id, row, ID_TEXT);
out:
	db_result_free(r);
	buf_free(&sealed);
	return error < 0 ? error : 0;
}
