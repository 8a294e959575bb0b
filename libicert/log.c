#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libicert/log.h"

#define LOG_LINE 2048

static const char *log_program = "icert";
static char log_request_id[65];
static enum log_level log_lowest = LOG_LEVEL_INFO;

static const char *const log_level_names[] = { "debug", "info", "warn", "error" };

void
log_open(const char *program)
{
	log_program = program;
}

void
log_level(enum log_level lowest)
{
	log_lowest = lowest;
}

void
log_request(const char *id)
{
	snprintf(log_request_id, sizeof(log_request_id), "%s", id == NULL ? "" : id);
}

/*
 * Append text as the inside of a JSON string; stops before the line could no
 * longer be closed.  Bytes above 0x7f pass: the callers' texts are UTF-8, and a
 * cut in mid-character costs one replacement sign in the reader.
 */
static size_t
log_quote(char *line, size_t at, size_t limit, const char *text)
{
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p != '\0' && at + 6 < limit; p++) {
		if (*p == '"' || *p == '\\') {
			line[at++] = '\\';
			line[at++] = (char)*p;
		} else if (*p < 0x20 || *p == 0x7f) {
			at += (size_t)snprintf(line + at, 7, "\\u%04x", *p);
		} else {
			line[at++] = (char)*p;
		}
	}
	return at;
}

static size_t
log_field(char *line, size_t at, size_t limit, const char *key, const char *value)
{
	at += (size_t)snprintf(line + at, limit - at, ",\"%s\":\"", key);
	at = log_quote(line, at, limit - 1, value);
	line[at++] = '"';
	return at;
}

void
log_write(enum log_level level, const char *code, const char *format, ...)
{
	char line[LOG_LINE], text[LOG_LINE / 2], when[32];
	struct timespec now;
	struct tm tm;
	size_t at;
	va_list ap;

	if (level < log_lowest)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);

	at = (size_t)snprintf(line, sizeof(line), "{\"time\":\"%s.%03ldZ\"", when,
	    now.tv_nsec / 1000000);
	at = log_field(line, at, 160, "level", log_level_names[level]);
	at = log_field(line, at, 240, "program", log_program);
	if (log_request_id[0] != '\0')
		at = log_field(line, at, 400, "request", log_request_id);
	at = log_field(line, at, 560, "code", code);
	at = log_field(line, at, sizeof(line) - 2, "text", text);
	line[at++] = '}';
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0)
		return;		/* nobody is left to be told */
}

char *
log_address(const char *text, char out[LOG_ADDRESS])
{
	unsigned char a[16];
	char host[INET6_ADDRSTRLEN];
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (inet_pton(AF_INET6, text, a) == 1 && memcmp(a, mapped, sizeof(mapped)) != 0) {
		memset(a + 6, 0, 10);
		inet_ntop(AF_INET6, a, host, sizeof(host));
		snprintf(out, LOG_ADDRESS, "%.44s/48", host);
	} else if (inet_pton(AF_INET6, text, a) == 1) {
		snprintf(out, LOG_ADDRESS, "%u.%u.%u.0/24", a[12], a[13], a[14]);
	} else if (inet_pton(AF_INET, text, a) == 1) {
		snprintf(out, LOG_ADDRESS, "%u.%u.%u.0/24", a[0], a[1], a[2]);
	} else {
		snprintf(out, LOG_ADDRESS, "-");
	}
	return out;
}
