#ifndef ICERT_MAIL_OUTBOX_H
#define ICERT_MAIL_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

struct db;

/*
 * A mail is a row of icert.outbox, written in the transaction that causes
 * it and sent by icert-clerk, which is woken by NOTIFY icert_outbox at that
 * commit.  A row holds the template, the case, sealed variables and
 * references to documents: never an address, MIME text or an attachment.
 *
 * Variables have English names and raw values, as a view of views/mail wants
 * them: text as it is, money in decimal cents, a moment in decimal UTC
 * seconds, a flag "1" or "", a reason or container as its code (the view looks
 * up the sentence).  One that is left out reads as "".
 *
 * token is a secret of login_link_new(); the view gets `link`, which is
 * [public] portal_url, "/enlace/" and the token, or without a token the
 * portal's first page.  Views also have `portal` and `desk` (URLs).
 * province is the province's name; telephone and hours are its own.
 */
enum mail_template {
	MAIL_CODE = 1,           /* code, until */
	MAIL_ORDER_CREATED,      /* number, container, kind, years, total, currency, until, token */
	MAIL_PAYMENT_RECEIVED,   /* number, container, kind, years, total, currency, token */
	MAIL_PAYMENT_REJECTED,   /* number, total, currency, token */
	MAIL_PAYMENT_CHECKING,   /* number, total, currency, token */
	MAIL_REFUNDED,           /* number, total, currency, again ("yes": it was one payment too many), token */
	MAIL_APPLICATION_RECEIVED, /* number, container, province, telephone, hours, until, token */
	MAIL_TO_MEND,            /* number, reasons (what and the operator's words, one a line), telephone, hours, token */
	MAIL_ACCEPTED,           /* number, container, province, telephone, hours, token */
	MAIL_REJECTED,           /* number, reason (code), words, province, telephone, hours */
	MAIL_SLOT_PROPOSED,      /* number, start, end, mode, place (the office's address), galapagos, telephone, hours, token */
	MAIL_SLOT_CONFIRMED,     /* the same and meeting, appointment (uuid), sequence; attaches the .ics */
	MAIL_PKCS12,             /* number, until, telephone, hours, token; attaches the .p12 */
	MAIL_ENVELOPE,           /* number, until, container, telephone, hours, token: the link to the credential envelope */
	MAIL_CONTRACT,           /* number, contract (its number), until, telephone, hours, token; the PDF among its documents */
	MAIL_REVOKED,            /* number, reason, money (codes), serial, at, token */
	MAIL_CANCELLED,          /* number, reason (code), token */
	MAIL_STAFF_QUEUE,        /* number, queue (code: "review", "issue", "payment", "deadline", "stale", "revocation") */
	MAIL_DEADLINE_WARNING,   /* number, days, one ("1": a single day), until, state, province, telephone, hours, token */
	MAIL_SLOT_REMINDER,      /* number, start, end, mode, place, galapagos, meeting, telephone, hours, token */
	MAIL_STAFF_BREAKER,      /* nothing: automatic endings have stopped */
	MAIL_EXPIRES,            /* number, days, one, until, serial, telephone, hours, token */
	MAIL_CONTRACT_REMINDER,  /* number, contract (its number), left (hours), one, until, telephone, hours, token */
	MAIL_CLOCK_MOVED,        /* number, clock (code: "contract", "application"), cause (code), until, telephone, hours, token */
	MAIL_CONTRACT_INVALID,   /* number, contract, fault (code of contract_fault), until ("": the clock stands), telephone, hours, token */
	MAIL_CONTRACT_RETURNED,  /* number, words (the director's), until ("": the clock stands), telephone, hours, token */
	MAIL_CONTRACT_COMPLETE,  /* number, contract, telephone, hours, token; the PDF with both signatures among its documents */
	MAIL_TOKEN_CERTIFICATE,  /* number, telephone, hours, token; attaches the certificate and its chain */
	MAIL_ENVELOPE_CODE,      /* number, event ("locked": stands ("1": the clock does); "renewed": until (of the clock, "" none)), telephone, hours, token */
	MAIL_RENEWAL,            /* number, serial (of the certificate that signs), until, telephone, hours, token; the PDF among its documents */
	MAIL_STAFF_JOURNAL,      /* nothing: lines are missing from the signer's journal */
	MAIL_INVOICE,            /* number, invoice (uuid), serial, total, currency, note ("1": a credit note), token; attaches its PDF and XML */
	MAIL_INVOICE_PAYER,      /* the same without a token: to the address that the order's payer gave for it */
	MAIL_INVOICE_COPY,       /* number, application (its number), invoice, serial, note; attaches the same, for the province */
	MAIL_TEMPLATES           /* one above the last */
};

/* Stable name as stored ("code", "order_created", ...); NULL when out of range. */
const char *mail_template_name(enum mail_template template);
/* The template of a stored name; 0 when there is none. */
enum mail_template mail_template_find(const char *name);

#define OUTBOX_VARIABLES_MAX 16
#define OUTBOX_DOCUMENTS_MAX 4

struct outbox_variable {
	const char *name;     /* as listed above; ASCII */
	const char *value;    /* UTF-8, raw as said above; NULL is "" */
};

struct outbox_document {
	const char *id;       /* uuid of icert.document */
	const uint8_t *sha256; /* 32 bytes, of the plain document; checked at sending */
	const char *filename; /* as the receiver sees it; nothing personal */
};

struct outbox_mail {
	enum mail_template template;

	/* exactly one of the two: */
	const char *contact;  /* uuid; its address is looked up at sending */
	int province;         /* staff mail: 1..24, or 25 for the national office; 0 with a contact */

	const char *application; /* uuid of the case, or NULL */
	const char *order;    /* uuid of the order (icert.purchase), or NULL */

	/* A data key the clerk may unwrap (the contact's, order's or case's), and its 32 bytes.
	 * NULL only when there is no variable. */
	const char *key_id;
	const uint8_t *key;
	const struct outbox_variable *variables;
	size_t n_variables;
	const struct outbox_document *documents;
	size_t n_documents;

	const char *certificate; /* uuid: held until its newest status_change has a published_epoch; NULL: not held */
	const char *dedup;    /* "the same mail" within this case or contact: a second row with it
	                         is not written ("received", "slot:<uuid>:2"); NULL: always written */
	int64_t not_before;   /* UTC seconds of the business clock; 0: at once */
};

/*
 * Seals the variables under the key (AAD outbox|variables|row id) and
 * inserts the row in the caller's transaction, which also gets the NOTIFY;
 * statements queued before must have been received.
 * id (ID_TEXT characters; may be NULL) receives the row's uuid, or "" when
 * dedup found the mail already there.  Returns 0 or a negative error:
 * ICERT_E_INVALID for a mail that breaks the rules above, or the store's.
 */
int	outbox_add(struct db *db, const struct outbox_mail *mail, char *id);

#endif
