#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libicert/status_writer.h"

#define CHUNK		(1U << 18)	/* read at a time */
#define WORTH_WHILE	(1U << 22)	/* less than that waits */

int
status_back_begin(struct status_writer *w)
{
	w->back_at = w->at;
	if (w->back_digest == NULL && (w->back_digest = EVP_MD_CTX_new()) == NULL)
		return ICERT_E_MEMORY;
	return EVP_MD_CTX_copy_ex(w->back_digest, w->record_digest) == 1 ? 0 : ICERT_E_MEMORY;
}

static int
read_to(struct status_writer *w, uint64_t end)
{
	uint8_t	*buffer;
	ssize_t	 n;
	int	 rc = 0;

	if (w->back_at >= end)
		return 0;
	if ((buffer = malloc(CHUNK)) == NULL)
		return ICERT_E_MEMORY;
	while (w->back_at < end) {
		n = pread(w->file.fd, buffer, end - w->back_at < CHUNK ? end - w->back_at : CHUNK, (off_t)w->back_at);
		if (n == -1 && errno == EINTR)
			continue;
		rc = n <= 0 ? ICERT_E_SYSTEM : EVP_DigestUpdate(w->back_digest, buffer, (size_t)n) == 1 ? 0 : ICERT_E_CRYPTO;
		if (rc != 0)
			break;
		w->back_at += (uint64_t)n;
	}
	free(buffer);
	return rc;
}

int
status_writer_read_back(struct status_writer *w)
{
	uint64_t	end = atomic_load(&w->file.written);

	return end < w->back_at + WORTH_WHILE ? 0 : read_to(w, end);
}

int
status_back_verify(struct status_writer *w, uint64_t end, const uint8_t digest[STATUS_DIGEST])
{
	uint8_t	md[STATUS_DIGEST];
	int	rc;

	if ((rc = read_to(w, end)) != 0)
		return rc;
	if (EVP_DigestFinal_ex(w->back_digest, md, NULL) != 1)
		return ICERT_E_CRYPTO;
	return memcmp(md, digest, sizeof(md)) == 0 ? 0 : ICERT_E_FORGED;
}
