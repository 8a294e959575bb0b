#ifndef ICERT_MAIL_CALENDAR_H
#define ICERT_MAIL_CALENDAR_H

#include <stdint.h>

#include "libicert/buf.h"

/*
 * An appointment as iCalendar (RFC 5545), METHOD:PUBLISH: UTC times, text
 * escaped (3.3.11), lines folded at 75 octets (3.1) without cutting a
 * character.  A moved appointment has the same uid and a higher sequence.
 */
struct calendar_event {
	const char *uid;            /* uuid of the appointment */
	const char *organisation;   /* domain of the sender, for UID and PRODID */
	int sequence;
	int64_t stamp, start, end;  /* UTC seconds */
	const char *summary, *description, *location, *url; /* UTF-8; NULL: left out */
	int cancelled;
};

int	calendar_write(const struct calendar_event *event, struct buf *out);

#endif
