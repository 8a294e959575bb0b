#ifndef WEB_PORTAL_H
#define WEB_PORTAL_H

#include "crypt/keyclient.h"
#include "documents/store.h"
#include "procedure/act.h"
#include "procedure/application/application.h"
#include "procedure/order/purchase.h"
#include "procedure/people/staff.h"
#include "store/cache.h"
#include "web/page.h"
#include "web/worker.h"

/*
 * The public pages and those of applicants.  One file a part of the procedure,
 * each with its routes; the program is programs/portal.c.
 */

/* What a worker holds between requests: connections, nothing of a person. */
struct portal {
	struct db *db;
	struct cache *cache;
	struct keyclient keeper;
	struct keyclient checker;
	struct document_store files;
	const struct config *config;
	const char *public_url;
	struct act act;		/* of the request in hand */
};

/* Where gateways send payers back to. */
#define PORTAL_RETURN	"/orden/{id}/vuelta"

/* The hooks of struct app, and the list of tables. */
int portal_start(struct app *);
int portal_load_session(struct request *);
bool portal_session_over(struct request *);
void portal_frame(struct request *, struct view_page *);
int portal_denied(struct request *);
int portal_park(struct request *);
extern const struct route *const portal_routes[];

struct portal *portal_of(struct request *);

/* Who asks, for procedure/: filled anew from the session at each call. */
struct act *portal_act(struct request *);

/*
 * The application {id} of the path, in the request's arena, as its owner sees
 * it; the case's number and its province's telephone go into the layout.
 */
int portal_case(struct request *, struct application **);

/*
 * A province's office as everybody may know it, from the worker's own memory, at most a minute old; the next call for the
 * same province may overwrite it.  NULL when there is none of that id, or it cannot be read now.
 */
const struct province *portal_office(struct request *, int id);

/* Puts a province's telephone and hours (none when it is NULL), and a case's number, into the layout. */
void portal_matter(struct request *, const struct province *, const char *number);

/*
 * An application of this mailbox that is still open (drafts too when drafts is
 * set), other than `except` and, when id_number is given, of that person;
 * NULL when there is none or it cannot be told.
 */
const struct application *portal_open_case(struct request *, const char *except, const char *id_number,
    bool drafts);

/* "Archivo PKCS#12", or "Archivo PKCS#12, con RUC" where that is a product of its own; in the arena, NULL out of memory. */
const char *portal_product(struct request *, const char *container, const char *ruc);

/* UTC moment of the business clock, for what a page compares. */
int64_t portal_now(void);

/* The first page of an application that still lacks something (a path), the
 * summary when nothing does. */
const char *portal_next_step(struct request *, struct application *);

/* The page on which a field of the form is asked, a path; NULL for none. */
const char *portal_step_of_field(struct request *, const char *application, const char *field);
/* It came filled from an earlier case, and its page was not confirmed yet. */
bool portal_unconfirmed(const struct application *, const char *field);
/* An order's invoices, and whether one is awaited, into the view, in the arena. */
int portal_invoices(struct request *, const struct purchase *, struct view_portal_order *);

/* What the operator asked of a target ("form.address", "document.cedula") while the case
 * is being mended, in the operator's words; NULL when nothing. */
const char *portal_asked(struct request *, const struct application *, const char *target);

extern const struct route portal_public_routes[], portal_tariff_routes[], portal_login_routes[],
    portal_billing_routes[], portal_order_routes[], portal_form_routes[], portal_document_routes[], portal_submit_routes[],
    portal_case_routes[], portal_mine_routes[], portal_slot_routes[], portal_accept_routes[], portal_envelope_routes[],
    portal_revoke_routes[], portal_contract_routes[], portal_again_routes[], portal_renewal_routes[],
    portal_evidence_routes[], portal_slip_routes[], portal_invoice_routes[];

#endif
