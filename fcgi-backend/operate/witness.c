#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operate/files.h"
#include "operate/users.h"
#include "operate/witness.h"

#define FOLDER "%s/heads"
#define FILE_NAME "%s/heads/all.heads"

static int
set_append(int fd, int on)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
		return -1;
	flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int
witness_prepare(const struct instance *i)
{
	struct user clerk = { .uid = geteuid(), .gid = getegid() };
	char folder[FILES_PATH], path[FILES_PATH];
	int fd, rc = 0;

	if (users_find("icert-clerk", &clerk) != 0 || path_join(folder, FOLDER, i->data) != 0 ||
	    path_join(path, FILE_NAME, i->data) != 0 || folder_own(folder, geteuid(), getegid(), 0755) != 0)
		return -1;
	if (!file_exists(path) && file_write(path, "", 0, clerk.uid, clerk.gid, 0644) != 0)
		return -1;
	if ((fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return complain("%s: %s", path, strerror(errno));
	if (set_append(fd, 1) != 0)
		rc = 1;
	close(fd);
	return rc;
}

void
witness_release(const struct instance *i)
{
	char path[FILES_PATH];
	int fd;

	if (path_join(path, FILE_NAME, i->data) != 0 || (fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return;
	/* Where it was never set there is nothing to take off. */
	set_append(fd, 0);
	close(fd);
}
