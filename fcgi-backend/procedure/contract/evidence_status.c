#include "procedure/contract/evidence_status.h"

#include <curl/curl.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "pki/proof.h"

#define TIMEOUT_MS 4000L
#define ANSWER_MAX (16u << 20)

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *out = arg;

	if (out->len + size * n > ANSWER_MAX)
		return 0;
	buf_put(out, p, size * n);
	return buf_error(out) == 0 ? size * n : 0;
}

/* A GET, or a POST of an OCSP request. */
static int
fetch(const char *url, const struct buf *request, struct buf *out)
{
	struct curl_slist *headers = NULL;
	CURL *curl;
	CURLcode rc;

	if (url == NULL || url[0] == '\0')
		return ICERT_E_CONFIG;
	if ((curl = curl_easy_init()) == NULL)
		return ICERT_E_MEMORY;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	if (request != NULL) {
		headers = curl_slist_append(NULL, "Content-Type: application/ocsp-request");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->p);
	}
	rc = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return rc == CURLE_OK && out->len > 0 ? 0 : ICERT_E_UNAVAILABLE;
}

int
evidence_ocsp(const struct config *config, const struct buf *cert, const struct buf *issuer, struct buf *out)
{
	struct buf request = BUF_INIT;
	int error;

	if ((error = proof_ocsp_request(cert, issuer, &request)) == 0)
		error = fetch(config_get(config, "public", "ocsp_url"), &request, out);
	buf_free(&request);
	return error;
}

int
evidence_list(const char *url, struct buf *out)
{
	return fetch(url, NULL, out);
}
