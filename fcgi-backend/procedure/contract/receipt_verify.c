#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/receipt.h"
#include "procedure/contract/evidence_verify.h"
#include "views/view.h"

#define MICRO INT64_C(1000000)

void
receipt_tell(const char *check, const struct receipt *r, const char *fault, evidence_tell *tell, void *arg)
{
	char n[24], size[24], leaf[24], key[65];
	struct buf at = BUF_INIT;

	snprintf(n, sizeof n, "%zu", r->n);
	snprintf(size, sizeof size, "%" PRIu64, r->head.size);
	snprintf(leaf, sizeof leaf, "%" PRIu64, r->fault_leaf);
	bytes_to_hex(key, r->key, sizeof r->key);
	view_put_moment(&at, r->head.at);
	tell(arg, check, fault, (const char *const[]){ "number", r->number != NULL ? r->number : "", "n", n, "size", size, "leaf", leaf,
	    "key", key, "log", r->head.origin, "at", buf_str(&at), NULL });
	buf_free(&at);
}

static void
tell_row(const struct receipt_row *row, evidence_tell *tell, void *arg)
{
	char leaf[24], code[80];
	const char *words;
	struct buf at = BUF_INIT;

	snprintf(leaf, sizeof leaf, "%" PRIu64, row->leaf);
	snprintf(code, sizeof code, "desk.event.%s", row->row.action);
	words = catalogue(code);
	view_put_moment(&at, atoll(row->row.at_us) / MICRO);
	tell(arg, row->row.outcome != NULL && strcmp(row->row.outcome, "done") != 0 ? "row-refused" : "row", NULL,
	    (const char *const[]){ "leaf", leaf, "at", buf_str(&at), "action", words != NULL ? words : row->row.action, NULL });
	buf_free(&at);
}

int
receipt_verify(const void *bytes, size_t len, const struct evidence_trust *trust, evidence_tell *tell, void *arg,
    unsigned *faults)
{
	struct receipt r;
	int error = receipt_read(bytes, len, trust->audit, &r);

	*faults = r.fault != NULL;
	if (error == 0) {
		receipt_tell("receipt", &r, r.fault, tell, arg);
		for (size_t i = 0; r.fault == NULL && i < r.n; i++)
			tell_row(&r.rows[i], tell, arg);
	}
	receipt_free(&r);
	return error;
}
