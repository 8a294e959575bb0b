#ifndef ICERT_PROCEDURE_DOCUMENT_H
#define ICERT_PROCEDURE_DOCUMENT_H
/*
 * Rows of files that belong to a case.  The bytes are documents/'s: encrypted
 * under the case's data key, in a file named by a random id.
 */
#include <stdbool.h>
#include <stdint.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct document_store;

/* Kinds: what the text asks for, in its order. */
#define DOCUMENT_CEDULA		"cedula"	/* cédula or passport, colour */
#define DOCUMENT_VOTING		"voting"	/* voting certificate or what justifies not voting */
#define DOCUMENT_UTILITY	"utility"	/* utility bill */
#define DOCUMENT_SECOND_CEDULA	"second_cedula"	/* fresh copy for the identification */
#define DOCUMENT_FACE		"face"		/* screen capture of the face */
#define DOCUMENT_CONTRACT	"contract"	/* as it was sent */
#define DOCUMENT_SIGNED		"contract_signed"	/* as it came back */
#define DOCUMENT_RENEWAL	"renewal"	/* request of a renewal, as it was sent */
#define DOCUMENT_RENEWAL_SIGNED	"renewal_signed"	/* as it came back */
#define DOCUMENT_COUNTERSIGNED	"contract_countersigned"	/* with the director's signature too */
#define DOCUMENT_EVIDENCE	"evidence"	/* the package of a filed contract */

struct document {
	char	id[ID_TEXT];
	char	application[ID_TEXT];
	char	kind[24];
	char	file[ID_TEXT];		/* documents/'s name of the encrypted file */
	char	key[ID_TEXT];		/* data key it is encrypted under */
	char	type[24];		/* "application/pdf", "image/jpeg", "image/png" */
	int64_t	size;			/* of the stored plain bytes */
	uint8_t	sha256[32];		/* of the stored plain bytes */
	uint8_t	original_sha256[32];	/* of the bytes as they came, before re-encoding */
	int	width, height, pages;	/* 0: not known */
	int64_t	at;
	int	by_staff;
	/* documents/'s verdict on parsing: "ok", or a reason of the checker's */
	char	check[32];
	/* face only: measured light background, and why it was overridden ("") */
	int	background;		/* 0 not measured · 1 plain and light · -1 not */
	char	override_reason[256];
};

/*
 * Adds a file to a case; one of the same kind that stands is replaced by it.
 * id is filled.  cedula, voting, utility: the applicant, in draft or (when
 * observed names it) observed.  second_cedula: applicant or operator, in
 * accepted or scheduled.  face: operator, in scheduled; ICERT_E_INVALID below
 * 600 × 500, or a background that is not light and no reason.
 */
int	document_add(struct act *, struct document *);

/* The same stored file serves as `kind` too (one passport for two). */
int	document_same(struct act *, const char *id, const char *kind, char new_id[ID_TEXT]);

/* Those that stand (not replaced), by kind.  *n: room, then filled. */
int	document_list(struct act *, const char *application, struct document *, size_t *n);

/* One, for showing it; the read is audited. */
int	document_get(struct act *, const char *id, struct document *);

/* The plain bytes of one that was read, appended; outside a transaction. */
int	document_bytes(struct act *, const struct document_store *, const struct document *, struct buf *out);

/* The same by its id for a program that sends it on, which has its own audit row. */
int	document_load(struct act *, const struct document_store *, const char *id, struct buf *out);

/*
 * Which of n stored files (at most SWEEP_BATCH) a row names, for the sweep; ctx
 * is the clerk's struct db.  ICERT_E_STATE while there is no document at all: an
 * empty database, being restored perhaps, says nothing about files.
 */
int	document_known(void *ctx, const char (*files)[ID_TEXT], size_t n, bool *known);

#endif
