#include "keys/keeper_delivery.h"

#include "libicert/error.h"
#include "libicert/log.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

/* The opening code of a credential envelope, and what became of it: delivery/CASE.code. */

#define CODE_VERSION 2
#define CODE_VERSION_1 1		/* before there were rounds: the first one */
#define CODE_TRIES 5
#define CODE_RENEWALS 3			/* new opening codes for one envelope */
#define SEEN_AGAIN 1800			/* seconds in which an opened envelope can be seen again */
#define TOLD_AGAIN 60			/* seconds in which whom it was told may ask again: a button pressed twice */

enum envelope_state { CODE_MADE = 0, CODE_TOLD = 1, OPENED = 2 };

struct envelope {
	uint8_t state;
	uint8_t wrong;
	char code[OPENING_DIGITS];	/* zeros a minute after the desk said that it was told, or once it was tried */
	uint8_t code_hash[32];
	uint8_t staff[16];		/* whom it was told */
	uint8_t session[32];		/* where it was opened */
	int64_t made_at;
	int64_t opened_at;		/* while CODE_TOLD: when the desk said so, or 0 */
	uint8_t round;			/* which code this is: 0 the first, up to CODE_RENEWALS */
};
#define ENVELOPE_LEN_1 (1 + 1 + 1 + OPENING_DIGITS + 32 + 16 + 32 + 8 + 8)
#define ENVELOPE_LEN (ENVELOPE_LEN_1 + 1)

static int
envelope_read(const struct keeper *k, const uint8_t case_id[16], struct envelope *e)
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = delivery_ended(k, case_id, DELIVERY_ENVELOPE);

	delivery_name(name, case_id, CODE_LABEL);
	if (error == 0)
		error = record_read(k, k->delivery_fd, name, &b);
	if (error == 0 && !(b.len == ENVELOPE_LEN && b.p[0] == CODE_VERSION) &&
	    !(b.len == ENVELOPE_LEN_1 && b.p[0] == CODE_VERSION_1))
		error = ICERT_E_MALFORMED;
	if (error == 0) {
		const uint8_t *p = b.p + 3;

		e->state = b.p[1];
		e->wrong = b.p[2];
		memcpy(e->code, p, OPENING_DIGITS);
		p += OPENING_DIGITS;
		memcpy(e->code_hash, p, 32);
		memcpy(e->staff, p + 32, 16);
		memcpy(e->session, p + 48, 32);
		e->made_at = (int64_t)get_u64le(p + 80);
		e->opened_at = (int64_t)get_u64le(p + 88);
		e->round = b.p[0] == CODE_VERSION ? p[96] : 0;
	}
	buf_free(&b);
	return error;
}

static int
envelope_write(const struct keeper *k, const uint8_t case_id[16], const struct envelope *e)
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error;

	delivery_name(name, case_id, CODE_LABEL);
	buf_putc(&b, CODE_VERSION);
	buf_putc(&b, e->state);
	buf_putc(&b, e->wrong);
	buf_put(&b, e->code, OPENING_DIGITS);
	buf_put(&b, e->code_hash, 32);
	buf_put(&b, e->staff, 16);
	buf_put(&b, e->session, 32);
	buf_u64le(&b, (uint64_t)e->made_at);
	buf_u64le(&b, (uint64_t)e->opened_at);
	buf_putc(&b, e->round);
	error = buf_error(&b);
	if (error == 0)
		error = record_write(k, k->delivery_fd, name, b.p, b.len);
	buf_free(&b);
	return error;
}

static int
code_hash(const struct keeper *k, const uint8_t case_id[16], const char code[OPENING_DIGITS], uint8_t out[32])
{
	uint8_t bytes[16 + OPENING_DIGITS];
	unsigned len = 32;
	int ok;

	memcpy(bytes, case_id, 16);
	memcpy(bytes + 16, code, OPENING_DIGITS);
	ok = HMAC(EVP_sha256(), k->record_key, 32, bytes, sizeof(bytes), out, &len) != NULL;
	bytes_wipe(bytes, sizeof(bytes));
	return ok ? 0 : ICERT_E_CRYPTO;
}

/* Eight digits, each equally likely: bytes of 250 and above are thrown away. */
static int
code_new(char code[OPENING_DIGITS])
{
	for (int i = 0; i < OPENING_DIGITS;) {
		uint8_t byte;
		int error = bytes_random(&byte, 1);

		if (error != 0)
			return error;
		if (byte < 250)
			code[i++] = (char)('0' + byte % 10);
	}
	return 0;
}

/*
 * A worthless code stands in the list by its round, so that no copy of the record that comes back gives a try of it
 * back.
 */
static int
round_id(const uint8_t case_id[16], unsigned round, uint8_t out[16])
{
	char label[16];

	snprintf(label, sizeof(label), CODE_LABEL "-%u", round);
	return delivery_id(case_id, label, out);
}

static int
round_spent(const struct keeper *k, const uint8_t case_id[16], unsigned round)
{
	uint8_t id[16];

	/* What cannot be looked up is taken as spent. */
	return round_id(case_id, round, id) != 0 || id_list_has(&k->destroyed, DESTROYED_SPENT, id);
}

