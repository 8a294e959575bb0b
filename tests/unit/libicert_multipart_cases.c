/*
 * The cases of tests/multipart, each fed whole, octet by octet and cut at
 * random: the events of its file "expected" each time.  MULTIPART_SEED=n
 * repeats the cuts of a run.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "libicert/multipart.h"

#define CASES		"tests/multipart/cases"
#define CASES_LEAST	120
#define CUTS		200	/* random ways to cut a body */
#define SHOWN		1024	/* longer data stands as its digest */
#define CLEAN_MAX	120	/* what the edge keeps of a file's name */

struct octets {
	uint8_t	*p;
	size_t	 len;
};

struct trace {
	char	*text;		/* as in the file "expected" */
	size_t	 len;
	uint8_t	*data;		/* of the part being read */
	size_t	 data_len;
};

static uint64_t	seed;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* The file's octets and a NUL; p is NULL when there is no such file. */
static struct octets
slurp(const char *folder, const char *name)
{
	struct octets	 o = { NULL, 0 };
	char		 path[1024];
	long		 len;
	FILE		*f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((f = fopen(path, "r")) == NULL)
		return o;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	assert_true((len = ftell(f)) >= 0);
	rewind(f);
	o.len = (size_t)len;
	/* Exactly as large as the body: what reads beyond it is seen. */
	assert_non_null(o.p = malloc(o.len == 0 ? 1 : o.len));
	assert_int_equal(fread(o.p, 1, o.len, f), o.len);
	fclose(f);
	return o;
}

