#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "operate/status_set.h"

int
status_key_read(const char *file, uint8_t key[STATUS_SEAL_KEY])
{
	char text[2 * STATUS_SEAL_KEY + 2];
	FILE *in = fopen(file, "re");
	size_t n = in == NULL ? 0 : fread(text, 1, sizeof(text), in), i;
	unsigned octet;

	if (in != NULL)
		fclose(in);
	if (n == STATUS_SEAL_KEY) {
		memcpy(key, text, n);
		return 0;
	}
	if (n == sizeof(text) - 1 && text[n - 1] == '\n')
		n--;
	for (i = 0; n == 2 * STATUS_SEAL_KEY && i < STATUS_SEAL_KEY; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };

		if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%x", &octet) != 1)
			return ICERT_E_CONFIG;
		key[i] = (uint8_t)octet;
	}
	return i == STATUS_SEAL_KEY ? 0 : ICERT_E_CONFIG;
}

static int
map_all(struct status_set_files *s)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < s->manifest.count && rc == 0; i++) {
		if ((rc = status_map(s->dirfd, &s->manifest.entry[i], &s->map[i])) == 0 &&
		    s->manifest.entry[i].kind == STATUS_KIND_SEGMENT)
			rc = status_segment_init(&s->segment[s->segments++], s->map[i], s->manifest.entry[i].size,
			    s->manifest.entry[i].digest);
	}
	return rc;
}

int
status_set_open(struct status_set_files *s, const char *folder, const char *key_file)
{
	ssize_t n = -1;
	int fd, rc;

	memset(s, 0, sizeof(*s));
	s->dirfd = -1;
	if ((rc = status_key_read(key_file, s->key)) != 0)
		return rc;
	if ((s->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 &&
	    (fd = openat(s->dirfd, STATUS_MANIFEST_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) >= 0) {
		n = read(fd, s->bytes, sizeof(s->bytes));
		close(fd);
	}
	if (n < 0)
		rc = ICERT_E_SYSTEM;
	else if ((rc = status_manifest_read(&s->manifest, s->bytes, (size_t)n, s->key)) == 0)
		rc = map_all(s);
	s->len = n < 0 ? 0 : (size_t)n;
	if (rc != 0)
		status_set_close(s);
	return rc;
}

void
status_set_close(struct status_set_files *s)
{
	uint32_t i;

	for (i = 0; i < STATUS_ENTRIES_MAX; i++) {
		if (s->map[i] != NULL)
			status_unmap(s->map[i], s->manifest.entry[i].size);
		s->map[i] = NULL;
	}
	if (s->dirfd >= 0)
		close(s->dirfd);
	s->dirfd = -1;
}
