/*
 * Every action in every state by every role: the table in code against
 * docs/states.csv, which is written by hand, and the database's own table
 * (migrations/0007-rows) against both.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/error.h"
#include "procedure/transition.h"

#define ROWS_MAX 128

static const struct { const char *name; unsigned bit; const char *program; } roles[] = {
	{ "applicant", BY_APPLICANT, "icert_portal" },
	{ "operator", BY_OPERATOR, "icert_desk" },
	{ "director", BY_DIRECTOR, "icert_desk" },
	{ "finance", BY_FINANCE, "icert_desk" },
	{ "national", BY_NATIONAL, "icert_desk" },
	{ "administrator", BY_ADMIN, "icert_desk" },
	{ "auditor", BY_AUDITOR, "icert_desk" },
	{ "clerk", BY_CLERK, "icert_clerk" },
	{ "issuer", BY_ISSUER, "icert_issuer" },
	{ "code", BY_CODE, "icert_login" },
};
#define ROLES (sizeof roles / sizeof roles[0])

struct row { char action[32], from[32], to[32]; unsigned by; };
static struct row expected[ROWS_MAX];
static size_t expected_n;

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	size_t n;

	assert_non_null(f);
	assert_non_null(text);
	n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	assert_true(n > 0);
	return text;
}

/* The pairs stand in several migrations, each adding its own. */
static char *
slurp_migrations(void)
{
	char *all = calloc(1, 1 << 22), *one;
	glob_t found;

	assert_non_null(all);
	assert_int_equal(glob("migrations/*/forward.sql", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		one = slurp(found.gl_pathv[i]);
		assert_true(strlen(all) + strlen(one) < 1 << 22);
		strcat(all, one);
		free(one);
	}
	globfree(&found);
	return all;
}

static unsigned
role_bits(char *list)
{
	unsigned bits = 0;
	char *save = NULL;

	for (char *word = strtok_r(list, "+", &save); word != NULL; word = strtok_r(NULL, "+", &save)) {
		size_t i;

		for (i = 0; i < ROLES && strcmp(roles[i].name, word) != 0; i++)
			;
		assert_true(i < ROLES);
		bits |= roles[i].bit;
	}
	return bits;
}

static int
read_expected(void **state)
{
	char *text = slurp("docs/states.csv"), *save = NULL, *line;

	(void)state;
	line = strtok_r(text, "\n", &save);
	assert_string_equal(line, "action,from,to,by");
	while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
		struct row *r = &expected[expected_n++];
		char by[64];

		assert_int_equal(sscanf(line, "%31[^,],%31[^,],%31[^,],%63s", r->action, r->from, r->to, by), 4);
		r->by = role_bits(by);
		assert_true(expected_n < ROWS_MAX);
	}
	free(text);
	return 0;
}

static const struct row *
expect(const char *action, const char *from)
{
	for (size_t i = 0; i < expected_n; i++)
		if (strcmp(expected[i].action, action) == 0 && strcmp(expected[i].from, from) == 0)
			return &expected[i];
	return NULL;
}

static void
one(enum application_action action, enum application_state from, size_t role)
{
	const struct row *want = expect(application_action_name(action), application_state_name(from));
	const struct transition *t;
	int error = 0;

	t = transition_find(action, from, roles[role].bit, &error);
	if (want != NULL && want->by & roles[role].bit) {
		if (t == NULL)
			fail_msg("%s in %s by %s is missing", want->action, want->from, roles[role].name);
		assert_string_equal(application_state_name(t->to), want->to);
		assert_true(transition_possible(from, roles[role].bit) & UINT32_C(1) << action);
		return;
	}
	if (t != NULL)
		fail_msg("%s in %s by %s must not be", application_action_name(action), application_state_name(from),
		    roles[role].name);
	assert_int_equal(error, want == NULL ? ICERT_E_STATE : ICERT_E_DENIED);
	assert_false(transition_possible(from, roles[role].bit) & UINT32_C(1) << action);
}

static void
test_every_state_action_role(void **state)
{
	(void)state;
	for (int action = 1; action < APPLICATION_ACTIONS; action++)
		for (int from = 1; from < APPLICATION_STATES; from++)
			for (size_t role = 0; role < ROLES; role++)
				one(action, from, role);
}

/* One action leads from one state to one state only. */
static void
test_no_doubles(void **state)
{
	(void)state;
	for (unsigned i = 0; i < transitions_n; i++)
		for (unsigned j = i + 1; j < transitions_n; j++)
			assert_false(transitions[i].action == transitions[j].action && transitions[i].from == transitions[j].from);
	assert_int_equal(transitions_n, expected_n);
}

static void
test_nobody_may_nothing(void **state)
{
	(void)state;
	for (int from = 1; from < APPLICATION_STATES; from++)
		assert_int_equal(transition_possible(from, 0), 0);
	/* Ended is ended. */
	for (size_t role = 0; role < ROLES; role++) {
		assert_int_equal(transition_possible(APPLICATION_REJECTED, roles[role].bit), 0);
		assert_int_equal(transition_possible(APPLICATION_CANCELLED, roles[role].bit), 0);
		assert_int_equal(transition_possible(APPLICATION_REMOVED, roles[role].bit), 0);
		assert_int_equal(transition_possible(APPLICATION_CLOSED_REVOKED, roles[role].bit), 0);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 1; i < APPLICATION_STATES; i++)
		assert_int_equal(application_state_find(application_state_name(i)), i);
	assert_int_equal(application_state_find("nowhere"), 0);
	assert_null(application_state_name(APPLICATION_STATES));
	assert_null(application_action_name(APPLICATION_ACTIONS));
}

static int
in_code(const char *from, const char *to, const char *program)
{
	for (unsigned i = 0; i < transitions_n; i++)
		for (size_t role = 0; role < ROLES; role++)
			if (transitions[i].roles & roles[role].bit && strcmp(roles[role].program, program) == 0 &&
			    strcmp(application_state_name(transitions[i].from), from) == 0 &&
			    strcmp(application_state_name(transitions[i].to), to) == 0)
				return 1;
	return 0;
}

static void
test_database_agrees(void **state)
{
	char *text = slurp_migrations(), from[32], to[32], program[32], line[160];
	int rows = 0;

	(void)state;
	for (char *p = text; (p = strstr(p, "('application', '")) != NULL; p++) {
		/* Other lists begin with the same word. */
		if (sscanf(p, "('application', '%31[^']', '%31[^']', '%31[^']')", from, to, program) != 3 ||
		    strncmp(program, "icert_", 6) != 0)
			continue;
		rows++;
		if (!in_code(from, to, program))
			fail_msg("only in the database: %s to %s by %s", from, to, program);
	}
	assert_true(rows > 30);
	for (unsigned i = 0; i < transitions_n; i++)
		for (size_t role = 0; role < ROLES; role++) {
			const struct transition *t = &transitions[i];

			if (t->from == t->to || !(t->roles & roles[role].bit))
				continue;
			snprintf(line, sizeof line, "('application', '%s', '%s', '%s')", application_state_name(t->from),
			    application_state_name(t->to), roles[role].program);
			if (strstr(text, line) == NULL)
				fail_msg("not in the database: %s", line);
		}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_action_role),
		cmocka_unit_test(test_no_doubles),
		cmocka_unit_test(test_nobody_may_nothing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_database_agrees),
	};

	return cmocka_run_group_tests(tests, read_expected, NULL);
}
