/*
 * icert-status-signer --config FILE: the OCSP responder's key, digests in, signatures out.
 * icert-status-signer --init --config FILE: makes its identity, where there is none, and ends.
 */
#include "keys/status_signer.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sandbox.h"

#include <string.h>

#define MEMORY ((size_t)256 << 20)

static int
fail(const char *code, int error)
{
	log_error(code, "%s", icert_err_code(error));
	return 1;
}

int
main(int argc, char *argv[])
{
	int init = argc > 1 && strcmp(argv[1], "--init") == 0, error;
	struct serve serve = { .ops = status_signer_ops, .n = status_signer_ops_n };
	struct sandbox sandbox = { .rights = SANDBOX_FILES | SANDBOX_THREADS, .memory = MEMORY };
	struct serve_sockets sockets;
	struct responder_store store;
	struct status_signer signer;
	static struct config config;	/* for as long as the program runs */

	config_start(&config, "icert-status-signer", argc - init, argv + init);
	sandbox.writable[0] = config_require(&config, "paths", "status_signer_dir");
	if (init) {
		error = status_signer_init(sandbox.writable[0]);
		return error == 0 ? 0 : fail("init_failed", error);
	}
	/* Open the secret, drop every right, then read from anyone. */
	if (serve_sockets(&sockets) != 0 || sandbox_keep_only(sockets.fd, sockets.n) != 0)
		return 1;
	if ((error = status_signer_store(&store, &config)) != 0 ||
	    (error = status_signer_open(&signer, sandbox.writable[0], &store)) != 0)
		return fail("keys_unreadable", error);
	if ((error = sandbox_enter(&sandbox)) != 0)
		return fail("rights_not_dropped", error);
	if ((error = status_signer_threads(&signer)) != 0)
		return fail("threads_not_started", error);
	serve.ctx = &signer;
	error = serve_run(&serve, &sockets);
	status_signer_close(&signer);
	config_free(&config);
	return error == 0 ? 0 : fail("stopped", error);
}
