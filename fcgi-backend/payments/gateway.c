#include "payments/gateway.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/gateway_adapter.h"

#define LINE_MAX_LENGTH 512

static const struct gateway_adapter *const adapters[] = {
	&gateway_standard_webhooks, &gateway_placetopay, &gateway_stripe, &gateway_kushki,
	&gateway_payphone, &gateway_nuvei,
};

static const struct gateway_adapter *
adapter_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(adapters) / sizeof(adapters[0]); i++)
		if (strcmp(adapters[i]->name, name) == 0)
			return adapters[i];
	return NULL;
}

int
gateway_names(const struct config *config, char names[GATEWAYS_MAX][GATEWAY_NAME])
{
	const char *p = config_get(config, "gateways", "names");
	size_t len;
	int n = 0;

	while (p != NULL && n < GATEWAYS_MAX) {
		p += strspn(p, ", \t");
		if ((len = strcspn(p, ", \t")) == 0)
			break;
		if (len < GATEWAY_NAME) {
			memcpy(names[n], p, len);
			names[n++][len] = '\0';
		}
		p += len;
	}
	return n;
}

static const char *
value(const struct config *config, const char *name, const char *key)
{
	char full[GATEWAY_NAME + 32];

	snprintf(full, sizeof(full), "%s.%s", name, key);
	return config_get(config, "gateways", full);
}

/* The next line without its end; a line too long is an error. */
static int
read_line(FILE *file, char *line, size_t size)
{
	size_t len;

	if (fgets(line, (int)size, file) == NULL)
		return 0;
	len = strcspn(line, "\r\n");
	if (line[len] == '\0' && len == size - 1)
		return -1;
	line[len] = '\0';
	return 1;
}

/* A file of secrets; NULL (errno says why, EACCES also for one that everybody may read or write). */
static FILE *
open_secret(const char *path)
{
	struct stat st;
	FILE *file = path == NULL ? NULL : fopen(path, "re");

	if (file == NULL)
		return NULL;
	if (fstat(fileno(file), &st) == 0 && (st.st_mode & S_IRWXO) == 0)
		return file;
	log_error("gateway_secret_open", "%s may be used by everybody: chmod o= it", path);
	fclose(file);
	return NULL;
}

static int
load_secrets(struct gateway *gateway, const char *path)
{
	char line[LINE_MAX_LENGTH];
	FILE *file;
	int got, error = 0;

	if ((file = open_secret(path)) == NULL)
		return ICERT_E_CONFIG;
	while (error == 0 && (got = read_line(file, line, sizeof(line))) != 0) {
		if (got > 0 && line[0] == '\0')
			continue;
		if (got < 0 || gateway->n_secrets == GATEWAY_SECRETS ||
		    gateway->adapter->secret(line, &gateway->secret[gateway->n_secrets]) != 0)
			error = ICERT_E_CONFIG;
		else
			gateway->n_secrets++;
	}
	fclose(file);
	bytes_wipe(line, sizeof(line));
	return error != 0 || gateway->n_secrets == 0 ? ICERT_E_CONFIG : 0;
}

static int
set_credential(struct gateway *gateway, const char *key, const char *text)
{
	size_t i;

	for (i = 0; gateway->adapter->credentials[i] != NULL; i++) {
		if (strcmp(gateway->adapter->credentials[i], key) != 0)
			continue;
		if (strlen(text) >= GATEWAY_CREDENTIAL || gateway->credential[i][0] != '\0')
			return ICERT_E_CONFIG;
		strcpy(gateway->credential[i], text);
		return 0;
	}
	log_error("gateway_credential", "gateway %s: \"%s\" is no credential of %s", gateway->name, key, gateway->adapter->name);
	return ICERT_E_CONFIG;
}

