#include "checker/check.h"

#include "checker/background.h"
#include "checker/pdf.h"
#include "checker/picture.h"
#include "checker/printed.h"
#include "libicert/buf.h"
#include "libicert/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int
check_read(int fd, size_t most, struct buf *out)
{
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return ICERT_E_INVALID;
	if (st.st_size < 0 || (uint64_t)st.st_size > most)
		return ICERT_E_TOO_LARGE;
	size = (size_t)st.st_size;
	if (buf_room(out, size) == NULL)
		return buf_error(out);
	while (out->len < size) {
		ssize_t n = pread(fd, out->p + out->len, size - out->len, (off_t)out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ICERT_E_SYSTEM;
		if (n == 0)
			break;
		buf_took(out, (size_t)n);
	}
	return 0;
}

static enum check_kind
kind_of(const uint8_t *p, size_t len)
{
	static const uint8_t png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

	if (len >= 5 && memcmp(p, "%PDF-", 5) == 0)
		return CHECK_PDF;
	if (len >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff)
		return CHECK_JPEG;
	if (len >= sizeof(png) && memcmp(p, png, sizeof(png)) == 0)
		return CHECK_PNG;
	return CHECK_ANY;
}

static int
is_expected(enum check_kind kind, enum check_kind expected)
{
	if (expected == CHECK_IMAGE)
		return kind == CHECK_JPEG || kind == CHECK_PNG;
	return expected == CHECK_ANY || kind == expected;
}

/* Sealed, so that whoever maps it sees it neither shrink nor change. */
static int
to_memfd(const uint8_t *data, size_t len, int *out_fd)
{
	int fd = memfd_create("checked", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return ICERT_E_SYSTEM;
	while (done < len) {
		ssize_t n = write(fd, data + done, len - done);

		if (n <= 0) {
			close(fd);
			return ICERT_E_SYSTEM;
		}
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return ICERT_E_SYSTEM;
	}
	*out_fd = fd;
	return 0;
}

static int
check_picture(const struct buf *file, enum check_purpose purpose, struct check *out, int *out_fd)
{
	struct picture picture = { .pixels = NULL };
	struct buf encoded = BUF_INIT;
	int as_jpeg = purpose == CHECK_FACE || out->type == CHECK_JPEG;
	int error;

	if (out->type == CHECK_JPEG)
		error = picture_read_jpeg(file->p, file->len, &picture, &out->flags);
	else
		error = picture_read_png(file->p, file->len, &picture, &out->flags);
	out->width = picture.width;
	out->height = picture.height;
	if (error == 0 && picture.pixels != NULL && purpose == CHECK_FACE)
		background_measure(&picture, &out->mean, &out->deviation);
	/* A picture with a fault is reported, not mended. */
	if (error == 0 && picture.pixels != NULL && (out->flags & (CHECK_TRUNCATED | CHECK_BROKEN)) == 0) {
		error = as_jpeg ? picture_write_jpeg(&picture, CHECK_QUALITY, &encoded) : picture_write_png(&picture, &encoded);
		if (error == 0)
			error = to_memfd(encoded.p, encoded.len, out_fd);
	}
	picture_free(&picture);
	buf_free(&encoded);
	return error;
}

int
check_file(int fd, enum check_kind expected, enum check_purpose purpose, struct check *out, int *out_fd)
{
	struct buf file = BUF_INIT;
	int error = check_read(fd, CHECK_BYTES, &file);

	memset(out, 0, sizeof(*out));
	*out_fd = -1;
	if (error != 0) {
		buf_free(&file);
		return error;
	}
	out->type = kind_of(file.p, file.len);
	if (out->type == CHECK_ANY)
		out->flags |= CHECK_OTHER;
	if (!is_expected(out->type, expected))
		out->flags |= CHECK_UNEXPECTED;
	if (out->type == CHECK_PDF)
		error = pdf_look(file.p, file.len, &out->flags, &out->pages);
	else if (out->type != CHECK_ANY)
		error = check_picture(&file, purpose, out, out_fd);
	if (error == 0 && out->type == CHECK_PDF && purpose == CHECK_INVOICE && (out->flags & (CHECK_ENCRYPTED | CHECK_BROKEN)) == 0)
		printed_look(file.p, file.len, out);
	buf_free(&file);
	return error;
}
