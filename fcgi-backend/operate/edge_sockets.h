#ifndef ICERT_OPERATE_EDGE_SOCKETS_H
#define ICERT_OPERATE_EDGE_SOCKETS_H
#include "operate/supervisor.h"

/*
 * The TCP sockets that nginx listens on, held by the supervisor as it holds those of all others: while nginx is started anew,
 * whoever connects waits and is not refused.  nginx takes them over by the variable with which it hands its own to a
 * new binary (nginx.org, "Controlling nginx").
 *
 * Binds every "listen ADDRESS:PORT" of the configuration, adds the sockets to the unit and NGINX to its environment.
 * 0, or -1 after telling why.
 */
int	edge_sockets(struct unit *u, const char *conf);

#endif
