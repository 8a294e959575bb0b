#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "operate/edge_sockets.h"

#define BACKLOG 1024		/* as the status server's; nginx sets each its own */
#define LINE 512

/* "127.0.0.1:8443 …" or "[::1]:8443 …".  1, 0: another form, which nginx binds by itself. */
static int
address_read(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	char host[64];
	int port;

	memset(address, 0, sizeof(*address));
	if (sscanf(text, "%63[0-9.]:%d", host, &port) == 2 && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof(*v4);
		return port > 0;
	}
	if (sscanf(text, "[%63[0-9a-fA-F:]]:%d", host, &port) == 2 && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*v6);
		return port > 0;
	}
	return 0;
}

/* nginx does not make a socket that it takes over non-blocking. */
static int
open_one(const struct sockaddr_storage *address, socklen_t len)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, error;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    (address->ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
edge_sockets(struct unit *u, const char *conf)
{
	struct sockaddr_storage address;
	char line[LINE], variable[16 * UNIT_SOCKETS] = "";
	FILE *f = fopen(conf, "r");
	char *text;
	socklen_t len;
	int rc = 0;

	if (f == NULL)
		return complain("%s: %s", conf, strerror(errno));
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		text = line + strspn(line, " \t");
		if (strncmp(text, "listen ", 7) != 0 || u->nfds == UNIT_SOCKETS || !address_read(text + 7, &address, &len))
			continue;
		if ((u->fds[u->nfds] = open_one(&address, len)) < 0) {
			rc = complain("%.*s: %s", (int)strcspn(text, "\r\n"), text, strerror(errno));
			break;
		}
		/* Passed as descriptors from 3 on, in this order. */
		snprintf(variable + strlen(variable), sizeof(variable) - strlen(variable), "%d;", 3 + u->nfds);
		strcat(u->fdnames, u->nfds == 0 ? "http" : ":http");
		u->nfds++;
	}
	fclose(f);
	return rc == 0 && u->nfds > 0 ? unit_env(u, "NGINX=%s", variable) : rc;
}
