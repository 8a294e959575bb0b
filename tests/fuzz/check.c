/* A whole file as the checker looks at it; the first octet chooses what it is looked at for. */
#include "checker/check.h"

#include "libicert/error.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
file_of(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum check_purpose purpose;
	struct check check, again;
	int fd, out, second, error;

	if (len == 0)
		return 0;
	purpose = (data[0] & 1) != 0 ? CHECK_FACE : (data[0] & 2) != 0 ? CHECK_INVOICE : CHECK_DOCUMENT;
	fd = file_of(data + 1, len - 1);
	error = check_file(fd, CHECK_ANY, purpose, &check, &out);
	close(fd);
	if (error != 0 && error != ICERT_E_MEMORY)
		abort();
	if (out < 0)
		return 0;
	/* What comes out is a good picture of the same size, whatever went in. */
	if (error != 0 || (check.type != CHECK_JPEG && check.type != CHECK_PNG) || check_file(out, CHECK_IMAGE, purpose, &again, &second) != 0 ||
	    again.flags != 0 || again.width != check.width || again.height != check.height || second < 0)
		abort();
	close(out);
	close(second);
	return 0;
}
