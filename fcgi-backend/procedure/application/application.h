#ifndef ICERT_PROCEDURE_APPLICATION_H
#define ICERT_PROCEDURE_APPLICATION_H
/*
 * An application for a certificate, from draft to issuing.
 *
 * Every act below is one transaction: it reads the row under the caller's
 * identity (another's is ICERT_E_NOT_FOUND), asks the table of transitions,
 * and writes state, audit row, mails and deadlines together.  `version` is
 * the one the caller's page was made from: ICERT_E_CONFLICT when the row has
 * moved since.  Common errors besides: ICERT_E_STATE (not possible in this
 * state), ICERT_E_DENIED (not for this role), ICERT_E_UNAVAILABLE.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"
#include "procedure/application/form.h"
#include "procedure/number.h"
#include "procedure/transition.h"

struct application {
	char			 id[ID_TEXT];
	char			 number[NUMBER_TEXT];	/* case number; "" while draft */
	enum application_state	 state;
	int			 version;
	int			 province;		/* 1 … 24; 0 while the form does not say */
	char			 contact[ID_TEXT];
	char			 purchase[ID_TEXT];
	char			 key[ID_TEXT];		/* its data key, see datakey.h */
	char			 container[16];		/* "file", … : of the product paid */
	char			 kind[16];		/* "new", "renewal" */
	int			 years;
	char			 operator[ID_TEXT];	/* "" unassigned */
	char			 operator_name[128];
	char			 email[256];		/* the contact's address */
	char			 email_masked[256];
	char			 envelope[NUMBER_TEXT];	/* "" until scheduled */
	char			 token_key[65];		/* SHA-256 of the key made in the token, hex; "" none yet */
	char			 origin[ID_TEXT];	/* the case whose data it began with, "" none */
	char			 reason[64];		/* code, when rejected, cancelled, refused */
	int64_t			 created_at, submitted_at, state_since;	/* UTC seconds, business clock */
	int64_t			 closes_at;		/* the 30-day clock; 0 none */
	int			 also_open;		/* another open application of this person exists */
	int64_t			 consent_at;		/* to video session and photograph; 0 not yet */
	int			 fields_accepted;	/* the applicant accepted the fields as they stand */
	struct application_form	 form;
};

/*
 * Draft for a paid order that serves no application yet (ICERT_E_STATE,
 * ICERT_E_EXISTS: id is then that of the application it serves).  prefill may
 * be NULL; an order that was made for starting anew or for a renewal (anew.h) begins with the data of
 * the case it names instead, sealed anew, each page to be confirmed.  Contact only.
 */
int	application_create(struct act *, const char *purchase, const struct application_form *prefill,
	    char id[ID_TEXT]);

/* One application with its form opened; ICERT_E_NOT_FOUND when not there for this identity. */
int	application_get(struct act *, const char *id, struct application *);

/* Those of the contact, newest first.  *n: room, then rows filled. */
int	application_mine(struct act *, struct application *rows, size_t *n);

/*
 * Keeps what was typed, right or wrong (application_form_check() is the page's and
 * submit's).  In draft any field; in observed only those named by an
 * observation (ICERT_E_DENIED for another that differs).
 */
int	application_save(struct act *, const char *id, int version, const struct application_form *);

/*
 * draft → submitted.  ICERT_E_INVALID: the form has faults or pages nobody confirmed (application_form_check()
 * again to see them); ICERT_E_MISSING: a document is missing.  Gives the case
 * number, starts the 30 days, turns the order to used, mails the applicant and
 * the province.
 */
int	application_submit(struct act *, const char *id, int version);

/* observed → in_review, when everything named has been mended (ICERT_E_MISSING otherwise). */
int	application_mend(struct act *, const char *id, int version);

/* The applicant gives up: a draft is removed, anything else before issuing is cancelled. */
int	application_cancel(struct act *, const char *id, int version);

/* One thing to mend.  target: "form.<field>" or "document.<kind>". */
struct observation {
	char	target[40];
	char	reason[512];	/* the operator's words, in Spanish */
	int	mended;
	int64_t	at;
};
#define OBSERVATIONS_MAX 20

/* What follows is the desk's. */

struct application_filter {
	uint32_t	 states;	/* bits 1 << state; 0: all from submitted on */
	int		 mine;		/* assigned to the caller */
	int		 unassigned;
	int		 province;	/* 0: all the caller sees */
	const char	*search;	/* case number, or a cédula or passport; NULL */
	int		 offset;
};

/* What the caller may see, oldest first; forms opened with one batch to the
 * keeper.  *n: room (at most 50), then rows filled. */
int	application_queue(struct act *, const struct application_filter *, struct application *rows, size_t *n);

/* submitted → in_review.  staff NULL: oneself. */
int	application_assign(struct act *, const char *id, int version, const char *staff);
int	application_release(struct act *, const char *id, int version);
int	application_reassign(struct act *, const char *id, int version, const char *staff);

/* From here on only the operator whose case it is acts on it (ICERT_E_DENIED for another of the province). */

/* in_review or scheduled → observed; at least one, each with a reason. */
int	application_observe(struct act *, const char *id, int version, const struct observation *, size_t n);
/* Those of the newest round (for a page of either side).  *n: room, then filled. */
int	application_observations(struct act *, const char *id, struct observation *, size_t *n);

/* in_review → accepted.  ICERT_E_EXISTS: the person has another open
 * application; ICERT_E_OWN_CASE: the operator's own. */
int	application_accept(struct act *, const char *id, int version);
/* reason: a code of application_reject_reasons; words: for the applicant, may be "". */
int	application_reject(struct act *, const char *id, int version, const char *reason, const char *words);
extern const char *const application_reject_reasons[];	/* NULL-terminated */

/* identified → scheduled. */
int	application_send_back(struct act *, const char *id, int version, const char *reason);

/* What happened, oldest first: for the status page and the desk. */
struct application_event {
	int64_t	at;
	char	action[48];		/* "application.submit", … */
	char	outcome[12], reason[64], actor_kind[12];
	char	actor_name[128];	/* staff only, and only at the desk */
};
int	application_events(struct act *, const char *id, struct application_event *, size_t *n);

/* Mails of the case: what was sent and when, for the page that says so. */
struct application_mail {
	char	id[ID_TEXT];
	char	template[32];		/* mail_template_name() */
	char	state[12];		/* waiting, sent, failed, expired */
	int64_t	at, sent_at;
};
int	application_mails(struct act *, const char *id, struct application_mail *, size_t *n);
/* Sends the mail of the PKCS#12 or of the envelope again ("pkcs12", "envelope",
 * "application_received"); at most one every two minutes (ICERT_E_BUSY). */
int	application_mail_again(struct act *, const char *id, const char *template);

#endif
