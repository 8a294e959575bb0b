#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/overview.h"

enum {
	COL_VERSION, COL_NUMBER, COL_STATE, COL_REASON, COL_CLOSES, COL_PROVINCE, COL_PROVINCE_NAME, COL_TELEPHONE,
	COL_HOURS, COL_ADDRESS, COL_GALAPAGOS, COL_CONTAINER, COL_SERIAL, COL_CERTIFICATE, COL_NOT_BEFORE, COL_NOT_AFTER, COL_ISSUED, COL_REVOKED,
	COL_UNTIL, COL_PUBLISHED, COL_DELIVERIES, COL_DUE, COL_CONTRACT, COL_MADE, COL_MAILS
};

static const struct db_stmt one = { "overview_case",
	"select version, number, state, reason, closes_at, province, province_name, telephone, hours, address, galapagos,"
	" container, serial,"
	" certificate, not_before, not_after, issued_at, revoked_at, delivery_until, published, deliveries, due_at, contract,"
	" made_at, mails from icert.my_case($1, $2, $3, $4)" };

static void
fill_case(struct overview *o, const char *id, struct db_result *r)
{
	struct application *a = &o->a;
	struct province *p = &o->province;

	snprintf(a->id, sizeof a->id, "%s", id);
	snprintf(a->number, sizeof a->number, "%s", db_text(r, 0, COL_NUMBER));
	snprintf(a->reason, sizeof a->reason, "%s", db_text(r, 0, COL_REASON));
	snprintf(a->container, sizeof a->container, "%s", db_text(r, 0, COL_CONTAINER));
	a->state = application_state_find(db_text(r, 0, COL_STATE));
	a->version = (int)db_int(r, 0, COL_VERSION);
	a->closes_at = db_int(r, 0, COL_CLOSES);
	a->province = p->id = (int)db_int(r, 0, COL_PROVINCE);
	snprintf(p->name, sizeof p->name, "%s", db_text(r, 0, COL_PROVINCE_NAME));
	snprintf(p->telephone, sizeof p->telephone, "%s", db_text(r, 0, COL_TELEPHONE));
	snprintf(p->hours, sizeof p->hours, "%s", db_text(r, 0, COL_HOURS));
	snprintf(p->address, sizeof p->address, "%s", db_text(r, 0, COL_ADDRESS));
	p->galapagos = db_bool(r, 0, COL_GALAPAGOS);
}

static void
fill_certificate(struct overview *o, struct db_result *r)
{
	struct certificate *c = &o->certificate;
	const uint8_t *serial;
	size_t n;

	serial = db_bytes(r, 0, COL_SERIAL, &n);
	if (2 * n < sizeof c->serial)
		bytes_to_hex(c->serial, serial, n);
	snprintf(c->state, sizeof c->state, "%s", db_text(r, 0, COL_CERTIFICATE));
	snprintf(c->container, sizeof c->container, "%s", o->a.container);
	c->not_before = db_int(r, 0, COL_NOT_BEFORE);
	c->not_after = db_int(r, 0, COL_NOT_AFTER);
	c->issued_at = db_int(r, 0, COL_ISSUED);
	c->revoked_at = db_int(r, 0, COL_REVOKED);
	c->delivery_until = db_int(r, 0, COL_UNTIL);
	c->published = db_bool(r, 0, COL_PUBLISHED);
	c->has_pkcs12 = strstr(db_text(r, 0, COL_DELIVERIES), "pkcs12") != NULL;
	c->has_envelope = strstr(db_text(r, 0, COL_DELIVERIES), "envelope") != NULL;
	o->locked = strstr(db_text(r, 0, COL_DELIVERIES), "locked") != NULL && c->has_envelope;
	o->contract_by = db_int(r, 0, COL_DUE);
	snprintf(o->contract.number, sizeof o->contract.number, "%s", db_text(r, 0, COL_CONTRACT));
	o->contract.made_at = db_int(r, 0, COL_MADE);
}

/* The next word of a line, at most size - 1 octets of it; NULL when it is longer, or there is none. */
static const char *
word(const char *p, char *out, size_t size)
{
	size_t n = strcspn(p, " \n");

	if (n == 0 || n >= size)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	return p[n] == ' ' ? p + n + 1 : p + n;
}

/* A line each: id, template, state, when it was sent. */
static void
fill_mails(struct overview *o, const char *line)
{
	while (*line != '\0' && o->n_mails < OVERVIEW_MAILS) {
		struct application_mail *m = &o->mails[o->n_mails];
		const char *p = line;

		if ((p = word(p, m->id, sizeof m->id)) != NULL && (p = word(p, m->template, sizeof m->template)) != NULL &&
		    (p = word(p, m->state, sizeof m->state)) != NULL) {
			m->sent_at = strtoll(p, NULL, 10);
			o->n_mails++;
		}
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
}

int
overview_read(struct act *act, const char *id, struct overview *o)
{
	struct db_result *r;
	int error;

	memset(o, 0, sizeof *o);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	/* A transaction by itself, under the identity it carries. */
	if ((error = DB_QUERY(act->db, &one, &r, P_BYTES(act->identity.hash, sizeof act->identity.hash),
	    P_INT(act->identity.generation), P_TEXT(id), P_INT(OVERVIEW_MAILS))) != 0)
		return error;
	if (db_rows(r) != 1)
		error = ICERT_E_NOT_FOUND;
	else {
		fill_case(o, id, r);
		fill_certificate(o, r);
		fill_mails(o, db_text(r, 0, COL_MAILS));
	}
	db_result_free(r);
	return error;
}
