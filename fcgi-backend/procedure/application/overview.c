#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/error.h"
#include "procedure/application/overview.h"

/* As icert.my_case() has them; the last takes what is left. */
enum {
	F_VERSION, F_NUMBER, F_STATE, F_CLOSES, F_PROVINCE, F_CONTAINER,
	F_SERIAL, F_CERTIFICATE, F_NOT_BEFORE, F_NOT_AFTER, F_ISSUED, F_REVOKED, F_UNTIL, F_PUBLISHED, F_DELIVERIES, F_LOCKED,
	F_DUE, F_CONTRACT, F_MADE, F_MAILS, F_REVOCATION, F_ORDER,
	F_REASON, FIELDS
};
#define SEPARATOR '\x1f'

static const struct db_stmt one = { "overview_case", "select icert.my_case($1, $2, $3, $4)" };

struct field {
	const char	*p;
	size_t		 n;
};

static int
split(const char *text, struct field f[FIELDS])
{
	const char *end;
	int i;

	for (i = 0; i < FIELDS - 1; i++, text = end + 1) {
		if ((end = strchr(text, SEPARATOR)) == NULL)
			return ICERT_E_MALFORMED;
		f[i] = (struct field){ text, (size_t)(end - text) };
	}
	f[i] = (struct field){ text, strlen(text) };
	return 0;
}

/* At most size - 1 octets of it. */
static void
copy(char *out, size_t size, const struct field *f)
{
	size_t n = f->n < size ? f->n : size - 1;

	memcpy(out, f->p, n);
	out[n] = '\0';
}

static int64_t
number(const struct field *f)
{
	return strtoll(f->p, NULL, 10);	/* the separator ends it */
}

static int
holds(const struct field *f, const char *label)
{
	return memmem(f->p, f->n, label, strlen(label)) != NULL;
}

static void
fill_case(struct overview *o, const char *id, const struct field *f)
{
	struct application *a = &o->a;
	char state[32];

	snprintf(a->id, sizeof a->id, "%s", id);
	copy(a->number, sizeof a->number, &f[F_NUMBER]);
	copy(a->reason, sizeof a->reason, &f[F_REASON]);
	copy(a->container, sizeof a->container, &f[F_CONTAINER]);
	copy(state, sizeof state, &f[F_STATE]);
	a->state = application_state_find(state);
	a->version = (int)number(&f[F_VERSION]);
	a->closes_at = number(&f[F_CLOSES]);
	a->province = (int)number(&f[F_PROVINCE]);
}

static void
fill_certificate(struct overview *o, const struct field *f)
{
	struct certificate *c = &o->certificate;
	struct field serial = f[F_SERIAL];

	/* bytea in hexadecimal, after its "\x" */
	if (serial.n > 2) {
		serial.p += 2;
		serial.n -= 2;
		copy(c->serial, sizeof c->serial, &serial);
	}
	copy(c->state, sizeof c->state, &f[F_CERTIFICATE]);
	snprintf(c->container, sizeof c->container, "%s", o->a.container);
	c->not_before = number(&f[F_NOT_BEFORE]);
	c->not_after = number(&f[F_NOT_AFTER]);
	c->issued_at = number(&f[F_ISSUED]);
	c->revoked_at = number(&f[F_REVOKED]);
	c->delivery_until = number(&f[F_UNTIL]);
	c->published = number(&f[F_PUBLISHED]) != 0;
	copy(c->reason_code, sizeof c->reason_code, &f[F_REVOCATION]);
	copy(o->order, sizeof o->order, &f[F_ORDER]);
	c->has_pkcs12 = holds(&f[F_DELIVERIES], "pkcs12");
	c->has_envelope = holds(&f[F_DELIVERIES], "envelope");
	o->locked = c->has_envelope && number(&f[F_LOCKED]) != 0;
	o->contract_by = number(&f[F_DUE]);
	copy(o->contract.number, sizeof o->contract.number, &f[F_CONTRACT]);
	o->contract.made_at = number(&f[F_MADE]);
}

/* The next word of a line, at most size - 1 octets of it; NULL when it is longer, or there is none. */
static const char *
word(const char *p, char *out, size_t size)
{
	size_t n = strcspn(p, " \n\x1f");

	if (n == 0 || n >= size)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	return p[n] == ' ' ? p + n + 1 : p + n;
}

/* A line each: id, template, state, when it was sent. */
static void
fill_mails(struct overview *o, const struct field *f)
{
	const char *line = f->p, *end = f->p + f->n;

	while (line < end && o->n_mails < OVERVIEW_MAILS) {
		struct application_mail *m = &o->mails[o->n_mails];
		const char *p = line;

		if ((p = word(p, m->id, sizeof m->id)) != NULL && (p = word(p, m->template, sizeof m->template)) != NULL &&
		    (p = word(p, m->state, sizeof m->state)) != NULL) {
			m->sent_at = strtoll(p, NULL, 10);
			o->n_mails++;
		}
		line += strcspn(line, "\n\x1f");
		line += *line == '\n';
	}
}

int
overview_read(struct act *act, const char *id, struct overview *o)
{
	struct field f[FIELDS];
	struct db_result *r;
	int error;

	memset(o, 0, sizeof *o);
	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	/* A transaction by itself, under the identity it carries. */
	if ((error = DB_QUERY(act->db, &one, &r, P_BYTES(act->identity.hash, sizeof act->identity.hash),
	    P_INT(act->identity.generation), P_TEXT(id), P_INT(OVERVIEW_MAILS))) != 0)
		return error;
	if (db_is_null(r, 0, 0))
		error = ICERT_E_NOT_FOUND;
	else if ((error = split(db_text(r, 0, 0), f)) == 0) {
		fill_case(o, id, f);
		fill_certificate(o, f);
		fill_mails(o, &f[F_MAILS]);
	}
	db_result_free(r);
	return error;
}
