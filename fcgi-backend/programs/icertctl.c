/* The administrator's command line: reads arguments, and calls operate/. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "operate/audit_check.h"
#include "operate/backup.h"
#include "operate/ceremony.h"
#include "operate/control.h"
#include "operate/evidence_check.h"
#include "operate/issue_test.h"
#include "operate/lost.h"
#include "operate/passport.h"
#include "operate/payments.h"
#include "operate/migrate.h"
#include "operate/restore.h"
#include "operate/staff_account.h"
#include "operate/status_files.h"
#include "operate/status_publish.h"
#include "operate/test_clock.h"
#include "operate/totp.h"
#include "operate/troubles.h"
#include "operate/up.h"
#include "operate/users.h"

#define DEFAULT_PREFIX "var"
#define WORDS_MAX 12

struct arguments {
	struct up_options up;
	const char *config;	/* of an installation that systemd supervises */
	const char *heads, *key;	/* audit verify; NULL: the instance's own */
	struct status_files status;
	int watch;		/* seconds; status accept */
	int base;		/* status publish */
	int renew;		/* totp, issue-test */
	const char *recipients;	/* of a backup; NULL: those of the configuration */
	struct restore_options restore;
	struct payments_choice payments;
	const char *root, *keys;	/* evidence verify: what the reader trusts */
	const char *word[WORDS_MAX];	/* what is no option */
	int nwords;
};

static int
with_instance(const struct arguments *a, struct instance *i, int loaded)
{
	if (instance_find(i, a->up.prefix) != 0 || tools_find(&i->tools) != 0)
		return -1;
	if (!loaded)
		return 0;
	return instance_exists(i) ? instance_load(i) :
	    complain("%s is no instance of icert", i->prefix);
}

/* A private instance by its prefix, or an installation by its configuration. */
static int
with_config(const struct arguments *a, struct instance *i)
{
	if (a->config == NULL)
		return with_instance(a, i, 1);
	return instance_find_build(i) != 0 || tools_find(&i->tools) != 0 ||
	    path_join(i->config_path, "%s", a->config) != 0 ||
	    path_join(i->bin, "%s/bin", i->build) != 0 ? -1 : instance_load(i);
}

static int
run_up(const struct arguments *a)
{
	return up_run(&a->up);
}

static int
run_down(const struct arguments *a)
{
	static struct instance i;

	return with_instance(a, &i, 0) != 0 || control_down(&i) != 0;
}

/* What is done with the files of a published set, which need no instance. */
static int
run_status_files(const struct arguments *a)
{
	struct status_files f = a->status;

	f.folder = a->nwords > 1 ? a->word[1] : NULL;
	f.key = a->key;
	if (f.folder == NULL || f.key == NULL) {
		complain("status %s FOLDER … --key FILE", a->word[0]);
		return 2;
	}
	if (strcmp(a->word[0], "verify") == 0 && a->nwords == 2)
		return status_files_verify(&f, stdout);
	if (strcmp(a->word[0], "inspect") == 0)
		return status_files_inspect(&f, a->nwords > 2 ? a->word[2] : NULL, stdout);
	if (strcmp(a->word[0], "accept") == 0 && a->nwords == 3)
		return status_files_accept(&f, a->word[2], a->watch, stdout);
	complain("status publish | verify | inspect | accept");
	return 2;
}

static int
run_status_publish(const struct arguments *a)
{
	static struct instance i;

	return with_config(a, &i) != 0 ? 2 : status_publish(&i, a->base, stdout);
}

static int
run_status(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords == 1 && strcmp(a->word[0], "publish") == 0)
		return run_status_publish(a);
	if (a->nwords > 0)
		return run_status_files(a);
	return with_instance(a, &i, 0) != 0 ? 2 : control_status(&i);
}

static int
run_payments(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords == 0 || with_config(a, &i) != 0)
		return 2;
	if (strcmp(a->word[0], "list") == 0 && a->nwords == 1)
		return payments_list(&i, &a->payments);
	if (strcmp(a->word[0], "show") == 0 && a->nwords == 2)
		return payments_show(&i, &a->payments, a->word[1]);
	if (strcmp(a->word[0], "replay") == 0 && a->nwords == 1)
		return payments_replay(&i, &a->payments);
	complain("payments list | show WHAT | replay");
	return 2;
}

