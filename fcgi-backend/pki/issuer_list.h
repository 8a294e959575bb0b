#ifndef PKI_ISSUER_LIST_H
#define PKI_ISSUER_LIST_H

#include <stddef.h>
#include <stdint.h>

/*
 * The issuing CAs of an installation, one after another in time: at most one issues, those before it still answer for what
 * they issued, and one that has ended has given its last answers.  A ceremony writes the list, [paths] ca/issuers.conf;
 * without the file there is the first alone, and it issues.
 *
 *	[1]
 *	state = answers
 *	[2]
 *	state = issues
 *
 * Numbers are never used again.  They stand in the database and in the names of files, keys and addresses: those of the
 * first are as they are ("icert.crl"), those of the others carry it ("icert-2.crl"), those of a partition of a list also
 * that ("icert-2-p3.crl").
 */
#define ISSUERS_MAX 8
#define ISSUER_NAME 64
#define ISSUER_URL 512
#define ISSUER_FIRST 1

#define ISSUER_CERTIFICATE "emisora.cer"	/* names of the first's, in [paths] ca and in the status set */
#define ISSUER_LIST "icert.crl"
#define ISSUER_KEY "icert-issuing"		/* CKA_LABEL */

enum issuer_state {
	ISSUER_ISSUES,
	ISSUER_ANSWERS,		/* status and lists alone */
	ISSUER_ENDED		/* the same, with nextUpdate 99991231235959Z (EN 319 411-1, CSS-6.3.9, CSS-6.3.10) */
};

struct issuer_entry {
	unsigned number;
	enum issuer_state state;
};

struct issuer_list {
	size_t n;
	struct issuer_entry at[ISSUERS_MAX];	/* in the order of their numbers */
};

struct config;

/* 0, ICERT_E_MALFORMED (after a line in the log: a state that is none, or two that issue), ICERT_E_SYSTEM. */
int issuer_list_read(struct issuer_list *, const struct config *);
/* Its text, for a ceremony to write.  out holds 64 octets an issuer and as many more. */
void issuer_list_text(const struct issuer_list *, char *out, size_t size);
/* The one that issues; NULL when none does. */
const struct issuer_entry *issuer_list_issues(const struct issuer_list *);

/*
 * A name or an address of the first, as that of issuer `number` and of partition `part` (0: not of one): before its last dot, or at
 * its end.  0, ICERT_E_TOO_LARGE.
 */
int issuer_name(char *out, size_t size, const char *first, unsigned number, unsigned part);

/* A policy for one CA: section [issuer-N], where it has the key, else [status].  NULL: in neither. */
const char *issuer_policy(const struct config *, unsigned number, const char *key);

#define CRL_PARTITIONS_MAX 16
/* Policy "crl_partitions": into how many parts the lists of one CA are divided for what it issues now; 0: into none. */
unsigned issuer_partitions(const struct config *, unsigned number);
/* The partition (1 … partitions) that a new certificate falls to, by its serial; 0 without any. */
unsigned issuer_partition_of(const uint8_t serial[16], unsigned partitions);

#endif
