/*
 * icert-issuer --config FILE: finishes and resumes cases in `issuing`: key pair, certificate, PKCS#12, issued.
 * It reaches keeper, keymaker and signer, and nothing on a network.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "crypt/keyclient.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id_list.h"
#include "libicert/log.h"
#include "pki/keyfile.h"
#include "procedure/issuance.h"

#define WAIT_MS 1000
#define BATCH 100
#define FAILED_PAUSE 5		/* rounds that are left out after one that failed */
#define CERTIFICATE_MAX 65536

static volatile sig_atomic_t stopping;

static void
stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static int
read_certificate(const struct config *config, const char *name, struct buf *out)
{
	char path[512];
	int error;

	snprintf(path, sizeof(path), "%s/%s", config_require(config, "paths", "ca"), name);
	if ((error = keyfile_read(path, CERTIFICATE_MAX, out)) != 0)
		log_error("issuer_start", "%s: %s", path, icert_err_code(error));
	return error;
}

static int
open_spent(const struct config *config, struct id_list *spent)
{
	char path[512];
	int error;

	snprintf(path, sizeof(path), "%s/spent", config_require(config, "paths", "issuer_dir"));
	if ((error = id_list_open_path(spent, path)) != 0)
		log_error("issuer_start", "%s: %s", path, icert_err_code(error));
	return error;
}

/* What one case lacks, the others lack too. */
static int
is_common(int error)
{
	return error == ICERT_E_UNAVAILABLE || error == ICERT_E_TIMEOUT || error == ICERT_E_CEILING || error == ICERT_E_SYSTEM ||
	    error == ICERT_E_MEMORY || error == ICERT_E_BUSY || error == ICERT_E_FULL;
}

/* One after the other.  A case with a trouble of its own, a row that does not open or a key that is gone, holds up no other. */
static int
round_of(struct issuance *issuance)
{
	static char ids[BATCH][ID_TEXT];
	size_t i, n = BATCH;
	int error, failed;

	if ((failed = issuance_waiting(issuance->act, ids, &n)) != 0)
		return failed;
	for (i = 0, error = 0; i < n && !is_common(error) && !stopping; i++)
		if ((error = issuance_run(issuance, ids[i])) != 0) {
			log_error("issue_failed", "certificate %s: %s", ids[i], icert_err_code(error));
			failed = error;
		}
	return failed;
}

static void
wait_for(struct db *listener, int *listening)
{
	struct timespec pause = { WAIT_MS / 1000, 0 };
	char channel[64];

	if (!*listening)
		*listening = db_listen(listener, "icert_issuing") == 0;
	if (*listening && db_wait(listener, WAIT_MS, channel, sizeof(channel)) >= 0)
		return;
	*listening = 0;
	nanosleep(&pause, NULL);
}

static void
work(struct issuance *issuance, struct db *listener)
{
	int listening = 0, pause = 0, failed = 0;

	while (!stopping) {
		if (pause > 0)
			pause--;
		else if (round_of(issuance) != 0)
			pause = FAILED_PAUSE, failed = 1;
		else if (failed)
			failed = 0, log_info("issuer_recovered", "the round was complete");
		wait_for(listener, &listening);
	}
}

int
main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = stop };
	struct keyclient keeper, keymaker, signer;
	struct act act = { .roles = BY_ISSUER, .program = "icert-issuer", .keeper = &keeper };
	struct issuance issuance = { .act = &act, .keymaker = &keymaker, .signer = &signer, .issuer = BUF_INIT,
	    .root = BUF_INIT };
	struct id_list spent = { .fd = -1 };
	static struct config config;	/* for as long as the program runs */
	struct db *listener = NULL;
	char conninfo[512];

	config_start(&config, "icert-issuer", argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	act.config = &config;
	issuance.spent = &spent;
	keyclient_init(&keeper, config_require(&config, "sockets", "keeper-issuer"));
	keyclient_init(&keymaker, config_require(&config, "sockets", "keymaker-issuer"));
	keyclient_init(&signer, config_require(&config, "sockets", "signer-issuer"));
	if (config_conninfo(&config, "issuer", conninfo, sizeof(conninfo)) != 0 || (act.db = db_open(conninfo)) == NULL ||
	    (listener = db_open(conninfo)) == NULL || read_certificate(&config, "emisora.cer", &issuance.issuer) != 0 ||
	    read_certificate(&config, "raiz.cer", &issuance.root) != 0 || open_spent(&config, &spent) != 0)
		return 1;
	work(&issuance, listener);
	keyclient_close(&keeper);
	keyclient_close(&keymaker);
	keyclient_close(&signer);
	buf_free(&issuance.issuer);
	buf_free(&issuance.root);
	id_list_close(&spent);
	db_close(listener);
	db_close(act.db);
	config_free(&config);
	return 0;
}
