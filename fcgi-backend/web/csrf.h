#ifndef WEB_CSRF_H
#define WEB_CSRF_H

#include "web/request.h"

#define CSRF_FIELD	"_csrf"
#define CSRF_TEXT	44	/* base64url of 32 bytes, and NUL */

/* The token of this browser's present secret: HMAC-SHA-256 under it, so it
 * dies with the session and needs no storage. */
void csrf_token(const struct session *, char out[CSRF_TEXT]);

/*
 * 0 when an unsafe request comes from our own page: the token fits, Origin (when
 * the browser sends one) equals the public URL of this program, and
 * Sec-Fetch-Site (when sent) is same-origin.  ICERT_E_DENIED otherwise.
 */
int csrf_check(const struct request *);

#endif
