#include "mail/attach.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "mail/calendar.h"
#include "store/db.h"
#include "views/view.h"

static const struct db_stmt pkcs12 = { "mail_pkcs12",
	"select sealed from icert.delivery where certificate_id = $1 and label = 'pkcs12'" };

static const struct db_stmt documents = { "mail_documents",
	"select document_id::text, sha256, filename from icert.outbox_document where outbox_id = $1 order by position" };

static void
named(struct attachments *out, const char *filename, const char *type)
{
	struct smtp_attachment *a = &out->list[out->n];

	snprintf(out->filename[out->n], sizeof(out->filename[out->n]), "%s", filename);
	a->filename = out->filename[out->n];
	a->type = type;
	a->data = out->data[out->n].p;
	a->len = out->data[out->n].len;
	out->n++;
}

/* The PKCS#12: its key is asked from the keeper at this moment, and only that one. */
static int
attach_pkcs12(const struct sender_parts *parts, struct db *db, const struct attach_row *row, const char *number,
    struct attachments *out)
{
	char place[DELIVERY_CONTEXT], filename[64];
	uint8_t key[32], id[ID_RAW];
	struct db_result *r = NULL;
	const uint8_t *sealed;
	size_t len;
	int error;

	if ((error = DB_QUERY(db, &pkcs12, &r, P_TEXT(row->certificate))) < 0)
		return error;
	sealed = db_bytes(r, 0, 0, &len);
	error = db_rows(r) != 1 || len == 0 ? ICERT_E_DESTROYED : id_raw(row->application, id);
	if (error == 0)
		error = keeper_delivery_get(parts->keeper, row->application, DELIVERY_PKCS12, key);
	if (error == ICERT_E_NOT_FOUND)
		error = ICERT_E_DESTROYED;
	if (error == 0) {
		delivery_context(place, id, DELIVERY_PKCS12);
		error = sealed_open(key, place, sealed, len, &out->data[out->n]);
	}
	bytes_wipe(key, sizeof(key));
	db_result_free(r);
	if (error == 0) {
		snprintf(filename, sizeof(filename), "certificado-%s.p12", number);
		named(out, filename, "application/x-pkcs12");
	}
	return error;
}

