#ifndef WEB_DESK_H
#define WEB_DESK_H

#include "crypt/keyclient.h"
#include "documents/store.h"
#include "procedure/act.h"
#include "procedure/application/application.h"
#include "procedure/application/document.h"
#include "procedure/order/purchase.h"
#include "web/page.h"
#include "web/worker.h"

/*
 * The pages of the staff.  One file a part of their work, each with its routes;
 * the program is programs/desk.c.  What a page may show, row-level security
 * decides: a case of another province is not there.
 */

/* What a worker holds between requests: connections, nothing of a person. */
struct desk {
	struct db *db;
	struct keyclient keeper;
	struct keyclient checker;
	struct document_store files;
	const struct config *config;
	struct act act;		/* of the request in hand */
};

/* The hooks of struct app, and the list of tables. */
int desk_start(struct app *);
int desk_load_session(struct request *);
void desk_frame(struct request *, struct view_page *);
int desk_denied(struct request *);
extern const struct route *const desk_routes[];

/* Who sees cases at all, and who works on them. */
#define DESK_READS	(ROLE_OPERATOR | ROLE_NATIONAL | ROLE_AUDITOR)
#define DESK_WORKS	ROLE_OPERATOR

struct desk *desk_of(struct request *);

/* Who asks, for procedure/: filled anew from the session at each call. */
struct act *desk_act(struct request *);

/* The log-in page, which takes the form in hand along. */
int desk_login_again(struct request *);

/* The application {id} of the path, in the request's arena. */
int desk_case(struct request *, struct application **);

/* "NAMES SURNAMES" in the arena. */
const char *desk_name(struct request *, const struct application *);

/* What the applicant answered, in words where it is a choice; "" when nothing. */
const char *desk_value(const struct application *, const char *field);

/* Where a page leads back to: the list of what waits, when that led to it (?de=finanzas), else `page`. */
const char *desk_back(struct request *, const char *page);

/* The address of a case's page. */
const char *desk_href(struct request *, const struct application *);

/* Whether the person at the desk is the operator of this case. */
bool desk_mine(const struct request *, const struct application *);

/*
 * After an act on a case: 0 leads to the case with the notice; an error that
 * the person can mend is shown on the case's page as it now stands.
 */
int desk_done(struct request *, const char *id, int rv, const char *notice);

/* The case's page; errors noted before are shown on it. */
int desk_case_page(struct request *, int status, struct application *);

/*
 * A PDF that comes with a form, in its field "file".  refusal: what the edge refused is noted at that field.  desk_paper: 0 and
 * the bytes (the caller frees them); the HTTP status of a page to be shown, with its error noted; or a negative error.
 */
void desk_paper_refusal(struct request *);
int desk_paper(struct request *, struct buf *bytes);
/* A copy of the contract as the answer: of that id, or (NULL) the one that its holder has signed.  contrato-NAME.pdf. */
int desk_paper_send(struct request *, const struct application *, const char *id, const char *name);

/* What the payer of an order (an id) showed of transfers, in the arena; none for who may not open them. */
int desk_slips(struct request *, const char *order, const struct view_slip **, size_t *n);

/* An order's invoices and what is awaited of finance, into the view, in the arena. */
int desk_invoices(struct request *, const struct purchase *, struct view_desk_order_invoicing *);

/* The page of the order {id}, with errors noted before. */
int desk_order_page(struct request *, int status);

/* The six digits typed as "code", spaces left out; "" when there are not six. */
const char *desk_code(struct request *);
/* What the person sees of a refusal: which field (NULL: the page) says which sentence, with which status.  Ends with error 0. */
struct desk_refusal {
	int error, status;
	const char *field, *say;
};
/* Notes it; its status, or 0 when it is none of the table: then it is the framework's. */
int desk_refused(struct request *, const struct desk_refusal *, int rv);
/* Notes the error of a code that was not taken at its field; false for other errors. */
bool desk_code_error(struct request *, int rv);
/* The same where a page has a code for each of its rows: at "code-<id>", the one of the row that was sent; and that field, empty, for its row. */
bool desk_code_error_of(struct request *, int rv, const char *id);
struct view_field desk_code_field(struct request *, const char *id);

/* A select's or radio's choices: code → catalogue "<prefix><code>". */
struct view_option *desk_options(struct request *, const char *const *codes, const char *prefix,
    const char *selected, size_t *n);

/* Ecuador's mainland, no summer time: local is UTC and this. */
#define DESK_OFFSET_S	(-5 * 3600)
/* "2026-11-23" and "15:00" of Ecuador's mainland as UTC seconds; -1 for another form. */
int64_t desk_moment(const char *day, const char *hour);
/* A row's day, "2026-11-23", as a moment of it, for a view. */
int64_t desk_day(const char *day);

/* How people call what a payment came by: the gateway's name, or "transferencia". */
const char *desk_gateway(const char *name);

extern const struct route desk_login_routes[], desk_queue_routes[], desk_case_routes[], desk_review_routes[],
    desk_slot_routes[], desk_document_routes[], desk_upload_routes[], desk_identify_routes[], desk_issue_routes[], desk_token_routes[],
    desk_office_routes[], desk_clocks_routes[], desk_revoke_routes[], desk_extend_routes[], desk_outages_routes[], desk_template_routes[],
    desk_price_routes[], desk_orders_routes[], desk_refund_routes[], desk_transfer_routes[], desk_slip_routes[], desk_invoice_routes[], desk_account_routes[], desk_reconciliation_routes[], desk_totals_routes[], desk_waiting_routes[],
    desk_contract_routes[], desk_envelope_routes[], desk_troubles_routes[], desk_director_routes[], desk_signer_routes[];

/* Documents of a case that are read at the desk, in the order of the text. */
#define DESK_DOCUMENTS 64
struct desk_documents {
	const struct document *list[DESK_DOCUMENTS];
	size_t n;
	bool evidence;		/* the evidence package is filed */
};
int desk_documents(struct request *, const struct application *, struct desk_documents **);

#endif
