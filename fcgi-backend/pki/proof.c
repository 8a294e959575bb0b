#include "pki/proof.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "libicert/error.h"

static X509 *
certificate(const struct buf *der)
{
	const uint8_t *p = der->p;
	X509 *x = der->len == 0 ? NULL : d2i_X509(NULL, &p, (long)der->len);

	if (x != NULL && p != der->p + der->len) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

static int64_t
seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* A store that trusts the root alone, at that moment. */
static X509_STORE *
store_at(X509 *root, int64_t at)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return NULL;
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at);
	if (X509_STORE_add_cert(store, root) != 1) {
		X509_STORE_free(store);
		return NULL;
	}
	return store;
}

static const char *
verify_chain(X509_STORE *store, X509 *cert, STACK_OF(X509) *between)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ok;

	if (ctx == NULL || X509_STORE_CTX_init(ctx, store, cert, between) != 1) {
		X509_STORE_CTX_free(ctx);
		return "memory";
	}
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	return ok ? NULL : "chain";
}

const char *
proof_chain(const struct buf *cert, const struct buf *issuer, const struct buf *root, int64_t at)
{
	X509 *c = certificate(cert), *i = certificate(issuer), *r = certificate(root);
	STACK_OF(X509) *between = sk_X509_new_null();
	X509_STORE *store = r == NULL ? NULL : store_at(r, at);
	const char *fault = "chain-format";

	if (c == NULL || i == NULL || r == NULL)
		goto out;
	fault = "memory";
	if (store == NULL || between == NULL || sk_X509_push(between, i) == 0)
		goto out;
	if (X509_self_signed(r, 1) != 1)
		fault = "chain-root";
	else if (verify_chain(store, i, NULL) != NULL || X509_check_ca(i) != 1)
		fault = "chain-issuer";
	else
		fault = X509_verify(c, X509_get0_pubkey(i)) != 1 ? "chain" : verify_chain(store, c, between);
out:
	ERR_clear_error();
	X509_STORE_free(store);
	sk_X509_free(between);
	X509_free(c);
	X509_free(i);
	X509_free(r);
	return fault;
}

int
proof_issued_by(const struct buf *cert, const struct buf *issuer)
{
	X509 *c = certificate(cert), *i = certificate(issuer);
	int ok = c != NULL && i != NULL && X509_check_issued(i, c) == X509_V_OK && X509_verify(c, X509_get0_pubkey(i)) == 1;

	ERR_clear_error();
	X509_free(c);
	X509_free(i);
	return ok;
}

int
proof_ocsp_request(const struct buf *cert, const struct buf *issuer, struct buf *out)
{
	X509 *c = certificate(cert), *i = certificate(issuer);
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	OCSP_CERTID *id = c == NULL || i == NULL ? NULL : OCSP_cert_to_id(EVP_sha256(), c, i);
	unsigned char *der = NULL;
	int n = 0, error = id == NULL ? ICERT_E_MALFORMED : ICERT_E_MEMORY;

	if (request != NULL && id != NULL && OCSP_request_add0_id(request, id) != NULL) {
		id = NULL;
		if ((n = i2d_OCSP_REQUEST(request, &der)) > 0) {
			buf_put(out, der, (size_t)n);
			error = buf_error(out);
		}
	}
	ERR_clear_error();
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	X509_free(c);
	X509_free(i);
	return error;
}

static const char *
read_ocsp(OCSP_BASICRESP *basic, X509 *c, X509 *i, int64_t at, struct proof_status *s)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	const EVP_MD *hashes[] = { EVP_sha256(), EVP_sha1() };
	int status = -1, reason, found = 0;

	for (size_t k = 0; k < 2 && !found; k++) {
		OCSP_CERTID *id = OCSP_cert_to_id(hashes[k], c, i);

		if (id == NULL)
			return "memory";
		found = OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &this_update, &next_update) == 1;
		OCSP_CERTID_free(id);
	}
	if (!found)
		return "ocsp-other";
	s->from = seconds(this_update);
	s->to = seconds(next_update);
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		s->revoked_at = seconds(revoked);
	else if (status != V_OCSP_CERTSTATUS_GOOD)
		return "ocsp-unknown";
	return s->from == 0 || s->to == 0 || at < s->from || at > s->to ? "ocsp-time" : NULL;
}

