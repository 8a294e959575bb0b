#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "web/csrf.h"
#include "web/page.h"
#include "web/worker.h"

/* A small program: who is signed in is told by the first byte of the secret. */

static int called;
static const char *parked;

static int
ok(struct request *rq)
{
	struct view_web_error v = { .title = "bien", .text = request_form(rq, "a") };

	called++;
	return page_send(rq, 200, web_error, &v);
}

static int
missing(struct request *rq)
{
	(void)rq;
	return ICERT_E_NOT_FOUND;
}

static int
silent(struct request *rq)
{
	(void)rq;
	return 0;
}

static const struct route routes[] = {
	{ METHOD_GET, "/abierta", ROLE_PUBLIC, PROVINCE_NONE, 0, ok },
	{ METHOD_POST, "/abierta", ROLE_PUBLIC, PROVINCE_NONE, 0, ok },
	{ METHOD_GET, "/mia", ROLE_CONTACT, PROVINCE_OWN, 0, ok },
	{ METHOD_POST, "/mia", ROLE_CONTACT, PROVINCE_OWN, ROUTE_PARK, ok },
	{ METHOD_POST, "/pagar", ROLE_CONTACT, PROVINCE_OWN, 0, ok },
	{ METHOD_GET, "/mesa", ROLE_OPERATOR, PROVINCE_CASE, 0, ok },
	{ METHOD_GET, "/fresca", ROLE_CONTACT, PROVINCE_OWN, ROUTE_FRESH, ok },
	{ METHOD_GET, "/nada", ROLE_PUBLIC, PROVINCE_NONE, 0, missing },
	{ METHOD_GET, "/muda", ROLE_PUBLIC, PROVINCE_NONE, 0, silent },
	{ 0 }
};
static const struct route *const tables[] = { routes, NULL };

static int
load(struct request *rq)
{
	rq->session.state = rq->session.secret[0] == 'L' ? SESSION_LIVE :
	    rq->session.secret[0] == 'X' ? SESSION_LOCKED : SESSION_VISITOR;
	rq->session.roles = rq->session.state == SESSION_LIVE ? ROLE_CONTACT : 0;
	return 0;
}

/* As a cache would have it that does not know of the end: refused at the first transaction. */
static int over, asked;

static int
load_stale(struct request *rq)
{
	int rv = load(rq);

	asked++;
	if (rq->session.uncached)
		rq->session.state = SESSION_VISITOR, rq->session.roles = 0;
	return rv;
}

static bool
session_over(struct request *rq)
{
	return over && !rq->session.uncached;
}

static int
denied(struct request *rq)
{
	return response_redirect(rq, "/entrar");
}

static int
park(struct request *rq)
{
	parked = rq->path;
	return page_error(rq, 401, "http.403");
}

static struct app app = { .name = "portal", .cookie = "__Host-icert-portal", .same_site = "Lax",
	.public_url = "https://localhost:8443", .routes = tables, .load_session = load,
	.denied = denied, .park = park };

static struct request rq;
static struct response rs;

/* Cookie values: base64url of 'L', 'X' or 'V' and 15 zero bytes. */
#define LIVE	"sTAAAAAAAAAAAAAAAAAAAAA"
#define LOCKED	"sWAAAAAAAAAAAAAAAAAAAAA"
#define VISITOR	"vVgAAAAAAAAAAAAAAAAAAAA"

static int
setup(void **state)
{
	(void)state;
	memset(&rq, 0, sizeof(rq));
	response_init(&rs);
	arena_init(&rq.arena, 1 << 20);
	rq.app = &app;
	rq.response = &rs;
	called = 0;
	parked = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_reset(&rq.arena);
	response_free(&rs);
	return 0;
}

static int
ask(enum method method, const char *path, const char *cookie, bool token)
{
	static char header[128];
	char text[CSRF_TEXT];

	snprintf(header, sizeof(header), "otra=1; __Host-icert-portal=%s", cookie);
	rq.method = method;
	rq.path = path;
	rq.cookies = header;
	if (token) {
		struct session s = { 0 };
		unsigned char secret[SESSION_SECRET] = { cookie[1] == 'T' ? 'L' : cookie[1] == 'W' ? 'X' : 'V' };

		session_set_secret(&s, secret);
		csrf_token(&s, text);
		request_add_field(&rq, CSRF_FIELD, text);
	}
	worker_answer(&rq);
	return rs.failed ? 500 : rs.status;
}

