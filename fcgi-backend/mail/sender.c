#include "mail/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "audit/audit.h"
#include "crypt/keeper.h"
#include "crypt/seal.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id.h"
#include "libicert/id_list.h"
#include "libicert/log.h"
#include "mail/attach.h"
#include "mail/letter.h"
#include "mail/smtp.h"
#include "store/db.h"

#define GIVE_UP_S 259200         /* three days after the row was written */
#define SMTP_REFUSES 400         /* RFC 5321, 4.2.1: replies from here on */
#define REFUSED_S 30             /* until the next try at a server that said "later", doubled up to ... */
#define REFUSED_MOST_S 14400
#define OWN_MOST_S 15            /* the same, from a second on, when it was not the server that said so */
#define REST_MOST_MS 8000        /* nobody is tried while what all mails need is not there */

/*
 * What has left, kept outside the database: a database that was restored still names as
 * waiting what was sent since, and a deadline that acts again writes the same mail anew.
 */
#define SENT_ROW 'r'             /* the row's id */
#define SENT_SAME 's'            /* whom it is about and its dedup, where that names an object */

struct sender {
	struct sender_parts parts;
	struct smtp *smtp;
	struct id_list sent;     /* [mail] sent_file; fd -1: none is kept */
	char domain[128];        /* of [mail] from, for Message-ID */
	int64_t down_since;      /* the server was not reached since (business clock); 0: it was */
	int64_t rest_until;      /* monotonic ms: what all mails need is not there */
	int rest_ms;             /* how long the last such pause was; 0: none */
	size_t failed;           /* mails that failed for good */
};

/*
 * Takes one due row and pushes its next try away in the same statement: after a crash it is tried again
 * in moments, and one at which the program dies each time more and more seldom.  One program sends.
 * $1 real time, $2 business time; the delay is two seconds, doubled up to four hours.
 */
static const struct db_stmt take = { "outbox_take",
	"with due as (select o.id from icert.outbox o where o.state = 'waiting' and o.next_try_at <= $1"
	" and o.not_before <= $2 and (o.certificate_id is null or coalesce((select s.published_epoch is not null"
	" from icert.status_change s where s.certificate_id = o.certificate_id order by s.id desc limit 1), false))"
	" order by o.next_try_at, o.created_at limit 1 for update skip locked)"
	" update icert.outbox o set tries = o.tries + 1, next_try_at = $1 + least(2 * (1::bigint << least(o.tries, 20)),"
	" 14400) from due where o.id = due.id returning o.id::text, o.template, o.contact_id::text, o.application_id::text,"
	" o.certificate_id::text, o.variables, o.created_at, o.tries,"
	" (select c.email from icert.contact c where c.id = o.contact_id),"
	" (select k.wrapped from icert.contact c join icert.data_key k on k.id = c.key_id where c.id = o.contact_id),"
	" (select k.wrapped from icert.data_key k where k.id = o.key_id),"
	" (select p.mailbox from icert.province p where p.id = o.province),"
	" coalesce(o.application_id, o.purchase_id, o.contact_id)::text, o.dedup, o.purchase_id::text" };

static const struct db_stmt finish = { "outbox_finish",
	"update icert.outbox set state = $2, outcome = $3, sent_at = case when $2 = 'sent' then $4::bigint end where id = $1" };

static const struct db_stmt note = { "outbox_note",
	"update icert.outbox set outcome = $2, next_try_at = $3 where id = $1" };

/* One row in hand; texts are borrowed from the result. */
struct job {
	struct db_result *r;
	const char *id, *contact, *application, *certificate;
	enum mail_template template;
	int64_t created_at;
	int tries;
	char to[256];
	struct letter_variables *variables;
};

int
sender_open(const struct sender_parts *parts, struct sender **out)
{
	const char *from = config_get(parts->config, "mail", "from"), *at = from == NULL ? NULL : strchr(from, '@');
	const char *sent = config_get(parts->config, "mail", "sent_file");
	struct sender *sender;
	int error = 0;

	*out = NULL;
	if ((sender = calloc(1, sizeof(*sender))) == NULL)
		return ICERT_E_MEMORY;
	sender->parts = *parts;
	snprintf(sender->domain, sizeof(sender->domain), "%s", at == NULL ? "localhost" : at + 1);
	sender->sent.fd = -1;
	if (sent != NULL && *sent != '\0' && (error = id_list_open_path(&sender->sent, sent)) != 0)
		log_error("mail_sent_file", "%s: %s", sent, icert_err_code(error));
	if (error != 0 || (error = smtp_open(parts->config, &sender->smtp)) != 0) {
		sender_free(sender);
		return error;
	}
	*out = sender;
	return 0;
}

