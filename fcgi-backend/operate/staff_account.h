#ifndef ICERT_OPERATE_STAFF_ACCOUNT_H
#define ICERT_OPERATE_STAFF_ACCOUNT_H

#include <stdint.h>

#include <sodium.h>

#include "operate/instance.h"

struct keyclient;

/*
 * What a member of staff logs in with.  The keeper gets to know the person and makes the second factor's seed, which it shows
 * this once; a person it knew under that id gets a new one.
 */
struct staff_account {
	char	hash[crypto_pwhash_STRBYTES];	/* of the password, Argon2id */
	uint8_t	person[32];			/* the keeper's look-up hash of the cedula */
	char	secret[64];			/* of the second factor, base32 */
	char	otpauth[192];			/* the same as an authenticator reads it */
};

#define STAFF_PASSWORD 24

/* Something that a person can type: 60 random bits in three groups. */
void	staff_password(char out[STAFF_PASSWORD]);

/* 0 or -1 (said). */
int	staff_enrol(struct keyclient *keeper, const char *id, const char *login, const char *cedula, const char *password,
	    struct staff_account *out);

/*
 * icertctl staff add LOGIN NAME EMAIL CEDULA ROLE…: an account with one or more roles ("operator:17": of province 17), its password
 * and second factor printed once; for the first people of an installation, and whoever comes later.
 * icertctl staff disable LOGIN: its sessions end and it logs in no more; the account stays, for what it did.
 * Both on the audit log.  0 or -1 (said).
 */
int	staff_add(const struct instance *i, const char *const *words, int n);
int	staff_disable(const struct instance *i, const char *login);

#endif
