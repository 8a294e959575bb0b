#ifndef ICERT_PROCEDURE_MAILING_H
#define ICERT_PROCEDURE_MAILING_H
/*
 * Mails of a case and of an order: what every one of them says (number, where
 * to call, the link), so that an act adds only its own.  Inside the open transaction.
 */
#include <stddef.h>
#include <stdint.h>

#include "mail/outbox.h"
#include "procedure/act.h"

/* The case a mail is about. */
struct mailing {
	const char	*application;	/* uuid */
	const char	*contact;
	const char	*purchase;	/* of an order's mail; NULL otherwise */
	const char	*number;	/* of the case, or of the order */
	int		 province;	/* 0: none known */
	const char	*key_id;	/* data key of the case or order … */
	const uint8_t	*key;		/* … and its 32 bytes */
	const struct outbox_document *documents;	/* that go with it; NULL none */
	size_t		 n_documents;
};

/*
 * To the contact.  number, province, telephone, hours and a fresh token are
 * added to the variables.  certificate (may be NULL): held until its status is
 * public.  dedup as in mail/outbox.h.
 */
int	mailing_contact(struct act *, const struct mailing *, enum mail_template,
	    const struct outbox_variable *extra, size_t n, const char *dedup, const char *certificate);

/* To the address that an order's payer gave for its invoice, looked up at sending: it may be anybody's, so nothing in it logs in. */
int	mailing_payer(struct act *, const struct mailing *, enum mail_template, const struct outbox_variable *extra, size_t n, const char *dedup);

/* To the province's staff: something new in a queue ("review", "issue"). */
int	mailing_staff(struct act *, const struct mailing *, const char *queue, const char *dedup);

/* To the national office and finance. */
int	mailing_national(struct act *, const struct mailing *, const char *queue, const char *dedup);

/* A moment as a variable's value: decimal UTC seconds. */
#define MAILING_MOMENT 24
const char *mailing_moment(int64_t at, char out[MAILING_MOMENT]);

#endif
