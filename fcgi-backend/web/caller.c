#include <string.h>

#include "libicert/log.h"
#include "web/caller.h"

void
caller_fill(struct request *rq, struct act *a)
{
	char *network = arena_alloc(&rq->arena, LOG_ADDRESS);

	a->country = rq->country;
	a->network = network != NULL ? log_address(rq->address, network) : NULL;
	/* A visitor's hash names no session, so it shows what NULL would. */
	memcpy(a->identity.hash, rq->session.identity, sizeof(a->identity.hash));
	a->identified = 1;
	if (rq->session.state == SESSION_LIVE) {
		a->identity.generation = rq->session.generation;
		a->roles = rq->session.roles;
		memcpy(a->id, rq->session.person, sizeof(a->id));
	}
}

int
caller_load(struct request *rq, struct act *a)
{
	struct session *s = &rq->session;
	struct principal who;
	int rv = login_principal(a, request_query(rq, CALLER_WAITING) != NULL, &who);

	if (rv < 0 || who.state == PRINCIPAL_NONE)
		return rv;
	s->state = who.state == PRINCIPAL_LIVE ? SESSION_LIVE : SESSION_LOCKED;
	s->roles = who.state == PRINCIPAL_LIVE ? who.roles : 0;
	s->fresh_until = who.fresh_until;
	s->generation = who.generation;
	memcpy(s->person, who.id, sizeof(s->person));
	memcpy(s->name, who.name, sizeof(s->name));
	return 0;
}

const char *
caller_local_path(const char *text)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";

	if (text == NULL || text[0] != '/' || text[1] == '/' || strlen(text) > 200 ||
	    text[strspn(text, allowed)] != '\0')
		return NULL;
	return text;
}