static int64_t
moment(struct letter_variables *variables, const char *name)
{
	const char *text = letter_variables_get(variables, name);

	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

/* The part after @ of [mail] from names the sender in the calendar. */
static const char *
organisation(const struct config *config)
{
	const char *from = config_get(config, "mail", "from"), *at = from == NULL ? NULL : strchr(from, '@');

	return at == NULL ? "localhost" : at + 1;
}

static int
attach_calendar(const struct sender_parts *parts, const struct attach_row *row, struct letter_variables *variables,
    struct attachments *out)
{
	const char *mode = letter_variables_get(variables, "mode");
	int office = mode != NULL && strcmp(mode, "in_person") == 0;
	struct calendar_event event = {
		.uid = letter_variables_get(variables, "appointment"),
		.organisation = organisation(parts->config),
		.sequence = (int)moment(variables, "sequence"),
		.stamp = row->created_at,
		.start = moment(variables, "start"),
		.end = moment(variables, "end"),
		.summary = catalogue("mail.calendar.summary"),
		.description = catalogue(office ? "mail.calendar.description_office" : "mail.calendar.description"),
		.location = letter_variables_get(variables, office ? "place" : "meeting"),
		.url = letter_variables_get(variables, "meeting"),
	};
	int error;

	if (event.location != NULL && event.location[0] == '\0')
		event.location = NULL;
	if ((error = calendar_write(&event, &out->data[out->n])) == 0)
		named(out, "cita.ics", "text/calendar; charset=utf-8; method=PUBLISH");
	return error;
}

/* For a token: what its key was certified with, alone and with the chain. */
static int
attach_certificate(const struct sender_parts *parts, struct db *db, const struct attach_row *row, const char *number,
    struct attachments *out)
{
	char filename[64];
	int error;

	if (parts->certificate == NULL)
		return ICERT_E_UNSUPPORTED;
	if ((error = parts->certificate(parts->document_arg, db, row->certificate, &out->data[out->n], &out->data[out->n + 1])) != 0)
		return error;
	snprintf(filename, sizeof(filename), "certificado-%s.cer", number);
	named(out, filename, "application/pkix-cert");
	snprintf(filename, sizeof(filename), "certificado-%s-cadena.pem", number);
	named(out, filename, "application/x-pem-file");
	return 0;
}

/* An invoice: as a person reads it, and as a tax authority does. */
static int
attach_invoice(const struct sender_parts *parts, struct db *db, struct letter_variables *variables, struct attachments *out)
{
	const char *id = letter_variables_get(variables, "invoice"), *serial = letter_variables_get(variables, "serial");
	const char *note = letter_variables_get(variables, "note");
	const char *what = note != NULL && note[0] != '\0' ? "nota-de-credito" : "factura";
	char filename[64];
	int error;

	if (parts->invoice == NULL || id == NULL || serial == NULL)
		return ICERT_E_UNSUPPORTED;
	if ((error = parts->invoice(parts->document_arg, db, id, &out->data[out->n], &out->data[out->n + 1])) != 0)
		return error;
	snprintf(filename, sizeof(filename), "%s-%s.pdf", what, serial);
	named(out, filename, "application/pdf");
	snprintf(filename, sizeof(filename), "%s-%s.xml", what, serial);
	named(out, filename, "application/xml");
	return 0;
}

static const char *
type_of(const char *filename)
{
	const char *dot = strrchr(filename, '.');

	return dot != NULL && strcmp(dot, ".pdf") == 0 ? "application/pdf" : "application/octet-stream";
}

static int
attach_documents(const struct sender_parts *parts, struct db *db, const char *id, struct attachments *out)
{
	struct db_result *r = NULL;
	int i, error;

	if ((error = DB_QUERY(db, &documents, &r, P_TEXT(id))) < 0)
		return error;
	for (i = 0, error = 0; error == 0 && i < db_rows(r) && out->n < ATTACH_MAX; i++) {
		struct buf *data = &out->data[out->n];
		uint8_t digest[crypto_hash_sha256_BYTES];
		const uint8_t *wanted;
		size_t len;

		if (parts->document == NULL)
			error = ICERT_E_UNSUPPORTED;
		else
			error = parts->document(parts->document_arg, db, db_text(r, i, 0), data);
		if (error != 0)
			break;
		wanted = db_bytes(r, i, 1, &len);
		crypto_hash_sha256(digest, data->p, data->len);
		if (len != sizeof(digest) || !bytes_equal(digest, wanted, len))
			error = ICERT_E_MISMATCH;
		else
			named(out, db_text(r, i, 2), type_of(db_text(r, i, 2)));
	}
	db_result_free(r);
	return error;
}

int
attach_make(const struct sender_parts *parts, struct db *db, const struct attach_row *row,
    struct letter_variables *variables, struct attachments *out)
{
	const char *number = letter_variables_get(variables, "number");
	int error = 0;

	memset(out, 0, sizeof(*out));
	if (row->template == MAIL_PKCS12)
		error = attach_pkcs12(parts, db, row, number == NULL ? "icert" : number, out);
	else if (row->template == MAIL_TOKEN_CERTIFICATE)
		error = attach_certificate(parts, db, row, number == NULL ? "icert" : number, out);
	else if (row->template == MAIL_INVOICE || row->template == MAIL_INVOICE_PAYER || row->template == MAIL_INVOICE_COPY)
		error = attach_invoice(parts, db, variables, out);
	else if (row->template == MAIL_SLOT_CONFIRMED)
		error = attach_calendar(parts, row, variables, out);
	if (error == 0)
		error = attach_documents(parts, db, row->id, out);
	return error;
}

void
attach_free(struct attachments *attachments)
{
	size_t i;

	for (i = 0; i < ATTACH_MAX; i++)
		buf_free(&attachments->data[i]);
	attachments->n = 0;
}
