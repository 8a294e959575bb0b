#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <fcgiapp.h>

#include "libicert/buf.h"

/*
 * The end of a request that had no body: the answer (CGI headers and body) goes out as FastCGI records
 * in one system call, END_REQUEST included, and the connection is closed.  libfcgi sends it in
 * pieces of 8 KiB, each of which wakes the edge, and then waits until the edge has closed: a worker could
 * not begin the next request before.  Whoever has not read a body to its end must leave it to
 * FCGX_Finish_r, which reads on, for closing would cut off who still sends.
 * FastCGI Specification 1.0, 3.3 (records), 5.5 (END_REQUEST).
 */
void answer_send(FCGX_Request *, const struct buf *);

#endif
