#include "documents/contract_template.h"

#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/utf8.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

static const char *
value_of(const struct contract_variable *variables, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(variables[i].name) == len && memcmp(variables[i].name, name, len) == 0)
			return variables[i].value != NULL ? variables[i].value : "";
	return NULL;
}

/* A value is one run of text: whatever breaks lines in it is a space. */
static void
put_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++)
		buf_put(out, (unsigned char)*value < 0x20 ? " " : value, 1);
}

static int
put_in(const char *p, size_t len, const struct contract_variable *variables, size_t n, struct buf *out)
{
	const char *end = p + len;

	while (p < end) {
		const char *value;
		size_t name;

		if (*p == '}')
			return ICERT_E_MALFORMED;
		if (*p != '{') {
			buf_put(out, p++, 1);
			continue;
		}
		name = strspn(++p, NAME_CHARACTERS);
		if (name == 0 || name >= (size_t)(end - p) || p[name] != '}')
			return ICERT_E_MALFORMED;
		if ((value = value_of(variables, n, p, name)) == NULL)
			return ICERT_E_MISSING;
		put_value(out, value);
		p += name + 1;
	}
	return buf_error(out);
}

static void
trim(const char **p, size_t *len)
{
	while (*len > 0 && ((*p)[0] == ' ' || (*p)[0] == '\t'))
		(*p)++, (*len)--;
	while (*len > 0 && strchr(" \t\r", (*p)[*len - 1]) != NULL)
		(*len)--;
}

static int
text_of(const char *p, size_t len, const struct contract_variable *variables, size_t n, char **out)
{
	struct buf text = BUF_INIT;
	int error;

	trim(&p, &len);
	if ((error = put_in(p, len, variables, n, &text)) == 0 && (*out = strdup(buf_str(&text))) == NULL)
		error = ICERT_E_MEMORY;
	buf_free(&text);
	return error;
}

static int
add_row(struct contract_block *b, const char *p, size_t len, const struct contract_variable *variables, size_t n)
{
	const char *bar = memchr(p, '|', len);
	int error;

	if (bar == NULL || bar == p)
		return ICERT_E_MALFORMED;
	if ((error = text_of(p, (size_t)(bar - p), variables, n, &b->label)) == 0)
		error = text_of(bar + 1, len - (size_t)(bar - p) - 1, variables, n, &b->text);
	return error;
}

static void
drop_last(struct contract_blocks *out)
{
	struct contract_block *b = &out->list[--out->n];

	free(b->text);
	free(b->label);
	memset(b, 0, sizeof(*b));
}

/* A further line of a paragraph goes behind the one before. */
static int
join(struct contract_blocks *out, const char *more)
{
	struct contract_block *last = &out->list[out->n - 1];
	char *longer = realloc(last->text, strlen(last->text) + strlen(more) + 2);

	if (longer == NULL)
		return ICERT_E_MEMORY;
	strcat(strcat(longer, " "), more);
	last->text = longer;
	return 0;
}

static enum contract_block_kind
kind_of(const char **p, size_t *len)
{
	static const struct { const char *mark; enum contract_block_kind kind; } marks[] = {
		{ "## ", CONTRACT_HEADING }, { "# ", CONTRACT_TITLE }, { "- ", CONTRACT_ITEM }, { "|", CONTRACT_ROW },
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t n = strlen(marks[i].mark);

		if (*len > n && memcmp(*p, marks[i].mark, n) == 0) {
			*p += n;
			*len -= n;
			return marks[i].kind;
		}
	}
	return CONTRACT_PARAGRAPH;
}

static int
add_line(struct contract_blocks *out, const char *p, size_t len, int goes_on, const struct contract_variable *variables,
    size_t n)
{
	enum contract_block_kind kind = kind_of(&p, &len);
	struct contract_block *b;
	char *more;
	int error;

	if ((kind == CONTRACT_TITLE) != (out->n == 0))
		return ICERT_E_MALFORMED;
	if (goes_on && kind == CONTRACT_PARAGRAPH) {
		if ((error = text_of(p, len, variables, n, &more)) != 0)
			return error;
		error = join(out, more);
		free(more);
		return error;
	}
	if (out->n == CONTRACT_BLOCKS_MAX)
		return ICERT_E_TOO_LARGE;
	b = &out->list[out->n++];
	b->kind = kind;
	error = kind == CONTRACT_ROW ? add_row(b, p, len, variables, n) : text_of(p, len, variables, n, &b->text);
	if (error == 0 && kind == CONTRACT_ROW && b->text[0] == '\0')
		drop_last(out);
	return error;
}

int
contract_blocks_make(const char *text, size_t len, const struct contract_variable *variables, size_t n,
    struct contract_blocks *out)
{
	const char *end = text + len, *next;
	int goes_on = 0, line = 0, error = 0;

	memset(out, 0, sizeof(*out));
	if (len > CONTRACT_TEXT_MAX)
		return ICERT_E_TOO_LARGE;
	if (memchr(text, '\0', len) != NULL || !utf8_valid(text, len))
		return ICERT_E_MALFORMED;
	for (; error == 0 && text < end; text = next) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const char *p = text;
		size_t size = (size_t)((stop != NULL ? stop : end) - text);

		next = stop != NULL ? stop + 1 : end;
		line++;
		trim(&p, &size);
		if (size == 0) {
			goes_on = 0;
			continue;
		}
		error = add_line(out, p, size, goes_on, variables, n);
		goes_on = out->n > 0 && out->list[out->n - 1].kind == CONTRACT_PARAGRAPH;
	}
	if (error == 0 && out->n == 0)
		error = ICERT_E_MALFORMED;
	if (error != 0)
		out->line = line;
	return error;
}

void
contract_blocks_free(struct contract_blocks *out)
{
	while (out->n > 0)
		drop_last(out);
}
