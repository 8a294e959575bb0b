#ifndef ICERT_OPERATE_USERS_H
#define ICERT_OPERATE_USERS_H
/*
 * One system user a program, one group a socket or shared folder.  Started by
 * an ordinary user, everything runs as that user and users_find() answers with
 * the caller's own ids: the walls between programs are then missing, and `up`
 * says so.
 */
#include <stddef.h>
#include <sys/types.h>

#define USERS_GROUPS_MAX 32

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USERS_GROUPS_MAX];	/* supplementary, and gid */
	int ngroups;
};

/* The lines of sysusers.d(5) for every user, group and membership. */
char	*users_sysusers(void);

/* As root: make what is missing (systemd-sysusers, else useradd and groupadd).
 * 0, or -1 after telling why.  As an ordinary user: nothing. */
int	users_ensure(void);

/* A user by name; -1 after telling why. */
int	users_find(const char *name, struct user *u);

/* A group by name; -1 after telling why. */
int	users_group(const char *name, gid_t *gid);

#endif
