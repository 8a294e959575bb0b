/*
 * icert-keeper --config FILE: data keys, look-up hashes, staff's second factor,
 * approvals, delivery keys and opening codes.  docs/key-protocol.md.
 * icert-keeper --init --config FILE: makes its keys, where there are none, and ends.
 */
#include "keys/keeper.h"
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
drop_rights(const struct keeper *keeper, const struct serve_sockets *sockets, const char *folder)
{
	struct sandbox sandbox = { .rights = SANDBOX_FILES, .writable = { folder }, .memory = MEMORY };
	int keep[SERVE_SOCKETS + 4];
	size_t n = keeper_fds(keeper, keep);
	int error;

	memcpy(keep + n, sockets->fd, sockets->n * sizeof(int));
	error = sandbox_keep_only(keep, n + sockets->n);
	return error != 0 ? error : sandbox_enter(&sandbox);
}

int
main(int argc, char *argv[])
{
	int init = argc > 1 && strcmp(argv[1], "--init") == 0;
	struct serve_sockets sockets;
	struct keeper *keeper;
	struct serve serve;
	static struct config config;	/* for as long as the program runs */
	const char *folder;
	int error;

	config_start(&config, "icert-keeper", argc - init, argv + init);
	folder = config_require(&config, "paths", "keeper_dir");
	if (init) {
		error = keeper_init(folder);
		return error == 0 ? 0 : fail("init_failed", error);
	}
	if (serve_sockets(&sockets) != 0)
		return 1;
	/* Open the secret, drop every right, then read from anyone. */
	error = keeper_open(&keeper, folder, (int)config_int(&config, "keeper", "delivery_days", 30, 1, 366));
	if (error != 0)
		return fail("keys_unreadable", error);
	error = drop_rights(keeper, &sockets, folder);
	if (error != 0)
		return fail("rights_not_dropped", error);
	keeper_serve(keeper, &serve);
	error = serve_run(&serve, &sockets);
	keeper_close(keeper);
	config_free(&config);
	return error == 0 ? 0 : fail("stopped", error);
}
