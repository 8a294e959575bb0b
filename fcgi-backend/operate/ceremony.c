#include "operate/ceremony.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "libicert/approval.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/sanitized.h"
#include "operate/ceremony_token.h"
#include "operate/files.h"
#include "operate/process.h"
#include "pki/crl.h"
#include "pki/keyfile.h"

#define RECORD "ceremony.conf"

static const char *const url_keys[] = { "ocsp_url", "crl_url", "arl_url", "issuer_url", "root_url", "cps_url" };
#define URLS (sizeof(url_keys) / sizeof(url_keys[0]))

/* A program that makes its own secrets, and where its public key is pinned. */
static const struct initialised {
	const char *program, *user, *folder, *pin;
} initialised[] = {
	{ "keeper", "icert-keeper", "keeper_dir", "keeper.pub" },
	{ "keymaker", "icert-keymaker", "keymaker_dir", "keymaker.pub" },
	{ "status-signer", "icert-status", "status_signer_dir", "status-signer.pub" },
};

static int
record_path(const struct config *config, char path[CEREMONY_PATH])
{
	return path_join(path, "%s/%s", config_require(config, "paths", "ca"), RECORD);
}

int
ceremony_done(const struct config *config)
{
	char path[CEREMONY_PATH];

	return record_path(config, path) == 0 && file_exists(path);
}

int
ceremony_urls(const struct config *config, char *why, unsigned long why_size)
{
	char path[CEREMONY_PATH];
	struct config record;
	const char *then, *now;
	int error = 0;
	size_t i;

	if (record_path(config, path) != 0 || config_load(&record, path) != 0) {
		snprintf(why, why_size, "%s/%s is not readable", config_require(config, "paths", "ca"), RECORD);
		return ICERT_E_MALFORMED;
	}
	for (i = 0; i < URLS && error == 0; i++) {
		now = config_require(config, "public", url_keys[i]);
		then = config_get(&record, "public", url_keys[i]);
		if (then != NULL && strcmp(then, now) == 0)
			continue;
		snprintf(why, why_size, "[public] %s is %s, but the certificates of this instance say %s",
		    url_keys[i], now, then == NULL ? "nothing" : then);
		error = ICERT_E_CONFLICT;
	}
	config_free(&record);
	return error;
}

/* What an earlier ceremony left that never came to its end; but a token that is to be kept. */
static int
clear(const char *folder, int keep_token)
{
	static const char *const names[] = { "journal", "tokens", "softhsm2.conf", "pin" };
	size_t i, n = keep_token ? 1 : sizeof(names) / sizeof(names[0]);
	char path[CEREMONY_PATH];

	for (i = 0; i < n; i++)
		if (path_join(path, "%s/%s", folder, names[i]) != 0 || tree_remove(path) != 0)
			return -1;
	return 0;
}

static int
prepare(const struct config *config, int keep_tokens)
{
	static const struct {
		const char *key;
		mode_t mode;
	} own[] = { { "root_dir", 0700 }, { "ca", 0755 }, { "pins", 0755 } };
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (folder_own(config_require(config, "paths", own[i].key), geteuid(), getegid(), own[i].mode) != 0)
			return -1;
	/* A token that was prepared is not ours to clear, nor is its PIN. */
	return (ceremony_prepared(config, "root") ? 0 : clear(config_require(config, "paths", "root_dir"), keep_tokens)) |
	    (ceremony_prepared(config, "signer") ? 0 : clear(config_require(config, "paths", "signer_dir"), keep_tokens));
}

static pid_t
half(int (*run)(const struct ceremony_order *, int), const struct ceremony_order *order, int fd, int other)
{
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) == 0) {
		close(other);
		leave(run(order, fd));
	}
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* `icert-NAME --init`, as its own user. */
static int
init_program(const char *name, const char *as, const char *how, const char *config_path, const char *bin_dir)
{
	char program[CEREMONY_PATH];
	const char *argv[] = { program, how, "--config", config_path, NULL };
	struct user user;

	return users_find(as, &user) != 0 || path_join(program, "%s/icert-%s", bin_dir, name) != 0 ||
	    process_call(argv, &user) != 0 ? complain("ceremony: icert-%s --init failed", name) : 0;
}

