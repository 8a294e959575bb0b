/*
 * Sends one request again and again over kept-open connections, one thread each, for uploads.
 *	send PORT FILE EXPECTED CONNECTIONS REQUESTS
 * FILE is a whole request.  Each answer must be 200 with a body of EXPECTED.  Prints the seconds from the first octet sent to the last answer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (64 << 20)
#define ANSWER_MAX 8192
#define CONNECTIONS_MAX 64

static char *request;
static size_t request_len;
static const char *expected;
static int port;
static atomic_int left;
static atomic_int wrong;

static int
dial(void)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* One answer, chunked, with its last octets there, says what is expected. */
static int
answered(int fd)
{
	char	answer[ANSWER_MAX + 1];
	size_t	len = 0;
	ssize_t	n;

	while (len < ANSWER_MAX && (n = recv(fd, answer + len, ANSWER_MAX - len, 0)) > 0) {
		len += (size_t)n;
		answer[len] = '\0';
		if (strstr(answer, "\r\n\r\n") == NULL)
			continue;
		if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
			break;
		if (len < 5 || strcmp(answer + len - 5, "0\r\n\r\n") != 0)
			continue;
		if (strstr(answer, expected) != NULL)
			return 0;
		break;
	}
	if (atomic_fetch_add(&wrong, 1) == 0)
		fprintf(stderr, "%.*s\n", (int)len, answer);
	return -1;
}

static void *
sender(void *arg)
{
	int	fd = dial();

	(void)arg;
	while (atomic_fetch_sub(&left, 1) > 0) {
		for (size_t at = 0; at < request_len;) {
			ssize_t n = send(fd, request + at, request_len - at, MSG_NOSIGNAL);

			if (n <= 0)
				break;	/* what was said instead is read below */
			at += (size_t)n;
		}
		if (answered(fd) != 0)
			break;
	}
	close(fd);
	return NULL;
}

int
main(int argc, char *argv[])
{
	pthread_t	threads[CONNECTIONS_MAX];
	struct timespec	from, to;
	FILE		*f = argc == 6 ? fopen(argv[2], "r") : NULL;
	int		i, connections;

	request = malloc(REQUEST_MAX);
	if (f == NULL || request == NULL || (request_len = fread(request, 1, REQUEST_MAX, f)) == 0 ||
	    (connections = atoi(argv[4])) < 1 || connections > CONNECTIONS_MAX) {
		fprintf(stderr, "send PORT FILE EXPECTED CONNECTIONS REQUESTS\n");
		return 2;
	}
	port = atoi(argv[1]);
	expected = argv[3];
	left = atoi(argv[5]);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, sender, NULL) != 0)
			return 1;
	for (i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return wrong != 0;
}