static int
round_spend(struct keeper *k, const uint8_t case_id[16], unsigned round)
{
	uint8_t id[16];
	int error = round_id(case_id, round, id);

	return error != 0 ? error : id_list_add(&k->destroyed, DESTROYED_SPENT, id);
}

/* Its tries are used up: no code opens it until a new one is made. */
static int
is_locked(const struct keeper *k, const uint8_t case_id[16], const struct envelope *e)
{
	return e->state != OPENED && (e->wrong >= CODE_TRIES || round_spent(k, case_id, e->round));
}

static int
envelope_make(const struct keeper *k, const uint8_t case_id[16], int64_t made_at, uint8_t round)
{
	struct envelope e = { .state = CODE_MADE, .made_at = made_at, .round = round };
	int error = code_new(e.code);

	if (error == 0)
		error = code_hash(k, case_id, e.code, e.code_hash);
	if (error == 0)
		error = envelope_write(k, case_id, &e);
	bytes_wipe(&e, sizeof(e));
	return error;
}

int
keeper_on_envelope_new(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	struct envelope e;
	uint8_t key[32];
	int error = envelope_read(ctx, case_id, &e);

	if (error == ICERT_E_NOT_FOUND)
		error = envelope_make(ctx, case_id, ((struct keeper *)ctx)->now(), 0);
	else if (error == 0 && is_locked(ctx, case_id, &e))
		error = ICERT_E_CODE_SPENT;
	if (error == 0)
		error = delivery_key(ctx, case_id, DELIVERY_ENVELOPE, key);
	bytes_wipe(&e, sizeof(e));
	return delivery_put_key(r, key, error);
}

static int
has_code(const struct envelope *e)
{
	static const char none[OPENING_DIGITS];

	return memcmp(e->code, none, OPENING_DIGITS) != 0;
}

/* Told, and the minute is over. */
static int
told_over(const struct keeper *k, const struct envelope *e)
{
	return e->state == CODE_TOLD && e->opened_at != 0 && k->now() - e->opened_at >= TOLD_AGAIN;
}

/* Taken by this person, not tried yet, and told within the minute at most. */
static int
taken_by(const struct keeper *k, const struct envelope *e, const uint8_t staff[16])
{
	return e->state == CODE_TOLD && has_code(e) && !told_over(k, e) && bytes_equal(e->staff, staff, 16);
}

int
keeper_on_opening_code_take(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	const uint8_t *staff = message_get(q->message, TAG_STAFF, 0)->p;
	struct envelope e;
	int error = envelope_read(ctx, case_id, &e);

	if (error == 0 && is_locked(ctx, case_id, &e))
		error = ICERT_E_CODE_SPENT;
	/*
	 * Until the desk says that it was told, and a minute longer, the same person may ask again: neither a crash on the way
	 * nor a button pressed twice loses a code.
	 */
	if (error == 0 && e.state != CODE_MADE && !taken_by(ctx, &e, staff))
		error = ICERT_E_STATE;
	if (error == 0 && e.state == CODE_MADE) {
		memcpy(e.staff, staff, 16);
		e.state = CODE_TOLD;
		error = envelope_write(ctx, case_id, &e);
	}
	if (error == 0)
		message_put(&r->body, TAG_CODE, e.code, OPENING_DIGITS);
	bytes_wipe(&e, sizeof(e));
	return error;
}

int
keeper_on_opening_code_told(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	const struct keeper *k = ctx;
	struct envelope e;
	int error = envelope_read(k, case_id, &e);

	(void)r;
	if (error == 0 && (e.state == CODE_MADE || !bytes_equal(e.staff, message_get(q->message, TAG_STAFF, 0)->p, 16)))
		error = ICERT_E_STATE;
	if (error == 0 && e.state == CODE_TOLD && e.opened_at == 0) {
		e.opened_at = k->now();
		error = envelope_write(k, case_id, &e);
	}
	bytes_wipe(&e, sizeof(e));
	return error;
}

/* An opened envelope shown again: only there, only then. */
static int
see_again(struct keeper *k, const uint8_t case_id[16], const struct envelope *e, const uint8_t *session)
{
	if (e->state != OPENED)
		return ICERT_E_STATE;
	if (k->now() - e->opened_at >= SEEN_AGAIN) {
		delivery_destroy(k, case_id, DELIVERY_ENVELOPE, DESTROYED_DELIVERY);
		return ICERT_E_DESTROYED;
	}
	return bytes_equal(e->session, session, 32) ? 0 : ICERT_E_DENIED;
}

