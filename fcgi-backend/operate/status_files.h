#ifndef ICERT_OPERATE_STATUS_FILES_H
#define ICERT_OPERATE_STATUS_FILES_H
/*
 * A published set (docs/status-store.md) without an instance: looked at, verified whole, and taken over
 * by an edge on another machine, whose nginx does not hash gigabytes in its event loop.
 */
#include <stdio.h>

struct status_files {
	const char *folder;		/* with its manifest */
	const char *key;		/* file of the publisher's public key: 32 octets, or 64 hexadecimal digits */
	const char *high_water;		/* accept: file of the highest epoch taken; NULL: TO/high-water */
	long samples;			/* verify: answers whose signatures are checked; below zero: all */
};

/*
 * Seal, every file's digest, every segment's sections, every record, and the signatures of answers, by the
 * certificates in the set.  Prints what was checked; 0 sound, 1 not, 2 it could not be tried.
 */
int	status_files_verify(const struct status_files *, FILE *out);

/* Prints the manifest, or what the set says of one serial (hexadecimal digits). */
int	status_files_inspect(const struct status_files *, const char *serial, FILE *out);

/*
 * Verifies the set in the folder and puts it in place in `to`: files first, then the manifest.  An epoch below
 * the highest taken is refused.  Nothing new is no error.  seconds above 0: again and again, until a signal.
 */
int	status_files_accept(const struct status_files *, const char *to, int seconds, FILE *out);

#endif
