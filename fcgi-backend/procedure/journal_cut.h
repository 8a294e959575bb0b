#ifndef ICERT_PROCEDURE_JOURNAL_CUT_H
#define ICERT_PROCEDURE_JOURNAL_CUT_H
/*
 * The clerk: mails the national office, once for each line, what icert-publisher noticed of the signer's journals (docs/signer-journal.md).
 * 0, or the database's error.
 */
#include "procedure/act.h"

int	journal_cut_tell(struct act *);

#endif
