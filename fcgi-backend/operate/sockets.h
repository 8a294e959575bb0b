#ifndef ICERT_OPERATE_SOCKETS_H
#define ICERT_OPERATE_SOCKETS_H
#include "operate/instance.h"

/*
 * Bind and listen on the socket of that name (a key of [sockets]): owned by
 * the user of the program that serves it and the group icert-<name>, mode 0660,
 * so that exactly the members of that group may connect.  FastCGI sockets
 * (*.fcgi) are streams, all others SOCK_SEQPACKET.  Returns the descriptor
 * (close-on-exec), -1 after telling why.
 */
int	socket_bind(const struct instance *i, const char *name, const char *server);

/* Whether somebody listens at this path (stream); 1 or 0. */
int	socket_answers(const char *path);

#endif
