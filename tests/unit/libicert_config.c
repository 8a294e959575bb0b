#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/log.h"

static char path[] = "/tmp/icert-unit-config-XXXXXX";

static void
write_config(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int
make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
drop_path(void **state)
{
	(void)state;
	return unlink(path);
}

/* What a program that ends itself exits with; its log line goes nowhere. */
static int
exit_status(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
values_are_found_by_section_and_key(void **state)
{
	struct config c;

	(void)state;
	write_config("; comment\n[a]\nx = 1\nempty =\n[b]\nx = with spaces ; and a comment\n"
	    "demo.url = http://127.0.0.1:1/\n");
	assert_int_equal(config_load(&c, path), 0);
	assert_string_equal(config_get(&c, "a", "x"), "1");
	assert_string_equal(config_get(&c, "a", "empty"), "");
	assert_string_equal(config_get(&c, "b", "x"), "with spaces");
	assert_string_equal(config_get(&c, "b", "demo.url"), "http://127.0.0.1:1/");
	assert_null(config_get(&c, "a", "y"));
	assert_null(config_get(&c, "c", "x"));
	config_free(&c);
}

static void
a_file_that_is_absent_or_no_ini_is_an_error(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(config_load(&c, "/nonexistent/icert.conf"), -1);
	write_config("[a]\nno equals sign\n");
	assert_int_equal(config_load(&c, path), -1);
	assert_null(config_get(&c, "a", "x"));
}

static void
need_absent(void)
{
	struct config c;

	if (config_load(&c, path) == 0)
		config_require(&c, "a", "absent");
}

static void
need_number(void)
{
	struct config c;

	if (config_load(&c, path) == 0)
		config_int(&c, "a", "word", 0, 0, 10);
}

static void
need_range(void)
{
	struct config c;

	if (config_load(&c, path) == 0)
		config_int(&c, "a", "n", 0, 0, 10);
}

static void
what_is_required_and_wrong_ends_the_program(void **state)
{
	struct config c;

	(void)state;
	write_config("[a]\nn = 11\nword = eleven\n");
	assert_int_equal(config_load(&c, path), 0);
	assert_int_equal(config_int(&c, "a", "n", 0, 0, 11), 11);
	assert_int_equal(config_int(&c, "a", "absent", 7, 0, 11), 7);
	assert_string_equal(config_require(&c, "a", "word"), "eleven");
	config_free(&c);
	assert_int_equal(exit_status(need_absent), EX_CONFIG);
	assert_int_equal(exit_status(need_number), EX_CONFIG);
	assert_int_equal(exit_status(need_range), EX_CONFIG);
}

static void
each_program_connects_as_its_own_role(void **state)
{
	char out[128], small[16];
	struct config c;

	(void)state;
	write_config("[database]\nconninfo = host=/run/x dbname=icert\nportal = icert_portal\n");
	assert_int_equal(config_load(&c, path), 0);
	assert_int_equal(config_conninfo(&c, "portal", out, sizeof(out)), 0);
	assert_string_equal(out, "host=/run/x dbname=icert user=icert_portal application_name=icert-portal");
	assert_int_equal(config_conninfo(&c, "desk", out, sizeof(out)), -1);
	assert_int_equal(config_conninfo(&c, "portal", small, sizeof(small)), -1);
	config_free(&c);
}

static void
business_time_follows_the_mapped_offset(void **state)
{
	static const unsigned char plus[8] = { 0x10, 0x0e }, minus[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	FILE *out;

	(void)state;
	assert_int_equal(clock_open(NULL), 0);
	assert_in_range(clock_business() - clock_real(), 0, 1);
	write_config("12345678");
	out = fopen(path, "r+");
	assert_non_null(out);
	fwrite(plus, 1, 8, out);
	fflush(out);
	assert_int_equal(clock_open(path), 0);
	assert_in_range(clock_business() - clock_real(), 3600, 3601);
	/* Moved while it is mapped, as a test does it. */
	rewind(out);
	fwrite(minus, 1, 8, out);
	fflush(out);
	assert_in_range(clock_real() - clock_business(), 0, 1);
	fclose(out);
	write_config("short");
	assert_int_equal(clock_open(path), -1);
	assert_int_equal(clock_open("/nonexistent/clock"), -1);
}

static void
times_are_written_in_utc(void **state)
{
	char text[CLOCK_TEXT];

	(void)state;
	assert_string_equal(clock_text(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_text(1795464000, text), "2026-11-23T20:00:00Z");
}

static void
addresses_are_cut_to_their_network(void **state)
{
	char out[LOG_ADDRESS];

	(void)state;
	assert_string_equal(log_address("192.0.2.77", out), "192.0.2.0/24");
	assert_string_equal(log_address("::ffff:192.0.2.77", out), "192.0.2.0/24");
	assert_string_equal(log_address("2001:db8:1:2:3:4:5:6", out), "2001:db8:1::/48");
	assert_string_equal(log_address("::1", out), "::/48");
	assert_string_equal(log_address("unix:", out), "-");
	assert_string_equal(log_address("", out), "-");
}

/* The line that log_write() makes of this text. */
static char *
logged(const char *text)
{
	static char line[4096];
	int pipes[2], kept = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	log_error("some_code", "%s", text);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(pipes[1]);
	n = read(pipes[0], line, sizeof(line) - 1);
	close(pipes[0]);
	assert_true(n > 0);
	line[n] = '\0';
	return line;
}

static void
a_log_line_is_one_json_object_whatever_it_tells(void **state)
{
	char *line, big[4000];

	(void)state;
	log_open("icert-unit");
	log_request("0123abcd");
	line = logged("a \"quoted\" \\ line\nand a control \x01");
	assert_non_null(strstr(line, "\"program\":\"icert-unit\""));
	assert_non_null(strstr(line, "\"request\":\"0123abcd\""));
	assert_non_null(strstr(line, "\"code\":\"some_code\""));
	assert_non_null(strstr(line, "\"text\":\"a \\\"quoted\\\" \\\\ line\\u000aand a control \\u0001\"}\n"));
	log_request(NULL);
	assert_null(strstr(logged("x"), "request"));
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	line = logged(big);
	assert_true(strlen(line) < 2048);
	assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_section_and_key),
		cmocka_unit_test(a_file_that_is_absent_or_no_ini_is_an_error),
		cmocka_unit_test(what_is_required_and_wrong_ends_the_program),
		cmocka_unit_test(each_program_connects_as_its_own_role),
		cmocka_unit_test(business_time_follows_the_mapped_offset),
		cmocka_unit_test(times_are_written_in_utc),
		cmocka_unit_test(addresses_are_cut_to_their_network),
		cmocka_unit_test(a_log_line_is_one_json_object_whatever_it_tells),
	};

	return cmocka_run_group_tests(tests, make_path, drop_path);
}