#define CHECK(expected, ...) do { setup(NULL); assert_int_equal(ask(__VA_ARGS__), expected); teardown(NULL); } while (0)

static void
test_roles(void **state)
{
	(void)state;
	CHECK(200, METHOD_GET, "/abierta", VISITOR, false);
	CHECK(200, METHOD_GET, "/mia", LIVE, false);
	CHECK(303, METHOD_GET, "/mia", VISITOR, false);
	CHECK(303, METHOD_GET, "/mia", LOCKED, false);
	CHECK(303, METHOD_GET, "/mesa", VISITOR, false);
	CHECK(403, METHOD_GET, "/mesa", LIVE, false);
	CHECK(403, METHOD_GET, "/fresca", LIVE, false);
	CHECK(404, METHOD_GET, "/otra", LIVE, false);
	CHECK(405, METHOD_POST, "/nada", LIVE, true);
	CHECK(404, METHOD_GET, "/nada", LIVE, false);
	/* A handler that forgets its answer is our fault, and says so. */
	CHECK(500, METHOD_GET, "/muda", LIVE, false);
}

static void
test_session_over(void **state)
{
	(void)state;
	app.load_session = load_stale;
	app.session_over = session_over;
	asked = over = 0;
	CHECK(200, METHOD_GET, "/mia", LIVE, false);
	assert_int_equal(asked, 1);
	over = 1;
	/* What was answered before the database spoke is not sent. */
	setup(NULL);
	assert_int_equal(ask(METHOD_GET, "/mia", LIVE, false), 303);
	assert_int_equal(rs.body.len, 0);
	assert_non_null(strstr(buf_str(&rs.headers), "Location: /entrar"));
	teardown(NULL);
	CHECK(303, METHOD_POST, "/mia", LIVE, true);
	app.load_session = load;
	app.session_over = NULL;
}

static void
test_csrf(void **state)
{
	(void)state;
	CHECK(403, METHOD_POST, "/abierta", VISITOR, false);
	CHECK(200, METHOD_POST, "/abierta", VISITOR, true);
	CHECK(403, METHOD_POST, "/mia", LIVE, false);
	CHECK(200, METHOD_POST, "/mia", LIVE, true);
}

static void
test_parking(void **state)
{
	(void)state;
	CHECK(401, METHOD_POST, "/mia", LOCKED, true);
	assert_string_equal(parked, "/mia");
	/* Without a valid token nothing is kept; what is no form is not kept either. */
	CHECK(403, METHOD_POST, "/mia", LOCKED, false);
	assert_null(parked);
	CHECK(303, METHOD_POST, "/pagar", LOCKED, true);
	assert_null(parked);
}

static void
test_replay(void **state)
{
	(void)state;
	rq.cookies = "";
	rq.session.state = SESSION_LIVE;
	rq.session.roles = ROLE_CONTACT;
	worker_replay(&rq, "/mia");
	assert_int_equal(called, 1);
	/* Only a form that may be parked is ever replayed. */
	rq.frame = NULL;
	worker_replay(&rq, "/pagar");
	assert_int_equal(called, 1);
}

static void
test_cookie(void **state)
{
	(void)state;
	assert_int_equal(ask(METHOD_GET, "/abierta", "basura", false), 200);
	assert_non_null(strstr(buf_str(&rs.headers), "Set-Cookie: __Host-icert-portal=v"));
	assert_non_null(strstr(buf_str(&rs.headers), "SameSite=Lax"));
	assert_non_null(strstr(buf_str(&rs.headers), "Secure"));
	teardown(NULL);
	setup(NULL);
	assert_int_equal(ask(METHOD_GET, "/abierta", VISITOR, false), 200);
	assert_null(strstr(buf_str(&rs.headers), "Set-Cookie"));
}

