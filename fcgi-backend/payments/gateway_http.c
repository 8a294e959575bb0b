#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/gateway_adapter.h"

#define CONNECT_MS 2000L
#define TOTAL_MS 5000L
#define ANSWER_MAX (64 * 1024)

static size_t
collect(char *data, size_t size, size_t n, void *arg)
{
	struct buf *out = arg;

	/* Taking less than offered makes libcurl stop the transfer. */
	if (out->len + size * n > ANSWER_MAX)
		return 0;
	buf_put(out, data, size * n);
	return buf_error(out) == 0 ? size * n : 0;
}

static int
append(struct curl_slist **list, const char *name, const char *value)
{
	struct buf line = BUF_INIT;
	struct curl_slist *longer = NULL;

	buf_printf(&line, "%s: %s", name, value);
	if (buf_error(&line) == 0 && (longer = curl_slist_append(*list, buf_str(&line))) != NULL)
		*list = longer;
	buf_free(&line);
	return longer != NULL ? 0 : ICERT_E_MEMORY;
}

static int
headers(const struct gateway *gateway, const char *idempotency_key, struct curl_slist **list)
{
	struct buf bearer = BUF_INIT;
	int error;

	buf_printf(&bearer, "Bearer %s", gateway->api_key);
	error = buf_error(&bearer);
	if (error == 0)
		error = append(list, "Authorization", buf_str(&bearer));
	if (error == 0)
		error = append(list, "Content-Type", "application/json");
	if (error == 0)
		error = append(list, "Accept", "application/json");
	if (error == 0 && idempotency_key != NULL)
		error = append(list, "Idempotency-Key", idempotency_key);
	buf_free(&bearer);
	return error;
}

static void
options(CURL *http, const char *url, const char *body, struct curl_slist *list, struct buf *out)
{
	curl_easy_setopt(http, CURLOPT_URL, url);
	curl_easy_setopt(http, CURLOPT_PROTOCOLS_STR, strncmp(url, "https:", 6) == 0 ? "https" : "http");
	curl_easy_setopt(http, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(http, CURLOPT_PROXY, "");
	curl_easy_setopt(http, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(http, CURLOPT_TIMEOUT_MS, TOTAL_MS);
	curl_easy_setopt(http, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(http, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(http, CURLOPT_WRITEDATA, out);
	if (body != NULL)
		curl_easy_setopt(http, CURLOPT_POSTFIELDS, body);
}

/* A status to our errors, and the object of a good answer. */
static int
judge(const struct gateway *gateway, long status, const struct buf *out, json_t **answer)
{
	json_t *json;

	if (status == 404)
		return ICERT_E_NOT_FOUND;
	if (status == 429 || status >= 500)
		return ICERT_E_UNAVAILABLE;
	if (status < 200 || status > 299) {
		log_warn("gateway_refused", "gateway %s answered %ld", gateway->name, status);
		return ICERT_E_DENIED;
	}
	json = json_loadb((const char *)out->p, out->len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return ICERT_E_MALFORMED;
	}
	*answer = json;
	return 0;
}

int
gateway_http(struct gateway *gateway, const char *path, json_t *body, const char *idempotency_key, json_t **answer)
{
	struct curl_slist *list = NULL;
	struct buf url = BUF_INIT, out = BUF_INIT;
	char *text = NULL;
	CURLcode code;
	long status = 0;
	int error = ICERT_E_MEMORY;

	*answer = NULL;
	if (gateway->http == NULL && (gateway->http = curl_easy_init()) == NULL)
		goto out;
	curl_easy_reset(gateway->http);
	if (body != NULL && (text = json_dumps(body, JSON_COMPACT)) == NULL)
		goto out;
	buf_printf(&url, "%s%s", gateway->url, path);
	if ((error = buf_error(&url)) != 0 || (error = headers(gateway, idempotency_key, &list)) != 0)
		goto out;
	options(gateway->http, buf_str(&url), text, list, &out);
	code = curl_easy_perform(gateway->http);
	if (code != CURLE_OK) {
		log_warn("gateway_unreachable", "gateway %s: %s", gateway->name, curl_easy_strerror(code));
		error = code == CURLE_WRITE_ERROR ? ICERT_E_MALFORMED : ICERT_E_UNAVAILABLE;
		goto out;
	}
	curl_easy_getinfo(gateway->http, CURLINFO_RESPONSE_CODE, &status);
	error = judge(gateway, status, &out, answer);
out:
	curl_slist_free_all(list);
	json_decref(body);
	free(text);
	buf_free(&url);
	buf_free(&out);
	return error;
}
