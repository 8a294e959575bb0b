/*
 * The body that the edge puts in the place of a multipart upload: typed
 * records, so that the worker behind parses no multipart.  Written by the
 * nginx module, read by the web room, in locations where the FastCGI parameter
 * ICERT_UPLOAD is 1 and nowhere else.
 *
 * Stream: "ICUP0001", records, an end record.  A record is a type (u8), the
 * octets of its body (u32) and the body.  A string is its length (u32) and its
 * octets.  Numbers are little-endian.
 *	'F' field	name, value
 *	'U' file	field, spool name, file name, size (u64), SHA-256 (32),
 *			type (u8, enum sniff_type), width (u32), height (u32)
 *	'E' end		number of records before it (u32); nothing follows
 */
#ifndef LIBICERT_HANDOVER_H
#define LIBICERT_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/error.h"
#include "libicert/sniff.h"

#define HANDOVER_MAGIC		"ICUP0001"
#define HANDOVER_MAGIC_SIZE	8
#define HANDOVER_SHA256		32

/* Octets, not a C string: values may hold anything, NUL too. */
struct handover_text {
	const char	*p;
	size_t		 len;
};

enum handover_kind {
	HANDOVER_FIELD = 'F',
	HANDOVER_FILE = 'U'
};

struct handover_record {
	enum handover_kind	kind;
	struct handover_text	name;		/* the form field's name: UTF-8 without controls */
	struct handover_text	value;		/* field: as it came */
	/* The rest of a file. */
	struct handover_text	spool;		/* "<worker>/<bare name>" below the spool folder */
	struct handover_text	file_name;	/* cleaned, for showing only; may be empty */
	uint64_t		size;		/* octets */
	const uint8_t		*sha256;	/* HANDOVER_SHA256 octets */
	enum sniff_type		type;		/* never SNIFF_MORE or SNIFF_OTHER */
	uint32_t		width;		/* pixels; 0: not known */
	uint32_t		height;
};

/* The longest part of a spool name, octets with its NUL. */
#define HANDOVER_SPOOL_PART	64

/*
 * Where the slash of "<worker>/<bare name>" stands, or -1: a part is letters,
 * digits, "-", "_" and ".", does not begin with a dot, and is shorter than
 * HANDOVER_SPOOL_PART, so that the name leads nowhere but into the spool.
 */
long	handover_spool_slash(const char *name, size_t len);

/*
 * Writers.  Each returns the octets that the record takes and writes it when
 * room suffices (out may be NULL when room is 0).  A stream is start, records,
 * end.
 */
size_t	handover_start(uint8_t *out, size_t room);
size_t	handover_record(uint8_t *out, size_t room, const struct handover_record *);
size_t	handover_end(uint8_t *out, size_t room, uint32_t records);

/* Reading; everything points into the bytes given. */
struct handover_reader {
	const uint8_t	*p;
	const uint8_t	*end;
	uint32_t	 records;	/* so far */
};

/* 0, or ICERT_E_MALFORMED when it is no such stream. */
int	handover_open(struct handover_reader *, const void *bytes, size_t len);

/*
 * 1: *r is the next record, 0: the stream ended as it should,
 * ICERT_E_TRUNCATED or ICERT_E_MALFORMED: not to be used, not even what came before.
 */
int	handover_next(struct handover_reader *, struct handover_record *r);

#endif
