#ifndef WEB_SESSION_H
#define WEB_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"

/*
 * Who is asking.  The cookie holds 128 random bits and one letter: 'v' for a
 * visitor, who has no row anywhere, 's' for a session.  The database's identity
 * setting is SHA-256 of the secret, and the table holds SHA-256 of that: neither
 * a dump nor a log line opens a session.
 *
 *   portal  __Host-icert-portal  SameSite=Lax     idle 30 min
 *   desk    __Host-icert-desk    SameSite=Strict  idle 15 min
 */

#define SESSION_SECRET	16	/* bytes of the cookie's random part */
#define SESSION_HASH	32

enum session_state {
	SESSION_VISITOR,	/* no session: a browser with a cookie of its own */
	SESSION_LIVE,
	SESSION_LOCKED		/* idle too long: may only park a form (portal, 24 h) */
};

struct session {
	enum session_state state;
	unsigned char secret[SESSION_SECRET];
	unsigned char identity[SESSION_HASH];	/* SHA-256 of the secret */
	char identity_hex[SESSION_HASH * 2 + 1];	/* what store/ sets as identity */
	unsigned roles;			/* ROLE_… of web/route.h */
	char person[ID_TEXT];		/* contact or staff id, "" for a visitor */
	char name[128];			/* masked mailbox, or the staff member's name */
	int64_t fresh_until;		/* UTC seconds until which the factor is fresh */
	int64_t generation;		/* of what a cache said, for the database to compare; 0 none */
	bool uncached;			/* the cache was wrong: only the database is asked */
	bool new_cookie;		/* the cookie must be set with this answer */
};

struct request;

/* Reads the cookie and, for a session, asks the program's loader (struct
 * app).  Never fails for a bad cookie: that is a visitor.  Negative error when
 * the database cannot be asked. */
int session_open(struct request *);

/*
 * At log-in the old secret is left behind: session_secret_new() makes a fresh
 * one, under whose session.identity the caller has the row stored, and then
 * session_send() sends its cookie.  When storing fails the caller puts the old
 * struct session back.  session_rotate() does both at once.
 */
int session_secret_new(struct request *);
int session_send(struct request *);
int session_rotate(struct request *);

/* Sends a visitor's cookie when the browser has none yet; for pages with a form. */
int session_visitor_cookie(struct request *);

/* Turns the browser back into a visitor with a new secret; the caller has
 * deleted the row. */
void session_forget(struct request *);

/* Fills secret and the hashes derived from it. */
void session_set_secret(struct session *, const unsigned char secret[SESSION_SECRET]);

#endif
