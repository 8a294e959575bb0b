/*
 * The order of a start.  Everything before "supervise" is done again at each
 * start and changes nothing that is right already.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "libicert/clock.h"
#include "libicert/log.h"
#include "libicert/sanitized.h"
#include "operate/ceremony.h"
#include "operate/control.h"
#include "operate/demo.h"
#include "operate/folders.h"
#include "operate/migrate.h"
#include "operate/postgres.h"
#include "operate/programs.h"
#include "operate/supervisor.h"
#include "operate/tls.h"
#include "operate/up.h"

#define READY_MS 40000
#define PORT_MIN 1024
#define PORT_MAX (65535 - INSTANCE_PORTS)

static int64_t up_began;

static void
step(const char *format, ...)
{
	int64_t ms = clock_mono_ms() - up_began;
	va_list ap;

	printf("  %2lld.%lld s  ", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void
up_print(const struct instance *i)
{
	const char *host = "127.0.0.1";
	int p = i->port;

	printf("\nicert is up in %s\n\n", i->prefix);
	printf("  %-18s %s/\n", "portal", config_get(&i->config, "public", "portal_url"));
	printf("  %-18s %s/\n", "desk", config_get(&i->config, "public", "desk_url"));
	printf("  %-18s %s\n", "OCSP", config_get(&i->config, "public", "ocsp_url"));
	printf("  %-18s %s\n", "CRL", config_get(&i->config, "public", "crl_url"));
	printf("  %-18s %s\n", "ARL", config_get(&i->config, "public", "arl_url"));
	printf("  %-18s %s  %s\n", "CA certificates", config_get(&i->config, "public", "issuer_url"),
	    config_get(&i->config, "public", "root_url"));
	printf("  %-18s http://%s:%d/\n", "gateway simulator", host, p + 3);
	printf("  %-18s http://%s:%d/   (SMTP %s:%d)\n", "mail catcher", host, p + 4, host, p + 6);
	printf("  %-18s http://%s:%d/healthz  /readyz\n", "state", host, p + 5);
	demo_print(i);
	if (geteuid() != 0)
		printf("\n  missing walls: everything runs as one user, so that a program taken over reaches\n"
		    "  the files and sockets of all others, every database role and every key.  Started by\n"
		    "  root, each program has its own user.\n");
	if (!i->heads_fixed)
		printf("\n  missing wall: the file of signed heads (heads/all.heads) is not append-only: that takes root and a\n"
		    "  file system with chattr +a.  Whoever becomes icert-clerk can alter it; see docs/audit.md.\n");
	printf("\n");
	fflush(stdout);
}

/* A port that something else holds would only show as a server that dies. */
static int
up_ports(int base)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int port, fd, one = 1, busy, rc = 0;

	for (port = base; port < base + INSTANCE_PORTS; port++) {
		if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
			return complain("socket: %s", strerror(errno));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		address.sin_port = htons((uint16_t)port);
		busy = bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0;
		close(fd);
		if (busy)
			rc = complain("port %d is in use by another program; choose another --port-base", port);
	}
	return rc;
}

/* What needs no process: users, folders, configuration, certificate. */
static int
up_prepare(struct instance *i, const struct up_options *o, int port, int *lock)
{
	umask(022);
	if (up_ports(port) != 0 || users_ensure() != 0 || instance_make(i, port) != 0)
		return -1;
	if ((*lock = control_lock(i)) < 0)
		return -1;
	if (folders_make(i, o->spool_on_disk) != 0 || instance_install(i) != 0 ||
	    instance_configure(i) != 0 || tls_prepare(i) != 0)
		return -1;
	return 0;
}

static int
up_database(struct supervisor *s)
{
	struct unit u;
	int applied;

	if (postgres_prepare(s->instance) != 0)
		return -1;
	step("database");
	if (postgres_unit(s->instance, &u) != 0 || supervisor_start(s, &u) == NULL ||
	    programs_cache(s) != 0)
		return -1;
	if (supervisor_wait_ready(s, READY_MS) != 0 || postgres_bootstrap(s->instance) != 0 ||
	    migrate_run(s->instance, &applied) != 0)
		return -1;
	if (applied > 0)
		step("migrations: %d applied", applied);
	return 0;
}

static void
up_ceremony_says(void *arg, const char *what)
{
	(void)arg;
	step("ceremony: %s", what);
}

