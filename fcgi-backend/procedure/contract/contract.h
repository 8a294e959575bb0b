#ifndef ICERT_PROCEDURE_CONTRACT_H
#define ICERT_PROCEDURE_CONTRACT_H
/*
 * The contract: issued → contract_sent by icert-clerk, which makes the PDF from
 * the newest approved template, keeps it encrypted with the case's documents and
 * mails it.  The clerk and not the issuer: what reaches the signer draws no pages,
 * reads no administrator's text and opens no font.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"
#include "procedure/mailing.h"
#include "procedure/number.h"

struct document_store;
struct keyclient;

/* What a text may name (documents/contract_template.h). */
#define CONTRACT_VARIABLES 23
extern const char *const contract_variables[CONTRACT_VARIABLES];

struct contract {
	char	id[ID_TEXT];
	char	application[ID_TEXT];
	char	certificate[ID_TEXT];
	char	document[ID_TEXT];	/* of the PDF as it was sent */
	char	number[NUMBER_TEXT];	/* "C-2026-000123-4" */
	int	template_version;
	int64_t	made_at, sent_at;	/* business clock */
	uint8_t	sha256[32];		/* of the PDF as it was sent */
};

/* Of a case, for whoever may see it; ICERT_E_NOT_FOUND. */
int	contract_of(struct act *, const char *application, struct contract *);

/* The PDF as it was sent, appended; the read is audited. */
int	contract_file(struct act *, const struct document_store *, const struct contract *, struct buf *out);

/*
 * The clerk: makes and sends what is waiting, at most `most`.  A case with a
 * trouble of its own is tried again later and holds up no other; after an hour
 * the province is told.  Returns the database's errors.
 */
int	contract_run(struct act *, const struct document_store *, struct keyclient *checker, size_t most, size_t *done);

/* The contract's mail, with the PDF; inside the open transaction. */
int	contract_mail(struct act *, const struct mailing *, const struct contract *, int64_t due, const char *dedup);

/* Until when it is to be back: as the clock of its deadline says; before there is one, issued_at and
 * the hours of the policy. */
int64_t	contract_due(struct act *, const char *application, int64_t issued_at);

/* What anybody may ask about a number as printed; nothing of the person. */
struct contract_public {
	char	number[NUMBER_TEXT];
	int64_t	made_at;
	char	certificate[12];	/* good, revoked, expired */
	int64_t	not_after, revoked_at;	/* revoked_at 0: never */
	char	sha256[65];		/* hex, of the PDF as it was sent */
};
/* number in either case; ICERT_E_NOT_FOUND, also for one whose check digit is wrong. */
int	contract_look(struct act *, const char *number, struct contract_public *);

#endif
