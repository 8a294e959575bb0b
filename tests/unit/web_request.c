#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/handover.h"
#include "web/csrf.h"
#include "web/route.h"
#include "web/worker.h"

/* One request under test, with the program it would belong to. */
static struct app app = { .name = "portal", .cookie = "__Host-icert-portal", .same_site = "Lax",
	.public_url = "https://localhost:8443" };
static struct request rq;

static int
setup(void **state)
{
	(void)state;
	memset(&rq, 0, sizeof(rq));
	arena_init(&rq.arena, 1 << 20);
	rq.app = &app;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_reset(&rq.arena);
	return 0;
}

static int
parse(const char *method, const char *target, const char *type, const char *body)
{
	char m[64], t[256], c[128];
	char *params[] = { m, t, c, NULL };

	snprintf(m, sizeof(m), "REQUEST_METHOD=%s", method);
	snprintf(t, sizeof(t), "REQUEST_URI=%s", target);
	snprintf(c, sizeof(c), "CONTENT_TYPE=%s", type);
	return request_parse(&rq, params, (const unsigned char *)body, body != NULL ? strlen(body) : 0);
}

#define FORM "application/x-www-form-urlencoded"

static void
test_target(void **state)
{
	(void)state;
	assert_int_equal(parse("GET", "/mi%2Dtramite?aviso=saved&x=%C3%91", "", NULL), 0);
	assert_string_equal(rq.path, "/mi-tramite");
	assert_string_equal(request_query(&rq, "aviso"), "saved");
	assert_string_equal(request_query(&rq, "x"), "Ñ");
	assert_null(request_query(&rq, "y"));
}

static void
test_bad_target(void **state)
{
	static const char *const bad[] = { "x", "", "/%ff", "/a%00b", "/%", "/a?b=%zz", "/?a=%01" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(NULL);
		assert_int_equal(parse("GET", bad[i], "", NULL), 400);
		arena_reset(&rq.arena);
	}
}

static void
test_method(void **state)
{
	(void)state;
	assert_int_equal(parse("HEAD", "/", "", NULL), 0);
	assert_true(rq.head && rq.method == METHOD_GET);
	assert_int_equal(parse("DELETE", "/", "", NULL), 405);
	assert_int_equal(parse("get", "/", "", NULL), 405);
}

static void
test_form(void **state)
{
	(void)state;
	assert_int_equal(parse("POST", "/x", FORM "; charset=utf-8", "a=1&b=+%C3%91%0Ay&c="), 0);
	assert_string_equal(request_form(&rq, "a"), "1");
	assert_string_equal(request_form(&rq, "b"), " Ñ\ny");
	assert_string_equal(request_form(&rq, "c"), "");
	assert_null(request_form(&rq, "d"));
	assert_string_equal(rq.form_body, "a=1&b=+%C3%91%0Ay&c=");
}

static void
test_form_refused(void **state)
{
	char many[WEB_FIELDS_MAX * 4 + 16] = "";

	(void)state;
	assert_int_equal(parse("POST", "/x", "text/plain", "a=1"), 415);
	assert_int_equal(parse("POST", "/x", "multipart/form-data; boundary=x", "--x--"), 415);
	assert_int_equal(parse("POST", "/x", FORM, "a=%00"), 400);
	assert_int_equal(parse("POST", "/x", FORM, "a=\xff"), 400);
	for (int i = 0; i <= WEB_FIELDS_MAX; i++)
		strcat(many, "a=1&");
	assert_int_equal(parse("POST", "/x", FORM, many), 413);
}

/* A refusal of the edge is a GET of the page the body was sent from. */
static void
test_refusal(void **state)
{
	char *params[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/tramite/x", "ICERT_REFUSAL=upload_file_size",
		"ICERT_REFUSAL_STATUS=413", "ICERT_REFUSAL_FIELD=file", NULL };

	(void)state;
	assert_int_equal(request_parse(&rq, params, NULL, 0), 0);
	assert_int_equal(rq.method, METHOD_GET);
	assert_int_equal(rq.refusal_status, 413);
	assert_string_equal(rq.refusal, "upload_file_size");
	assert_string_equal(rq.refusal_field, "file");
	params[4] = "ICERT_REFUSAL_FIELD=%22%3E";
	assert_int_equal(request_parse(&rq, params, NULL, 0), 0);
	assert_null(rq.refusal_field);
}

