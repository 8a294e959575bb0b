/*
 * icert-ocsp: live OCSP answers for the edge: nonces, several CertIDs.  Reads the published set and has
 * digests signed; knows no database and no key.
 */
#include <fcgiapp.h>

#include "libicert/config.h"
#include "web/ocsp/live.h"
#include "web/worker.h"

static int
start(struct app *app)
{
	static struct live live;

	app->ctx = &live;
	return live_open(&live, app->config) == 0 ? 0 : -1;
}

static void
raw(struct app *app, struct FCGX_Request *request, size_t n)
{
	while (n-- > 0)
		live_answer(app->ctx, request++);
}

int
main(int argc, char *argv[])
{
	static struct config config;	/* for as long as the program runs */
	struct app app = { .name = "ocsp", .config = &config, .start = start, .raw = raw };

	config_start(&config, "icert-ocsp", argc, argv);
	return worker_run(&app, (int)config_int(&config, "limits", "ocsp_workers", 4, 1, 64));
}
