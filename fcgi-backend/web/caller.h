#ifndef WEB_CALLER_H
#define WEB_CALLER_H

#include "procedure/act.h"
#include "procedure/people/login.h"
#include "web/request.h"

/*
 * Who asks, for procedure/; the same for applicants and staff.
 */

/* Pages that ask for news by themselves carry this in their query: nobody
 * being there, they do not keep a session from becoming idle. */
#define CALLER_WAITING	"espera"

/* Fills identity, roles, country and network of an act from the request; the
 * caller has set the act's connections.  network is in the request's arena. */
void caller_fill(struct request *, struct act *);

/* Asks who the session is and fills rq->session: live, locked, or a visitor as
 * it was.  The act is caller_fill()'s. */
int caller_load(struct request *, struct act *);

/* "/path" of this site that a log-in may lead to, of plain characters and with
 * one slash before them; NULL for anything else. */
const char *caller_local_path(const char *text);

#endif
