/* memmem, memrchr, also where nginx's build compiles this */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>
#include <strings.h>

#include "libicert/multipart.h"
#include "libicert/multipart_header.h"
#include "libicert/utf8.h"

enum state {
	S_FIRST,	/* the first delimiter, without its CRLF */
	S_DATA,
	S_AFTER,	/* behind a delimiter: CR or "-" */
	S_AFTER_CR,	/* LF */
	S_AFTER_DASH,	/* the second "-" */
	S_LINE,		/* in a header line */
	S_LINE_CR,	/* LF of a header line */
	S_CLOSED,	/* behind the closing delimiter: CR or nothing */
	S_CLOSED_CR,
	S_CLOSED_LF	/* nothing may follow */
};

void
multipart_init(struct multipart *m, const char *boundary, size_t len, multipart_handler handler,
    void *arg)
{
	memset(m, 0, sizeof(*m));
	m->handler = handler;
	m->arg = arg;
	m->state = S_FIRST;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary, len);
	m->delimiter_len = 4 + len;
	m->matched = 2;
}

static int
refuse(struct multipart *m, int error, const char *why)
{
	m->why = why;
	return error;
}

static int
emit(struct multipart *m, enum multipart_kind kind, const void *data, size_t len)
{
	struct multipart_event	e = { .kind = kind };

	if (kind == MULTIPART_PART) {
		e.name = m->name;
		e.name_len = m->name_len;
		if (m->has_file_name) {
			e.file_name = m->file_name;
			e.file_name_len = m->file_name_len;
		}
	} else if (kind == MULTIPART_DATA) {
		if (len == 0)
			return 0;
		e.data = data;
		e.len = len;
	}
	return m->handler(m->arg, &e);
}

static void
part_start(struct multipart *m)
{
	m->state = S_LINE;
	m->line_len = 0;
	m->headers = 0;
	m->has_disposition = m->has_type = m->has_encoding = m->has_file_name = 0;
}

/* A header line is complete, without its CRLF; an empty one ends the headers. */
static int
line_end(struct multipart *m)
{
	int	rc;

	if (m->line_len == 0) {
		if (!m->has_disposition)
			return refuse(m, ICERT_E_MALFORMED, "no_disposition");
		/* The delimiter of an empty part has a CRLF of its own. */
		m->state = S_DATA;
		m->matched = 0;
		return emit(m, MULTIPART_PART, NULL, 0);
	}
	if (++m->headers > MULTIPART_HEADERS_MAX)
		return refuse(m, ICERT_E_TOO_LARGE, "headers");
	m->line[m->line_len] = '\0';
	rc = multipart_header(m);
	m->state = S_LINE;
	m->line_len = 0;
	return rc;
}

/*
 * Data without the octets of a delimiter that has begun before: as much as there
 * is goes out in one piece, since each piece is a write where it arrives.
 */
static int
data_search(struct multipart *m, const uint8_t **pp, const uint8_t *end)
{
	const uint8_t	*p = *pp, *stop, *tail;
	size_t		 len = (size_t)(end - p);
	int		 rc;

	if ((stop = memmem(p, len, m->delimiter, m->delimiter_len)) != NULL) {
		*pp = stop + m->delimiter_len;
		m->state = S_AFTER;
		m->matched = m->delimiter_len;
		if ((rc = emit(m, MULTIPART_DATA, p, (size_t)(stop - p))) != 0)
			return rc;
		return emit(m, MULTIPART_PART_END, NULL, 0);
	}
	/* One may have begun in the last octets: only the last CR can be its first. */
	tail = len < m->delimiter_len ? p : end - (m->delimiter_len - 1);
	stop = memrchr(tail, '\r', (size_t)(end - tail));
	if (stop == NULL || memcmp(stop, m->delimiter, (size_t)(end - stop)) != 0)
		stop = end;
	m->matched = (size_t)(end - stop);
	*pp = end;
	return emit(m, MULTIPART_DATA, p, (size_t)(stop - p));
}

/*
 * Data up to the delimiter.  Its only CR is its first octet, so after a
 * mismatch nothing of what matched can begin another delimiter.
 */
