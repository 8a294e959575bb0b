/*
 * icert-issuer --config FILE: finishes and resumes cases in `issuing`: key pair, certificate, PKCS#12, issued.
 * It reaches keeper, keymaker and signer, and nothing on a network.  Making a key takes a core for a tenth of a second and
 * more, so several cases go side by side, one a hand.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "crypt/keyclient.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/id_list.h"
#include "libicert/log.h"
#include "libicert/ready.h"
#include "pki/keyfile.h"
#include "procedure/certificate/issuance.h"

#define WAIT_MS 1000
#define BATCH 100
#define FAILED_PAUSE 5		/* rounds that are left out at most: one after the first that failed, two after the next */
#define CERTIFICATE_MAX 65536
#define HANDS_MAX 4		/* no more than the keymaker has children */

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
read_issuers(const struct config *config, struct issuance *common)
{
	struct issuer_list list;
	char name[ISSUER_NAME];
	size_t i;
	int error = issuer_list_read(&list, config);

	for (i = 0; i < list.n && error == 0; i++)
		if ((error = issuer_name(name, sizeof(name), ISSUER_CERTIFICATE, list.at[i].number, 0)) == 0)
			error = read_certificate(config, name, &common->issuer[list.at[i].number - ISSUER_FIRST]);
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

/* What the hands of one round share. */
struct round {
	pthread_mutex_t lock;
	char ids[BATCH][ID_TEXT];
	size_t n, next;
	int failed;		/* the last error; 0 none */
	int common;		/* nobody goes on */
};

/* One hand: connections of its own. */
struct hand {
	pthread_t thread;
	struct keyclient keeper, keymaker, signer;
	struct act act;
	struct issuance issuance;
	struct round *round;
};

static const char *
next_id(struct round *r)
{
	const char *id = NULL;

	pthread_mutex_lock(&r->lock);
	if (!r->common && !stopping && r->next < r->n)
		id = r->ids[r->next++];
	pthread_mutex_unlock(&r->lock);
	return id;
}

/* A case with a trouble of its own, a row that does not open or a key that is gone, holds up no other. */
static void *
hand_run(void *arg)
{
	struct hand *h = arg;
	struct round *r = h->round;
	const char *id;
	int error;

	while ((id = next_id(r)) != NULL) {
		if ((error = issuance_run(&h->issuance, id)) == 0)
			continue;
		log_error("issue_failed", "certificate %s: %s", id, icert_err_code(error));
		pthread_mutex_lock(&r->lock);
		r->failed = error;
		r->common |= is_common(error);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static int
round_of(struct hand *hands, size_t n_hands, struct round *r)
{
	size_t i, started;
	int error;

	r->n = BATCH;
	r->next = 0;
	r->failed = r->common = 0;
	if ((error = issuance_waiting(&hands[0].act, r->ids, &r->n)) != 0)
		return error;
	/* The first hand is this thread: one case needs no other. */
	for (started = 1; started < n_hands && started < r->n; started++)
		if (pthread_create(&hands[started].thread, NULL, hand_run, &hands[started]) != 0)
			break;
	hand_run(&hands[0]);
	for (i = 1; i < started; i++)
		pthread_join(hands[i].thread, NULL);
	return r->failed;
}

/* Database, keeper, keymaker and signer answer; a case with a trouble of its own does not count. */
static int
can_work(struct issuance *issuance)
{
	return db_ping(issuance->act->db) == 0 && keyclient_ping(issuance->act->keeper) == 0 &&
	    keyclient_ping(issuance->keymaker) == 0 && keyclient_ping(issuance->signer) == 0;
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
work(struct hand *hands, size_t n_hands, struct round *r, struct db *listener)
{
	int listening = 0, pause = 0, failed = 0, ready = 0;

	while (!stopping) {
		if (pause > 0)
			pause--;
		else if (round_of(hands, n_hands, r) != 0)
			pause = failed = failed < FAILED_PAUSE ? failed + 1 : FAILED_PAUSE;
		else if (failed)
			failed = 0, log_info("issuer_recovered", "the round was complete");
		if (!ready && can_work(&hands[0].issuance))
			ready = ready_tell() == 0;
		wait_for(listener, &listening);
	}
}

static int
hand_open(struct hand *h, const struct config *config, const char *conninfo, const struct issuance *common, struct round *r)
{
	keyclient_init(&h->keeper, config_require(config, "sockets", "keeper-issuer"));
	keyclient_init(&h->keymaker, config_require(config, "sockets", "keymaker-issuer"));
	keyclient_init(&h->signer, config_require(config, "sockets", "signer-issuer"));
	h->act = (struct act){ .roles = BY_ISSUER, .program = "icert-issuer", .keeper = &h->keeper, .config = config,
	    .db = db_open(conninfo) };
	h->issuance = *common;
	h->issuance.act = &h->act;
	h->issuance.keymaker = &h->keymaker;
	h->issuance.signer = &h->signer;
	h->round = r;
	return h->act.db != NULL ? 0 : ICERT_E_MEMORY;
}

static void
hand_close(struct hand *h)
{
	keyclient_close(&h->keeper);
	keyclient_close(&h->keymaker);
	keyclient_close(&h->signer);
	db_close(h->act.db);
}

/* Two a core: while one makes a key, another waits for a disk. */
static size_t
hands_wanted(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t wanted = config_int(config, "limits", "issuing_at_once", 0, 0, HANDS_MAX);

	if (wanted == 0)
		wanted = cores < 1 || 2 * cores > HANDS_MAX ? HANDS_MAX : 2 * cores;
	return (size_t)wanted;
}

int
main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = stop };
	static struct round r = { .lock = PTHREAD_MUTEX_INITIALIZER };
	static struct hand hands[HANDS_MAX];
	static pthread_mutex_t spent_lock = PTHREAD_MUTEX_INITIALIZER;
	struct id_list spent = { .fd = -1 };
	struct issuance common = { .root = BUF_INIT, .spent = &spent, .spent_lock = &spent_lock };
	static struct config config;	/* for as long as the program runs */
	struct db *listener = NULL;
	char conninfo[512];
	size_t i, n;

	config_start(&config, "icert-issuer", argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	n = hands_wanted(&config);
	if (config_conninfo(&config, "issuer", conninfo, sizeof(conninfo)) != 0 || (listener = db_open(conninfo)) == NULL ||
	    read_issuers(&config, &common) != 0 ||
	    read_certificate(&config, "raiz.cer", &common.root) != 0 || open_spent(&config, &spent) != 0)
		return 1;
	for (i = 0; i < n; i++)
		if (hand_open(&hands[i], &config, conninfo, &common, &r) != 0)
			return 1;
	work(hands, n, &r, listener);
	for (i = 0; i < n; i++)
		hand_close(&hands[i]);
	for (i = 0; i < ISSUERS_MAX; i++)
		buf_free(&common.issuer[i]);
	buf_free(&common.root);
	id_list_close(&spent);
	db_close(listener);
	config_free(&config);
	return 0;
}
