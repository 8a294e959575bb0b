#include <sodium.h>
#include <string.h>

#include "libicert/buf.h"
#include "libicert/cookie.h"
#include "libicert/error.h"
#include "web/request.h"
#include "web/response.h"
#include "web/worker.h"

/* One letter and the base64url of the secret: 22 characters without padding. */
#define COOKIE_TEXT (1 + 22)

void
session_set_secret(struct session *s, const unsigned char secret[SESSION_SECRET])
{
	memmove(s->secret, secret, SESSION_SECRET);
	/* At each request: OpenSSL 3 would look the digest up in its providers each time, which takes longer than the digest. */
	crypto_hash_sha256(s->identity, s->secret, SESSION_SECRET);
	bytes_to_hex(s->identity_hex, s->identity, SESSION_HASH);
}

/* Sends the cookie of the present secret; kind 'v' or 's'. */
static int
send_cookie(struct request *rq, char kind)
{
	char value[COOKIE_TEXT + 1];
	char line[256];
	struct cookie cookie = { .name = rq->app->cookie, .value = value, .path = "/", .max_age = -1 };

	cookie.same_site = strcmp(rq->app->same_site, "Strict") == 0 ? COOKIE_STRICT : COOKIE_LAX;
	value[0] = kind;
	sodium_bin2base64(value + 1, sizeof(value) - 1, rq->session.secret, SESSION_SECRET,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	if (cookie_format(line, sizeof(line), &cookie) < 0)
		return ICERT_E_INVALID;
	rq->session.new_cookie = false;
	response_header(rq->response, "Set-Cookie", line);
	return 0;
}

int
session_secret_new(struct request *rq)
{
	unsigned char secret[SESSION_SECRET];
	int rv = bytes_random(secret, sizeof(secret));

	if (rv == 0)
		session_set_secret(&rq->session, secret);
	bytes_wipe(secret, sizeof(secret));
	return rv;
}

int
session_open(struct request *rq)
{
	struct session *s = &rq->session;
	const char *value = request_cookie(rq, rq->app->cookie);
	unsigned char secret[SESSION_SECRET];
	size_t len;
	int rv;

	memset(s, 0, sizeof(*s));
	s->state = SESSION_VISITOR;
	if (value == NULL || strlen(value) != COOKIE_TEXT || (value[0] != 'v' && value[0] != 's') ||
	    sodium_base642bin(secret, sizeof(secret), value + 1, COOKIE_TEXT - 1, NULL, &len, NULL,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 || len != sizeof(secret)) {
		/* Its cookie goes out with the first page that has a form. */
		s->new_cookie = true;
		return session_secret_new(rq);
	}
	session_set_secret(s, secret);
	bytes_wipe(secret, sizeof(secret));
	if (value[0] == 'v')
		return 0;
	if ((rv = rq->app->load_session(rq)) < 0)
		return rv;
	return 0;
}

int
session_send(struct request *rq)
{
	return send_cookie(rq, 's');
}

int
session_rotate(struct request *rq)
{
	int rv = session_secret_new(rq);

	return rv == 0 ? session_send(rq) : rv;
}

int
session_visitor_cookie(struct request *rq)
{
	return rq->session.new_cookie ? send_cookie(rq, 'v') : 0;
}

void
session_forget(struct request *rq)
{
	memset(&rq->session, 0, sizeof(rq->session));
	if (session_secret_new(rq) != 0 || send_cookie(rq, 'v') != 0)
		rq->response->failed = true;
}
