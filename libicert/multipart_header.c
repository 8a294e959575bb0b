#include <string.h>
#include <strings.h>

#include "libicert/multipart.h"
#include "libicert/multipart_header.h"
#include "libicert/utf8.h"

/* token of RFC 7230, 3.2.6. */
static int
token_octet(char c)
{
	return c > ' ' && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static int
space(char c)
{
	return c == ' ' || c == '\t';
}

static size_t
token_length(const char *p, const char *end)
{
	const char	*start = p;

	while (p < end && token_octet(*p))
		p++;
	return (size_t)(p - start);
}

static int
word_is(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(p, word, len) == 0;
}

/* bchars of RFC 2046, 5.1.1, without the space. */
static int
boundary_octet(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("'()+_,-./:=?", c) != NULL);
}

static int
malformed(struct multipart *m, const char *why)
{
	m->why = why;
	return ICERT_E_MALFORMED;
}

/*
 * A parameter ";" name "=" value at *p.  The value, unescaped when quoted, goes
 * to out.  1: read, 0: there is none more, ICERT_E_MALFORMED, ICERT_E_TOO_LARGE.
 */
struct parameter {
	const char	*name;
	size_t		 name_len;
	size_t		 len;		/* of the value */
	char		 value[MULTIPART_LINE_MAX + 1];
};

static int
parameter_quoted(const char **pp, const char *end, struct parameter *out)
{
	const char	*p = *pp + 1;

	for (; p < end && *p != '"'; p++) {
		/*
		 * A backslash of a file's name is not escaped by browsers (HTML
		 * standard, 4.10.21.8): it escapes what it has to, no letter.
		 */
		if (*p == '\\' && end - p > 1 && (p[1] == '"' || p[1] == '\\'))
			p++;
		if (out->len == MULTIPART_LINE_MAX)
			return ICERT_E_TOO_LARGE;
		out->value[out->len++] = *p;
	}
	if (p == end)
		return ICERT_E_MALFORMED;
	*pp = p + 1;
	return 1;
}

static int
parameter_next(const char **pp, const char *end, int (*plain)(char), struct parameter *out)
{
	const char	*p = *pp;
	int		 rc = 1;

	while (p < end && space(*p))
		p++;
	if (p == end)
		return 0;
	if (*p++ != ';')
		return ICERT_E_MALFORMED;
	while (p < end && space(*p))
		p++;
	out->name = p;
	out->name_len = token_length(p, end);
	out->len = 0;
	p += out->name_len;
	if (out->name_len == 0 || p == end || *p++ != '=')
		return ICERT_E_MALFORMED;
	if (p < end && *p == '"')
		rc = parameter_quoted(&p, end, out);
	else {
		while (p < end && plain(*p)) {
			if (out->len == MULTIPART_LINE_MAX)
				return ICERT_E_TOO_LARGE;
			out->value[out->len++] = *p++;
		}
		if (out->len == 0)
			return ICERT_E_MALFORMED;
	}
	out->value[out->len] = '\0';
	*pp = p;
	return rc;
}

static int
disposition_name(struct multipart *m, const struct parameter *v)
{
	if (m->name_len != 0)
		return malformed(m, "name_twice");
	if (v->len == 0 || !utf8_printable(v->value, v->len))
		return malformed(m, "name");
	if (v->len > MULTIPART_NAME_MAX) {
		m->why = "name";
		return ICERT_E_TOO_LARGE;
	}
	memcpy(m->name, v->value, v->len + 1);
	m->name_len = v->len;
	return 0;
}

static int
disposition_file_name(struct multipart *m, const struct parameter *v)
{
	if (m->has_file_name)
		return malformed(m, "file_name_twice");
	if (!utf8_printable(v->value, v->len))
		return malformed(m, "file_name");
	if (v->len > MULTIPART_FILE_NAME_MAX) {
		m->why = "file_name";
		return ICERT_E_TOO_LARGE;
	}
	memcpy(m->file_name, v->value, v->len + 1);
	m->file_name_len = v->len;
	m->has_file_name = 1;
	return 0;
}

static int
disposition(struct multipart *m, const char *p, const char *end)
{
	struct parameter	v;
	size_t			len = token_length(p, end);
	int			rc;

	if (m->has_disposition)
		return malformed(m, "disposition_twice");
	m->has_disposition = 1;
	m->name_len = 0;
	if (!word_is(p, len, "form-data"))
		return malformed(m, "disposition");
	p += len;
	while ((rc = parameter_next(&p, end, token_octet, &v)) == 1) {
		if (memchr(v.name, '*', v.name_len) != NULL)
			return malformed(m, "parameter_star");
		if (word_is(v.name, v.name_len, "name"))
			rc = disposition_name(m, &v);
		else if (word_is(v.name, v.name_len, "filename"))
			rc = disposition_file_name(m, &v);
		else
			rc = 0;
		if (rc != 0)
			return rc;
	}
	if (rc < 0)
		return malformed(m, "disposition");
	return m->name_len != 0 ? 0 : malformed(m, "no_name");
}

static int
encoding(struct multipart *m, const char *p, size_t len)
{
	if (m->has_encoding)
		return malformed(m, "encoding_twice");
	m->has_encoding = 1;
	if (word_is(p, len, "7bit") || word_is(p, len, "8bit") || word_is(p, len, "binary"))
		return 0;
	return malformed(m, "encoding");
}

int
multipart_header(struct multipart *m)
{
	const char	*p = m->line, *end = m->line + m->line_len, *name = p;
	size_t		 len = token_length(p, end);

	p += len;
	if (len == 0 || p == end || *p != ':')
		return malformed(m, "header_name");
	for (p++; p < end && space(*p); p++)
		;
	while (end > p && space(end[-1]))
		end--;
	for (const char *c = p; c < end; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return malformed(m, "header_octet");
	if (word_is(name, len, "content-disposition"))
		return disposition(m, p, end);
	if (word_is(name, len, "content-transfer-encoding"))
		return encoding(m, p, (size_t)(end - p));
	if (word_is(name, len, "content-type")) {
		if (m->has_type)
			return malformed(m, "type_twice");
		m->has_type = 1;
	}
	return 0;
}

int
multipart_boundary(const char *p, size_t content_type_len, char *boundary, size_t *len)
{
	static const char	 media_type[] = "multipart/form-data";
	const char		*end = p + content_type_len;
	struct parameter	 v;
	int			 rc, found = 0;

	while (p < end && space(*p))
		p++;
	if ((size_t)(end - p) < sizeof(media_type) - 1 ||
	    strncasecmp(p, media_type, sizeof(media_type) - 1) != 0)
		return 0;
	p += sizeof(media_type) - 1;
	if (p < end && *p != ';' && !space(*p))
		return 0;
	while ((rc = parameter_next(&p, end, boundary_octet, &v)) == 1) {
		if (!word_is(v.name, v.name_len, "boundary"))
			continue;
		if (found++ || v.len == 0 || v.len > MULTIPART_BOUNDARY_MAX ||
		    v.value[v.len - 1] == ' ')
			return ICERT_E_MALFORMED;
		for (size_t i = 0; i < v.len; i++)
			if (!boundary_octet(v.value[i]) && v.value[i] != ' ')
				return ICERT_E_MALFORMED;
		memcpy(boundary, v.value, v.len + 1);
		*len = v.len;
	}
	return rc == 0 && found == 1 ? 1 : ICERT_E_MALFORMED;
}
