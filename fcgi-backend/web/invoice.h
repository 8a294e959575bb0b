#ifndef WEB_INVOICE_H
#define WEB_INVOICE_H

#include "documents/store.h"
#include "procedure/order/invoicing.h"
#include "web/request.h"

/* What portal and desk show alike of an order's invoices. */

/* One file of {id2} of the order {id} as the answer, named by its access key. */
int invoice_send(struct request *, struct act *, const struct document_store *, enum invoicing_part);

/* The day on it as it is written there, "23/11/2026", in the arena. */
const char *invoice_day(struct request *, const struct invoicing *);

#endif