void
sender_free(struct sender *sender)
{
	if (sender == NULL)
		return;
	smtp_free(sender->smtp);
	id_list_close(&sender->sent);
	free(sender);
}

static int
job_take(struct db *db, struct job *job)
{
	int error;

	memset(job, 0, sizeof(*job));
	if ((error = DB_QUERY(db, &take, &job->r, P_INT(clock_real()), P_INT(clock_business()))) < 0)
		return error;
	if (db_rows(job->r) == 0)
		return ICERT_E_NOT_FOUND;
	job->id = db_text(job->r, 0, 0);
	job->template = mail_template_find(db_text(job->r, 0, 1));
	job->contact = db_text(job->r, 0, 2);
	job->application = db_text(job->r, 0, 3);
	job->certificate = db_text(job->r, 0, 4);
	job->created_at = db_int(job->r, 0, 6);
	job->tries = (int)db_int(job->r, 0, 7);
	return 0;
}

static void
job_free(struct job *job)
{
	letter_variables_free(job->variables);
	bytes_wipe(job->to, sizeof(job->to));
	db_result_free(job->r);
}

/* Both data keys of a row in one batch: the contact's and the variables'. */
static int
job_keys(struct sender *sender, struct job *job, uint8_t keys[2][32])
{
	uint8_t wrapped[2][KEEPER_WRAPPED], opened[2][32];
	int which[2], n = 0, i, error;

	memset(keys, 0, 64);
	for (i = 0; i < 2; i++) {
		size_t len;
		const uint8_t *bytes = db_bytes(job->r, 0, 9 + i, &len);

		if (db_is_null(job->r, 0, 9 + i))
			continue;
		if (len != KEEPER_WRAPPED)
			return ICERT_E_MALFORMED;
		memcpy(wrapped[n], bytes, len);
		which[n++] = i;
	}
	error = n == 0 ? 0 : keeper_datakey_unwrap(sender->parts.keeper, (size_t)n, wrapped, opened);
	for (i = 0; error == 0 && i < n; i++)
		memcpy(keys[which[i]], opened[i], 32);
	bytes_wipe(opened, sizeof(opened));
	return error;
}

/* A sealed column of this row, opened. */
static int
open_column(struct job *job, int col, const uint8_t key[32], const char *place, struct buf *out)
{
	size_t len;
	const uint8_t *sealed = db_bytes(job->r, 0, col, &len);

	return open_field(key, place, sealed, len, out);
}

/* The payer of an order, who may be another than who ordered: one mail is enough for one mailbox. */
static int
payer_address(const struct sender *sender, struct db *db, struct job *job)
{
	char payer[sizeof(job->to)];
	int error;

	if (sender->parts.payer == NULL || db_is_null(job->r, 0, 14))
		return ICERT_E_UNSUPPORTED;
	error = sender->parts.payer(sender->parts.document_arg, db, db_text(job->r, 0, 14), payer, sizeof(payer));
	if (error == 0 && (payer[0] == '\0' || strcasecmp(payer, job->to) == 0))
		error = ICERT_E_EXPIRED;
	if (error == 0)
		snprintf(job->to, sizeof(job->to), "%s", payer);
	bytes_wipe(payer, sizeof(payer));
	return error;
}

static int
job_address(const struct sender *sender, struct db *db, struct job *job, const uint8_t key[32])
{
	struct buf plain = BUF_INIT;
	char place[64];
	int error = 0;

	if (db_is_null(job->r, 0, 2)) {
		snprintf(job->to, sizeof(job->to), "%s", db_text(job->r, 0, 11));
		return job->to[0] == '\0' ? ICERT_E_MISSING : 0;
	}
	snprintf(place, sizeof(place), "contact|email|%s", job->contact);
	if ((error = open_column(job, 8, key, place, &plain)) == 0)
		snprintf(job->to, sizeof(job->to), "%s", buf_str(&plain));
	buf_free(&plain);
	return error != 0 || job->template != MAIL_INVOICE_PAYER ? error : payer_address(sender, db, job);
}

