#include <sodium.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "web/csrf.h"
#include "web/worker.h"

void
csrf_token(const struct session *s, char out[CSRF_TEXT])
{
	static const char label[] = "icert-csrf-v1";
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, s->secret, SESSION_SECRET);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)label, sizeof(label) - 1);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2base64(out, CSRF_TEXT, mac, sizeof(mac), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

int
csrf_check(const struct request *rq)
{
	const char *given = request_form(rq, CSRF_FIELD);
	char token[CSRF_TEXT];

	/* Browsers send Origin with every form post.  Under our own
	 * Referrer-Policy, no-referrer, it is "null" even from our own page (Fetch,
	 * 3.1): then Sec-Fetch-Site, which no page can set, tells. */
	if (rq->origin != NULL && strcmp(rq->origin, "null") != 0 &&
	    strcmp(rq->origin, rq->app->public_url) != 0)
		return ICERT_E_DENIED;
	if (rq->fetch_site != NULL && strcmp(rq->fetch_site, "same-origin") != 0)
		return ICERT_E_DENIED;
	csrf_token(&rq->session, token);
	if (token[0] == '\0' || given == NULL || strlen(given) != strlen(token) ||
	    !bytes_equal(given, token, strlen(token)))
		return ICERT_E_DENIED;
	return 0;
}
