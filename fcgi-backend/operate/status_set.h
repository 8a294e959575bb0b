#ifndef ICERT_OPERATE_STATUS_SET_H
#define ICERT_OPERATE_STATUS_SET_H
/* A sealed set in a folder, mapped. */
#include "libicert/status.h"

struct status_set_files {
	int dirfd;
	uint8_t key[STATUS_SEAL_KEY];		/* the publisher's, public */
	uint8_t bytes[STATUS_MANIFEST_MAX];	/* the manifest as it is sealed */
	size_t len;
	struct status_manifest manifest;
	const void *map[STATUS_ENTRIES_MAX];
	struct status_segment segment[STATUS_ENTRIES_MAX];
	size_t segments;
};

/* The publisher's public key from a file of 32 octets or 64 hexadecimal digits.  0, ICERT_E_CONFIG. */
int	status_key_read(const char *file, uint8_t key[STATUS_SEAL_KEY]);

/*
 * Reads the manifest, checks its seal with the key in a file, maps every file it names and checks sizes and digests (of a segment: of its
 * header).  0, ICERT_E_SYSTEM, ICERT_E_CONFIG (the key), ICERT_E_FORGED, ICERT_E_MALFORMED, ICERT_E_MISMATCH.
 */
int	status_set_open(struct status_set_files *, const char *folder, const char *key_file);
void	status_set_close(struct status_set_files *);

#endif
