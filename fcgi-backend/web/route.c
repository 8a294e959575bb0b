#include <string.h>

#include "web/route.h"

#define SEGMENT_MAX 40

/* {id} takes a UUID in lower case, {id2} a second one, {name} a short word. */
static bool
segment_fits(struct request *rq, const char *spec, size_t spec_len, const char *seg, size_t len)
{
	char text[SEGMENT_MAX + 1];
	int slot;

	if (spec_len < 2 || spec[0] != '{')
		return spec_len == len && memcmp(spec, seg, len) == 0;
	if (len == 0 || len > SEGMENT_MAX)
		return false;
	memcpy(text, seg, len);
	text[len] = '\0';
	if (spec_len == 4 && memcmp(spec, "{id}", 4) == 0) {
		if (!id_valid(text))
			return false;
		slot = 0;
	} else if (spec_len == 5 && memcmp(spec, "{id2}", 5) == 0) {
		if (!id_valid(text))
			return false;
		slot = 1;
	} else {
		if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len)
			return false;
		slot = rq->id[0] == NULL ? 0 : 1;
	}
	rq->id[slot] = arena_strndup(&rq->arena, seg, len);
	return rq->id[slot] != NULL;
}

static bool
pattern_fits(struct request *rq, const char *pattern, const char *path)
{
	rq->id[0] = rq->id[1] = NULL;
	while (*pattern == '/' && *path == '/') {
		size_t a = strcspn(++pattern, "/");
		size_t b = strcspn(++path, "/");

		if (!segment_fits(rq, pattern, a, path, b))
			return false;
		pattern += a;
		path += b;
	}
	return *pattern == '\0' && *path == '\0';
}

int
route_find(struct request *rq, const struct route *const *tables)
{
	bool other_method = false;

	for (; *tables != NULL; tables++) {
		for (const struct route *r = *tables; r->method != 0; r++) {
			if (!pattern_fits(rq, r->pattern, rq->path))
				continue;
			if (r->method == rq->method) {
				rq->route = r;
				return 0;
			}
			other_method = true;
		}
	}
	rq->id[0] = rq->id[1] = NULL;
	return other_method ? 405 : 404;
}

/* Whether who asks may get it: a program's log-in asks everybody else first. */
static bool
opens(const struct request *rq, const struct route *r)
{
	return rq->session.state != SESSION_LIVE || (r->roles & (rq->session.roles | ROLE_PUBLIC)) != 0;
}

const char *
route_page(struct request *rq, const struct route *const *tables)
{
	const char *asked = rq->path, *ids[2] = { rq->id[0], rq->id[1] };
	const struct route *route = rq->route;
	enum method method = rq->method;
	char *path = asked != NULL && tables != NULL ? arena_strdup(&rq->arena, asked) : NULL;
	bool found = false;

	rq->method = METHOD_GET;
	while (path != NULL && !found && path[0] == '/' && path[1] != '\0') {
		rq->path = path;
		found = route_find(rq, tables) == 0 && opens(rq, rq->route);
		if (!found)
			*strrchr(path, '/') = '\0';
	}
	rq->path = asked;
	rq->route = route;
	rq->method = method;
	rq->id[0] = ids[0];
	rq->id[1] = ids[1];
	return found ? path : NULL;
}

static void
print_roles(FILE *f, unsigned roles)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ ROLE_PUBLIC, "public" }, { ROLE_CONTACT, "applicant" }, { ROLE_OPERATOR, "operator" },
		{ ROLE_DIRECTOR, "director" }, { ROLE_FINANCE, "finance" }, { ROLE_NATIONAL, "national" },
		{ ROLE_ADMIN, "administrator" }, { ROLE_AUDITOR, "auditor" },
	};
	const char *plus = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (roles & names[i].bit) {
			fprintf(f, "%s%s", plus, names[i].name);
			plus = "+";
		}
	}
}

void
route_print(FILE *f, const struct route *const *tables)
{
	static const char *const rules[] = { "none", "own", "case", "all" };

	for (; *tables != NULL; tables++) {
		for (const struct route *r = *tables; r->method != 0; r++) {
			fprintf(f, "%s,%s,", r->method == METHOD_GET ? "GET" : "POST", r->pattern);
			print_roles(f, r->roles);
			fprintf(f, ",%s\n", rules[r->province]);
		}
	}
}
