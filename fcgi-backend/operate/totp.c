#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <liboath/oath.h>

#include "crypt/keeper.h"
#include "libicert/clock.h"
#include "operate/totp.h"

#define TOTP_STEP 30

static json_t *
totp_account(json_t *all, const char *login)
{
	json_t *account;
	size_t n;

	json_array_foreach(json_object_get(all, "staff"), n, account)
		if (strcmp(json_string_value(json_object_get(account, "login")), login) == 0)
			return account;
	return NULL;
}

/* What was printed of an account: the last step, and the seed, when it is a newer one than that of the samples. */
struct totp_printed {
	int64_t step;
	char secret[64];	/* base32; "" */
};

/* The keeper knows what was used; when it is down, what was printed counts alone. */
static int64_t
totp_used(struct keyclient *keeper, const char *id)
{
	uint64_t step = 0;

	return keeper_totp_last(keeper, id, &step) != 0 ? 0 : (int64_t)step;
}

static int64_t
totp_wait(int64_t last)
{
	struct timespec wait = { 0, 200000000 };
	int64_t now;

	while ((now = clock_real() / TOTP_STEP) + 1 <= last)
		nanosleep(&wait, NULL);
	return now > last ? now : now + 1;
}

static int
totp_code(const char *secret, int64_t step, char code[TOTP_DIGITS + 1])
{
	char *seed = NULL;
	size_t len;
	int rc = -1;

	if (oath_base32_decode(secret, strlen(secret), &seed, &len) == OATH_OK &&
	    oath_totp_generate(seed, len, (time_t)(step * TOTP_STEP), TOTP_STEP, 0, TOTP_DIGITS,
	    code) == OATH_OK)
		rc = 0;
	free(seed);
	return rc == 0 ? 0 : complain("the code cannot be computed");
}

/* A seed of which nothing is used yet. */
static int
totp_renew(struct keyclient *keeper, json_t *account, struct totp_printed *printed)
{
	uint8_t seed[TOTP_SEED];
	char *secret = NULL;
	int rc = -1;

	if (keeper_totp_enrol(keeper, json_string_value(json_object_get(account, "id")),
	    json_string_value(json_object_get(account, "cedula")), seed) == 0 &&
	    oath_base32_encode((const char *)seed, sizeof(seed), &secret, NULL) == OATH_OK &&
	    strlen(secret) < sizeof(printed->secret)) {
		snprintf(printed->secret, sizeof(printed->secret), "%s", secret);
		printed->step = clock_real() / TOTP_STEP;
		rc = 0;
	}
	free(secret);
	return rc;
}

static int
totp_step(const struct instance *i, json_t *account, int renew, struct totp_printed *printed)
{
	struct keyclient keeper;
	int64_t used, now = clock_real() / TOTP_STEP;
	int rc = 0;

	keyclient_init(&keeper, config_require(&i->config, "sockets", "keeper-admin"));
	used = totp_used(&keeper, json_string_value(json_object_get(account, "id")));
	if (renew && used > now && used >= printed->step)
		rc = totp_renew(&keeper, account, printed);
	else
		printed->step = totp_wait(used > printed->step ? used : printed->step);
	keyclient_close(&keeper);
	return rc == 0 ? 0 : complain("the keeper gives no other seed");
}

/* One file an account holds what was printed; locked while a code is chosen. */
static int
totp_choose(const struct instance *i, json_t *account, const char *login, int renew, char code[TOTP_DIGITS + 1])
{
	struct totp_printed printed = { .step = 0 };
	char path[FILES_PATH], text[128] = "";
	int fd, n, bad;

	if (path_join(path, "%s/demo/totp-%s.last", i->data, login) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) != 0 || pread(fd, text, sizeof(text) - 1, 0) < 0) {
		complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	sscanf(text, "%" SCNd64 " %63s", &printed.step, printed.secret);
	bad = totp_step(i, account, renew, &printed) != 0;
	n = snprintf(text, sizeof(text), "%" PRId64 " %s\n", printed.step, printed.secret);
	bad = bad || pwrite(fd, text, (size_t)n, 0) != n ||
	    totp_code(*printed.secret != '\0' ? printed.secret : json_string_value(json_object_get(account, "totp_secret")),
	    printed.step, code) != 0;
	close(fd);
	return bad ? -1 : 0;
}

int
totp_take(const struct instance *i, const char *login, int renew, char code[TOTP_DIGITS + 1], char id[ID_TEXT])
{
	char path[FILES_PATH];
	json_t *all, *account;
	int rc;

	if (path_join(path, "%s/demo/staff.json", i->data) != 0)
		return -1;
	if ((all = json_load_file(path, 0, NULL)) == NULL)
		return complain("%s cannot be read: no sample accounts here, or not yours", path);
	account = totp_account(all, login);
	rc = account == NULL ? complain("%s is no sample account", login) :
	    totp_choose(i, account, login, renew, code);
	if (rc == 0)
		snprintf(id, ID_TEXT, "%s", json_string_value(json_object_get(account, "id")));
	json_decref(all);
	return rc;
}

int
totp_print(const struct instance *i, const char *login, int renew)
{
	char code[TOTP_DIGITS + 1], id[ID_TEXT];

	if (totp_take(i, login, renew, code, id) != 0)
		return -1;
	printf("%s\n", code);
	return 0;
}
