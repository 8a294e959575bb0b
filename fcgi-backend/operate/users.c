#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "operate/files.h"
#include "operate/process.h"
#include "operate/users.h"

struct user_row {
	const char *name;
	const char *what;
};

static const struct user_row user_rows[] = {
	{ "icert-portal", "public pages and sessions of applicants" },
	{ "icert-desk", "staff pages" },
	{ "icert-webhook", "payment notifications" },
	{ "icert-issuer", "finishes issuing" },
	{ "icert-clerk", "deadlines, mail, payments, audit tree" },
	{ "icert-publisher", "status sets" },
	{ "icert-signer", "issuing key" },
	{ "icert-ocsp", "live OCSP answers" },
	{ "icert-status", "OCSP responder key" },
	{ "icert-keymaker", "keys of applicants" },
	{ "icert-keeper", "data keys, TOTP seeds, approvals" },
	{ "icert-checker", "parses files of strangers" },
	{ "icert-edge", "nginx workers" },
	{ "icert-postgres", "database" },
	{ "icert-redis", "cache" },
	{ "icert-sim", "simulators of tests" },
};

/*
 * Who may reach what: a group, then its members.  A socket's group is named as
 * the socket; sockets.c gives each socket to it with mode 0660.
 */
struct group_row {
	const char *name;
	const char *members[8];
};

static const struct group_row group_rows[] = {
	{ "icert-portal-fcgi", { "icert-edge" } },
	{ "icert-desk-fcgi", { "icert-edge" } },
	{ "icert-webhook-fcgi", { "icert-edge" } },
	{ "icert-ocsp-fcgi", { "icert-edge" } },
	{ "icert-keeper-portal", { "icert-portal" } },
	{ "icert-keeper-desk", { "icert-desk" } },
	{ "icert-keeper-issuer", { "icert-issuer" } },
	{ "icert-keeper-clerk", { "icert-clerk" } },
	{ "icert-keeper-admin", { NULL } },
	{ "icert-keymaker-issuer", { "icert-issuer" } },
	{ "icert-signer-issuer", { "icert-issuer" } },
	{ "icert-signer-publisher", { "icert-publisher" } },
	{ "icert-status-signer-publisher", { "icert-publisher" } },
	{ "icert-status-signer-ocsp", { "icert-ocsp" } },
	{ "icert-publisher-admin", { NULL } },
	{ "icert-checker-portal", { "icert-portal" } },
	{ "icert-checker-desk", { "icert-desk" } },
	{ "icert-checker-clerk", { "icert-clerk" } },
	{ "icert-database", { "icert-postgres", "icert-portal", "icert-desk", "icert-webhook",
	    "icert-issuer", "icert-clerk", "icert-publisher" } },
	{ "icert-cache", { "icert-redis", "icert-portal" } },
	{ "icert-spool", { "icert-portal", "icert-desk" } },
	{ "icert-documents", { "icert-portal", "icert-desk", "icert-clerk", "icert-issuer" } },
	{ "icert-statusfiles", { "icert-edge", "icert-ocsp" } },
	{ "icert-notices", { "icert-webhook", "icert-sim" } },
	{ "icert-gateway", { "icert-portal", "icert-clerk", "icert-sim" } },
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

char *
users_sysusers(void)
{
	char *text = NULL;
	size_t size, i, m;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fputs("# Users of icert: one a program, one group a socket or shared folder.\n", out);
	for (i = 0; i < ROWS(user_rows); i++)
		fprintf(out, "u %s - \"icert, %s\" - -\n", user_rows[i].name, user_rows[i].what);
	for (i = 0; i < ROWS(group_rows); i++) {
		fprintf(out, "g %s -\n", group_rows[i].name);
		for (m = 0; group_rows[i].members[m] != NULL; m++)
			fprintf(out, "m %s %s\n", group_rows[i].members[m], group_rows[i].name);
	}
	fclose(out);
	return text;
}

static int
group_has(const struct group *g, const char *user)
{
	char **m;

	for (m = g->gr_mem; *m != NULL; m++)
		if (strcmp(*m, user) == 0)
			return 1;
	return 0;
}

static int
users_complete(void)
{
	const struct group *g;
	size_t i, m;

	for (i = 0; i < ROWS(user_rows); i++)
		if (getpwnam(user_rows[i].name) == NULL || getgrnam(user_rows[i].name) == NULL)
			return 0;
	for (i = 0; i < ROWS(group_rows); i++) {
		if ((g = getgrnam(group_rows[i].name)) == NULL)
			return 0;
		for (m = 0; group_rows[i].members[m] != NULL; m++)
			if (!group_has(g, group_rows[i].members[m]))
				return 0;
	}
	return 1;
}

/* Where systemd-sysusers is absent: the same by the tools of passwd. */
static int
users_by_hand(void)
{
	size_t i, m;

	for (i = 0; i < ROWS(user_rows); i++) {
		const char *name = user_rows[i].name;

		if (getpwnam(name) == NULL && process_call((const char *[]){ "/usr/sbin/useradd",
		    "--system", "--user-group", "--home-dir", "/", "--no-create-home",
		    "--shell", "/usr/sbin/nologin", name, NULL }, NULL) != 0)
			return complain("useradd %s failed", name);
	}
	for (i = 0; i < ROWS(group_rows); i++) {
		const char *name = group_rows[i].name;

		if (getgrnam(name) == NULL && process_call((const char *[]){ "/usr/sbin/groupadd",
		    "--system", name, NULL }, NULL) != 0)
			return complain("groupadd %s failed", name);
		for (m = 0; group_rows[i].members[m] != NULL; m++)
			if (process_call((const char *[]){ "/usr/sbin/usermod", "--append", "--groups",
			    name, group_rows[i].members[m], NULL }, NULL) != 0)
				return complain("usermod %s failed", group_rows[i].members[m]);
	}
	return 0;
}

int
users_ensure(void)
{
	char path[] = "/tmp/icert-sysusers-XXXXXX.conf";
	char *text;
	int fd, rc;

	if (geteuid() != 0 || users_complete())
		return 0;
	if (access("/usr/bin/systemd-sysusers", X_OK) == 0) {
		if ((text = users_sysusers()) == NULL)
			return complain("no memory");
		fd = mkstemps(path, 5);
		rc = fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
		    process_call((const char *[]){ "/usr/bin/systemd-sysusers", path, NULL }, NULL) != 0;
		free(text);
		if (fd >= 0) {
			close(fd);
			unlink(path);
		}
		if (rc == 0 && users_complete())
			return 0;
	}
	if (users_by_hand() != 0)
		return -1;
	return users_complete() ? 0 : complain("users or groups of icert are still missing");
}

int
users_find(const char *name, struct user *u)
{
	const struct passwd *p;

	memset(u, 0, sizeof(*u));
	if (geteuid() != 0) {
		u->uid = getuid();
		u->gid = getgid();
		return 0;
	}
	if ((p = getpwnam(name)) == NULL)
		return complain("there is no user %s", name);
	u->uid = p->pw_uid;
	u->gid = p->pw_gid;
	u->ngroups = USERS_GROUPS_MAX;
	if (getgrouplist(name, p->pw_gid, u->groups, &u->ngroups) < 0)
		return complain("%s is in too many groups", name);
	return 0;
}

int
users_group(const char *name, gid_t *gid)
{
	const struct group *g;

	*gid = getgid();
	if (geteuid() != 0)
		return 0;
	if ((g = getgrnam(name)) == NULL)
		return complain("there is no group %s", name);
	*gid = g->gr_gid;
	return 0;
}
