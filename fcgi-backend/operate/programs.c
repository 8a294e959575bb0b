#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "crypt/keyclient.h"
#include "libicert/sanitized.h"
#include "operate/programs.h"
#include "operate/edge_sockets.h"
#include "operate/sockets.h"

#define READY_PING_MS 200

struct program_row {
	const char *name;
	const char *user;
	const char *fcgi;	/* the socket that becomes fd 0 */
	const char *sockets[UNIT_SOCKETS];
	int (*ready)(const struct instance *, const struct unit *);
	int niceness;		/* as the unit in conf/systemd says */
};

long
http_status(const char *url)
{
	CURL *curl = curl_easy_init();
	long status = 0;

	if (curl == NULL)
		return 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 1000L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	/* It is ourselves that we ask: the question is who answers, not who it is. */
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status;
}

/* The port base + offset answers with something that a living program said. */
static int
answers_at(const struct instance *i, const char *scheme, int offset, const char *path)
{
	char url[FILES_PATH];
	long status;

	if (path_join(url, "%s://127.0.0.1:%d%s", scheme, i->port + offset, path) != 0)
		return 0;
	status = http_status(url);
	return status != 0 && (status < 502 || status > 504);
}

/* A key process answers a ping on the first of its sockets. */
static int
ready_keys(const struct instance *i, const struct unit *u)
{
	char name[64];
	struct keyclient client;
	const char *path;
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(u->fdnames, ":"), u->fdnames);
	if ((path = config_get(&i->config, "sockets", name)) == NULL)
		return 0;
	keyclient_init(&client, path);
	client.timeout_ms = READY_PING_MS;
	rc = keyclient_ping(&client);
	keyclient_close(&client);
	return rc == 0;
}

static int
ready_portal(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "https", 0, "/");
}

static int
ready_desk(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "https", 1, "/");
}

/* Its answer to what is no notification. */
static int
ready_webhook(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "https", 0, "/avisos/");
}

static int
ready_edge(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "http", 5, "/healthz");
}

static int
ready_cache(const struct instance *i, const struct unit *u)
{
	(void)u;
	return socket_answers(config_get(&i->config, "redis", "socket"));
}

static int
ready_gateway(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "http", 3, "/");
}

static int
ready_mail(const struct instance *i, const struct unit *u)
{
	(void)u;
	return answers_at(i, "http", 4, "/");
}

static const struct program_row key_rows[] = {
	{ "keeper", "icert-keeper", NULL, { "keeper-admin", "keeper-portal", "keeper-desk",
	    "keeper-issuer", "keeper-clerk" }, ready_keys, 0 },
	{ "keymaker", "icert-keymaker", NULL, { "keymaker-issuer" }, ready_keys, 0 },
	{ "signer", "icert-signer", NULL, { "signer-issuer", "signer-publisher" }, ready_keys, 0 },
	{ "status-signer", "icert-status", NULL, { "status-signer-publisher",
	    "status-signer-ocsp" }, ready_keys, 0 },
	{ "checker", "icert-checker", NULL, { "checker-portal", "checker-desk", "checker-clerk" }, ready_keys, 0 },
};

#define PAGES_WAIT 5	/* before payments and status do, when there is more to do than cores */

static const struct program_row rest_rows[] = {
	{ "publisher", "icert-publisher", NULL, { "publisher-admin" }, NULL, 0 },
	{ "issuer", "icert-issuer", NULL, { NULL }, NULL, 0 },
	{ "clerk", "icert-clerk", NULL, { NULL }, NULL, 0 },
	{ "ocsp", "icert-ocsp", "ocsp.fcgi", { NULL }, NULL, 0 },
	{ "webhook", "icert-webhook", "webhook.fcgi", { NULL }, ready_webhook, 0 },
	{ "portal", "icert-portal", "portal.fcgi", { NULL }, ready_portal, PAGES_WAIT },
	{ "desk", "icert-desk", "desk.fcgi", { NULL }, ready_desk, 0 },
};

