/*
 * icert-clerk: mail, payments, deadlines, contracts, the tree of audit.  One process a job,
 * so that a slow mail server delays no payment and nothing delays the tree; none
 * of them accepts a connection.
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/log.h"
#include "crypt/keyclient.h"
#include "documents/store.h"
#include "documents/sweep.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/ready.h"
#include "libicert/sanitized.h"
#include "mail/sender.h"
#include "payments/inbox.h"
#include "procedure/clock/bounce.h"
#include "procedure/certificate/certificate.h"
#include "procedure/contract/contract.h"
#include "procedure/contract/contract_judge.h"
#include "procedure/clock/deadline.h"
#include "procedure/application/document.h"
#include "procedure/head_tell.h"
#include "procedure/journal_cut.h"
#include "procedure/clock/outage.h"
#include "procedure/certificate/renewal.h"
#include "procedure/order/invoicing.h"
#include "procedure/order/reconciliation.h"
#include "procedure/order/refund.h"
#include "procedure/order/settlement.h"
#include "procedure/order/transfer.h"
#include "procedure/people/substitute.h"
#include "procedure/policy.h"
#include "procedure/trouble.h"
#include "store/db.h"

#define PERIOD_MS 1000           /* a round at least once a second, woken or not */
#define PAUSE_MS 1000            /* after an error, and before a job is started again */
#define AT_ONCE 50               /* rows in one round */
#define HOUSEKEEPING_MS 600000
#define SWEEP_MS 86400000
#define SWEEP_AGE_S 3600         /* of a file whose row a request may still add */
#define BOUNCES_MS 60000
#define JOB_WORKS SIGRTMIN        /* a job's first round was complete */
#define ASK_S 15                 /* an order without news is asked about so long after its payer left for the gateway (business clock) ... */
#define ASK_MOST_S 3600          /* ... then after as long again each time, in the first 20 minutes every two at least, and so often in the end */

#define EVENT_MONTHS 24          /* notifications can be read for so many months, unless policy says otherwise */

struct hand {
	struct config config;
	struct db *db;
	struct keyclient keeper, checker;
	struct sender *sender;
	struct audit_log *log;
	struct head_teller teller;
	struct settlement settlement;
	struct document_store documents;
	int mail_seen;           /* bounces and the server's state were looked at since the start ... */
	size_t mail_failed;      /* ... when so many mails had failed for good ... */
	int mail_down;           /* ... and the server was not reached */
	int64_t bounces_at_ms;   /* when bounces were looked at last */
	int64_t kept_at_ms;      /* when this job last did its housekeeping; 0 never */
	int64_t swept_at_ms;     /* when files without a row were last looked for; 0 never */
};

static volatile sig_atomic_t leaving;

static void
on_signal(int sig)
{
	(void)sig;
	leaving = 1;
}

static struct act
by_clerk(struct hand *hand)
{
	return (struct act){ .db = hand->db, .keeper = &hand->keeper, .config = &hand->config, .roles = BY_CLERK,
		.program = "icert-clerk" };
}

/* What a mail carries: mail/ may not call documents/. */
static int
read_document(void *arg, struct db *db, const char *id, struct buf *out)
{
	struct hand *hand = arg;
	struct act act = by_clerk(hand);

	act.db = db;
	return document_load(&act, &hand->documents, id, out);
}

/* A token's certificate with its chain: mail/ knows neither. */
static int
read_certificate(void *arg, struct db *db, const char *id, struct buf *cer, struct buf *chain)
{
	struct hand *hand = arg;
	struct act act = by_clerk(hand);

	act.db = db;
	return certificate_files(&act, id, cer, chain);
}

static int
read_invoice(void *arg, struct db *db, const char *id, struct buf *pdf, struct buf *xml)
{
	struct hand *hand = arg;
	struct act act = by_clerk(hand);

	act.db = db;
	return invoicing_files(&act, &hand->documents, id, pdf, xml);
}

static int
read_payer(void *arg, struct db *db, const char *order, char *out, size_t size)
{
	struct act act = by_clerk(arg);

	act.db = db;
	return invoicing_address(&act, order, out, size);
}

