#include "mail/calendar.h"

#include <string.h>
#include <time.h>

#include "libicert/error.h"

#define FOLD_AT 75     /* octets a line, RFC 5545, 3.1 */

static int
continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* One content line, folded so that no UTF-8 character is cut. */
static void
put_line(struct buf *out, const char *line)
{
	size_t left = strlen(line), room = FOLD_AT, n;

	while (left > room) {
		for (n = room; n > 1 && continues(line[n]); n--)
			;
		buf_put(out, line, n);
		buf_puts(out, "\r\n ");
		line += n;
		left -= n;
		room = FOLD_AT - 1;
	}
	buf_put(out, line, left);
	buf_puts(out, "\r\n");
}

/* A TEXT value, RFC 5545, 3.3.11; controls other than newline are dropped. */
static void
put_text(struct buf *out, const char *name, const char *value)
{
	struct buf line = BUF_INIT;

	if (value == NULL)
		return;
	buf_printf(&line, "%s:", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			buf_puts(&line, "\\n");
		else if (strchr("\\;,", *value) != NULL)
			buf_printf(&line, "\\%c", *value);
		else if ((unsigned char)*value >= 0x20)
			buf_putc(&line, *value);
	}
	if (buf_error(&line) != 0)
		buf_fail(out, buf_error(&line));
	else
		put_line(out, buf_str(&line));
	buf_free(&line);
}

static void
put_time(struct buf *out, const char *name, int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	char text[24];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
	buf_printf(out, "%s:%s\r\n", name, text);
}

int
calendar_write(const struct calendar_event *event, struct buf *out)
{
	if (event->uid == NULL || event->organisation == NULL || event->end < event->start)
		return ICERT_E_INVALID;
	buf_puts(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
	buf_printf(out, "PRODID:-//%s//icert//ES\r\nCALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\n",
	    event->organisation);
	buf_printf(out, "UID:%s@%s\r\n", event->uid, event->organisation);
	buf_printf(out, "SEQUENCE:%d\r\n", event->sequence);
	put_time(out, "DTSTAMP", event->stamp);
	put_time(out, "DTSTART", event->start);
	put_time(out, "DTEND", event->end);
	put_text(out, "SUMMARY", event->summary);
	put_text(out, "DESCRIPTION", event->description);
	put_text(out, "LOCATION", event->location);
	if (event->url != NULL && event->url[0] != '\0') {
		/* A URI is not TEXT: its commas stay as they are, and it has no control bytes. */
		struct buf line = BUF_INIT;

		buf_printf(&line, "URL:%s", event->url);
		if (strpbrk(event->url, "\r\n") == NULL && buf_error(&line) == 0)
			put_line(out, buf_str(&line));
		buf_free(&line);
	}
	buf_printf(out, "STATUS:%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", event->cancelled ? "CANCELLED" : "CONFIRMED");
	return buf_error(out);
}
