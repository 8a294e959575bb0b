#ifndef ICERT_OPERATE_RESTORE_FILES_H
#define ICERT_OPERATE_RESTORE_FILES_H
/*
 * Files of a backup on their way into an instance.  0, or -1 after telling why.
 */
#include <stdint.h>

#include "operate/backup.h"

/*
 * Every file of the unpacked part that the instance has not; what is there stays.  New files and folders get the owner
 * of the folder they come to, folders its mode.  A part that is not in the backup is no error.
 */
int	restore_missing(const struct instance *i, const char *unpacked, const struct backup_part *part);

/*
 * Files that an administrator copied back into a folder belong to whom the folder belongs to.  one: that file alone;
 * NULL: every plain file of the folder.
 */
int	restore_owned(const char *folder, const char *one);

/*
 * A journal only grows, so one of two copies begins with the other: the longer stays.  Two that
 * differ are refused: somebody wrote one of them anew.  It belongs to its folder's owner then.
 */
int	restore_journal(const struct instance *i, const char *unpacked, const struct backup_part *part);

/* Is the file of the backup, where it has one, byte for byte that of the instance, where it has one? */
int	restore_same(const char *mine, const char *theirs);

/*
 * Signed heads above `size` leaves speak of rows that are lost: moved from the *.heads files to
 * lost-STAMP.notes beside them.  *moved: how many.
 */
int	restore_heads(const char *folder, uint64_t size, const char *stamp, size_t *moved);

#endif
