/* One call of a gateway's API: HTTP with libcurl. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/gateway_adapter.h"

#define CONNECT_MS 2000
#define TOTAL_MS 5000            /* of all tries */
#define LEAST_MS 500             /* with less left no other try is begun */
#define TRIES 3
#define PAUSE_MS 100             /* before the second try, then four times as long; and up to half of it more */
#define ANSWER_MAX (64 * 1024)
#define JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(12))

struct collected {
	struct buf octets;
	size_t most;
};

static size_t
collect(char *data, size_t size, size_t n, void *arg)
{
	struct collected *out = arg;

	/* Taking less than offered makes libcurl stop the transfer. */
	if (out->octets.len + size * n > out->most)
		return 0;
	buf_put(&out->octets, data, size * n);
	return buf_error(&out->octets) == 0 ? size * n : 0;
}

const char *
gateway_credential(const struct gateway *gateway, const char *name)
{
	size_t i;

	for (i = 0; gateway->adapter->credentials[i] != NULL; i++)
		if (strcmp(gateway->adapter->credentials[i], name) == 0)
			return gateway->credential[i];
	return "";
}

/* name=value&name=value, encoded. */
static int
encode(CURL *http, const struct gateway_field *fields, struct buf *out)
{
	for (size_t i = 0; fields[i].name != NULL; i++) {
		char *name = curl_easy_escape(http, fields[i].name, 0), *value = curl_easy_escape(http, fields[i].value, 0);

		if (name == NULL || value == NULL)
			buf_fail(out, ICERT_E_MEMORY);
		else
			buf_printf(out, "%s%s=%s", i == 0 ? "" : "&", name, value);
		curl_free(name);
		curl_free(value);
	}
	return buf_error(out);
}

static int
append(struct curl_slist **list, const char *name, const char *value)
{
	struct buf line = BUF_INIT;
	struct curl_slist *longer = NULL;
	int error = ICERT_E_MEMORY;

	/* A value from outside may not begin another header. */
	if (strpbrk(value, "\r\n") != NULL)
		return ICERT_E_INVALID;
	buf_printf(&line, "%s: %s", name, value);
	if (buf_error(&line) == 0 && (longer = curl_slist_append(*list, buf_str(&line))) != NULL) {
		*list = longer;
		error = 0;
	}
	buf_free(&line);
	return error;
}

static int
headers(const struct gateway_call *call, int has_body, struct curl_slist **list)
{
	int error = append(list, "Accept", "application/json");

	if (error == 0 && has_body)
		error = append(list, "Content-Type", call->form != NULL ? "application/x-www-form-urlencoded" : "application/json");
	/* No waiting for a "100 Continue". */
	if (error == 0)
		error = append(list, "Expect", "");
	for (size_t i = 0; error == 0 && call->headers != NULL && call->headers[i].name != NULL; i++)
		error = append(list, call->headers[i].name, call->headers[i].value);
	return error;
}

/* A second one does nothing more: questions, and what has a key. */
static int
repeats(const struct gateway_call *call)
{
	return call->repeatable || (call->json == NULL && call->form == NULL && call->method == NULL);
}