/* "key = value" in place, without the blanks around them; NULL when it is none. */
static char *
split(char *line, char **text)
{
	char *equals = strchr(line, '='), *end;

	if (equals == NULL)
		return NULL;
	*text = equals + 1 + strspn(equals + 1, " \t");
	for (end = *text + strlen(*text); end > *text && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	*equals = '\0';
	for (end = equals; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	return line + strspn(line, " \t");
}

static int
load_credentials(struct gateway *gateway, const char *path, const char *lone)
{
	char line[LINE_MAX_LENGTH], *key, *text;
	FILE *file;
	size_t i;
	int got, error = 0;

	if ((file = open_secret(path != NULL ? path : lone)) == NULL)
		return ICERT_E_CONFIG;
	while (error == 0 && (got = read_line(file, line, sizeof(line))) != 0) {
		if (got > 0 && (line[0] == '\0' || line[0] == '#'))
			continue;
		if (got < 0)
			error = ICERT_E_CONFIG;
		else if (path == NULL)
			error = set_credential(gateway, "api_key", line);
		else
			error = (key = split(line, &text)) == NULL ? ICERT_E_CONFIG : set_credential(gateway, key, text);
	}
	fclose(file);
	bytes_wipe(line, sizeof(line));
	for (i = 0; error == 0 && i < gateway->adapter->needed; i++)
		if (gateway->credential[i][0] == '\0') {
			log_error("gateway_credential", "gateway %s: no \"%s\"", gateway->name, gateway->adapter->credentials[i]);
			error = ICERT_E_CONFIG;
		}
	return error;
}

static int
load_url(struct gateway *gateway, const struct config *config)
{
	const char *url = value(config, gateway->name, "url"), *production = config_get(config, "instance", "production");
	int local_ok = production == NULL || strcmp(production, "yes") != 0;
	size_t len;

	if (url == NULL || (len = strlen(url)) >= sizeof(gateway->url))
		return ICERT_E_CONFIG;
	if (strncmp(url, "https://", 8) != 0 && !(local_ok && strncmp(url, "http://127.0.0.1:", 17) == 0))
		return ICERT_E_CONFIG;
	strcpy(gateway->url, url);
	while (len > 0 && gateway->url[len - 1] == '/')
		gateway->url[--len] = '\0';
	return 0;
}

const char *
gateway_title(const struct config *config, const char *name)
{
	return value(config, name, "title");
}

int
gateway_open(const struct config *config, const char *name, int purpose, struct gateway **out)
{
	char names[GATEWAYS_MAX][GATEWAY_NAME];
	struct gateway *gateway;
	const char *adapter, *seconds;
	int i, n = gateway_names(config, names), error = 0;

	*out = NULL;
	for (i = 0; i < n && strcmp(names[i], name) != 0; i++)
		;
	if (i == n)
		return ICERT_E_NOT_FOUND;
	if ((gateway = calloc(1, sizeof(*gateway))) == NULL)
		return ICERT_E_MEMORY;
	strcpy(gateway->name, names[i]);
	adapter = value(config, name, "adapter");
	gateway->adapter = adapter_find(adapter == NULL ? gateway_standard_webhooks.name : adapter);
	seconds = value(config, name, "timestamp_tolerance");
	gateway->tolerance = seconds == NULL ? GATEWAY_TOLERANCE_S : strtol(seconds, NULL, 10);
	if (gateway->adapter == NULL || gateway->tolerance <= 0)
		error = ICERT_E_CONFIG;
	if (error == 0 && (purpose & GATEWAY_NOTICES))
		error = gateway_networks_read(gateway, value(config, name, "addresses"));
	if (error == 0 && (purpose & GATEWAY_NOTICES) && gateway->adapter->secret != NULL)
		error = load_secrets(gateway, value(config, name, "secret_file"));
	if (error == 0 && (purpose & GATEWAY_API)) {
		if ((error = load_url(gateway, config)) == 0)
			error = load_credentials(gateway, value(config, name, "credentials_file"), value(config, name, "api_key_file"));
	}
	if (error != 0) {
		log_error("gateway_config", "gateway %s: a key is missing or not readable", gateway->name);
		gateway_free(gateway);
		return error;
	}
	*out = gateway;
	return 0;
}

void
gateway_free(struct gateway *gateway)
{
	if (gateway == NULL)
		return;
	curl_easy_cleanup(gateway->http);
	bytes_wipe(gateway, sizeof(*gateway));
	free(gateway);
}

int
gateway_verify(const struct gateway *gateway, const struct gateway_notice *notice, int64_t now,
    char event_id[GATEWAY_ID])
{
	json_t *json;
	int error;

	if (gateway->adapter->secret != NULL && gateway->n_secrets == 0)
		return ICERT_E_CONFIG;
	if ((error = gateway->adapter->verify(gateway, notice, now, event_id)) != 0)
		return error;
	/* What is no object of JSON in UTF-8, or too deep, nobody could ever apply. */
	if ((json = gateway_json(notice->body, notice->len)) == NULL)
		return ICERT_E_MALFORMED;
	json_decref(json);
	return 0;
}

const char *
gateway_accepted(const struct gateway *gateway)
{
	return gateway->adapter->accepted != NULL ? gateway->adapter->accepted : "{}";
}

int
gateway_read(const struct gateway *gateway, const void *body, size_t len, struct gateway_payment *payment)
{
	memset(payment, 0, sizeof(*payment));
	payment->cents = -1;
	return gateway->adapter->read(body, len, payment);
}

int
gateway_checkout_create(struct gateway *gateway, const struct gateway_checkout_request *request,
    struct gateway_checkout *checkout)
{
	return gateway->adapter->checkout(gateway, request, checkout);
}

int
gateway_returned(struct gateway *gateway, const char *payment, const struct gateway_return *back)
{
	return gateway->adapter->returned == NULL ? 0 : gateway->adapter->returned(gateway, payment, back);
}

int
gateway_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	int error;

	memset(out, 0, sizeof(*out));
	out->cents = -1;
	error = gateway->adapter->query(gateway, payment, out);
	out->sure = 1;
	return error;
}

int
gateway_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	*pending = 0;
	id[0] = '\0';
	return gateway->adapter->refund == NULL ? ICERT_E_UNSUPPORTED : gateway->adapter->refund(gateway, request, id, pending);
}

int
gateway_list(struct gateway *gateway, int64_t from, int64_t to, int (*each)(void *, const struct gateway_payment *), void *arg)
{
	if (from >= to)
		return 0;
	return gateway->adapter->list == NULL ? ICERT_E_UNSUPPORTED : gateway->adapter->list(gateway, from, to, each, arg);
}