static void
test_rotation(void **state)
{
	unsigned char before[SESSION_HASH];

	(void)state;
	assert_int_equal(ask(METHOD_GET, "/abierta", VISITOR, false), 200);
	memcpy(before, rq.session.identity, sizeof(before));
	assert_int_equal(session_rotate(&rq), 0);
	assert_memory_not_equal(before, rq.session.identity, sizeof(before));
	assert_non_null(strstr(buf_str(&rs.headers), "Set-Cookie: __Host-icert-portal=s"));
}

static void
test_escaping(void **state)
{
	(void)state;
	request_add_field(&rq, "a", "<script>alert(1)</script>\"'&");
	assert_int_equal(ask(METHOD_POST, "/abierta", VISITOR, true), 200);
	assert_null(strstr(buf_str(&rs.body), "<script>alert"));
	assert_non_null(strstr(buf_str(&rs.body), "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
}

static void
test_redirects(void **state)
{
	(void)state;
	assert_int_equal(response_redirect(&rq, "//evil.example"), ICERT_E_INVALID);
	assert_int_equal(response_redirect(&rq, "https://evil.example"), ICERT_E_INVALID);
	assert_int_equal(response_redirect(&rq, "/\\evil.example"), ICERT_E_INVALID);
	assert_int_equal(response_redirect(&rq, "/x/%s", "y"), 0);
	/* What a gateway names as its page goes into a header and a link. */
	assert_true(response_gateway_good(&rq, "https://pagos.example/c/1?a=b&c=d"));
	assert_true(response_gateway_good(&rq, "http://127.0.0.1:8443/c/1"));
	assert_false(response_gateway_good(&rq, "javascript:alert(1)"));
	assert_false(response_gateway_good(&rq, "http://pagos.example/"));
	assert_false(response_gateway_good(&rq, "https://pagos.example/; url=https://evil.example"));
	app.production = true;
	assert_false(response_gateway_good(&rq, "http://127.0.0.1:8443/c/1"));
	app.production = false;
	response_header(&rs, "X-A", "b\r\nSet-Cookie: x");
	assert_true(rs.failed);
}

static void
test_serialise(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(response_file(&rq, "text/plain", "a.txt", "hola", 4), 0);
	assert_int_equal(response_serialise(&rs, false, &out), 0);
	assert_non_null(strstr(buf_str(&out), "Content-Disposition: attachment; filename=\"a.txt\"\r\n"));
	assert_non_null(strstr(buf_str(&out), "Content-Security-Policy: default-src 'none'; sandbox"));
	assert_non_null(strstr(buf_str(&out), "\r\n\r\nhola"));
	assert_null(strstr(buf_str(&out), "unsafe-"));
	assert_null(strstr(buf_str(&out), "Strict-Transport-Security"));
	rs.hsts = true;
	buf_reset(&out);
	assert_int_equal(response_serialise(&rs, false, &out), 0);
	assert_non_null(strstr(buf_str(&out), "Strict-Transport-Security: max-age=31536000\r\n"));
	buf_reset(&out);
	assert_int_equal(response_serialise(&rs, true, &out), 0);
	assert_null(strstr(buf_str(&out), "hola"));
	/* Memory ran out somewhere: the constant answer, and nothing of the page. */
	buf_fail(&rs.body, ICERT_E_MEMORY);
	buf_reset(&out);
	assert_int_equal(response_serialise(&rs, false, &out), 0);
	assert_memory_equal(out.p, "Status: 500", 11);
	buf_free(&out);
}

static void
test_errors_of_form(void **state)
{
	struct view_field f;

	(void)state;
	request_add_field(&rq, "id_number", "12");
	page_field_error(&rq, "id_number", "form.id_number.length");
	f = page_field(&rq, "id_number", "99");
	assert_string_equal(f.value, "12");
	assert_string_equal(f.error, catalogue("form.id_number.length"));
	f = page_field(&rq, "other", "99");
	assert_string_equal(f.value, "99");
	assert_null(f.error);
	/* A code without a sentence is never shown as it is. */
	page_field_error(&rq, "other", "no.such.code");
	assert_string_equal(page_error_of(&rq, "other"), catalogue("error.invalid"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles), cmocka_unit_test(test_session_over), cmocka_unit_test(test_csrf), cmocka_unit_test(test_parking),
		T(test_replay), T(test_cookie), T(test_rotation), T(test_escaping), T(test_redirects),
		T(test_serialise), T(test_errors_of_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