/* The same, and its public key among the pins. */
static int
initialise(const struct config *config, const struct initialised *what, const char *config_path, const char *bin_dir)
{
	char path[CEREMONY_PATH];
	uint8_t key[32];

	if (init_program(what->program, what->user, "--init", config_path, bin_dir) != 0)
		return -1;
	if (path_join(path, "%s/public.key", config_require(config, "paths", what->folder)) != 0 ||
	    keyfile_read_exact(path, key, sizeof(key)) != 0)
		return complain("ceremony: %s: not a public key", path);
	if (path_join(path, "%s/%s", config_require(config, "paths", "pins"), what->pin) != 0 ||
	    keyfile_write(path, key, sizeof(key), 0644) != 0)
		return complain("ceremony: %s: not written", path);
	return 0;
}

/* The key that seals the status sets, for the publisher alone; made once. */
static int
seal_key(const struct config *config)
{
	char path[CEREMONY_PATH];
	uint8_t seed[32], public[32];
	struct user user;
	int error;

	if (users_find("icert-publisher", &user) != 0 ||
	    path_join(path, "%s/manifest.key", config_require(config, "paths", "publisher_dir")) != 0)
		return -1;
	error = keyfile_read_exact(path, seed, sizeof(seed));
	if (error == ICERT_E_NOT_FOUND && (error = bytes_random(seed, sizeof(seed))) == 0)
		error = file_write(path, seed, sizeof(seed), user.uid, user.gid, 0400);
	if (error == 0 && (error = statement_public(seed, public)) == 0 &&
	    path_join(path, "%s/manifest.pub", config_require(config, "paths", "pins")) == 0)
		error = keyfile_write(path, public, sizeof(public), 0644);
	bytes_wipe(seed, sizeof(seed));
	return error == 0 ? 0 : complain("ceremony: the key of the status sets was not made");
}

static int
copy(const char *from, const char *to_folder, const char *name)
{
	struct buf b = BUF_INIT;
	char a[CEREMONY_PATH], c[CEREMONY_PATH];
	int failed = path_join(a, "%s/%s", from, name) != 0 || path_join(c, "%s/%s", to_folder, name) != 0 ||
	    keyfile_read(a, 65536, &b) != 0 || keyfile_write(c, b.p, b.len, 0644) != 0;

	buf_free(&b);
	return failed ? complain("ceremony: %s was not copied to %s", name, to_folder) : 0;
}

/* nftw() hands its visitor nothing of ours. */
static struct user new_owner;

static int
own_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return lchown(path, new_owner.uid, new_owner.gid);
}

/* The signer's folder becomes the signer's, with the certificates it works under. */
static int
hand_over(const struct config *config, unsigned number)
{
	const char *dir = config_require(config, "paths", "signer_dir"), *ca = config_require(config, "paths", "ca");
	char name[ISSUER_NAME];
	struct user user;

	if (issuer_name(name, sizeof(name), CEREMONY_ISSUING, number, 0) != 0 || copy(ca, dir, name) != 0 || copy(ca, dir, CEREMONY_ROOT) != 0 || users_find("icert-signer", &user) != 0)
		return -1;
	new_owner = user;
	return geteuid() == 0 && nftw(dir, own_one, 16, FTW_PHYS) != 0 ? complain("%s: %s", dir, strerror(errno)) : 0;
}

static void
put_digest(struct buf *b, const struct config *config, const char *key, const char *name)
{
	struct buf der = BUF_INIT;
	char path[CEREMONY_PATH];
	uint8_t digest[32];

	if (path_join(path, "%s/%s", config_require(config, "paths", "ca"), name) != 0 ||
	    keyfile_read(path, 65536, &der) != 0 || EVP_Digest(der.p, der.len, digest, NULL, EVP_sha256(), NULL) != 1) {
		buf_fail(b, ICERT_E_SYSTEM);
	} else {
		buf_printf(b, "%s = ", key);
		buf_hex(b, digest, sizeof(digest));
		buf_puts(b, "\n");
	}
	buf_free(&der);
}

