#ifndef ICERT_WEB_WEBHOOK_NOTICE_H
#define ICERT_WEB_WEBHOOK_NOTICE_H

#include <stdint.h>

#include "audit/audit.h"
#include "payments/gateway.h"
#include "payments/inbox.h"

struct FCGX_Request;
struct db;

/*
 * POST /avisos/<gateway>: one notification.  Verified on its raw bytes, stored
 * durably, then answered 200; refused with
 *	403 denied        not from one of the gateway's own addresses, where these are configured
 *	400 malformed     well signed, and no JSON object: it could never be applied, and is not stored
 *	401 forged        no, or a wrong, signature
 *	400 stale         signed at another time than now
 *	404 not-found     no such gateway
 *	405 method
 *	413 too-large     above NOTICE_MAX
 *	503 unavailable   (Retry-After) it could not be stored
 * and a JSON body {"error":"<code>"}.  Refusals are audited, repeated ones aggregated.
 */
#define NOTICE_MAX (64 * 1024)

struct notice_context {
	struct db *db;
	struct gateway *gateways[GATEWAYS_MAX];
	char names[GATEWAYS_MAX][GATEWAY_NAME];
	int n;
	struct inbox inbox;
	struct audit_tally tally;
};

/* busy: another request waits. */
void	notice_wake(struct notice_context *context, int busy);

/* Answers n of them (WORKER_BATCH at most), whose rows are written together. */
void	notice_answer(struct notice_context *context, struct FCGX_Request *requests, size_t n);

#endif