static int
files_open(struct hand *hand)
{
	return document_store_open(&hand->documents, config_require(&hand->config, "paths", "documents"), NULL);
}

static int
mail_start(struct hand *hand)
{
	struct sender_parts parts = { .config = &hand->config, .keeper = &hand->keeper, .document = read_document,
		.certificate = read_certificate, .invoice = read_invoice, .payer = read_payer,
		.document_arg = hand };

	if (files_open(hand) != 0)
		return -1;
	return sender_open(&parts, &hand->sender);
}

/* What came back stops clocks; a server that is not reached is an outage.  Looked at when it has changed. */
static int
mail_watch(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t failed = sender_failed(hand->sender);
	int64_t since = sender_down_since(hand->sender);
	int error = 0;

	/* Now and then without a cause: one that failed is tried again. */
	if (!hand->mail_seen || failed != hand->mail_failed || clock_mono_ms() - hand->bounces_at_ms > BOUNCES_MS) {
		error = bounce_watch(&act);
		hand->bounces_at_ms = clock_mono_ms();
	}
	if (!hand->mail_seen || since != 0 || hand->mail_down) {
		int watched = outage_watch(&act, OUTAGE_MAIL, since);

		error = error != 0 ? error : watched;
	}
	if (error == 0) {
		hand->mail_seen = 1;
		hand->mail_failed = failed;
		hand->mail_down = since != 0;
	}
	return error;
}

static int
mail_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;
	int error = sender_run(hand->sender, hand->db, AT_ONCE, NULL), invoiced = invoicing_run(&act, AT_ONCE, &done), watched = mail_watch(hand);

	return error != 0 ? error : invoiced != 0 ? invoiced : watched;
}

static int
due(struct hand *hand)
{
	int64_t now = clock_mono_ms();

	if (hand->kept_at_ms != 0 && now - hand->kept_at_ms < HOUSEKEEPING_MS)
		return 0;
	hand->kept_at_ms = now;
	return 1;
}

static int
payment_start(struct hand *hand)
{
	settlement_open(&hand->config, &hand->settlement);
	return 0;
}

static int
payment_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;
	int boxed = 0, applied, transferred, replayed, given, asked, answered;

	if (due(hand) && ((boxed = inbox_box(hand->db, &hand->keeper, clock_real())) != 0 ||
	    (boxed = inbox_retain(hand->db, clock_real(), policy_int(&act, "payment_event.months", EVENT_MONTHS))) != 0))
		hand->kept_at_ms = 0;		/* also when there is more of it: the next round goes on */
	/* As long as there are more: many come at a time. */
	do
		applied = settlement_apply(&act, &hand->settlement, AT_ONCE, &done);
	while (applied == 0 && done == AT_ONCE && !leaving);
	transferred = transfer_run(&act, AT_ONCE, &done);
	replayed = settlement_replay(&act, &hand->settlement, AT_ONCE);
	given = refund_give(&act, &hand->settlement, AT_ONCE, &done);
	asked = settlement_ask(&act, &hand->settlement, ASK_S, ASK_MOST_S, &done);
	answered = reconciliation_answer(&act, &hand->settlement);
	return boxed < 0 ? boxed : applied != 0 ? applied : transferred != 0 ? transferred :
	    replayed != 0 ? replayed : given != 0 ? given : asked != 0 ? asked : answered;
}

/* A job of its own: a gateway's long list delays no payment. */
static int
reconciliation_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;

	return reconciliation_run(&act, &hand->settlement, &done);
}

static int
contract_start(struct hand *hand)
{
	keyclient_init(&hand->checker, config_require(&hand->config, "sockets", "checker-clerk"));
	return files_open(hand);
}

static int
contract_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;

	return contract_run(&act, &hand->documents, &hand->checker, AT_ONCE, &done);
}

/* What came back of contracts: a person waits for the word.  Each part goes on when another cannot. */
static int
returned_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;
	int judged, renewed, filed, named, delivered = 0;

	judged = contract_judge_run(&act, &hand->documents, &hand->checker, AT_ONCE, &done);
	renewed = renewal_run(&act, &hand->documents, &hand->checker, AT_ONCE);
	filed = contract_filing_run(&act, &hand->documents, AT_ONCE, &done);
	named = substitute_run(&act, &done);
	if (due(hand) && (delivered = contract_delivered_run(&act, AT_ONCE)) != 0)
		hand->kept_at_ms = 0;
	return judged != 0 ? judged : renewed != 0 ? renewed : filed != 0 ? filed : named != 0 ? named : delivered;
}

