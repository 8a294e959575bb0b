/*
 * icert-signer --config FILE: the issuing key behind PKCS#11; certificates, CRLs and responder
 * certificates on typed requests.  docs/key-protocol.md, docs/signer-journal.md.
 * icert-signer --init --config FILE: begins the journal, where there is none, and ends; the ceremony's.
 * icert-signer --init-next --config FILE: that of the CA which will follow the last.
 */
#include "keys/signer.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sandbox.h"

#include <string.h>

#define MEMORY ((size_t)1 << 30)

static int
fail(const char *code, int error)
{
	log_error(code, "%s", icert_err_code(error));
	return 1;
}

int
main(int argc, char *argv[])
{
	int next = argc > 1 && strcmp(argv[1], "--init-next") == 0;
	int init = next || (argc > 1 && strcmp(argv[1], "--init") == 0), error;
	struct serve serve = { .ops = signer_ops, .n = signer_ops_n };
	struct sandbox sandbox = { .rights = SANDBOX_FILES, .memory = MEMORY };
	struct serve_sockets sockets;
	struct signer signer;
	static struct config config;	/* for as long as the program runs */

	config_start(&config, "icert-signer", argc - init, argv + init);
	if (init) {
		error = signer_init(&config, next);
		return error == 0 ? 0 : fail("init_failed", error);
	}
	sandbox.writable[0] = config_require(&config, "paths", "signer_dir");
	/* Open the secret, drop every right, then read from anyone. */
	if (serve_sockets(&sockets) != 0 || sandbox_keep_only(sockets.fd, sockets.n) != 0)
		return 1;
	if ((error = signer_open(&signer, &config)) != 0 || (error = sandbox_enter(&sandbox)) != 0) {
		signer_close(&signer);
		return fail("signer_not_open", error);
	}
	serve.ctx = &signer;
	error = serve_run(&serve, &sockets);
	signer_close(&signer);
	config_free(&config);
	return error == 0 ? 0 : fail("stopped", error);
}
