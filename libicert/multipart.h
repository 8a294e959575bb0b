/*
 * multipart/form-data (RFC 7578 over RFC 2046) as a push parser: octets in,
 * events out, bounded state, no allocation.  The same octets give the same
 * events however they are cut into pieces (runs of data may be cut elsewhere).
 *
 * Stricter than the RFCs where their freedom has been used to say one thing to
 * a filter and another to the program behind it:
 *	- the boundary has 1 to 70 characters of RFC 2046's set, and stands whole
 *	  at the start of a line; lines end with CRLF; what follows it is CRLF, or
 *	  "--" and an optional CRLF and nothing more; there is no preamble;
 *	- headers are not folded; each part has one Content-Disposition, form-data,
 *	  with one name, at most one filename and no parameter with "*"; at most one
 *	  Content-Type; Content-Transfer-Encoding only 7bit, 8bit or binary;
 *	- names are UTF-8 without control characters.
 * Within quotes a backslash escapes a quote and a backslash; before anything
 * else it is itself, as browsers write the names of files.
 */
#ifndef LIBICERT_MULTIPART_H
#define LIBICERT_MULTIPART_H

#include <stddef.h>
#include <stdint.h>

#include "libicert/error.h"

#define MULTIPART_BOUNDARY_MAX	70	/* RFC 2046, 5.1.1 */
#define MULTIPART_LINE_MAX	1024	/* octets of one header line */
#define MULTIPART_HEADERS_MAX	16	/* header lines of a part */
#define MULTIPART_NAME_MAX	255	/* octets of a field's name */
#define MULTIPART_FILE_NAME_MAX	512	/* octets of a file's name */

enum multipart_kind {
	MULTIPART_PART,		/* a part's headers are complete */
	MULTIPART_DATA,		/* some of its octets */
	MULTIPART_PART_END,	/* it is complete */
	MULTIPART_END		/* the closing delimiter was read */
};

struct multipart_event {
	enum multipart_kind	 kind;
	/* MULTIPART_PART; valid until the handler returns. */
	const char		*name;		/* NUL-terminated */
	size_t			 name_len;
	const char		*file_name;	/* as sent, unescaped; NULL: an ordinary field */
	size_t			 file_name_len;
	/* MULTIPART_DATA; valid until the handler returns. */
	const uint8_t		*data;
	size_t			 len;		/* never 0 */
};

/* Anything but 0 stops the parser, which returns it from then on. */
typedef int (*multipart_handler)(void *arg, const struct multipart_event *);

struct multipart {
	multipart_handler	 handler;
	void			*arg;
	const char		*why;		/* stable word for a refusal, else NULL */
	int			 result;	/* what stopped it; 0: going on */
	int			 state;
	size_t			 matched;	/* octets of the delimiter seen */
	size_t			 delimiter_len;
	char			 delimiter[4 + MULTIPART_BOUNDARY_MAX + 1];	/* CRLF "--" boundary */
	size_t			 line_len;
	char			 line[MULTIPART_LINE_MAX + 1];
	unsigned		 headers;	/* lines of this part */
	unsigned		 has_disposition : 1;
	unsigned		 has_type : 1;
	unsigned		 has_encoding : 1;
	unsigned		 has_file_name : 1;
	size_t			 name_len;
	char			 name[MULTIPART_NAME_MAX + 1];
	size_t			 file_name_len;
	char			 file_name[MULTIPART_FILE_NAME_MAX + 1];
};

/*
 * Reads a Content-Type.  1: multipart/form-data; boundary (NUL-terminated,
 * room for MULTIPART_BOUNDARY_MAX + 1) and *len are filled.  0: another media
 * type.  ICERT_E_MALFORMED: multipart/form-data without exactly one good boundary.
 */
int	multipart_boundary(const char *content_type, size_t content_type_len, char *boundary,
	    size_t *len);

/* boundary as multipart_boundary() gave it. */
void	multipart_init(struct multipart *, const char *boundary, size_t len, multipart_handler,
	    void *arg);

/*
 * 0, ICERT_E_MALFORMED or ICERT_E_TOO_LARGE (then ->why says which rule), or
 * what the handler returned.
 */
int	multipart_feed(struct multipart *, const void *octets, size_t len);

/* After the last octet: 0, what feed would return, or ICERT_E_TRUNCATED. */
int	multipart_finish(struct multipart *);

/*
 * A file name for showing: what follows the last slash or backslash, without
 * what may not stand in a name, cut to max octets at a code point's edge.
 * Writes at most max + 1 octets, returns the length, maybe 0.
 */
size_t	multipart_clean_name(const char *name, size_t len, char *out, size_t max);

#endif
