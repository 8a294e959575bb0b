#ifndef ICERT_OPERATE_PASSPORT_H
#define ICERT_OPERATE_PASSPORT_H

#include "operate/instance.h"

/*
 * Notes the passport of a member of staff, in the keeper and, as its look-up hash, in the database: a case
 * under that number is then their own, which they may not decide.  In place of the one before.
 * 0, or -1 after a message.
 */
int	passport_note(const struct instance *i, const char *login, const char *number);

#endif
