#include <stdio.h>
#include <string.h>

#include "libicert/cookie.h"

/* cookie-octet of RFC 6265, 4.1.1. */
static int
cookie_octet(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static int
token_octet(unsigned char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static int
value_ok(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!cookie_octet((unsigned char)p[i]))
			return 0;
	return 1;
}

int
cookie_find(const char *header, const char *name, const char **value, size_t *len)
{
	size_t		 name_len = strlen(name);
	const char	*p = header, *end;

	while (p != NULL && *p != '\0') {
		while (*p == ' ' || *p == '\t' || *p == ';')
			p++;
		end = p + strcspn(p, ";");
		if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
			p += name_len + 1;
			while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			if (end - p >= 2 && p[0] == '"' && end[-1] == '"') {
				p++;
				end--;
			}
			if (!value_ok(p, (size_t)(end - p)))
				return 0;
			*value = p;
			*len = (size_t)(end - p);
			return 1;
		}
		p = end;
	}
	return 0;
}

int
cookie_format(char *out, size_t size, const struct cookie *c)
{
	char	age[40] = "";
	int	n;

	if (c->name[0] == '\0' || !value_ok(c->value, strlen(c->value)) || c->path[0] != '/')
		return ICERT_E_INVALID;
	for (const char *p = c->name; *p != '\0'; p++)
		if (!token_octet((unsigned char)*p))
			return ICERT_E_INVALID;
	for (const char *p = c->path; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == ';')
			return ICERT_E_INVALID;
	if (strncmp(c->name, "__Host-", 7) == 0 && strcmp(c->path, "/") != 0)
		return ICERT_E_INVALID;
	if (c->max_age >= 0)
		snprintf(age, sizeof(age), "; Max-Age=%ld", c->max_age);
	n = snprintf(out, size, "%s=%s; Path=%s%s; Secure; HttpOnly; SameSite=%s", c->name, c->value,
	    c->path, age, c->same_site == COOKIE_STRICT ? "Strict" : "Lax");
	return n < 0 || (size_t)n >= size ? ICERT_E_TOO_LARGE : n;
}