static void
options(CURL *http, const char *url, const struct gateway_call *call, const struct buf *body, struct curl_slist *list, struct collected *out)
{
	curl_easy_reset(http);
	/* On a connection that it had kept, libcurl itself sends anything again when that ends without an answer; on a new one nothing. */
	curl_easy_setopt(http, CURLOPT_FRESH_CONNECT, repeats(call) ? 0L : 1L);
	curl_easy_setopt(http, CURLOPT_URL, url);
	curl_easy_setopt(http, CURLOPT_PROTOCOLS_STR, strncmp(url, "https:", 6) == 0 ? "https" : "http");
	curl_easy_setopt(http, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(http, CURLOPT_PROXY, "");
	curl_easy_setopt(http, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(http, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(http, CURLOPT_WRITEDATA, out);
	if (body != NULL) {
		curl_easy_setopt(http, CURLOPT_POSTFIELDSIZE, (long)body->len);
		curl_easy_setopt(http, CURLOPT_POSTFIELDS, buf_str(body));
	}
	if (call->method != NULL)
		curl_easy_setopt(http, CURLOPT_CUSTOMREQUEST, call->method);
}

/* What came back, to our errors; its JSON is kept in every case. */
static int
judge(const struct gateway *gateway, const struct gateway_call *call, const struct buf *out, struct gateway_answer *answer)
{
	size_t flags = JSON_REJECT_DUPLICATES | (call->scalar ? JSON_DECODE_ANY : 0);
	json_t *json = out->len == 0 ? NULL : json_loadb((const char *)out->p, out->len, flags, NULL);
	long status = answer->status;

	answer->json = json;
	if (status == 404)
		return ICERT_E_NOT_FOUND;
	if (status == 429 || status >= 500)
		return ICERT_E_UNAVAILABLE;
	if (status < 200 || status > 299) {
		log_warn("gateway_refused", "gateway %s answered %ld", gateway->name, status);
		return ICERT_E_DENIED;
	}
	return json != NULL ? 0 : ICERT_E_MALFORMED;
}

/* Whether another try may help: nothing was reached, or the gateway says that it is busy for a moment. */
static int
may_help(CURLcode code, long status)
{
	if (code != CURLE_OK)
		return code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
	return status == 429 || status >= 500;
}

static void
rest(int64_t ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	uint8_t odd = 0;

	(void)bytes_random(&odd, 1);
	time.tv_nsec += (long)(ms % 1000 * 1000000 / 512 * odd);
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	while (nanosleep(&time, &time) != 0)
		;
}

static int
perform(struct gateway *gateway, const struct gateway_call *call, struct collected *out, struct gateway_answer *answer)
{
	int64_t end = clock_mono_ms() + TOTAL_MS, left = TOTAL_MS, pause = PAUSE_MS;
	int again = repeats(call);
	CURLcode code = CURLE_OK;
	int tries;

	for (tries = 1; ; tries++, pause *= 4) {
		curl_off_t wait = 0;

		buf_reset(&out->octets);
		answer->status = 0;
		curl_easy_setopt(gateway->http, CURLOPT_CONNECTTIMEOUT_MS, (long)(left < CONNECT_MS ? left : CONNECT_MS));
		curl_easy_setopt(gateway->http, CURLOPT_TIMEOUT_MS, (long)left);
		if ((code = curl_easy_perform(gateway->http)) == CURLE_OK) {
			curl_easy_getinfo(gateway->http, CURLINFO_RESPONSE_CODE, &answer->status);
			curl_easy_getinfo(gateway->http, CURLINFO_RETRY_AFTER, &wait);
		}
		/* It says itself when: not sooner. */
		if (wait > 0)
			pause = wait * 1000 > TOTAL_MS ? TOTAL_MS : (int64_t)wait * 1000;
		left = end - clock_mono_ms();
		if (!again || tries == TRIES || !may_help(code, answer->status) || left - pause - pause / 2 < LEAST_MS)
			break;
		rest(pause);
		left = end - clock_mono_ms();
	}
	if (code == CURLE_OK)
		return judge(gateway, call, &out->octets, answer);
	log_warn("gateway_unreachable", "gateway %s: %s, %d tries", gateway->name, curl_easy_strerror(code), tries);
	return code == CURLE_WRITE_ERROR ? ICERT_E_MALFORMED : ICERT_E_UNAVAILABLE;
}

static int
write_body(struct gateway *gateway, const struct gateway_call *call, struct buf *body)
{
	char *text;

	if (call->form != NULL)
		return encode(gateway->http, call->form, body);
	if (call->json == NULL)
		return 0;
	if ((text = json_dumps(call->json, JSON_FLAGS)) == NULL)
		return ICERT_E_INVALID;
	buf_puts(body, text);
	bytes_wipe(text, strlen(text));
	free(text);
	return buf_error(body);
}

int
gateway_call(struct gateway *gateway, const struct gateway_call *call, struct gateway_answer *answer)
{
	struct collected out = { .most = call->answer_max != 0 ? call->answer_max : ANSWER_MAX };
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct curl_slist *list = NULL;
	int has_body = call->json != NULL || call->form != NULL, error = ICERT_E_MEMORY;

	memset(answer, 0, sizeof(*answer));
	if (gateway->http == NULL && (gateway->http = curl_easy_init()) == NULL)
		goto out;
	buf_printf(&url, "%s%s%s", call->base != NULL ? call->base : gateway->url, call->path, call->query != NULL ? "?" : "");
	if (call->query != NULL)
		encode(gateway->http, call->query, &url);
	if ((error = buf_error(&url)) != 0 || (error = write_body(gateway, call, &body)) != 0 ||
	    (error = headers(call, has_body, &list)) != 0)
		goto out;
	options(gateway->http, buf_str(&url), call, has_body ? &body : NULL, list, &out);
	error = perform(gateway, call, &out, answer);
out:
	curl_slist_free_all(list);
	json_decref(call->json);
	buf_free(&url);
	buf_free(&body);
	buf_free(&out.octets);
	return error;
}
