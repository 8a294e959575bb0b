/*
 * icert-keymaker --config FILE: makes applicants' keys and packs their files, one
 * forked child a job.  docs/key-protocol.md.
 * icert-keymaker --init --config FILE: makes the key of its word, where there is none, and ends.
 */
#include "keys/keymaker.h"
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

static int
drop_rights(const struct serve_sockets *sockets)
{
	struct sandbox sandbox = { .rights = SANDBOX_FORK, .memory = MEMORY };
	int error = sandbox_keep_only(sockets->fd, sockets->n);

	return error != 0 ? error : sandbox_enter(&sandbox);
}

int
main(int argc, char *argv[])
{
	int init = argc > 1 && strcmp(argv[1], "--init") == 0;
	struct serve_sockets sockets;
	struct keymaker *keymaker;
	struct serve serve;
	static struct config config;	/* for as long as the program runs */
	const char *folder;
	int error;

	config_start(&config, "icert-keymaker", argc - init, argv + init);
	folder = config_require(&config, "paths", "keymaker_dir");
	if (init) {
		error = keymaker_init(folder);
		return error == 0 ? 0 : fail("init_failed", error);
	}
	if (serve_sockets(&sockets) != 0)
		return 1;
	/* Open the secret, drop every right, then read from anyone. */
	error = keymaker_open(&keymaker, folder,
	    (int)config_int(&config, "keymaker", "pkcs12_iterations", 100000, 10000, 10000000));
	if (error != 0)
		return fail("keys_unreadable", error);
	error = drop_rights(&sockets);
	if (error != 0)
		return fail("rights_not_dropped", error);
	keymaker_serve(keymaker, &serve);
	error = serve_run(&serve, &sockets);
	keymaker_close(keymaker);
	config_free(&config);
	return error == 0 ? 0 : fail("stopped", error);
}