static int
program_sockets(const struct instance *i, const struct program_row *row, struct unit *u)
{
	int n;

	if (row->fcgi != NULL && (u->stdin_fd = socket_bind(i, row->fcgi, row->user)) < 0)
		return -1;
	for (n = 0; n < UNIT_SOCKETS && row->sockets[n] != NULL; n++) {
		if ((u->fds[n] = socket_bind(i, row->sockets[n], row->user)) < 0)
			return -1;
		u->nfds++;
		if (n > 0)
			strcat(u->fdnames, ":");
		strncat(u->fdnames, row->sockets[n], sizeof(u->fdnames) - strlen(u->fdnames) - 2);
	}
	return 0;
}

/* Starts what was filled; what could not be, goes. */
static int
start(struct supervisor *s, struct unit *u, int wrong)
{
	if (!wrong)
		return supervisor_start(s, u) == NULL ? -1 : 0;
	unit_free(u);
	return -1;
}

static int
program_start(struct supervisor *s, const struct program_row *row)
{
	const struct instance *i = s->instance;
	char binary[FILES_PATH];
	struct unit u;

	unit_init(&u, row->name);
	if (path_join(binary, "%s/icert-%s", i->bin, row->name) != 0)
		return -1;
	if (access(binary, X_OK) != 0)
		return complain("%s is not built; run make", binary);
	u.ready = row->ready;
	u.niceness = row->niceness;
	return start(s, &u, (row->ready == NULL && unit_env(&u, "NOTIFY_SOCKET=%s/notify", i->run) != 0) ||
	    users_find(row->user, &u.user) != 0 || program_sockets(i, row, &u) != 0 ||
	    unit_arg(&u, "%s", binary) != 0 || unit_arg(&u, "--config") != 0 ||
	    unit_arg(&u, "%s", i->config_path) != 0 ||
	    unit_env(&u, "SOFTHSM2_CONF=%s/softhsm2.conf",
	    config_require(&i->config, "paths", "signer_dir")) != 0);
}

int
programs_keys(struct supervisor *s)
{
	size_t n;

	for (n = 0; n < sizeof(key_rows) / sizeof(key_rows[0]); n++)
		if (program_start(s, &key_rows[n]) != 0)
			return -1;
	return 0;
}

int
programs_rest(struct supervisor *s)
{
	size_t n;

	for (n = 0; n < sizeof(rest_rows) / sizeof(rest_rows[0]); n++)
		if (program_start(s, &rest_rows[n]) != 0)
			return -1;
	return 0;
}