static size_t
stream(uint8_t *out, size_t room, int whole)
{
	uint8_t hash[HANDOVER_SHA256] = { 7 };
	struct handover_record field = { .kind = HANDOVER_FIELD, .name = { "_csrf", 5 }, .value = { "t", 1 } };
	struct handover_record file = { .kind = HANDOVER_FILE, .name = { "file", 4 }, .spool = { "0/abc", 5 },
		.file_name = { "c.pdf", 5 }, .size = 10, .sha256 = hash, .type = SNIFF_PDF };
	size_t n = handover_start(out, room);

	n += handover_record(out + n, room - n, &field);
	n += handover_record(out + n, room - n, &file);
	return whole ? n + handover_end(out + n, room - n, 2) : n;
}

static void
test_uploads(void **state)
{
	char *params[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/x", "ICERT_UPLOAD=1", NULL };
	uint8_t bytes[512];
	const struct upload *u;

	(void)state;
	assert_int_equal(request_parse(&rq, params, bytes, stream(bytes, sizeof(bytes), 1)), 0);
	u = request_upload(&rq, "file");
	assert_non_null(u);
	assert_string_equal(u->spool, "0/abc");
	assert_string_equal(u->name, "c.pdf");
	assert_int_equal(u->size, 10);
	assert_int_equal(u->sha256[0], 7);
	assert_string_equal(request_form(&rq, "_csrf"), "t");
}

/* A stream without its end is not used, not even what came before. */
static void
test_uploads_cut(void **state)
{
	char *params[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/x", "ICERT_UPLOAD=1", NULL };
	uint8_t bytes[512];

	(void)state;
	assert_int_equal(request_parse(&rq, params, bytes, stream(bytes, sizeof(bytes), 0)), 400);
	assert_null(request_upload(&rq, "file"));
	assert_null(request_form(&rq, "_csrf"));
	/* A client cannot hand over anything: without the edge's word it is a body of a wrong type. */
	params[2] = "CONTENT_TYPE=application/octet-stream";
	assert_int_equal(request_parse(&rq, params, bytes, stream(bytes, sizeof(bytes), 1)), 415);
}

static int
nothing(struct request *r)
{
	(void)r;
	return 0;
}

static const struct route first[] = {
	{ METHOD_GET, "/a/{id}/lista", ROLE_PUBLIC, PROVINCE_NONE, 0, nothing },
	{ METHOD_GET, "/a/{id}", ROLE_PUBLIC, PROVINCE_NONE, 0, nothing },
	{ 0 }
};
static const struct route second[] = {
	{ METHOD_GET, "/a/{id}/{step}", ROLE_CONTACT, PROVINCE_OWN, 0, nothing },
	{ METHOD_POST, "/a/{id}/{step}", ROLE_CONTACT, PROVINCE_OWN, 0, nothing },
	{ METHOD_GET, "/b/{id}/c/{id2}", ROLE_CONTACT, PROVINCE_OWN, 0, nothing },
	{ 0 }
};
static const struct route *const tables[] = { first, second, NULL };

#define ID1 "11111111-2222-4333-8444-555555555555"
#define ID2 "aaaaaaaa-2222-4333-8444-555555555555"

static int
find(enum method method, const char *path)
{
	rq.method = method;
	rq.path = path;
	return route_find(&rq, tables);
}

static void
test_routes(void **state)
{
	(void)state;
	assert_int_equal(find(METHOD_GET, "/a/" ID1), 0);
	assert_string_equal(rq.id[0], ID1);
	assert_int_equal(find(METHOD_GET, "/a/" ID1 "/lista"), 0);
	assert_ptr_equal(rq.route, &first[0]);
	assert_int_equal(find(METHOD_GET, "/a/" ID1 "/otra"), 0);
	assert_string_equal(rq.id[1], "otra");
	assert_int_equal(find(METHOD_GET, "/b/" ID1 "/c/" ID2), 0);
	assert_string_equal(rq.id[1], ID2);
}

static void
test_no_routes(void **state)
{
	(void)state;
	assert_int_equal(find(METHOD_GET, "/a/1"), 404);
	assert_int_equal(find(METHOD_GET, "/a/" ID1 "/"), 404);
	assert_int_equal(find(METHOD_GET, "/a/" ID1 "/Otra"), 404);
	assert_int_equal(find(METHOD_GET, "/a/" ID1 "/../x"), 404);
	assert_int_equal(find(METHOD_GET, "/b/" ID1 "/c/nada"), 404);
	assert_int_equal(find(METHOD_GET, "//a/" ID1), 404);
	assert_int_equal(find(METHOD_POST, "/a/" ID1), 405);
	assert_null(rq.id[0]);
}

/* Who sent a form from a page goes back to it, or to the nearest page above that they may see. */
static void
test_route_page(void **state)
{
	(void)state;
	rq.session.state = SESSION_LIVE;
	rq.session.roles = ROLE_CONTACT;
	assert_int_equal(find(METHOD_POST, "/a/" ID1 "/otra"), 0);
	assert_string_equal(route_page(&rq, tables), "/a/" ID1 "/otra");
	assert_int_equal(rq.method, METHOD_POST);
	assert_ptr_equal(rq.route, &second[1]);
	assert_string_equal(rq.id[1], "otra");
	rq.session.roles = ROLE_FINANCE;
	assert_string_equal(route_page(&rq, tables), "/a/" ID1);
	rq.path = "/a/" ID1 "/otra/mas/y/mas";
	assert_string_equal(route_page(&rq, tables), "/a/" ID1);
	rq.path = "/b/" ID1 "/c";
	assert_null(route_page(&rq, tables));
	rq.path = "/";
	assert_null(route_page(&rq, tables));
}

static void
test_csrf(void **state)
{
	static const unsigned char secret[SESSION_SECRET] = "0123456789abcde";
	static const unsigned char other[SESSION_SECRET] = "1123456789abcde";
	char token[CSRF_TEXT];

	(void)state;
	session_set_secret(&rq.session, secret);
	csrf_token(&rq.session, token);
	assert_int_equal(strlen(token), 43);
	assert_int_not_equal(csrf_check(&rq), 0);
	assert_int_equal(request_add_field(&rq, CSRF_FIELD, token), 0);
	assert_int_equal(csrf_check(&rq), 0);
	rq.origin = "https://localhost:8443";
	rq.fetch_site = "same-origin";
	assert_int_equal(csrf_check(&rq), 0);
	rq.origin = "null";
	assert_int_equal(csrf_check(&rq), 0);
	rq.fetch_site = "cross-site";
	assert_int_not_equal(csrf_check(&rq), 0);
	rq.fetch_site = NULL;
	rq.origin = "https://localhost:8444";
	assert_int_not_equal(csrf_check(&rq), 0);
	rq.origin = NULL;
	session_set_secret(&rq.session, other);
	assert_int_not_equal(csrf_check(&rq), 0);
}

static void
test_arena(void **state)
{
	struct arena a;
	char *p, *q;

	(void)state;
	arena_init(&a, 100000);
	p = arena_printf(&a, "%s-%d", "x", 7);
	assert_string_equal(p, "x-7");
	q = arena_alloc(&a, 50000);
	assert_non_null(q);
	q[49999] = 1;
	assert_string_equal(p, "x-7");
	assert_null(arena_strdup(&a, NULL));
	assert_false(a.failed);
	assert_null(arena_alloc(&a, 60000));
	assert_true(a.failed);
	assert_null(arena_alloc(&a, SIZE_MAX - 4));
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_false(a.failed);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_target), T(test_bad_target), T(test_method), T(test_form), T(test_form_refused),
		T(test_refusal), T(test_uploads), T(test_uploads_cut), T(test_routes), T(test_no_routes), T(test_route_page),
		T(test_csrf), T(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
