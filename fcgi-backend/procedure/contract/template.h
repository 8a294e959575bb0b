#ifndef ICERT_PROCEDURE_TEMPLATE_H
#define ICERT_PROCEDURE_TEMPLATE_H
/*
 * The text of contracts (documents/contract_template.h) as administrators change it: one writes a draft, another
 * person approves exactly what they have read, with a fresh code, and it counts from a day on.  Each saving is
 * a version that stays for ever; a contract names the one it was made from.
 */
#include <stddef.h>
#include <stdint.h>

#include "documents/contract_template.h"
#include "libicert/buf.h"
#include "libicert/id.h"
#include "procedure/act.h"

struct template_version {
	char	id[ID_TEXT];
	int	version;
	char	state[12];		/* draft, approved, replaced (by the next saving), withdrawn */
	char	sha256[65];		/* hex, of the text */
	char	written_by[ID_TEXT], written_name[128], approved_name[128];	/* "" came with the instance, nobody */
	int64_t	written_at, approved_at, effective_at;	/* business clock; 0 not yet */
	int64_t	contracts;		/* made from it; for those who see contracts */
	int	counts;			/* it is the one that contracts are made from now */
	int	other;			/* the caller is another person than who wrote it */
};

/* Newest first.  *n: room, then filled.  Administrator and auditor. */
int	template_list(struct act *, struct template_version *, size_t *n);

/* One with its text, appended; version 0: the draft, else the one approved last.  ICERT_E_NOT_FOUND. */
int	template_get(struct act *, int version, struct template_version *, struct buf *text);

/*
 * What is wrong with a text, as contract_text_check(); and whether it can be drawn: "too-tall" is a block longer
 * than a page.  pdf (may be NULL): the contract with invented data, appended when there are no faults.
 */
int	template_preview(struct act *, const char *text, size_t len, struct contract_fault *, size_t *nfaults, struct buf *pdf);

/*
 * A new draft, which replaces the one that stands.  base: the version that the writer began from; ICERT_E_CONFLICT
 * when somebody saved another meanwhile; the same text again is no new one.  ICERT_E_INVALID: the text has faults.  *version is the new one.
 */
int	template_save(struct act *, int base, const char *text, size_t len, int *version);

/*
 * The draft becomes a contract's text from `effective` on (business clock; 0: at once).  sha256: hex, of the text that was
 * read.  ICERT_E_DENIED: not an administrator, or the person who wrote it, also by another account; ICERT_E_MISMATCH: it is
 * not that text; ICERT_E_INVALID: the day has passed; ICERT_E_NOT_FOUND: no such draft; errors of staff_factor().
 */
int	template_approve(struct act *, int version, const char *sha256, int64_t effective, const char *code);

/* The draft is given up; the row stays. */
int	template_withdraw(struct act *, int version);

#endif