static void
put(struct trace *t, const void *p, size_t len)
{
	assert_non_null(t->text = realloc(t->text, t->len + len + 1));
	memcpy(t->text + t->len, p, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static void
put_word(struct trace *t, const char *word)
{
	put(t, word, strlen(word));
}

static void
put_escaped(struct trace *t, const void *octets, size_t len)
{
	const uint8_t	*p = octets;
	char		 escape[4];

	if (len == 0)
		put_word(t, "\"\"");
	for (size_t i = 0; i < len; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '%' && p[i] != '"') {
			put(t, p + i, 1);
			continue;
		}
		snprintf(escape, sizeof(escape), "%%%02X", p[i]);
		put_word(t, escape);
	}
}

static void
put_data(struct trace *t)
{
	uint8_t	 digest[32];
	char	 line[128], hex[65];

	if (t->data_len == 0)
		return;
	if (t->data_len <= SHOWN) {
		put_word(t, "data ");
		put_escaped(t, t->data, t->data_len);
		put_word(t, "\n");
	} else {
		assert_int_equal(EVP_Digest(t->data, t->data_len, digest, NULL, EVP_sha256(), NULL), 1);
		for (size_t i = 0; i < sizeof(digest); i++)
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		snprintf(line, sizeof(line), "octets %zu %s\n", t->data_len, hex);
		put_word(t, line);
	}
	t->data_len = 0;
}

static void
put_part(struct trace *t, const struct multipart_event *e)
{
	char	clean[CLEAN_MAX + 1];
	size_t	n;

	assert_int_equal(strlen(e->name), e->name_len);
	put_word(t, e->file_name != NULL ? "file " : "part ");
	put_escaped(t, e->name, e->name_len);
	if (e->file_name != NULL) {
		put_word(t, " ");
		put_escaped(t, e->file_name, e->file_name_len);
		n = multipart_clean_name(e->file_name, e->file_name_len, clean, CLEAN_MAX);
		if (n != e->file_name_len || memcmp(clean, e->file_name, n) != 0) {
			put_word(t, "\nclean ");
			put_escaped(t, clean, n);
		}
	}
	put_word(t, "\n");
}

static int
event(void *arg, const struct multipart_event *e)
{
	struct trace	*t = arg;

	if (e->kind == MULTIPART_DATA) {
		assert_int_not_equal(e->len, 0);
		assert_non_null(t->data = realloc(t->data, t->data_len + e->len));
		memcpy(t->data + t->data_len, e->data, e->len);
		t->data_len += e->len;
		return 0;
	}
	put_data(t);
	if (e->kind == MULTIPART_PART)
		put_part(t, e);
	else
		put_word(t, e->kind == MULTIPART_PART_END ? "close\n" : "end\n");
	return 0;
}

/* Feeds the body in pieces of step octets; 0: of random length. */
static void
run(struct trace *t, const char *type, size_t type_len, struct octets body, size_t step)
{
	struct multipart	m;
	char			boundary[MULTIPART_BOUNDARY_MAX + 1];
	size_t			len, n;
	int			rc;

	t->len = t->data_len = 0;
	rc = multipart_boundary(type, type_len, boundary, &len);
	if (rc != 1) {
		put_word(t, rc == 0 ? "not-multipart\n" : "refused boundary\n");
		return;
	}
	multipart_init(&m, boundary, len, event, t);
	for (size_t at = 0; at < body.len; at += n) {
		n = step != 0 ? step : 1 + random_below(random_below(8) == 0 ? 64 : 7);
		if (n > body.len - at)
			n = body.len - at;
		if (multipart_feed(&m, body.p + at, n) != 0)
			break;
	}
	rc = multipart_finish(&m);
	put_data(t);
	if (rc != 0) {
		put_word(t, "refused ");
		put_word(t, m.why);
		put_word(t, "\n");
	}
}

/* The lines of "expected" that are events. */
static char *
events_of(struct octets expected)
{
	char	*out, *line = (char *)expected.p, *end = line + expected.len, *next;
	size_t	 n = 0;

	assert_non_null(out = malloc(expected.len + 1));
	for (; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next != NULL ? next + 1 : end;
		if (*line == '#' || strncmp(line, "http ", 5) == 0)
			continue;
		memcpy(out + n, line, (size_t)(next - line));
		n += (size_t)(next - line);
	}
	out[n] = '\0';
	return out;
}

static void
try_case(const char *folder, struct octets body)
{
	static const char	 key[] = "Content-Type: ";
	struct octets		 headers = slurp(folder, "headers"), expected = slurp(folder, "expected");
	struct trace		 t = { 0 };
	const char		*type;
	char			*wanted, *eol;
	uint64_t		 at_start;

	assert_non_null(headers.p);
	assert_non_null(expected.p);
	assert_true(headers.len > sizeof(key) && strncasecmp((char *)headers.p, key, sizeof(key) - 1) == 0);
	type = (char *)headers.p + sizeof(key) - 1;
	assert_non_null(eol = memchr(type, '\n', headers.len - (sizeof(key) - 1)));
	wanted = events_of(expected);
	for (size_t i = 0; i < CUTS + 2; i++) {
		at_start = seed;
		run(&t, type, (size_t)(eol - type), body, i == 0 ? SIZE_MAX : i == 1 ? 1 : 0);
		if (strcmp(t.text, wanted) != 0)
			fail_msg("%s, %s (MULTIPART_SEED=%llu):\n%s-- and not\n%s", folder,
			    i == 0 ? "whole" : i == 1 ? "octet by octet" : "cut", (unsigned long long)at_start,
			    t.text, wanted);
	}
	free(wanted);
	free(t.text);
	free(t.data);
	free(headers.p);
	free(expected.p);
}

static size_t
try_group(const char *group)
{
	struct octets	 body;
	struct dirent	*e;
	char		 folder[1024];
	size_t		 n = 0;
	DIR		*dir = opendir(group);

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", group, e->d_name);
		body = slurp(folder, "body");
		/* A case with a whole request is for nginx. */
		if (body.p == NULL)
			continue;
		try_case(folder, body);
		free(body.p);
		n++;
	}
	closedir(dir);
	return n;
}

static void
test_cases(void **state)
{
	const char	*given = getenv("MULTIPART_SEED");
	struct dirent	*e;
	char		 group[512];
	size_t		 n = 0;
	DIR		*dir = opendir(CASES);

	(void)state;
	if (dir == NULL)
		fail_msg("no " CASES " below the working directory");
	seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	print_message("MULTIPART_SEED=%llu\n", (unsigned long long)seed);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(group, sizeof(group), CASES "/%s", e->d_name);
		n += try_group(group);
	}
	closedir(dir);
	if (n < CASES_LEAST)
		fail_msg("only %zu cases", n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