const char *
proof_ocsp(const struct buf *answer, const struct buf *cert, const struct buf *issuer, const struct buf *root, int64_t at,
    struct proof_status *s)
{
	const unsigned char *p = answer->p;
	X509 *c = certificate(cert), *i = certificate(issuer), *r = certificate(root);
	OCSP_RESPONSE *response = answer->len == 0 ? NULL : d2i_OCSP_RESPONSE(NULL, &p, (long)answer->len);
	OCSP_BASICRESP *basic = NULL;
	X509_STORE *store = r == NULL ? NULL : store_at(r, at);
	STACK_OF(X509) *between = sk_X509_new_null();
	const char *fault = "ocsp-format";

	memset(s, 0, sizeof(*s));
	if (c == NULL || i == NULL || r == NULL || response == NULL || p != answer->p + answer->len ||
	    OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL ||
	    (basic = OCSP_response_get1_basic(response)) == NULL)
		goto out;
	fault = "memory";
	if (store == NULL || between == NULL || sk_X509_push(between, i) == 0)
		goto out;
	fault = OCSP_basic_verify(basic, between, store, 0) == 1 ? read_ocsp(basic, c, i, at, s) : "ocsp-signature";
out:
	ERR_clear_error();
	X509_STORE_free(store);
	sk_X509_free(between);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	X509_free(c);
	X509_free(i);
	X509_free(r);
	return fault;
}

const char *
proof_crl(const struct buf *crl, const struct buf *cert, const struct buf *issuer, int64_t at, struct proof_status *s)
{
	const unsigned char *p = crl->p;
	X509 *c = certificate(cert), *i = certificate(issuer);
	X509_CRL *list = crl->len == 0 ? NULL : d2i_X509_CRL(NULL, &p, (long)crl->len);
	X509_REVOKED *entry;
	const char *fault = NULL;

	memset(s, 0, sizeof(*s));
	if (c == NULL || i == NULL || list == NULL || p != crl->p + crl->len)
		fault = "crl-format";
	else if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(i)) != 0 ||
	    X509_CRL_verify(list, X509_get0_pubkey(i)) != 1)
		fault = "crl-signature";
	else {
		s->from = seconds(X509_CRL_get0_lastUpdate(list));
		s->to = seconds(X509_CRL_get0_nextUpdate(list));
		if (X509_CRL_get0_by_cert(list, &entry, c) == 1)
			s->revoked_at = seconds(X509_REVOKED_get0_revocationDate(entry));
		if (s->from == 0 || s->to == 0 || at < s->from || at > s->to)
			fault = "crl-time";
	}
	ERR_clear_error();
	X509_CRL_free(list);
	X509_free(c);
	X509_free(i);
	return fault;
}

int
proof_key(const struct buf *cert, struct buf *spki, int64_t *not_before)
{
	X509 *c = certificate(cert);
	unsigned char *der = NULL;
	int n = c == NULL ? 0 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &der);

	if (n > 0) {
		buf_put(spki, der, (size_t)n);
		*not_before = seconds(X509_get0_notBefore(c));
	}
	ERR_clear_error();
	OPENSSL_free(der);
	X509_free(c);
	return n > 0 ? buf_error(spki) : ICERT_E_MALFORMED;
}

int
proof_subject(const struct buf *cert, struct buf *out)
{
	X509 *c = certificate(cert);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int error = ICERT_E_MALFORMED;

	if (c != NULL && bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(c), 0,
	    XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0 && (n = BIO_get_mem_data(bio, &text)) > 0) {
		buf_put(out, text, (size_t)n);
		error = buf_error(out);
	}
	ERR_clear_error();
	BIO_free(bio);
	X509_free(c);
	return error;
}