/* Once a prefix; later the addresses in the certificates hold. */
static int
up_ceremony(const struct instance *i, int keep_tokens)
{
	char why[512];

	if (ceremony_done(&i->config))
		return ceremony_urls(&i->config, why, sizeof(why)) == 0 ? 0 : complain("%s", why);
	if (ceremony_run(&i->config, i->config_path, i->bin, keep_tokens, up_ceremony_says, NULL, why, sizeof(why)) != 0)
		return complain("%s", why);
	return 0;
}

static int
up_start(struct supervisor *s, const struct up_options *o)
{
	if (up_ceremony(s->instance, o->keep_tokens) != 0 || programs_simulators(s) != 0 || up_database(s) != 0)
		return -1;
	if (programs_keys(s) != 0 || supervisor_wait_ready(s, READY_MS) != 0)
		return -1;
	step("key processes");
	if (demo_seed(s->instance) != 0)
		return -1;
	if (o->prepare)
		return 0;
	if (programs_edge(s) != 0 || programs_rest(s) != 0 ||
	    supervisor_wait_ready(s, READY_MS) != 0)
		return -1;
	step("edge and programs");
	return 0;
}

/* Leave the terminal, and tell the waiting parent that all is well. */
static int
up_detach(const struct instance *i, int tell)
{
	char path[FILES_PATH];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	if (path_join(path, "%s/log/supervisor.log", i->data) != 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (null < 0 || fd < 0)
		return complain("%s: %s", path, strerror(errno));
	setsid();
	fflush(NULL);
	dup2(null, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	close(null);
	close(fd);
	return write(tell, "", 1) == 1 ? 0 : -1;
}

/* tell: where a waiting parent listens, -1 in the foreground. */
static int
up_supervise(struct instance *i, const struct up_options *o, int port, int tell)
{
	static struct supervisor s;
	int lock = -1, rc = 1, started;

	s.instance = i;
	supervisor_signals();
	started = up_prepare(i, o, port, &lock) == 0 && supervisor_listen(&s) == 0 && up_start(&s, o) == 0;
	if (started && o->prepare) {
		printf("prepared; the next start begins what serves\n");
		rc = 0;
	} else if (started) {
		up_print(i);
		if (tell < 0)
			printf("Ctrl-C stops it; the data stays in %s\n", i->prefix);
		fflush(stdout);
		if (tell < 0 || up_detach(i, tell) == 0) {
			supervisor_watch(&s);
			rc = 0;
		}
	}
	if (tell < 0)
		printf("\nstopping\n");
	supervisor_stop(&s);
	if (lock >= 0)
		close(lock);
	return rc;
}

static int
up_in_background(struct instance *i, const struct up_options *o, int port)
{
	int pipes[2], status;
	char byte;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return complain("pipe: %s", strerror(errno));
	fflush(NULL);
	if ((pid = fork()) < 0)
		return complain("fork: %s", strerror(errno));
	if (pid == 0) {
		close(pipes[0]);
		leave(up_supervise(i, o, port, pipes[1]));
	}
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return 1;
}

int
up_run(const struct up_options *o)
{
	static struct instance i;
	int port, rc;

	up_began = clock_mono_ms();
	log_open("icertctl");
	if (sodium_init() < 0)
		return complain("libsodium does not start") != 0;
	if (instance_find(&i, o->prefix) != 0 || tools_find(&i.tools) != 0)
		return 1;
	port = o->port_base != 0 ? o->port_base : i.port != 0 ? i.port : UP_PORT_BASE;
	if (port < PORT_MIN || port > PORT_MAX)
		return complain("--port-base is from %d to %d", PORT_MIN, PORT_MAX) != 0;
	if (i.port != 0 && port != i.port)
		return complain("%s was made with --port-base %d, which stands in its certificates; "
		    "it cannot become %d", i.prefix, i.port, port) != 0;
	if (control_running(&i) != 0) {
		if (instance_load(&i) != 0)
			return 1;
		up_print(&i);
		printf("It was running already.\n");
		return 0;
	}
	printf("starting icert in %s, ports %d to %d\n", i.prefix, port, port + INSTANCE_PORTS - 1);
	rc = o->detach && !o->prepare ? up_in_background(&i, o, port) : up_supervise(&i, o, port, -1);
	instance_free(&i);
	return rc;
}