static int
run_reset(const struct arguments *a)
{
	static struct instance i;

	return with_instance(a, &i, 0) != 0 || control_reset(&i) != 0;
}

static int
run_migrate(const struct arguments *a)
{
	static struct instance i;
	int applied;

	if (with_config(a, &i) != 0 || migrate_run(&i, &applied) != 0)
		return 1;
	printf("%d applied\n", applied);
	return 0;
}

static void
told(void *arg, const char *step)
{
	(void)arg;
	printf("%s\n", step);
}

/* "arl [NUMBER REASON]", "rollover NAME", "end NUMBER": what comes after the first one. */
static int
run_later_ceremony(const struct arguments *a, struct instance *i)
{
	char why[512] = "";
	int error = ICERT_E_INVALID;

	if (strcmp(a->word[0], "arl") == 0 && (a->nwords == 1 || a->nwords == 3))
		error = ceremony_list(&i->config, a->nwords == 3 ? (unsigned)atoi(a->word[1]) : 0,
		    a->nwords == 3 ? atoi(a->word[2]) : 0, why, sizeof(why));
	else if (strcmp(a->word[0], "rollover") == 0 && a->nwords == 2)
		error = ceremony_rollover(&i->config, a->word[1], i->config_path, i->bin, told, NULL, why, sizeof(why));
	else if (strcmp(a->word[0], "end") == 0 && a->nwords == 2)
		error = ceremony_end(&i->config, (unsigned)atoi(a->word[1]), why, sizeof(why));
	else
		return complain("ceremony arl [NUMBER REASON], ceremony rollover NAME, ceremony end NUMBER") != 0;
	return error == 0 ? 0 : complain("%s", why) != 0;
}

static int
run_ceremony(const struct arguments *a)
{
	static struct instance i;
	char why[512] = "";

	if (with_config(a, &i) != 0)
		return 1;
	if (a->nwords > 0)
		return run_later_ceremony(a, &i);
	if (ceremony_run(&i.config, i.config_path, i.bin, a->up.keep_tokens, told, NULL, why, sizeof(why)) != 0)
		return complain("%s", why) != 0;
	printf("the ceremony is complete\n");
	return 0;
}

static int
run_totp(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords != 1)
		return complain("totp NAME") != 0;
	return with_instance(a, &i, 1) != 0 || totp_print(&i, a->word[0], a->renew) != 0;
}

#ifndef ICERT_PRODUCTION
static int
run_clock(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords > 1)
		return complain("clock [+24h | 0]") != 0;
	return with_instance(a, &i, 1) != 0 || test_clock_move(&i, a->nwords == 1 ? a->word[0] : NULL) != 0;
}

static int
run_issue_test(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords < 3)
		return complain("issue-test CEDULA NAMES SURNAME [SECOND-SURNAME]") != 0;
	return with_instance(a, &i, 1) != 0 || issue_test(&i, a->renew, a->word[0], a->word[1], a->word[2],
	    a->nwords > 3 ? a->word[3] : "") != 0;
}
#endif

static int
run_users(const struct arguments *a)
{
	char *text;

	if (a->nwords > 0)
		return strcmp(a->word[0], "ensure") != 0 || users_ensure() != 0;
	if ((text = users_sysusers()) == NULL)
		return 1;
	fputs(text, stdout);
	free(text);
	return 0;
}

static int
run_audit(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords != 1 || strcmp(a->word[0], "verify") != 0)
		return 2;
	return with_instance(a, &i, 1) != 0 ? 2 : audit_check(&i, a->heads, a->key, stdout);
}

static int
run_backup(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords != 1)
		return complain("backup FILE") != 0;
	return with_config(a, &i) != 0 || backup_run(&i, a->word[0], a->recipients) != 0;
}

static int
run_restore(const struct arguments *a)
{
	static struct instance i;
	struct restore_options options = a->restore;

	if (a->nwords != 1 || options.identity == NULL)
		return complain("restore FILE --identity KEY") != 0;
	options.file = a->word[0];
	options.spool_on_disk = a->up.spool_on_disk;
	options.installed = a->config != NULL;
	/* On a new machine there is no instance yet. */
	if (options.installed ? with_config(a, &i) != 0 : with_instance(a, &i, 0) != 0 ||
	    (instance_exists(&i) && instance_load(&i) != 0))
		return 1;
	return restore_run(&i, &options);
}