/* Sealed variables, and what every view may use. */
static int
job_variables(struct sender *sender, struct job *job, const uint8_t key[32])
{
	const char *portal = config_get(sender->parts.config, "public", "portal_url");
	const char *desk = config_get(sender->parts.config, "public", "desk_url"), *token;
	struct buf plain = BUF_INIT, link = BUF_INIT;
	char place[64];
	int error = 0;

	snprintf(place, sizeof(place), "outbox|variables|%s", job->id);
	if (!db_is_null(job->r, 0, 5))
		error = open_column(job, 5, key, place, &plain);
	if (error == 0)
		error = letter_variables_open(plain.p, plain.len, &job->variables);
	buf_free(&plain);
	if (error != 0)
		return error;
	token = letter_variables_get(job->variables, "token");
	portal = portal == NULL ? "" : portal;
	if (token != NULL && token[0] != '\0')
		buf_printf(&link, "%s/enlace/%s", portal, token);
	else
		buf_printf(&link, "%s/", portal);
	error = buf_error(&link);
	if (error == 0 && (error = letter_variables_set(job->variables, "link", buf_str(&link))) == 0 &&
	    (error = letter_variables_set(job->variables, "portal", portal)) == 0)
		error = letter_variables_set(job->variables, "desk", desk == NULL ? "" : desk);
	buf_free(&link);
	return error;
}

static int
job_open(struct sender *sender, struct db *db, struct job *job)
{
	uint8_t keys[2][32];
	int error;

	if ((error = job_keys(sender, job, keys)) == 0 && (error = job_address(sender, db, job, keys[0])) == 0)
		error = job_variables(sender, job, keys[1]);
	bytes_wipe(keys, sizeof(keys));
	return error;
}

static int
job_send(struct sender *sender, struct db *db, struct job *job, struct smtp_result *result)
{
	struct attach_row row = { job->id, job->application, job->certificate, job->template, job->created_at };
	struct attachments attachments;
	struct letter message = { 0 };
	struct smtp_message mail;
	char message_id[256];
	int error;

	if ((error = job_open(sender, db, job)) != 0)
		return error;
	if ((error = attach_make(&sender->parts, db, &row, job->variables, &attachments)) == 0)
		error = letter_compose(job->template, letter_variables_get, job->variables, &message);
	if (error == 0) {
		snprintf(message_id, sizeof(message_id), "<%s@%s>", job->id, sender->domain);
		mail = (struct smtp_message){ .to = job->to, .subject = message.subject, .message_id = message_id,
			.date = clock_real(), .text = buf_str(&message.text), .html = buf_str(&message.html),
			.attachments = attachments.list, .n_attachments = attachments.n };
		error = smtp_send(sender->smtp, &mail, result);
		letter_free(&message);
	}
	attach_free(&attachments);
	return error;
}

/* What an error means for the row: gone for good, never possible, or later. */
static const char *
state_after(const struct job *job, int error)
{
	switch (error) {
	case 0:
		return "sent";
	case ICERT_E_DESTROYED:
	case ICERT_E_EXPIRED:
		return "expired";
	case ICERT_E_DENIED:
	case ICERT_E_FORGED:
	case ICERT_E_MALFORMED:
	case ICERT_E_MISMATCH:
	case ICERT_E_MISSING:
		return "failed";
	}
	return clock_real() - job->created_at > GIVE_UP_S && clock_business() - job->created_at > GIVE_UP_S ? "failed" : NULL;
}

/* The outcome and its audit row, together. */
static int
job_finish(struct db *db, const struct job *job, const char *state, const char *outcome)
{
	struct audit_event event = {
		.action = "mail.send", .outcome = strcmp(state, "sent") == 0 ? "done" : "refused",
		.reason = strcmp(state, "sent") == 0 ? mail_template_name(job->template) : outcome,
		.actor_kind = "program", .actor = "icert-clerk", .subject_kind = "mail", .subject = job->id,
		.case_id = job->application,
	};
	int error;

	if ((error = db_begin(db, NULL)) != 0)
		return error;
	error = DB_QUERY(db, &finish, NULL, P_TEXT(job->id), P_TEXT(state), P_TEXT(outcome), P_INT(clock_business()));
	if (error >= 0 && (error = audit_append(db, &event)) == 0)
		error = db_commit(db);
	if (error < 0)
		db_rollback(db);
	return error < 0 ? error : 0;
}

