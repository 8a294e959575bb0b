/*
 * For the units of adapters: a server that answers by a script, and a gateway that asks it.
 * One answer a request, in order; end() fails when not all was asked for, or something else.
 */
#ifndef UNIT_PAYMENTS_SERVER_H
#define UNIT_PAYMENTS_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "payments/gateway.h"

#define ORDER "11111111-1111-4111-8111-111111111111"

/* One answer: what the request must hold, and what comes back; status 0: the connection is closed without a word, SILENCE: none comes.
 * headers `kept`: the connection is kept, and closed when another one comes. */
#define SILENCE -1
static const char kept[] = "Connection: keep-alive\r\n";
struct answer {
	const char *wanted;
	int status;
	const char *headers, *body;
};

static struct {
	int listener;
	const struct answer *script;
	size_t n, at;            /* answers given */
	char unwanted[4096];     /* a request that was not as it should be */
	pthread_t thread;
} server;

static char folder[] = "/tmp/icert-calls-XXXXXX", credentials_file[64], adapter[32], url[64];
static struct config_entry entries[] = {
	{ "gateways", "names", "here" }, { "gateways", "here.adapter", adapter }, { "gateways", "here.credentials_file", credentials_file },
	{ "gateways", "here.url", url },
};
static struct config config = { .entries = entries, .n = 4 };

static void
serve(int fd)
{
	const struct answer *a = &server.script[server.at];
	char request[16384] = "", head[512];
	size_t n = 0, length = 0;
	const char *end, *field;
	ssize_t got;

	while (n < sizeof(request) - 1 && (got = read(fd, request + n, sizeof(request) - 1 - n)) > 0) {
		n += (size_t)got;
		request[n] = '\0';
		if ((end = strstr(request, "\r\n\r\n")) == NULL)
			continue;
		if ((field = strstr(request, "Content-Length: ")) != NULL && field < end)
			length = strtoul(field + 16, NULL, 10);
		if (n >= (size_t)(end + 4 - request) + length)
			break;
	}
	if (n == 0)
		return;
	server.at++;
	if (a->wanted != NULL && strstr(request, a->wanted) == NULL)
		snprintf(server.unwanted, sizeof(server.unwanted), "no \"%s\" in:\n%.3000s", a->wanted, request);
	while (a->status == SILENCE && read(fd, head, sizeof(head)) > 0)
		;
	if (a->status <= 0)
		return;
	n = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n%s\r\n", a->status,
	    a->headers == kept ? "" : "Connection: close\r\n", strlen(a->body), a->headers != NULL ? a->headers : "");
	if (write(fd, head, n) == (ssize_t)n)
		(void)!write(fd, a->body, strlen(a->body));
}

/* Whether the next request comes on this connection, which its answer has kept. */
static int
goes_on(int fd)
{
	struct pollfd both[] = { { .fd = fd, .events = POLLIN }, { .fd = server.listener, .events = POLLIN } };

	return server.at > 0 && server.at < server.n && server.script[server.at - 1].headers == kept && poll(both, 2, -1) > 0 && (both[0].revents & POLLIN);
}

static void *
serve_all(void *arg)
{
	(void)arg;
	while (server.at < server.n) {
		int fd = accept(server.listener, NULL, NULL);

		if (fd < 0)
			break;
		do
			serve(fd);
		while (goes_on(fd));
		close(fd);
	}
	return NULL;
}

static struct gateway *
begin(const char *name, const char *credentials, const struct answer *script, size_t n)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	struct gateway *gateway = NULL;
	FILE *file = fopen(credentials_file, "w");

	fputs(credentials, file);
	fclose(file);
	chmod(credentials_file, 0600);
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	strcpy(adapter, name);
	server.script = script;
	server.n = n;
	server.at = 0;
	server.unwanted[0] = '\0';
	assert_int_equal(pthread_create(&server.thread, NULL, serve_all, NULL), 0);
	assert_int_equal(gateway_open(&config, "here", GATEWAY_API, &gateway), 0);
	return gateway;
}

/* All of the script was asked for, and nothing else. */
static void
end(struct gateway *gateway)
{
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	gateway_free(gateway);
	assert_string_equal(server.unwanted, "");
	assert_int_equal(server.at, server.n);
}

#define BEGIN(name, credentials, script) begin(name, credentials, script, sizeof(script) / sizeof((script)[0]))

__attribute__((unused)) static const struct gateway_checkout_request request = {
	.order = ORDER, .once = ORDER ":1", .number = "P-2026-000001-1", .description = "Archivo PKCS#12 & más", .cents = 3105, .net = 2700, .tax = 405,
	.tax_bp = 1500, .currency = "USD", .return_url = "https://x.example/orden/1/vuelta", .notify_url = "https://x.example/avisos/here",
	.seconds = 86400, .address = "192.0.2.7", .browser = "Mozilla/5.0",
};

struct listed {
	struct gateway_payment rows[16];
	int n, most;
};

__attribute__((unused)) static int
listed_add(void *arg, const struct gateway_payment *p)
{
	struct listed *l = arg;

	l->rows[l->n++] = *p;
	return l->n == l->most ? 7 : 0;
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(credentials_file, sizeof(credentials_file), "%s/credentials", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(credentials_file);
	return rmdir(folder);
}

#endif