static int
run_passport(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords != 2)
		return complain("passport NAME NUMBER") != 0;
	return with_config(a, &i) != 0 || passport_note(&i, a->word[0], a->word[1]) != 0;
}

static int
run_staff(const struct arguments *a)
{
	static struct instance i;

	if (a->nwords > 0 && strcmp(a->word[0], "add") == 0)
		return with_config(a, &i) != 0 || staff_add(&i, a->word + 1, a->nwords - 1) != 0;
	if (a->nwords == 2 && strcmp(a->word[0], "disable") == 0)
		return with_config(a, &i) != 0 || staff_disable(&i, a->word[1]) != 0;
	return complain("staff add LOGIN NAME EMAIL CEDULA ROLE[:PROVINCE]…, or staff disable LOGIN") != 0;
}

static int
run_troubles(const struct arguments *a)
{
	static struct instance i;

	return with_config(a, &i) != 0 ? 2 : troubles_print(&i);
}

static int
run_lost(const struct arguments *a)
{
	static struct instance i;

	if (with_config(a, &i) != 0)
		return 1;
	if (a->nwords == 0)
		return lost_list(&i) != 0;
	if (a->nwords != 6 || strcmp(a->word[0], "revoke") != 0)
		return complain("lost revoke SERIAL NAME CODE NAME CODE") != 0;
	return lost_revoke(&i, a->word[1], &a->word[2]) != 0;
}

static int
run_evidence(const struct arguments *a)
{
	const struct evidence_pins pins = { .root = a->root, .key = a->key, .keys = a->keys };

	return a->nwords != 2 || strcmp(a->word[0], "verify") != 0 ? 2 : evidence_check(a->word[1], &pins, stdout);
}

static int
run_receipt(const struct arguments *a)
{
	const struct evidence_pins pins = { .key = a->key };

	return a->nwords != 2 || strcmp(a->word[0], "verify") != 0 ? 2 : receipt_check(a->word[1], &pins, stdout);
}