/* Two names of one mail: its row, and what it says about whom.  *same: whether it has the second. */
static int
sent_names(const struct job *job, uint8_t row[16], uint8_t about[16], int *same)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char text[ID_TEXT + 128];
	int n, error;

	if ((error = id_raw(job->id, row)) != 0)
		return error;
	/* "received" may be said again of a case that was lost and sent in anew; "warning:<deadline>" is one mail for ever. */
	*same = !db_is_null(job->r, 0, 13) && strchr(db_text(job->r, 0, 13), ':') != NULL;
	if (!*same)
		return 0;
	n = snprintf(text, sizeof(text), "%s|%s", db_text(job->r, 0, 12), db_text(job->r, 0, 13));
	if (n >= (int)sizeof(text) || EVP_Digest(text, (size_t)n, hash, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	memcpy(about, hash, 16);
	return 0;
}

static int
sent_before(const struct sender *sender, const struct job *job)
{
	uint8_t row[16], about[16];
	int same;

	return sender->sent.fd >= 0 && sent_names(job, row, about, &same) == 0 &&
	    (id_list_has(&sender->sent, SENT_ROW, row) || (same && id_list_has(&sender->sent, SENT_SAME, about)));
}

/* Noted before the row is: between the two a crash must not send it twice. */
static void
sent_note(struct sender *sender, const struct job *job)
{
	uint8_t row[16], about[16];
	int same, error;

	if (sender->sent.fd < 0)
		return;
	if ((error = sent_names(job, row, about, &same)) == 0 && (error = id_list_add(&sender->sent, SENT_ROW, row)) == 0 && same)
		error = id_list_add(&sender->sent, SENT_SAME, about);
	if (error != 0)
		log_error("mail_not_noted", "row %s: %s", job->id, icert_err_code(error));
}

/* Neither this mail's fault nor this receiver's: the others would fare no better. */
static int
is_common(int error, const struct smtp_result *result)
{
	return result->code < SMTP_REFUSES && (error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT);
}

/* Without a mail server or a keeper only one mail is tried at a time, and seldom; when they are back all go out in moments. */
static void
rest(struct sender *sender, int common)
{
	sender->rest_ms = !common ? 0 : sender->rest_ms == 0 ? 1000 : sender->rest_ms < REST_MOST_MS ? 2 * sender->rest_ms : REST_MOST_MS;
	sender->rest_until = clock_mono_ms() + sender->rest_ms;
}

/* When a mail is tried again: the server's wish is respected, our own troubles are short. */
static int64_t
next_try(const struct job *job, const struct smtp_result *result)
{
	int64_t first = result->code >= SMTP_REFUSES ? REFUSED_S : 1, most = result->code >= SMTP_REFUSES ? REFUSED_MOST_S : OWN_MOST_S;
	int doubled = job->tries < 1 ? 0 : job->tries > 20 ? 20 : job->tries - 1;
	int64_t wait = first << doubled;

	return clock_real() + (wait < most ? wait : most);
}

static int
send_one(struct sender *sender, struct db *db)
{
	struct smtp_result result = { 0 };
	struct job job;
	char outcome[192];
	const char *state;
	int error, sending;

	if ((error = job_take(db, &job)) != 0) {
		job_free(&job);
		return error;
	}
	if (sent_before(sender, &job)) {
		log_info("mail_sent_before", "%s, row %s", mail_template_name(job.template) == NULL ? "?" :
		    mail_template_name(job.template), job.id);
		error = job_finish(db, &job, "sent", "sent before");
		job_free(&job);
		return error;
	}
	sending = job_send(sender, db, &job, &result);
	if (sending == 0)
		sent_note(sender, &job);
	if (result.code != 0 || result.detail[0] != '\0')
		snprintf(outcome, sizeof(outcome), "smtp %ld %s", result.code, result.detail);
	else
		snprintf(outcome, sizeof(outcome), "%s", icert_err_code(sending));
	if (sending == 0 || result.code != 0)
		sender->down_since = 0;
	else if (sending == ICERT_E_UNAVAILABLE && result.detail[0] != '\0' && sender->down_since == 0)
		sender->down_since = clock_business();
	state = state_after(&job, sending);
	sender->failed += state != NULL && strcmp(state, "failed") == 0;
	rest(sender, is_common(sending, &result));
	if (state == NULL)
		error = DB_QUERY(db, &note, NULL, P_TEXT(job.id), P_TEXT(outcome), P_INT(next_try(&job, &result)));
	else
		error = job_finish(db, &job, state, outcome);
	if (sending != 0)
		log_warn("mail_not_sent", "%s, try %d: %s", mail_template_name(job.template) == NULL ? "?" :
		    mail_template_name(job.template), job.tries, outcome);
	job_free(&job);
	if (error < 0)
		return error;
	return sending == 0 ? 0 : 1;
}

int
sender_run(struct sender *sender, struct db *db, size_t most, size_t *sent)
{
	size_t i, n = 0;
	int error = 0;

	for (i = 0; i < most && clock_mono_ms() >= sender->rest_until; i++) {
		if ((error = send_one(sender, db)) < 0)
			break;
		n += error == 0;
	}
	if (sent != NULL)
		*sent = n;
	return error == ICERT_E_NOT_FOUND || error > 0 ? 0 : error;
}

int64_t
sender_down_since(const struct sender *sender)
{
	return sender->down_since;
}

size_t
sender_failed(const struct sender *sender)
{
	return sender->failed;
}