static int
audit_start(struct hand *hand)
{
	return audit_log_open(hand->db, &hand->config, &hand->log);
}

static int
audit_round(struct hand *hand)
{
	size_t rows;

	return audit_log_extend(hand->log, hand->db, &rows);
}

/* A job of its own: nobody outside delays the tree.  What is missing from the signer's journal is told here too. */
static int
heads_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	int cut = journal_cut_tell(&act), heads = head_tell(&act, &hand->teller);

	return cut != 0 ? cut : heads;
}

/* Files whose program died before it could add their row. */
static int
sweep(struct hand *hand)
{
	int64_t now = clock_mono_ms();
	size_t dropped;
	int error;

	if (hand->swept_at_ms != 0 && now - hand->swept_at_ms < SWEEP_MS)
		return 0;
	error = document_sweep(&hand->documents, clock_real() - SWEEP_AGE_S, document_known, hand->db, &dropped);
	if (dropped > 0)
		log_warn("documents_swept", "%zu files without a row", dropped);
	if (error == ICERT_E_STATE)
		error = 0;
	if (error == 0)
		hand->swept_at_ms = now;
	return error;
}

/* Links and parked forms whose time is over; they live in real time. */
static int
cleanup_round(struct hand *hand)
{
	static const struct db_stmt links = { "clerk_links", "delete from icert.link where expires_at < $1" };
	static const struct db_stmt forms = { "clerk_forms", "delete from icert.parked_form where expires_at < $1" };
	struct act act = by_clerk(hand);
	int done[4], error = 0;

	if (!due(hand))
		return 0;
	done[0] = DB_QUERY(hand->db, &links, NULL, P_INT(clock_real()));
	done[1] = DB_QUERY(hand->db, &forms, NULL, P_INT(clock_real()));
	done[2] = trouble_sweep(&act);
	done[3] = sweep(hand);
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]) && error == 0; i++)
		error = done[i];
	return error;
}

static int
deadline_round(struct hand *hand)
{
	struct act act = by_clerk(hand);
	size_t done;
	int error;

	/* As long as there are more: after an outage thousands are due. */
	do
		error = deadline_run(&act, AT_ONCE, &done);
	while (error == 0 && done >= AT_ONCE && !leaving);
	return error;
}

/*
 * A deadline's transaction need not wait for the disk: one that a crash took back comes again as it was.  Whoever acts on it outside the
 * database (mail, publisher, audit heads) commits first, and that commit waits for all before it.
 */
#define DEADLINE_OPTIONS " options='-c synchronous_commit=off'"

static const struct job {
	const char *name;
	const char *channel;             /* NOTIFY that wakes it; NULL none */
	int (*start)(struct hand *);
	int (*round)(struct hand *);
	const char *options;             /* of its connection; NULL none */
} jobs[] = {
	{ "mail", "icert_outbox", mail_start, mail_round, NULL },
	{ "payments", "icert_payment", payment_start, payment_round, NULL },
	{ "reconciliation", NULL, payment_start, reconciliation_round, NULL },
	{ "deadlines", NULL, NULL, deadline_round, DEADLINE_OPTIONS },
	{ "contracts", NULL, contract_start, contract_round, NULL },
	{ "returned", "icert_contract", contract_start, returned_round, NULL },
	{ "audit", NULL, audit_start, audit_round, NULL },
	{ "heads", NULL, NULL, heads_round, NULL },
	{ "cleanup", NULL, files_open, cleanup_round, NULL },
};

#define JOBS (sizeof(jobs) / sizeof(jobs[0]))

/* What each job has in hand, shared with the next process of it. */
static struct trouble_hand *hands;

