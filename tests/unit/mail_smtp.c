/* mail/smtp against a small server that says what the test wants. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "mail/smtp.h"

struct server {
	pid_t pid;
	int got;          /* what came as DATA is read here */
	char url[64];
};

static void
say(FILE *out, const char *line)
{
	fprintf(out, "%s\r\n", line);
	fflush(out);
}

/* One dialogue of RFC 5321; rcpt is the answer to RCPT TO. */
static void
serve(int listener, const char *rcpt, int out)
{
	int fd = accept(listener, NULL, NULL), data = 0;
	FILE *in = fdopen(dup(fd), "r"), *reply = fdopen(fd, "w");
	char line[4096];

	say(reply, "220 test");
	while (fgets(line, sizeof(line), in) != NULL) {
		if (data) {
			if (strcmp(line, ".\r\n") == 0) {
				data = 0;
				say(reply, "250 taken");
			} else if (write(out, line, strlen(line)) < 0) {
				break;
			}
		} else if (strncasecmp(line, "RCPT", 4) == 0) {
			say(reply, rcpt);
		} else if (strncasecmp(line, "DATA", 4) == 0) {
			data = 1;
			say(reply, "354 go on");
		} else if (strncasecmp(line, "QUIT", 4) == 0) {
			say(reply, "221 bye");
			break;
		} else {
			say(reply, "250 ok");
		}
	}
	fclose(in);
	fclose(reply);
}

static struct server
server_start(const char *rcpt)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct server s;
	int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2];

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pipe(ends), 0);
	snprintf(s.url, sizeof(s.url), "smtp://127.0.0.1:%d", ntohs(at.sin_port));
	if ((s.pid = fork()) == 0) {
		close(ends[0]);
		serve(listener, rcpt, ends[1]);
		_exit(0);
	}
	close(listener);
	close(ends[1]);
	s.got = ends[0];
	return s;
}

static void
server_stop(struct server *s, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size && (got = read(s->got, text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(s->got);
	waitpid(s->pid, NULL, 0);
}

static int
send_one(const char *url, const char *to, struct smtp_result *result)
{
	static char from[] = "firma@icert.example", name[] = "Firma Electr\xc3\xb3nica";
	struct config_entry entries[] = {
		{ "mail", "smtp_url", (char *)(uintptr_t)url }, { "mail", "from", from }, { "mail", "from_name", name },
	};
	struct config config = { .entries = entries, .n = 3 };
	struct smtp_attachment file = { "certificado.p12", "application/x-pkcs12", "\0\1\2\3", 4 };
	struct smtp_message message = { .to = to, .subject = "Su c\xc3\xb3" "digo de acceso", .message_id = "<1@icert.example>",
		.date = 1795442400, .text = "hola\n.punto\n", .html = "<p>hola</p>", .attachments = &file, .n_attachments = 1 };
	struct smtp *smtp;
	int error;

	assert_int_equal(smtp_open(&config, &smtp), 0);
	error = smtp_send(smtp, &message, result);
	smtp_free(smtp);
	return error;
}

static void
taken(void **state)
{
	struct smtp_result result;
	struct server s = server_start("250 ok");
	char text[16384];

	(void)state;
	assert_int_equal(send_one(s.url, "ana@correo.ec", &result), 0);
	server_stop(&s, text, sizeof(text));
	assert_non_null(strstr(text, "Date: Mon, 23 Nov 2026 14:00:00 +0000\r\n"));
	assert_non_null(strstr(text, "From: =?utf-8?B?RmlybWEgRWxlY3Ryw7NuaWNh?= <firma@icert.example>\r\n"));
	assert_non_null(strstr(text, "To: <ana@correo.ec>\r\n"));
	assert_non_null(strstr(text, "Subject: =?utf-8?B?U3UgY8OzZGlnbyBkZSBhY2Nlc28=?=\r\n"));
	assert_non_null(strstr(text, "Message-ID: <1@icert.example>\r\n"));
	assert_non_null(strstr(text, "Auto-Submitted: auto-generated\r\n"));
	assert_non_null(strstr(text, "multipart/alternative"));
	assert_non_null(strstr(text, "text/plain; charset=utf-8"));
	assert_non_null(strstr(text, "text/html; charset=utf-8"));
	assert_non_null(strstr(text, "filename=\"certificado.p12\""));
	assert_non_null(strstr(text, "AAECAw=="));
}

static void
refused_for_good(void **state)
{
	struct smtp_result result;
	struct server s = server_start("550 no such mailbox ana@correo.ec");
	char text[1024];

	(void)state;
	assert_int_equal(send_one(s.url, "ana@correo.ec", &result), ICERT_E_DENIED);
	assert_int_equal(result.code, 550);
	assert_null(strstr(result.detail, "ana@"));
	server_stop(&s, text, sizeof(text));
	assert_string_equal(text, "");
}

static void
refused_for_now(void **state)
{
	struct smtp_result result;
	struct server s = server_start("451 come back later");
	char text[1024];

	(void)state;
	assert_int_equal(send_one(s.url, "ana@correo.ec", &result), ICERT_E_UNAVAILABLE);
	assert_int_equal(result.code, 451);
	server_stop(&s, text, sizeof(text));
}

static void
nobody_there(void **state)
{
	struct smtp_result result;
	struct server s = server_start("250 ok");
	char text[1024];

	(void)state;
	/* its only connection is used up by a first mail */
	assert_int_equal(send_one(s.url, "ana@correo.ec", &result), 0);
	server_stop(&s, text, sizeof(text));
	assert_int_equal(send_one(s.url, "ana@correo.ec", &result), ICERT_E_UNAVAILABLE);
	assert_int_equal(result.code, 0);
}

static void
addresses(void **state)
{
	static const char *const bad[] = {
		"", "ana", "ana@correo.ec\r\nRCPT TO:<x@y.ec>", "a b@correo.ec", "<ana@correo.ec>", "ana@correo.ec,x@y.ec", "a\n@b.ec",
	};
	struct smtp_result result;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(send_one("smtp://127.0.0.1:1", bad[i], &result), ICERT_E_DENIED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused_for_good),
		cmocka_unit_test(refused_for_now),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(addresses),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