/* What nginx reads, from the templates. */
static int
edge_files(const struct instance *i)
{
	static const char *const names[] = {
		"nginx.conf", "nginx-pages.conf", "nginx-params.conf",
	};
	char from[FILES_PATH], to[FILES_PATH];
	size_t n;

	for (n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (path_join(from, "%s.in", names[n]) != 0 ||
		    path_join(to, "%s/etc/%s", i->data, names[n]) != 0 ||
		    instance_template(i, from, to, 0644) != 0)
			return -1;
	return path_join(from, "%s/conf/pages", i->share) != 0 ||
	    path_join(to, "%s/etc/pages", i->data) != 0 ? -1 : tree_copy(from, to);
}

/*
 * Debian's nginx knows nothing of the sanitizer that our module was built with, and has to load its runtime first.
 * What nginx leaves to its end is not looked at; the module looks for leaks when a worker leaves.
 */
static int
edge_sanitizer(struct unit *u)
{
#if ICERT_SANITIZED
	extern void __asan_init(void);
	const char *options = getenv("ASAN_OPTIONS"), *leaks = getenv("LSAN_OPTIONS");
	Dl_info runtime;

	if (dladdr((void *)__asan_init, &runtime) == 0)
		return complain("the sanitizer's runtime is not to be found");
	return unit_env(u, "LD_PRELOAD=%s", runtime.dli_fname) |
	    unit_env(u, "ASAN_OPTIONS=%s:leak_check_at_exit=0", options != NULL ? options : "") |
	    unit_env(u, "LSAN_OPTIONS=%s", leaks != NULL ? leaks : "");
#else
	(void)u;
	return 0;
#endif
}

int
programs_edge(struct supervisor *s)
{
	const struct instance *i = s->instance;
	char path[FILES_PATH];
	struct unit u;

	if (!file_exists(i->module))
		return complain("%s is not built; run make", i->module);
	unit_init(&u, "nginx");
	u.as_admin = 1;
	u.ready = ready_edge;
	return start(s, &u, path_join(path, "%s/etc/nginx.conf", i->data) != 0 ||
	    edge_files(i) != 0 || edge_sanitizer(&u) != 0 || edge_sockets(&u, path) != 0 ||
	    unit_arg(&u, "%s", i->tools.nginx) != 0 ||
	    unit_arg(&u, "-e") != 0 || unit_arg(&u, "stderr") != 0 ||
	    unit_arg(&u, "-p") != 0 || unit_arg(&u, "%s/edge", i->data) != 0 ||
	    unit_arg(&u, "-c") != 0 || unit_arg(&u, "%s", path) != 0 ||
	    unit_arg(&u, "-g") != 0 || unit_arg(&u, "daemon off;") != 0);
}

int
programs_cache(struct supervisor *s)
{
	const struct instance *i = s->instance;
	const char *path = config_require(&i->config, "redis", "socket");
	struct unit u;

	unit_init(&u, "redis");
	u.ready = ready_cache;
	/* What is in it may vanish at any moment, so nothing of it is kept. */
	return start(s, &u, users_find("icert-redis", &u.user) != 0 ||
	    unit_arg(&u, "%s", i->tools.redis) != 0 ||
	    unit_arg(&u, "--port") != 0 || unit_arg(&u, "0") != 0 ||
	    unit_arg(&u, "--unixsocket") != 0 || unit_arg(&u, "%s", path) != 0 ||
	    unit_arg(&u, "--unixsocketperm") != 0 || unit_arg(&u, "770") != 0 ||
	    unit_arg(&u, "--save") != 0 || unit_arg(&u, "%s", "") != 0 ||
	    unit_arg(&u, "--appendonly") != 0 || unit_arg(&u, "no") != 0 ||
	    unit_arg(&u, "--maxmemory") != 0 || unit_arg(&u, "64mb") != 0 ||
	    unit_arg(&u, "--maxmemory-policy") != 0 || unit_arg(&u, "allkeys-lru") != 0);
}

/* The beginning of one: node and its script. */
static int
simulator(const struct instance *i, struct unit *u, const char *name, const char *script, int (*ready)(const struct instance *, const struct unit *))
{
	char path[FILES_PATH];

	unit_init(u, name);
	u->ready = ready;
	if (path_join(path, "%s/%s", i->simulators, script) != 0)
		return -1;
	if (!file_exists(path))
		return complain("%s is not there", path);
	return users_find("icert-sim", &u->user) != 0 || unit_arg(u, "%s", i->tools.node) != 0 || unit_arg(u, "%s", path) != 0 ? -1 : 0;
}

int
programs_simulators(struct supervisor *s)
{
	const struct instance *i = s->instance;
	struct unit u;

	if (start(s, &u, simulator(i, &u, "mail", "mail.mjs", ready_mail) != 0 ||
	    unit_arg(&u, "--smtp") != 0 || unit_arg(&u, "%d", i->port + 6) != 0 ||
	    unit_arg(&u, "--page") != 0 || unit_arg(&u, "%d", i->port + 4) != 0 ||
	    unit_arg(&u, "--folder") != 0 || unit_arg(&u, "%s/mail", i->data) != 0) != 0)
		return -1;
	return start(s, &u, simulator(i, &u, "gateway", "gateway.mjs", ready_gateway) != 0 ||
	    unit_arg(&u, "--port") != 0 || unit_arg(&u, "%d", i->port + 3) != 0 ||
	    unit_arg(&u, "--config") != 0 || unit_arg(&u, "%s", i->config_path) != 0 ||
	    unit_arg(&u, "--folder") != 0 || unit_arg(&u, "%s/gateway", i->data) != 0);
}