static void
rest(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* Until somebody notifies or a second has passed; listens anew when that broke. */
static void
wait_for_work(struct db *listener, const char *channel, int *listening)
{
	char name[64];

	if (channel == NULL) {
		rest(PERIOD_MS);
		return;
	}
	if (!*listening)
		*listening = db_listen(listener, channel) == 0;
	if (!*listening || db_wait(listener, PERIOD_MS, name, sizeof(name)) < 0) {
		*listening = 0;
		rest(PAUSE_MS);
	}
}

static int
run(const struct job *job, struct hand *hand, const char *conninfo)
{
	const int number = (int)(job - jobs);
	struct db *listener = db_open(conninfo);
	int listening = 0, failed = 0, told = 0, error;
	char own[1024];

	snprintf(own, sizeof(own), "%s%s", conninfo, job->options != NULL ? job->options : "");
	hand->db = db_open(own);
	keyclient_init(&hand->keeper, config_require(&hand->config, "sockets", "keeper-clerk"));
	if (listener == NULL || hand->db == NULL || (job->start != NULL && job->start(hand) != 0))
		return 1;
	/* A row that killed the process before this one rests like any other that failed; the first round waits for that. */
	trouble_share(&hands[number]);
	while (!leaving && trouble_died(&(struct act){ .db = hand->db }) != 0)
		rest(PAUSE_MS);
	/* Listening begins before the first look, or a row in between would wait. */
	if (job->channel != NULL)
		listening = db_listen(listener, job->channel) == 0;
	while (!leaving) {
		error = job->round(hand);
		/* Said once, not every second. */
		if (error < 0 && !failed)
			log_error("round_failed", "%s: %s %s", job->name, icert_err_code(error), db_detail(hand->db));
		failed = error < 0;
		if (!told && !failed)
			told = sigqueue(getppid(), JOB_WORKS, (union sigval){ .sival_int = number }) == 0;
		if (!leaving)
			wait_for_work(listener, job->channel, &listening);
	}
	db_close(listener);
	return 0;
}

static pid_t
start(const struct job *job, struct hand *hand, const char *conninfo, const sigset_t *watched)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	sigprocmask(SIG_UNBLOCK, watched, NULL);
	leave(run(job, hand, conninfo));
}

/* Starts again whatever has died; one rest for all that died together. */
static void
reap(pid_t pids[JOBS], struct hand *hand, const char *conninfo, const sigset_t *watched)
{
	int died[JOBS] = { 0 }, any = 0;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < JOBS; i++)
			if (pids[i] == pid) {
				log_error("job_died", "%s", jobs[i].name);
				any = died[i] = 1;
			}
	if (!any)
		return;
	rest(PAUSE_MS);
	for (i = 0; i < JOBS; i++)
		if (died[i])
			pids[i] = start(&jobs[i], hand, conninfo, watched);
}

int
main(int argc, char *argv[])
{
	struct sigaction action = { .sa_handler = on_signal };
	static struct hand hand;
	char conninfo[512];
	pid_t pids[JOBS];
	sigset_t watched;
	siginfo_t info;
	unsigned works = 0;
	size_t i;
	int sig;

	config_start(&hand.config, "icert-clerk", argc, argv);
	if (config_conninfo(&hand.config, "clerk", conninfo, sizeof(conninfo)) != 0)
		return 1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	/* Waited for, not handled: none can come between looking and sleeping. */
	sigemptyset(&watched);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, JOB_WORKS);
	sigprocmask(SIG_BLOCK, &watched, NULL);
	hands = mmap(NULL, JOBS * sizeof(*hands), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (hands == MAP_FAILED)
		return 1;
	for (i = 0; i < JOBS; i++)
		pids[i] = start(&jobs[i], &hand, conninfo, &watched);
	while ((sig = sigwaitinfo(&watched, &info)) == SIGCHLD || sig == -1 || sig == JOB_WORKS) {
		reap(pids, &hand, conninfo, &watched);
		if (sig != JOB_WORKS || (unsigned)info.si_value.sival_int >= JOBS)
			continue;
		works |= 1U << info.si_value.sival_int;
		if (works == (1U << JOBS) - 1)
			ready_tell();
	}
	for (i = 0; i < JOBS; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGTERM);
	while (wait(NULL) != -1)
		;
	return 0;
}
