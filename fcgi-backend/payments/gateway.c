#include "payments/gateway.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/gateway_adapter.h"

#define LINE_MAX_LENGTH 256

static const struct gateway_adapter *const adapters[] = { &gateway_standard_webhooks };

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

static int
load_secrets(struct gateway *gateway, const char *path)
{
	char line[LINE_MAX_LENGTH];
	FILE *file;
	int got, error = 0;

	if (path == NULL || (file = fopen(path, "re")) == NULL)
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
load_api_key(struct gateway *gateway, const char *path)
{
	FILE *file;
	int got;

	if (path == NULL || (file = fopen(path, "re")) == NULL)
		return ICERT_E_CONFIG;
	got = read_line(file, gateway->api_key, sizeof(gateway->api_key));
	fclose(file);
	return got == 1 && gateway->api_key[0] != '\0' ? 0 : ICERT_E_CONFIG;
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
		error = load_secrets(gateway, value(config, name, "secret_file"));
	if (error == 0 && (purpose & GATEWAY_API)) {
		if ((error = load_url(gateway, config)) == 0)
			error = load_api_key(gateway, value(config, name, "api_key_file"));
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
	if (gateway->n_secrets == 0)
		return ICERT_E_CONFIG;
	return gateway->adapter->verify(gateway, notice, now, event_id);
}

int
gateway_read(const struct gateway *gateway, const void *body, size_t len, struct gateway_payment *payment)
{
	return gateway->adapter->read(body, len, payment);
}

int
gateway_signs_amount(const struct gateway *gateway)
{
	return gateway->adapter->signs_amount;
}

int
gateway_checkout_create(struct gateway *gateway, const struct gateway_checkout_request *request,
    struct gateway_checkout *checkout)
{
	return gateway->adapter->checkout(gateway, request, checkout);
}

int
gateway_query(struct gateway *gateway, const char *payment, struct gateway_payment *out)
{
	return gateway->adapter->query(gateway, payment, out);
}

int
gateway_refund(struct gateway *gateway, const struct gateway_refund_request *request, char id[GATEWAY_ID], int *pending)
{
	return gateway->adapter->refund(gateway, request, id, pending);
}
