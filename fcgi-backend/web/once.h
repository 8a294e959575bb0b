#ifndef WEB_ONCE_H
#define WEB_ONCE_H

#include <stdbool.h>

struct request;

/*
 * A button pressed twice.  The second press is the same request of the same session: same path, same fields, same files.  It waits until
 * the first is done, and when it is then refused (the case has moved, the code is used up) it ends where the first one ended,
 * because what the person wanted has been done.  A route with ROUTE_ONCE does not act again at all when the same comes within seconds.
 *
 * Kept for a minute in memory that the workers of one program share: a hash, and the path that the first answer led to.  Where a
 * program runs on several machines, or a worker died, a second press is answered as it would be without this.
 */
#define ONCE_KEPT_MS	60000	/* a refusal is forgiven for so long */
#define ONCE_PRESS_MS	5000	/* ROUTE_ONCE: so long it is the same press */
#define ONCE_WAIT_MS	15000	/* for the first to be done */

/* Before the workers are started.  False without memory: then nothing is remembered. */
bool once_share(void);

/*
 * Around the handler of a POST by somebody who is signed in.  begin: true when the answer stands already and the handler is left out.
 * end: rv is what the handler returned; what it is to be taken for, after the answer was exchanged where it was.
 */
bool once_begin(struct request *);
int once_end(struct request *, int rv);

#endif
