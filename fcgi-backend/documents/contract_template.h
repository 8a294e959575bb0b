#ifndef DOCUMENTS_CONTRACT_TEMPLATE_H
#define DOCUMENTS_CONTRACT_TEMPLATE_H

#include <stddef.h>

#include "libicert/buf.h"

/*
 * The text of a contract as the administrator edits it, UTF-8, by lines:
 *
 *	# Title			one, the first line that is not empty
 *	## Heading
 *	- item			of a list
 *	| Label | value		row of a table; left out while its value is empty
 *	anything else		a paragraph, until an empty line
 *
 * {name} stands for a variable.  The text is cut into blocks before variables
 * are put in: what a person is called cannot become a heading.
 */
#define CONTRACT_TEXT_MAX	65536
#define CONTRACT_BLOCKS_MAX	256

enum contract_block_kind { CONTRACT_TITLE = 1, CONTRACT_HEADING, CONTRACT_PARAGRAPH, CONTRACT_ITEM, CONTRACT_ROW };

struct contract_variable {
	const char *name;	/* [a-z0-9_]+ */
	const char *value;	/* UTF-8; NULL is "" */
};

struct contract_block {
	enum contract_block_kind kind;
	char *text;		/* a row's value */
	char *label;		/* of a row, otherwise NULL */
};

/* What is wrong with a text, and where. */
struct contract_fault {
	int line;		/* from 1; 0: the text as a whole */
	const char *code;	/* encoding, empty, too-long, too-many, title-first, title-second, row, brace, variable, needed;
				 * its sentence is contract_text.<code> */
	char name[40];		/* variable, needed: which */
};
#define CONTRACT_FAULTS 20

struct contract_blocks {
	struct contract_block list[CONTRACT_BLOCKS_MAX];
	size_t n;
	int line;		/* where the text is wrong, from 1; 0 none */
};

/*
 * Blocks with their variables put in; contract_blocks_free() also after an error.
 * ICERT_E_MALFORMED: not UTF-8, no title or a second one, a row without a value, an
 * unclosed brace; ICERT_E_MISSING: a variable that is not among those given (both
 * with .line); ICERT_E_TOO_LARGE; ICERT_E_MEMORY.
 */
int	contract_blocks_make(const char *text, size_t len, const struct contract_variable *, size_t n,
	    struct contract_blocks *);
void	contract_blocks_free(struct contract_blocks *);

/*
 * What the administrator has to mend: every faulty line, and the variables of `needed` (NULL-terminated) that
 * the text does not name.  *nfaults: room, then filled.  0, also when there are faults; ICERT_E_MEMORY.
 */
int	contract_text_check(const char *text, size_t len, const struct contract_variable *, size_t n, const char *const *needed,
	    struct contract_fault *, size_t *nfaults);

#endif
