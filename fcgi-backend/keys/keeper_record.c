#include "keys/keeper_record.h"

#include "keys/folder.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A record is bound to the folder and the name under which it lies. */
static void
record_context(const struct keeper *k, int folder, const char *name, char *out, size_t size)
{
	snprintf(out, size, "keeper|%s|%s", folder == k->totp_fd ? "totp" : "delivery", name);
}

int
record_read(const struct keeper *k, int folder, const char *name, struct buf *out)
{
	char context[RECORD_NAME + 24];
	struct buf sealed = BUF_INIT;
	int error = folder_read(folder, name, &sealed);

	record_context(k, folder, name, context, sizeof(context));
	if (error == 0)
		error = sealed_open(k->record_key, context, sealed.p, sealed.len, out);
	buf_free(&sealed);
	return error;
}

int
record_write(const struct keeper *k, int folder, const char *name, const void *data, size_t len)
{
	char context[RECORD_NAME + 24];
	struct buf sealed = BUF_INIT;
	int error;

	record_context(k, folder, name, context, sizeof(context));
	error = sealed_make(k->record_key, context, data, len, &sealed);
	if (error == 0)
		error = folder_write(folder, name, sealed.p, sealed.len, 0600);
	buf_free(&sealed);
	return error;
}

int
record_unlink(const struct keeper *k, int folder, const char *name)
{
	static const uint8_t zeros[512];
	int fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	(void)k;
	if (fd < 0)
		return errno == ENOENT ? 0 : ICERT_E_SYSTEM;
	/* Where the file system writes in place, this leaves nothing; elsewhere the unlinking must do. */
	if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros) || fsync(fd) != 0)
		log_warn("record_not_overwritten", "errno %d", errno);
	close(fd);
	if (unlinkat(folder, name, 0) != 0 || fsync(folder) != 0)
		return ICERT_E_SYSTEM;
	return 0;
}
