#ifndef WEB_ROUTE_H
#define WEB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "web/request.h"

/*
 * A route is declared beside its handler, in the same file:
 *
 *	const struct route tariff_routes[] = {
 *		{ METHOD_GET, "/tarifas", ROLE_PUBLIC, PROVINCE_NONE, 0, tariff_show },
 *		{ 0 }
 *	};
 *
 * and each program names its tables in one list.  The framework checks role,
 * session, factor, CSRF and the form of {id} before the handler runs; whose
 * object it is, row-level security decides.  `icert-portal --routes` and
 * `icert-desk --routes` print the lists as CSV, which tests compare with
 * docs/access.csv.
 */

/* Who may call a route: a bit each, so that a session may hold several. */
#define ROLE_PUBLIC	0x0001	/* anybody, signed in or not */
#define ROLE_CONTACT	0x0002	/* a proved mailbox: the applicant */
#define ROLE_OPERATOR	0x0010
#define ROLE_DIRECTOR	0x0020
#define ROLE_FINANCE	0x0040
#define ROLE_NATIONAL	0x0080
#define ROLE_ADMIN	0x0100
#define ROLE_AUDITOR	0x0200
#define ROLE_STAFF	0x03f0	/* any of the staff's roles */

/* Which rows the route may touch; the database's policies do the same. */
enum province_rule {
	PROVINCE_NONE,	/* touches nobody's rows */
	PROVINCE_OWN,	/* rows of the session's own contact or person */
	PROVINCE_CASE,	/* rows of the staff member's provinces */
	PROVINCE_ALL	/* every province (national office, auditor, finance) */
};

#define ROUTE_NO_CSRF	0x01	/* unsafe method without a session: the edge's own sub-requests */
#define ROUTE_PARK	0x02	/* a form kept when the session has expired, replayed later */
#define ROUTE_FRESH	0x04	/* needs a factor proved within the last 5 minutes */
#define ROUTE_ONCE	0x10	/* the same again within seconds is the same press (web/once.h) */
#define ROUTE_UPLOAD	0x08	/* the body is the edge's stream of upload records */

struct route {
	enum method method;		/* 0 ends a table */
	const char *pattern;		/* "/caso/{id}/fotos"; {id} is a UUID, {name} any segment of [a-z0-9-] */
	unsigned roles;
	enum province_rule province;
	unsigned flags;
	/* Returns 0 when the response is complete, a negative ICERT_E_… otherwise;
	 * the framework turns the latter into its page (web/page.h). */
	int (*handler)(struct request *);
};

/*
 * Finds the route for rq's method and path in the NULL-terminated list of
 * tables, and fills rq->route and rq->id.  Returns 0, 404 when no pattern fits,
 * or 405 when one does with another method.
 */
int route_find(struct request *, const struct route *const *tables);

/*
 * The page that a form of rq's path stood on, as far as addresses tell: the path itself where it can be got by who asks, else the
 * nearest above it.  NULL when only the first page is left.  rq->route and rq->id are as before.
 */
const char *route_page(struct request *, const struct route *const *tables);

/* Prints method,pattern,roles,province a line, roles joined by '+'. */
void route_print(FILE *, const struct route *const *tables);

#endif
