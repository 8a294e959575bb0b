/*
 * The header lines of a part, for multipart.c alone.
 */
#ifndef LIBICERT_MULTIPART_HEADER_H
#define LIBICERT_MULTIPART_HEADER_H

struct multipart;

/*
 * Reads the header line in m->line (NUL-terminated, without CRLF) and notes
 * what it says in *m.  0, or an error with m->why.
 */
int	multipart_header(struct multipart *m);

#endif