static int
data_feed(struct multipart *m, const uint8_t **pp, const uint8_t *end)
{
	size_t	held;

	if (m->matched == 0)
		return data_search(m, pp, end);
	while (*pp < end && **pp == (uint8_t)m->delimiter[m->matched]) {
		(*pp)++;
		if (++m->matched == m->delimiter_len) {
			m->state = S_AFTER;
			return emit(m, MULTIPART_PART_END, NULL, 0);
		}
	}
	if (*pp == end)
		return 0;
	held = m->matched;
	m->matched = 0;
	return emit(m, MULTIPART_DATA, m->delimiter, held);
}

static int
line_feed(struct multipart *m, uint8_t c)
{
	if (c == '\r') {
		m->state = S_LINE_CR;
		return 0;
	}
	if (c == '\n' || c == '\0')
		return refuse(m, ICERT_E_MALFORMED, "header_octet");
	if (m->line_len == MULTIPART_LINE_MAX)
		return refuse(m, ICERT_E_TOO_LARGE, "header_line");
	m->line[m->line_len++] = (char)c;
	return 0;
}

/* Everything but data, one octet. */
static int
octet_feed(struct multipart *m, uint8_t c)
{
	switch (m->state) {
	case S_FIRST:
		if (c != (uint8_t)m->delimiter[m->matched])
			return refuse(m, ICERT_E_MALFORMED, "first_delimiter");
		if (++m->matched == m->delimiter_len)
			m->state = S_AFTER;
		return 0;
	case S_AFTER:
		if (c != '\r' && c != '-')
			return refuse(m, ICERT_E_MALFORMED, "delimiter");
		m->state = c == '\r' ? S_AFTER_CR : S_AFTER_DASH;
		return 0;
	case S_AFTER_CR:
		if (c != '\n')
			return refuse(m, ICERT_E_MALFORMED, "delimiter");
		part_start(m);
		return 0;
	case S_AFTER_DASH:
		if (c != '-')
			return refuse(m, ICERT_E_MALFORMED, "delimiter");
		m->state = S_CLOSED;
		return emit(m, MULTIPART_END, NULL, 0);
	case S_LINE:
		return line_feed(m, c);
	case S_LINE_CR:
		if (c != '\n')
			return refuse(m, ICERT_E_MALFORMED, "header_octet");
		return line_end(m);
	case S_CLOSED:
		m->state = S_CLOSED_CR;
		return c == '\r' ? 0 : refuse(m, ICERT_E_MALFORMED, "epilogue");
	case S_CLOSED_CR:
		m->state = S_CLOSED_LF;
		return c == '\n' ? 0 : refuse(m, ICERT_E_MALFORMED, "epilogue");
	}
	return refuse(m, ICERT_E_MALFORMED, "epilogue");
}

int
multipart_feed(struct multipart *m, const void *octets, size_t len)
{
	const uint8_t	*p = octets, *end = p + len;

	while (m->result == 0 && p < end) {
		if (m->state == S_DATA)
			m->result = data_feed(m, &p, end);
		else
			m->result = octet_feed(m, *p++);
	}
	return m->result;
}

int
multipart_finish(struct multipart *m)
{
	if (m->result == 0 && m->state != S_CLOSED && m->state != S_CLOSED_LF) {
		m->why = "truncated";
		m->result = ICERT_E_TRUNCATED;
	}
	return m->result;
}

size_t
multipart_clean_name(const char *name, size_t len, char *out, size_t max)
{
	uint32_t	c;
	size_t		n = 0, start = 0, octets;

	for (size_t i = 0; i < len; i++)
		if (name[i] == '/' || name[i] == '\\')
			start = i + 1;
	while (start < len) {
		/* No dot or space leads, whatever was dropped before it. */
		if (n == 0 && (name[start] == '.' || name[start] == ' ')) {
			start++;
			continue;
		}
		if ((octets = utf8_decode(name + start, len - start, &c)) == 0)
			octets = 1;
		else if (utf8_printable(name + start, octets) && strchr("<>:\"|?*", name[start]) == NULL) {
			if (n + octets > max)
				break;
			memcpy(out + n, name + start, octets);
			n += octets;
		}
		start += octets;
	}
	while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '.'))
		n--;
	out[n] = '\0';
	return n;
}
