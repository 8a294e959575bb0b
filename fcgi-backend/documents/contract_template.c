#include "documents/contract_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "libicert/utf8.h"

/* Octets of a variable's name at p; the text ends at end, with no NUL behind it. */
static size_t
name_length(const char *p, const char *end)
{
	const char *at = p;

	while (at < end && ((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_'))
		at++;
	return (size_t)(at - p);
}

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

/* The variables that a text may name, and why a line of it was refused. */
struct reading {
	const struct contract_variable *variables;
	size_t n;
	struct contract_fault fault;
};

static int
refuse(struct reading *rd, const char *code, const char *name, size_t len)
{
	rd->fault.code = code;
	snprintf(rd->fault.name, sizeof(rd->fault.name), "%.*s", (int)(len < sizeof(rd->fault.name) ? len : 0), name);
	return strcmp(code, "variable") == 0 ? ICERT_E_MISSING : strncmp(code, "too-", 4) == 0 ? ICERT_E_TOO_LARGE :
	    ICERT_E_MALFORMED;
}

static int
put_in(struct reading *rd, const char *p, size_t len, struct buf *out)
{
	const char *end = p + len;

	while (p < end) {
		const char *value;
		size_t name;

		if (*p == '}')
			return refuse(rd, "brace", "", 0);
		if (*p != '{') {
			buf_put(out, (unsigned char)*p < 0x20 ? " " : p, 1);
			p++;
			continue;
		}
		name = name_length(++p, end);
		if (name == 0 || name >= (size_t)(end - p) || p[name] != '}')
			return refuse(rd, "brace", "", 0);
		if ((value = value_of(rd->variables, rd->n, p, name)) == NULL)
			return refuse(rd, "variable", p, name);
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
text_of(struct reading *rd, const char *p, size_t len, char **out)
{
	struct buf text = BUF_INIT;
	int error;

	trim(&p, &len);
	if ((error = put_in(rd, p, len, &text)) == 0 && (*out = strdup(buf_str(&text))) == NULL)
		error = ICERT_E_MEMORY;
	buf_free(&text);
	return error;
}

static int
add_row(struct reading *rd, struct contract_block *b, const char *p, size_t len)
{
	const char *bar = memchr(p, '|', len);
	int error;

	if (bar == NULL || bar == p)
		return refuse(rd, "row", "", 0);
	if ((error = text_of(rd, p, (size_t)(bar - p), &b->label)) == 0)
		error = text_of(rd, bar + 1, len - (size_t)(bar - p) - 1, &b->text);
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
add_block(struct reading *rd, struct contract_blocks *out, enum contract_block_kind kind, const char *p, size_t len)
{
	struct contract_block *b;
	int error;

	if (out->n == CONTRACT_BLOCKS_MAX)
		return refuse(rd, "too-many", "", 0);
	b = &out->list[out->n++];
	b->kind = kind;
	error = kind == CONTRACT_ROW ? add_row(rd, b, p, len) : text_of(rd, p, len, &b->text);
	if (error != 0 || (kind == CONTRACT_ROW && b->text[0] == '\0'))
		drop_last(out);
	return error;
}

static int
add_line(struct reading *rd, struct contract_blocks *out, const char *p, size_t len, int first, int goes_on)
{
	enum contract_block_kind kind = kind_of(&p, &len);
	char *more;
	int error;

	if ((kind == CONTRACT_TITLE) != first)
		return refuse(rd, first ? "title-first" : "title-second", "", 0);
	if (!goes_on || kind != CONTRACT_PARAGRAPH)
		return add_block(rd, out, kind, p, len);
	if ((error = text_of(rd, p, len, &more)) != 0)
		return error;
	error = join(out, more);
	free(more);
	return error;
}

/* Of the text as a whole, before its lines are looked at. */
static int
look(struct reading *rd, const char *text, size_t len)
{
	if (len > CONTRACT_TEXT_MAX)
		return refuse(rd, "too-long", "", 0);
	if (memchr(text, '\0', len) != NULL || !utf8_valid(text, len))
		return refuse(rd, "encoding", "", 0);
	return 0;
}

/* Goes on after a faulty line while there is room for another fault; returns the last error. */
static int
read_lines(struct reading *rd, const char *text, size_t len, struct contract_blocks *out, struct contract_fault *faults,
    size_t room, size_t *n)
{
	const char *end = text + len, *next;
	int goes_on = 0, first = 1, line = 0, error = 0, failed = 0;

	for (; text < end; text = next) {
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
		error = add_line(rd, out, p, size, first, goes_on);
		goes_on = error == 0 && out->n > 0 && out->list[out->n - 1].kind == CONTRACT_PARAGRAPH;
		first = 0;
		if (error == 0)
			continue;
		rd->fault.line = line;
		if (error != ICERT_E_MEMORY)
			faults[(*n)++] = rd->fault;
		failed = error;
		if (error == ICERT_E_MEMORY || *n == room)
			return error;
	}
	return first && failed == 0 ? refuse(rd, "empty", "", 0) : failed;
}

int
contract_blocks_make(const char *text, size_t len, const struct contract_variable *variables, size_t n,
    struct contract_blocks *out)
{
	struct reading rd = { .variables = variables, .n = n };
	struct contract_fault fault = { 0 };
	size_t faults = 0;
	int error;

	memset(out, 0, sizeof(*out));
	if ((error = look(&rd, text, len)) == 0)
		error = read_lines(&rd, text, len, out, &fault, 1, &faults);
	out->line = fault.line;
	return error;
}

/* "{name}" somewhere in the text. */
static int
names(const char *text, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text, *end = text + len; (p = memchr(p, '{', (size_t)(end - p))) != NULL; p++)
		if ((size_t)(end - p) > n + 1 && memcmp(p + 1, name, n) == 0 && p[n + 1] == '}')
			return 1;
	return 0;
}

int
contract_text_check(const char *text, size_t len, const struct contract_variable *variables, size_t n,
    const char *const *needed, struct contract_fault *faults, size_t *nfaults)
{
	struct reading rd = { .variables = variables, .n = n };
	struct contract_blocks *blocks = calloc(1, sizeof(*blocks));
	size_t room = *nfaults;
	int error;

	*nfaults = 0;
	if (blocks == NULL)
		return ICERT_E_MEMORY;
	if ((error = look(&rd, text, len)) == 0)
		error = read_lines(&rd, text, len, blocks, faults, room, nfaults);
	if (error != 0 && error != ICERT_E_MEMORY && *nfaults == 0)
		faults[(*nfaults)++] = rd.fault;
	for (; error != ICERT_E_MEMORY && *nfaults < room && *needed != NULL; needed++)
		if (!names(text, len, *needed)) {
			refuse(&rd, "needed", *needed, strlen(*needed));
			rd.fault.line = 0;
			faults[(*nfaults)++] = rd.fault;
		}
	contract_blocks_free(blocks);
	free(blocks);
	return error == ICERT_E_MEMORY ? error : 0;
}

void
contract_blocks_free(struct contract_blocks *out)
{
	while (out->n > 0)
		drop_last(out);
}
