#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "publish/edge_probe.h"

#define TIMEOUT_MS 2000L
#define ANSWER_MAX 65536

struct edge_probe {
	CURL *curl;
	struct curl_slist *headers;
	X509 *issuer;
	X509_STORE *store;
};

static X509 *
certificate(const uint8_t *der, size_t len)
{
	const uint8_t *p = der;

	return d2i_X509(NULL, &p, (long)len);
}

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *out = arg;

	if (out->len + size * n > ANSWER_MAX)
		return 0;
	buf_put(out, p, size * n);
	return buf_error(out) == 0 ? size * n : 0;
}

int
edge_probe_open(struct edge_probe **out, const char *url, const uint8_t *issuer, size_t issuer_len, const uint8_t *root,
    size_t root_len)
{
	struct edge_probe *p = calloc(1, sizeof(*p));
	X509 *anchor = certificate(root, root_len);
	int error = ICERT_E_MEMORY;

	if (p == NULL)
		goto out;
	error = ICERT_E_MALFORMED;
	if ((p->issuer = certificate(issuer, issuer_len)) == NULL || anchor == NULL)
		goto out;
	error = ICERT_E_MEMORY;
	if ((p->store = X509_STORE_new()) == NULL || X509_STORE_add_cert(p->store, anchor) != 1 ||
	    X509_STORE_add_cert(p->store, p->issuer) != 1 || (p->curl = curl_easy_init()) == NULL)
		goto out;
	p->headers = curl_slist_append(NULL, "Content-Type: application/ocsp-request");
	curl_easy_setopt(p->curl, CURLOPT_URL, url);
	curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(p->curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take);
	error = 0;
out:
	X509_free(anchor);
	if (error == 0)
		*out = p;
	else
		edge_probe_free(p);
	return error;
}

void
edge_probe_free(struct edge_probe *p)
{
	if (p == NULL)
		return;
	curl_slist_free_all(p->headers);
	curl_easy_cleanup(p->curl);
	X509_STORE_free(p->store);
	X509_free(p->issuer);
	free(p);
}

static OCSP_CERTID *
id_of(const struct edge_probe *p, const uint8_t serial[16])
{
	BIGNUM *n = BN_bin2bn(serial, 16, NULL);
	ASN1_INTEGER *number = n == NULL ? NULL : BN_to_ASN1_INTEGER(n, NULL);
	OCSP_CERTID *id = number == NULL ? NULL : OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(p->issuer),
	    X509_get0_pubkey_bitstr(p->issuer), number);

	BN_free(n);
	ASN1_INTEGER_free(number);
	return id;
}

static enum edge_status
read_answer(const struct edge_probe *p, const struct buf *der, OCSP_CERTID *id)
{
	const unsigned char *at = der->p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der->len);
	OCSP_BASICRESP *basic = NULL;
	enum edge_status found = EDGE_OTHER;
	int status, reason;

	if (response != NULL && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	if (basic != NULL && OCSP_basic_verify(basic, NULL, p->store, 0) == 1 &&
	    OCSP_resp_find_status(basic, id, &status, &reason, NULL, NULL, NULL) == 1)
		found = status == V_OCSP_CERTSTATUS_GOOD ? EDGE_GOOD : status == V_OCSP_CERTSTATUS_REVOKED
		    ? EDGE_REVOKED : EDGE_OTHER;
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return found;
}

int
edge_probe_ask(struct edge_probe *p, const uint8_t serial[16], enum edge_status *status)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	OCSP_CERTID *id = id_of(p, serial), *asked = id == NULL ? NULL : OCSP_CERTID_dup(id);
	struct buf answer = BUF_INIT;
	unsigned char *der = NULL;
	int n, error = ICERT_E_MEMORY;

	/* The request takes the id over. */
	if (request == NULL || asked == NULL || OCSP_request_add0_id(request, id) == NULL)
		goto out;
	id = NULL;
	if ((n = i2d_OCSP_REQUEST(request, &der)) <= 0)
		goto out;
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE, (long)n);
	curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, der);
	curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &answer);
	error = curl_easy_perform(p->curl) == CURLE_OK ? 0 : ICERT_E_UNAVAILABLE;
	if (error == 0)
		*status = read_answer(p, &answer, asked);
out:
	ERR_clear_error();
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_CERTID_free(asked);
	OCSP_REQUEST_free(request);
	buf_free(&answer);
	return error;
}