static const struct command {
	const char *name;
	int words;		/* how many it takes, at most */
	int (*run)(const struct arguments *);
	const char *help;
} commands[] = {
	{ "up", 0, run_up, "up [--prefix DIR] [--port-base N] [--detach | --prepare] [--spool-on-disk] [--keep-tokens]\n"
	    "\tstart an instance and supervise it (ports N to N+6; 8443 for a new one); with --prepare only make its\n"
	    "\tkeys, database and sample staff, and end; --keep-tokens: a first ceremony keeps the keys that are there" },
	{ "down", 0, run_down, "down [--prefix DIR]\n\tstop it; its data stays" },
	{ "status", 3, run_status, "status [--prefix DIR]\n"
	    "\tshow each process; 0 all up, 1 not all, 3 down\n"
	    "status publish [--base] [--prefix DIR | --config FILE]\n"
	    "\tpublish what is open and a new list now, or (--base) sign every answer again; 0 done and seen at the edge\n"
	    "status verify FOLDER --key FILE [--samples N | --samples all]\n"
	    "\tcheck a published set: seal, digests, records, signatures of N answers (1000); 0 sound\n"
	    "status inspect FOLDER [SERIAL] --key FILE\n"
	    "\tprint what a published set holds, or what it says of a serial\n"
	    "status accept FROM TO --key FILE [--high-water NAME] [--watch SECONDS]\n"
	    "\tverify a copied set and put it in place for the edge of this machine" },
	{ "troubles", 0, run_troubles, "troubles [--prefix DIR | --config FILE]\n"
	    "\twhat the clerk could not finish: part, kind, id, error, tries, since, next try; 0 nothing, 1 something" },
	{ "reset", 0, run_reset, "reset [--prefix DIR]\n\tstop it and remove all its data" },
	{ "migrate", 0, run_migrate, "migrate [--prefix DIR | --config FILE]\n\tapply new migrations" },
	{ "ceremony", 3, run_ceremony, "ceremony [--keep-tokens] --config FILE\n"
	    "\tmake the keys and certificates of an installation, once (up does it for an instance); with --keep-tokens\n"
	    "\tfor keys of a ceremony that is repeated, as its addresses were wrong and nobody has a certificate yet\n"
	    "ceremony arl [NUMBER REASON] [--prefix DIR | --config FILE]\n"
	    "\tthe root's next list; of a CA by its number and a CRLReason, that it is revoked\n"
	    "ceremony rollover NAME [--prefix DIR | --config FILE]\n"
	    "\tanother issuing CA; from the next start on the present one only answers\n"
	    "ceremony end NUMBER [--prefix DIR | --config FILE]\n"
	    "\tfrom the next start on an issuing CA gives its last answers and list, without an end" },
	{ "totp", 1, run_totp, "totp NAME [--renew] [--prefix DIR]\n"
	    "\tprint an unused TOTP code of a sample account; with --renew under a new seed, when it would have to wait" },
#ifndef ICERT_PRODUCTION
	{ "clock", 1, run_clock, "clock [+24h | 0] [--prefix DIR]\n"
	    "\tmove the business time of an instance (s, m, h, d), or back to real time; deadlines follow at once" },
	{ "issue-test", 4, run_issue_test, "issue-test CEDULA NAMES SURNAME [SECOND-SURNAME] [--renew] [--prefix DIR]\n"
	    "\tissue a certificate without an application's history, through keeper, keymaker and signer" },
#endif
	{ "audit", 1, run_audit, "audit verify [--prefix DIR] [--heads FOLDER] [--key FILE]\n"
	    "\tcheck every audit row against the signed heads (FILE.pub is the key); 0 sound" },
	{ "backup", 1, run_backup, "backup FILE [--prefix DIR | --config FILE] [--recipients FILE]\n"
	    "\twrite all that may come back into one sealed file, while everything runs" },
	{ "restore", 1, run_restore, "restore FILE --identity KEY [--keys-identity KEY] [--check] [--prefix DIR | --config FILE]\n"
	    "\tbring database and documents back; what may not go back in time stays; --check: only open and compare it" },
	{ "payments", 2, run_payments, "payments list [--waiting] [CHOICE] [--prefix DIR | --config FILE]\n"
	    "\tnotifications of payment gateways and what became of each; CHOICE: --gateway NAME --from MOMENT --to MOMENT\n"
	    "\t--event ID --order NUMBER, all of them together (UTC, 2026-11-23 or 2026-11-23T04:00)\n"
	    "payments show WHAT\n"
	    "\tone order by its number, its payment at the gateway or the id of a notification: all that is known of its money\n"
	    "payments replay [--dry-run] [--seconds N] CHOICE\n"
	    "\thave them applied once more, each as its gateway says now; nothing is counted twice; --dry-run: only tell" },
	{ "staff", WORDS_MAX, run_staff, "staff add LOGIN NAME EMAIL CEDULA ROLE[:PROVINCE]… [--prefix DIR | --config FILE]\n"
	    "\tan account; roles: operator:N director:N finance national administrator auditor; its password and second factor, once\n"
	    "staff disable LOGIN\n"
	    "\tits sessions end and it logs in no more" },
	{ "passport", 2, run_passport, "passport NAME NUMBER [--prefix DIR | --config FILE]\n"
	    "\tnote the passport of a member of staff: a case under it is their own" },
	{ "lost", 6, run_lost, "lost [revoke SERIAL NAME CODE NAME CODE] [--prefix DIR | --config FILE]\n"
	    "\tafter a restore: certificates that the database does not know; two people of the national office revoke one" },
	{ "evidence", 2, run_evidence, "evidence verify FILE [--root FILE] [--key FILE] [--keys FOLDER]\n"
	    "\tcheck an evidence package, with no instance; 0 it holds (docs/evidence.md)" },
	{ "receipt", 2, run_receipt, "receipt verify FILE [--key FILE]\n"
	    "\tcheck the receipt of a case, with no instance; 0 it holds" },
	{ "users", 1, run_users, "users [ensure]\n"
	    "\tprint the sysusers.d lines of all users and groups, or make them" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int
usage(FILE *out)
{
	size_t n;

	fprintf(out, "usage: icertctl COMMAND [OPTIONS]   (DIR is \"" DEFAULT_PREFIX "\" when left out)\n\n");
	for (n = 0; n < COMMANDS; n++)
		fprintf(out, "%s\n", commands[n].help);
	return 2;
}

static int
read_arguments(struct arguments *a, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "prefix", required_argument, NULL, 'p' },
		{ "port-base", required_argument, NULL, 'b' },
		{ "config", required_argument, NULL, 'c' },
		{ "detach", no_argument, NULL, 'd' },
		{ "spool-on-disk", no_argument, NULL, 's' },
		{ "prepare", no_argument, NULL, 'P' },
		{ "keep-tokens", no_argument, NULL, 'Y' },
		{ "renew", no_argument, NULL, 'N' },
		{ "heads", required_argument, NULL, 'h' },
		{ "key", required_argument, NULL, 'k' },
		{ "recipients", required_argument, NULL, 'r' },
		{ "identity", required_argument, NULL, 'i' },
		{ "keys-identity", required_argument, NULL, 'j' },
		{ "check", no_argument, NULL, 't' },
		{ "samples", required_argument, NULL, 'm' },
		{ "high-water", required_argument, NULL, 'w' },
		{ "base", no_argument, NULL, 'B' },
		{ "watch", required_argument, NULL, 'e' },
		{ "root", required_argument, NULL, 'R' },
		{ "keys", required_argument, NULL, 'K' },
		{ "gateway", required_argument, NULL, 'G' },
		{ "event", required_argument, NULL, 'E' },
		{ "order", required_argument, NULL, 'O' },
		{ "from", required_argument, NULL, 'F' },
		{ "to", required_argument, NULL, 'T' },
		{ "waiting", no_argument, NULL, 'W' },
		{ "dry-run", no_argument, NULL, 'D' },
		{ "seconds", required_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 }
	};
	char *end;
	int c;

	a->up.prefix = DEFAULT_PREFIX;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			a->up.prefix = optarg;
			break;
		case 'b':
			a->up.port_base = (int)strtol(optarg, &end, 10);
			if (*end != '\0' || a->up.port_base <= 0)
				return complain("--port-base %s: not a number", optarg);
			break;
		case 'c':
			a->config = optarg;
			break;
		case 'd':
			a->up.detach = 1;
			break;
		case 's':
			a->up.spool_on_disk = 1;
			break;
		case 'P':
			a->up.prepare = 1;
			break;
		case 'Y':
			a->up.keep_tokens = 1;
			break;
		case 'N':
			a->renew = 1;
			break;
		case 'h':
			a->heads = optarg;
			break;
		case 'k':
			a->key = optarg;
			break;
		case 'r':
			a->recipients = optarg;
			break;
		case 'i':
			a->restore.identity = optarg;
			break;
		case 'j':
			a->restore.keys_identity = optarg;
			break;
		case 't':
			a->restore.check = 1;
			break;
		case 'm':
			a->status.samples = strcmp(optarg, "all") == 0 ? -1 : strtol(optarg, &end, 10);
			break;
		case 'w':
			a->status.high_water = optarg;
			break;
		case 'e':
			a->watch = (int)strtol(optarg, &end, 10);
			break;
		case 'G':
			a->payments.gateway = optarg;
			break;
		case 'E':
			a->payments.event = optarg;
			break;
		case 'O':
			a->payments.order = optarg;
			break;
		case 'F':
			a->payments.from = optarg;
			break;
		case 'T':
			a->payments.to = optarg;
			break;
		case 'W':
			a->payments.waiting = 1;
			break;
		case 'D':
			a->payments.rehearsal = 1;
			break;
		case 'S':
			a->payments.seconds = (int)strtol(optarg, &end, 10);
			break;
		case 'B':
			a->base = 1;
			break;
		case 'R':
			a->root = optarg;
			break;
		case 'K':
			a->keys = optarg;
			break;
		default:
			return -1;
		}
	}
	while (optind < argc && a->nwords < WORDS_MAX)
		a->word[a->nwords++] = argv[optind++];
	return 0;
}

int
main(int argc, char *argv[])
{
	struct arguments a = { 0 };
	size_t n;

	log_open("icertctl");
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout) == 0;
	for (n = 0; n < COMMANDS && strcmp(commands[n].name, argv[1]) != 0; n++)
		continue;
	if (n == COMMANDS || read_arguments(&a, argc - 1, argv + 1) != 0 ||
	    a.nwords > commands[n].words)
		return usage(stderr);
	return commands[n].run(&a);
}
