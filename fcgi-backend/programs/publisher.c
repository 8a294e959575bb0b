/*
 * icert-publisher --config FILE: has answers and CRLs signed, writes and seals the status sets,
 * and notes a change as published when the edge was seen to answer with it.
 */
#include <signal.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/ready.h"
#include "publish/publication.h"

#define WAIT_MS 1000

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

int
main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = stop };
	struct publication *publication;
	static struct config config;	/* for as long as the program runs */
	int error, ready = 0;

	config_start(&config, "icert-publisher", argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if ((error = publication_open(&publication, &config)) != 0) {
		log_error("publish_start", "%s", icert_err_code(error));
		return 1;
	}
	while (!stopping) {
		publication_round(publication);
		if (!ready && publication_stands(publication))
			ready = ready_tell() == 0;
		publication_wait(publication, WAIT_MS);
	}
	publication_free(publication);
	config_free(&config);
	return 0;
}