/* Written last: from here on the ceremony has happened. */
static int
record(const struct config *config)
{
	struct buf b = BUF_INIT;
	char path[CEREMONY_PATH], time[CLOCK_TEXT];
	int failed;
	size_t i;

	buf_printf(&b, "; What the ceremony of this instance made.  Written once; `up` compares the addresses.\n"
	    "[ceremony]\ntime = %s\n", clock_text(clock_real(), time));
	put_digest(&b, config, "root_sha256", CEREMONY_ROOT);
	put_digest(&b, config, "issuing_sha256", CEREMONY_ISSUING);
	buf_puts(&b, "[public]\n");
	for (i = 0; i < URLS; i++)
		buf_printf(&b, "%s = %s\n", url_keys[i], config_require(config, "public", url_keys[i]));
	failed = buf_error(&b) != 0 || record_path(config, path) != 0 || keyfile_write(path, b.p, b.len, 0644) != 0;
	buf_free(&b);
	return failed ? complain("ceremony: its record was not written") : 0;
}

static int
tokens(const struct config *config, const char *config_path, const char *bin_dir, ceremony_say say, void *arg)
{
	const struct ceremony_order order = { .config = config, .number = ISSUER_FIRST };
	int pipes[2], failed = 0;
	pid_t root, issuing;
	size_t i;

	if (pipe(pipes) != 0)
		return complain("pipe: %s", strerror(errno));
	say(arg, "two RSA-4096 keys, root and issuing CA, each in a token of its own");
	root = half(ceremony_root_half, &order, pipes[0], pipes[1]);
	issuing = half(ceremony_issuing_half, &order, pipes[1], pipes[0]);
	close(pipes[0]);
	close(pipes[1]);
	say(arg, "keys of keeper, keymaker and status signer");
	for (i = 0; i < sizeof(initialised) / sizeof(initialised[0]) && failed == 0; i++)
		failed = initialise(config, &initialised[i], config_path, bin_dir);
	if (failed == 0)
		failed = seal_key(config);
	if (issuing < 0 || wait_for(issuing) != 0)
		failed = -1;
	if (root < 0 || wait_for(root) != 0)
		failed = -1;
	return failed;
}

int
ceremony_run(const struct config *config, const char *config_path, const char *bin_dir, int keep_tokens,
    ceremony_say say, void *arg, char *why, unsigned long why_size)
{
	why[0] = '\0';
	if (ceremony_done(config))
		return 0;
	if (prepare(config, keep_tokens) != 0 || tokens(config, config_path, bin_dir, say, arg) != 0 || hand_over(config, ISSUER_FIRST) != 0 ||
	    init_program("signer", "icert-signer", "--init", config_path, bin_dir) != 0 || record(config) != 0) {
		snprintf(why, why_size, "the ceremony was not completed; it begins again at the next start");
		return ICERT_E_SYSTEM;
	}
	say(arg, "root, issuing CA and the root's list signed");
	return 0;
}

static int
write_list(const struct config *config, const struct issuer_list *list)
{
	char path[CEREMONY_PATH], text[64 * (ISSUERS_MAX + 1)];

	issuer_list_text(list, text, sizeof(text));
	return path_join(path, "%s/issuers.conf", config_require(config, "paths", "ca")) != 0 ||
	    keyfile_write(path, text, strlen(text), 0644) != 0 ? complain("ceremony: the list of CAs was not written") : 0;
}

