/*
 * icert-publisher --config FILE: has answers and CRLs signed, writes and seals the status sets,
 * and notes a change as published when the edge was seen to answer with it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/ready.h"
#include "publish/publication.h"

#define WAIT_MS 1000
#define ADMIN_SOCKET "publisher-admin"
#define FIRST_FD 3

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* The socket that the administrator asks over, where whoever started us has bound one. */
static int
admin_socket(void)
{
	const char *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");

	return count != NULL && names != NULL && strcmp(count, "1") == 0 && strcmp(names, ADMIN_SOCKET) == 0 ? FIRST_FD : -1;
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
	if ((error = publication_open(&publication, &config, admin_socket())) != 0) {
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
