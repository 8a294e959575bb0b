#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "operate/sockets.h"
#include "operate/users.h"

#define SOCKET_BACKLOG 256

static int
socket_is_fcgi(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL && strcmp(dot, ".fcgi") == 0;
}

static int
socket_address(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return complain("%s is too long for a socket", path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

int
socket_bind(const struct instance *i, const char *name, const char *server)
{
	const char *path = config_get(&i->config, "sockets", name);
	struct sockaddr_un address;
	struct user user;
	char group[64], *dot;
	gid_t gid;
	int fd;

	if (path == NULL)
		return complain("[sockets] %s is not in the configuration", name);
	snprintf(group, sizeof(group), "icert-%s", name);
	if ((dot = strchr(group, '.')) != NULL)
		*dot = '-';
	if (socket_address(&address, path) != 0 || users_find(server, &user) != 0 ||
	    users_group(group, &gid) != 0)
		return -1;
	fd = socket(AF_UNIX, (socket_is_fcgi(name) ? SOCK_STREAM : SOCK_SEQPACKET) |
	    SOCK_CLOEXEC, 0);
	unlink(path);
	/* Nobody connects before the owner is right: mode 0 until then. */
	mode_t old = umask(0777);
	int bad = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0;

	umask(old);
	if (bad || (geteuid() == 0 && chown(path, user.uid, gid) != 0) ||
	    chmod(path, 0660) != 0 || listen(fd, SOCKET_BACKLOG) != 0) {
		complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int
socket_answers(const char *path)
{
	struct sockaddr_un address;
	int fd, ok;

	if (socket_address(&address, path) != 0 ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return 0;
	ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return ok;
}
