/* mail/calendar: escaping and folding of RFC 5545. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "mail/calendar.h"

static struct calendar_event
example(void)
{
	return (struct calendar_event){ .uid = "u", .organisation = "icert.example", .sequence = 2,
		.stamp = 1795442400, .start = 1795464000, .end = 1795465800, .summary = "Cita" };
}

static void
whole(void **state)
{
	struct calendar_event event = example();
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(calendar_write(&event, &out), 0);
	assert_string_equal(buf_str(&out),
	    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//icert.example//icert//ES\r\nCALSCALE:GREGORIAN\r\n"
	    "METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:u@icert.example\r\nSEQUENCE:2\r\nDTSTAMP:20261123T140000Z\r\n"
	    "DTSTART:20261123T200000Z\r\nDTEND:20261123T203000Z\r\nSUMMARY:Cita\r\nSTATUS:CONFIRMED\r\n"
	    "END:VEVENT\r\nEND:VCALENDAR\r\n");
	buf_free(&out);
}

static void
escapes(void **state)
{
	struct calendar_event event = example();
	struct buf out = BUF_INIT;

	(void)state;
	event.description = "a,b;c\\d\ne\rBEGIN:VALARM";
	assert_int_equal(calendar_write(&event, &out), 0);
	assert_non_null(strstr(buf_str(&out), "DESCRIPTION:a\\,b\\;c\\\\d\\neBEGIN:VALARM\r\n"));
	buf_free(&out);
}

static void
folds(void **state)
{
	struct calendar_event event = example();
	struct buf out = BUF_INIT;
	char text[400] = "";
	const char *line, *next;
	int i;

	(void)state;
	for (i = 0; i < 90; i++)
		strcat(text, "\xc3\xb1");
	event.description = text;
	assert_int_equal(calendar_write(&event, &out), 0);
	for (line = buf_str(&out); *line != '\0'; line = next + 2) {
		next = strstr(line, "\r\n");
		assert_non_null(next);
		assert_true(next - line <= 75);
		/* no line, after its blank, begins in the middle of a character */
		assert_true(((unsigned char)line[line[0] == ' '] & 0xc0) != 0x80);
	}
	buf_free(&out);
}

static void
refuses(void **state)
{
	struct calendar_event event = example();
	struct buf out = BUF_INIT;

	(void)state;
	event.end = event.start - 1;
	assert_int_equal(calendar_write(&event, &out), ICERT_E_INVALID);
	event = example();
	event.uid = NULL;
	assert_int_equal(calendar_write(&event, &out), ICERT_E_INVALID);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(escapes),
		cmocka_unit_test(folds),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
