#ifndef ICERT_OPERATE_ARCHIVE_H
#define ICERT_OPERATE_ARCHIVE_H
/*
 * The file of a backup: a tar archive (pax), sealed to a recipient's public key by age(1) while
 * it is written, so that nothing readable touches a disk.  Its last member, MANIFEST, has a line
 * for every other one as sha256sum(1) prints it.
 *
 * Every function returns 0, or -1 after telling why (complain()).
 */
#include <sys/types.h>

#include "operate/files.h"

#define ARCHIVE_MANIFEST "MANIFEST"

struct archive_file;

/* Begins PATH (0600; it must not exist), for the recipients of that file, one a line as age -R reads them. */
int	archive_begin(struct archive_file **out, const char *path, const char *recipients);

/* Members.  A file that grows is taken as long as it was when it was opened. */
int	archive_bytes(struct archive_file *, const char *name, const void *bytes, size_t len);
int	archive_put(struct archive_file *, const char *name, const char *path);

/*
 * Every plain file below a folder, as NAME/…; what is not there is no error, nor what vanishes meanwhile.
 * Names that begin with a dot are being written and are left out.  leave(ctx, path below the
 * folder) != 0: left out; NULL: all are taken.
 */
int	archive_tree(struct archive_file *, const char *name, const char *folder,
	    int (*leave)(const char *below));

/* What comes out of a descriptor, as NAME/000001 and so on; also written to copy_fd, unless that is below 0. */
int	archive_stream(struct archive_file *, const char *name, int fd, int copy_fd);

/*
 * Ends it: MANIFEST, everything on the disk, and the file read back and compared with what was
 * sealed.  hex: SHA-256 of the sealed file.  Frees it.
 */
int	archive_end(struct archive_file *, char hex[65]);

/* Throws away what was begun; takes NULL. */
void	archive_abandon(struct archive_file *);

/*
 * Opens a sealed archive with the private key of that file (age -i) into a folder, which must not
 * exist and is made 0700, and compares every member with MANIFEST.  Names that would leave the folder,
 * links and special files are refused.  On failure the folder is removed.
 */
int	archive_extract(const char *path, const char *identity, const char *folder);

#endif
