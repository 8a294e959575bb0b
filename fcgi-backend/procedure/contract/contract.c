/* Reading contracts, their mail, and what the public may ask. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "documents/store.h"
#include "libicert/error.h"
#include "procedure/contract/contract.h"
#include "procedure/clock/deadline.h"
#include "procedure/application/document.h"
#include "procedure/policy.h"

#define HOUR_S 3600
#define CONTRACT_HOURS 120	/* of the published text, where policy says nothing */

static const struct db_stmt of_case = { "contract_of",
	"select id, application_id, certificate_id, document_id, number, template_version, made_at, sent_at, sha256"
	" from icert.contract where application_id = $1 order by made_at desc limit 1" };
static const struct db_stmt look = { "contract_look",
	"select number, made_at, sha256, certificate, not_after, revoked_at from icert.contract_look($1)" };

const char *const contract_variables[CONTRACT_VARIABLES] = {
	"authority", "province", "contract", "case", "name", "identification", "ruc", "email", "address", "city", "telephone",
	"container", "serial", "valid_from", "valid_to", "issued", "hours", "due", "years", "net", "tax", "total", "currency"
};

int64_t
contract_due(struct act *act, const char *application, int64_t issued_at)
{
	struct deadline_clock clock;

	if (deadline_clock(act, application, &clock) == 0)
		return clock.due_at;
	return issued_at + policy_int(act, "contract.hours", CONTRACT_HOURS) * HOUR_S;
}

static void
fill(struct contract *c, struct db_result *r)
{
	const uint8_t *sha256;
	size_t n;

	snprintf(c->id, sizeof c->id, "%s", db_text(r, 0, 0));
	snprintf(c->application, sizeof c->application, "%s", db_text(r, 0, 1));
	snprintf(c->certificate, sizeof c->certificate, "%s", db_text(r, 0, 2));
	snprintf(c->document, sizeof c->document, "%s", db_text(r, 0, 3));
	snprintf(c->number, sizeof c->number, "%s", db_text(r, 0, 4));
	c->template_version = (int)db_int(r, 0, 5);
	c->made_at = db_int(r, 0, 6);
	c->sent_at = db_int(r, 0, 7);
	sha256 = db_bytes(r, 0, 8, &n);
	if (n == sizeof c->sha256)
		memcpy(c->sha256, sha256, n);
}

int
contract_of(struct act *act, const char *application, struct contract *c)
{
	struct db_result *r;
	int error, own = !db_in_tx(act->db);

	memset(c, 0, sizeof *c);
	if (!id_valid(application))
		return ICERT_E_NOT_FOUND;
	if (own && (error = act_begin(act)) != 0)
		return error;
	error = own ? DB_QUERY_COMMIT(act->db, &of_case, &r, P_TEXT(application)) :
	    DB_QUERY(act->db, &of_case, &r, P_TEXT(application));
	if (error != 0)
		return error;
	if (db_rows(r) == 1)
		fill(c, r);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
contract_file(struct act *act, const struct document_store *store, const struct contract *c, struct buf *out)
{
	struct document d;
	int error;

	if ((error = document_get(act, c->document, &d)) != 0)
		return error;
	return document_bytes(act, store, &d, out);
}

int
contract_mail(struct act *act, const struct mailing *m, const struct contract *c, int64_t due, const char *dedup)
{
	char until[MAILING_MOMENT], filename[64];
	struct outbox_variable extra[] = { { "contract", c->number }, { "until", mailing_moment(due, until) } };
	struct outbox_document file = { .id = c->document, .sha256 = c->sha256, .filename = filename };
	struct mailing with = *m;

	snprintf(filename, sizeof filename, "contrato-%s.pdf", c->number);
	with.documents = &file;
	with.n_documents = 1;
	/* Held until the certificate's status is public: signing with it must verify. */
	return mailing_contact(act, &with, MAIL_CONTRACT, extra, 2, dedup, c->certificate);
}

int
contract_look(struct act *act, const char *number, struct contract_public *out)
{
	struct db_result *r;
	const uint8_t *sha256;
	size_t i, n;
	int error;

	memset(out, 0, sizeof *out);
	for (i = 0; number[i] != '\0' && i < sizeof out->number - 1; i++)
		out->number[i] = (char)toupper((unsigned char)number[i]);
	if (number[i] != '\0' || !number_valid(out->number))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &look, &r, P_TEXT(out->number))) != 0)
		return error;
	if (db_rows(r) != 1 || db_is_null(r, 0, 0))
		error = ICERT_E_NOT_FOUND;
	else {
		out->made_at = db_int(r, 0, 1);
		sha256 = db_bytes(r, 0, 2, &n);
		if (n == 32)
			bytes_to_hex(out->sha256, sha256, n);
		snprintf(out->certificate, sizeof out->certificate, "%s", db_text(r, 0, 3));
		out->not_after = db_int(r, 0, 4);
		out->revoked_at = db_is_null(r, 0, 5) ? 0 : db_int(r, 0, 5);
	}
	db_result_free(r);
	return error;
}