/* One try.  It is counted on the disk before it is answered. */
static int
try_code(struct keeper *k, const uint8_t case_id[16], struct envelope *e, const uint8_t *session, const uint8_t *code, int *tries)
{
	uint8_t hash[32];
	int error = code_hash(k, case_id, (const char *)code, hash);

	if (error != 0)
		return error;
	memset(e->code, 0, OPENING_DIGITS);	/* whoever tries one has heard one */
	if (bytes_equal(hash, e->code_hash, 32)) {
		e->state = OPENED;
		e->opened_at = k->now();
		memcpy(e->session, session, 32);
		*tries = CODE_TRIES - e->wrong;
		return envelope_write(k, case_id, e);
	}
	e->wrong++;
	*tries = CODE_TRIES - e->wrong;
	/* The fifth locks it; its key stays, for a new code. */
	if (e->wrong >= CODE_TRIES)
		error = round_spend(k, case_id, e->round);
	if (error == 0)
		error = envelope_write(k, case_id, e);
	if (error != 0)
		return error;
	return e->wrong < CODE_TRIES ? ICERT_E_CODE_WRONG : ICERT_E_CODE_SPENT;
}

/* The round of the next code; above CODE_RENEWALS when there have been too many. */
static unsigned
next_round(const struct keeper *k, const uint8_t case_id[16], const struct envelope *e)
{
	unsigned next = e->round + 1U;

	while (next <= CODE_RENEWALS && round_spent(k, case_id, next))
		next++;
	return next;
}

/*
 * A new code for an envelope that was not opened.  The second factor is used up only when there will be one.  Spent first,
 * written then: a crash between the two leaves it locked, and costs a round.  A code that nobody has seen yet is as good as a
 * new one, and stays.
 */
int
keeper_on_envelope_renew(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	const uint8_t *staff = message_get(q->message, TAG_STAFF, 0)->p;
	struct keeper *k = ctx;
	struct envelope e = { .state = CODE_MADE };
	char code[TOTP_DIGITS + 1];
	unsigned next = 0;
	int unseen = 0;
	int error = totp_code(q->message, code);

	if (error == 0)
		error = envelope_read(k, case_id, &e);
	if (error == 0)
		error = delivery_key_read(k, case_id, DELIVERY_ENVELOPE, NULL, NULL);
	if (error == 0 && e.state == OPENED)
		error = ICERT_E_STATE;
	if (error == 0) {
		unseen = e.state == CODE_MADE && !is_locked(k, case_id, &e);
		next = next_round(k, case_id, &e);
	}
	if (error == 0 && !unseen && next > CODE_RENEWALS)
		error = ICERT_E_CONFLICT;
	if (error == 0)
		error = totp_use(k, staff, code, &r->tries);
	if (error == 0 && !unseen && !round_spent(k, case_id, e.round))
		error = round_spend(k, case_id, e.round);
	if (error == 0 && !unseen)
		error = envelope_make(k, case_id, e.made_at, (uint8_t)next);
	bytes_wipe(&e, sizeof(e));
	return error;
}

int
keeper_on_envelope_open(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	const uint8_t *session = message_get(q->message, TAG_SESSION, 0)->p;
	const struct message_field *code = message_get(q->message, TAG_CODE, 0);
	struct envelope e;
	uint8_t key[32] = { 0 };
	int tries = 0;
	int error = envelope_read(ctx, case_id, &e);

	if (error == 0 && is_locked(ctx, case_id, &e))
		error = ICERT_E_CODE_SPENT;
	else if (error == 0)
		tries = CODE_TRIES - e.wrong;
	if (error == 0 && (code == NULL || e.state == OPENED))
		error = see_again(ctx, case_id, &e, session);
	else if (error == 0 && e.state == CODE_MADE)
		error = ICERT_E_STATE;
	else if (error == 0)
		error = try_code(ctx, case_id, &e, session, code->p, &tries);
	if (error == 0)
		error = delivery_key_read(ctx, case_id, DELIVERY_ENVELOPE, key, NULL);
	if (error == 0)
		message_put_number(&r->body, TAG_TRIES, (uint64_t)tries);
	r->tries = tries;
	bytes_wipe(&e, sizeof(e));
	return delivery_put_key(r, key, error);
}

int
keeper_on_envelope_done(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *case_id = message_get(q->message, TAG_CASE, 0)->p;
	struct envelope e;
	int error = envelope_read(ctx, case_id, &e);

	(void)r;
	if (error == ICERT_E_DESTROYED)
		return 0;
	if (error == 0)
		error = see_again(ctx, case_id, &e, message_get(q->message, TAG_SESSION, 0)->p);
	if (error == ICERT_E_DESTROYED)
		return 0;
	if (error == 0)
		error = delivery_destroy(ctx, case_id, DELIVERY_ENVELOPE, DESTROYED_DELIVERY);
	bytes_wipe(&e, sizeof(e));
	return error;
}

int
envelope_due(const struct keeper *k, const uint8_t case_id[16])
{
	struct envelope e;
	int due;

	if (envelope_read(k, case_id, &e) != 0)
		return 0;
	due = (e.state == OPENED && k->now() - e.opened_at >= SEEN_AGAIN) || k->now() - e.made_at >= k->delivery_seconds;
	if (!due && told_over(k, &e) && has_code(&e)) {
		memset(e.code, 0, OPENING_DIGITS);
		if (envelope_write(k, case_id, &e) != 0)
			log_error("opening_code_not_wiped", "it is refused all the same");
	}
	bytes_wipe(&e, sizeof(e));
	return due;
}
