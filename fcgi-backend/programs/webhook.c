/*
 * icert-webhook: takes the notifications of payment gateways, stores them sealed, answers.
 * Knows the secrets of notifications, may insert rows, and can open none of them.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libicert/config.h"
#include "libicert/log.h"
#include "store/db.h"
#include "web/webhook/notice.h"
#include "web/worker.h"

static int
start(struct app *app)
{
	static struct notice_context context;
	char conninfo[512];
	int i, n;

	if (config_conninfo(app->config, "webhook", conninfo, sizeof(conninfo)) != 0 ||
	    (context.db = db_open(conninfo)) == NULL)
		return -1;
	db_patience(context.db, DB_PERSON_QUIET_MS, DB_PERSON_MOST_MS);
	n = gateway_names(app->config, context.names);
	for (i = 0; i < n; i++)
		if (gateway_open(app->config, context.names[i], GATEWAY_NOTICES, &context.gateways[i]) != 0)
			return -1;
	context.n = n;
	app->ctx = &context;
	return 0;
}

static void
raw(struct app *app, struct FCGX_Request *requests, size_t n)
{
	notice_answer(app->ctx, requests, n);
}

/* What has been counted of refusals is written when its minute is over; the clerk is woken when nobody waits for an answer. */
static void
idle(struct app *app)
{
	struct notice_context *context = app->ctx;

	struct pollfd arrivals = { .fd = STDIN_FILENO, .events = POLLIN };

	notice_wake(context, poll(&arrivals, 1, 0) > 0);
	audit_tally_flush(&context->tally, context->db, 0);
}

int
main(int argc, char *argv[])
{
	static struct config config;	/* for as long as the program runs */
	struct app app = { .name = "webhook", .config = &config, .start = start, .raw = raw, .batch = WORKER_BATCH, .idle = idle };

	config_start(&config, "icert-webhook", argc, argv);
	return worker_run(&app, (int)config_int(&config, "limits", "webhook_workers", 2, 1, 64));
}
