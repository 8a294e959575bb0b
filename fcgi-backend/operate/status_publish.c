#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "operate/status_publish.h"
#include "publish/publication.h"

#define SILENCE_S 120		/* a publisher that says nothing for so long is stuck in a round */

static int
reach(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval silence = { SILENCE_S, 0 };
	int fd;

	if (path == NULL)
		return complain("[sockets] publisher-admin is not in the configuration");
	if (strlen(path) >= sizeof(address.sun_path))
		return complain("%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) != 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		complain("the publisher is not reached at %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int
begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

int
status_publish(const struct instance *i, int base, FILE *out)
{
	const char *word = base ? PUBLICATION_ASK_BASE : PUBLICATION_ASK_PUBLISH;
	char line[512];
	int fd = reach(config_get(&i->config, "sockets", "publisher-admin")), rc = -1;
	ssize_t n;

	if (fd < 0)
		return 2;
	if (send(fd, word, strlen(word), MSG_NOSIGNAL) < 0) {
		close(fd);
		return complain("the publisher does not listen: %s", strerror(errno)) != 0 ? 2 : 0;
	}
	while (rc < 0 && (n = recv(fd, line, sizeof(line) - 1, 0)) > 0) {
		line[n] = '\0';
		fprintf(out, "%s\n", line);
		fflush(out);
		rc = begins(line, PUBLICATION_DONE) ? 0 : begins(line, PUBLICATION_FAILED) ? 1 : -1;
	}
	if (rc < 0)
		complain(n == 0 ? "the publisher ended before it was done" : "the publisher says nothing: %s", strerror(errno));
	close(fd);
	return rc < 0 ? 2 : rc;
}