/* Key in the signer's token, certificate by the root, folder and journal. */
static int
make_next(const struct ceremony_order *order, const char *config_path, const char *bin_dir)
{
	int pipes[2], failed = 0;
	pid_t root, issuing;

	if (pipe(pipes) != 0)
		return complain("pipe: %s", strerror(errno));
	root = half(ceremony_next_half, order, pipes[0], pipes[1]);
	issuing = half(ceremony_issuing_half, order, pipes[1], pipes[0]);
	close(pipes[0]);
	close(pipes[1]);
	if (issuing < 0 || wait_for(issuing) != 0)
		failed = -1;
	if (root < 0 || wait_for(root) != 0)
		failed = -1;
	return failed != 0 || hand_over(order->config, order->number) != 0 ||
	    init_program("signer", "icert-signer", "--init-next", config_path, bin_dir) != 0 ? -1 : 0;
}

int
ceremony_rollover(const struct config *config, const char *name, const char *config_path, const char *bin_dir, ceremony_say say,
    void *arg, char *why, unsigned long why_size)
{
	struct ceremony_order order = { .config = config, .common_name = name };
	struct issuer_list list;
	size_t i;
	int error;

	if (!ceremony_done(config)) {
		snprintf(why, why_size, "there is no CA yet that another could follow");
		return ICERT_E_STATE;
	}
	if ((error = issuer_list_read(&list, config)) != 0 || list.n == ISSUERS_MAX ||
	    list.at[list.n - 1].number + 1 >= ISSUER_FIRST + ISSUERS_MAX) {
		snprintf(why, why_size, "the list of CAs cannot be read, or is full");
		return error != 0 ? error : ICERT_E_FULL;
	}
	/* Relying parties tell CAs apart by name; two of one name would be told apart by key identifiers alone. */
	if (name[0] == '\0' || strchr(name, ',') != NULL || strcmp(name, config_require(config, "ca", "issuing_name")) == 0) {
		snprintf(why, why_size, "the new CA needs a name of its own, without a comma");
		return ICERT_E_INVALID;
	}
	order.number = list.at[list.n - 1].number + 1;
	say(arg, "another RSA-4096 key for an issuing CA, certified by the root");
	if (make_next(&order, config_path, bin_dir) != 0) {
		snprintf(why, why_size, "the ceremony was not completed; nothing has changed, it may be begun again");
		return ICERT_E_SYSTEM;
	}
	for (i = 0; i < list.n; i++)
		if (list.at[i].state == ISSUER_ISSUES)
			list.at[i].state = ISSUER_ANSWERS;
	list.at[list.n].number = order.number;
	list.at[list.n++].state = ISSUER_ISSUES;
	if (write_list(config, &list) != 0)
		return ICERT_E_SYSTEM;
	say(arg, "from the next start on it issues, and those before it only answer");
	return 0;
}

int
ceremony_list(const struct config *config, unsigned revoke, int reason, char *why, unsigned long why_size)
{
	const struct ceremony_order order = { .config = config, .revoke = revoke, .reason = reason };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (!crl_reason_valid(reason)) {
		snprintf(why, why_size, "a CA is not revoked for reason %d", reason);
		return ICERT_E_INVALID;
	}
	pid = half(ceremony_list_half, &order, fd, -1);
	close(fd);
	if (pid >= 0 && wait_for(pid) == 0)
		return 0;
	snprintf(why, why_size, "the root's list is the one that it was");
	return ICERT_E_SYSTEM;
}

int
ceremony_end(const struct config *config, unsigned number, char *why, unsigned long why_size)
{
	struct issuer_list list;
	size_t i;

	if (issuer_list_read(&list, config) != 0) {
		snprintf(why, why_size, "the list of CAs cannot be read");
		return ICERT_E_MALFORMED;
	}
	for (i = 0; i < list.n && list.at[i].number != number; i++)
		;
	if (i == list.n) {
		snprintf(why, why_size, "there is no CA number %u", number);
		return ICERT_E_NOT_FOUND;
	}
	list.at[i].state = ISSUER_ENDED;
	return write_list(config, &list) == 0 ? 0 : ICERT_E_SYSTEM;
}
