#include "keys/keeper_record.h"

#include "libicert/error.h"

#include <liboath/oath.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

/* RFC 6238: 30 seconds, six digits, HMAC-SHA-1; one step of grace on both sides (section 5.2). */
#define STEP 30
#define GRACE 1
#define TRIES 10
#define PAUSE 900	/* seconds without a try once they are used up; twice as long each time, until a right code */
#define PAUSE_MAX 86400

struct totp {
	uint8_t seed[TOTP_SEED];
	uint8_t person[32];	/* look-up hash of the cedula */
	uint8_t passport[32];	/* of another document of theirs; zeros: none */
	uint64_t last_step;
	uint32_t wrong;		/* in a row, pauses included */
	int64_t wrong_at;
};

#define VERSION_FIRST 1		/* without the passport */
#define VERSION 2
#define TOTP_FIRST (1 + TOTP_SEED + 32 + 8 + 4 + 8)
#define TOTP_LEN (TOTP_FIRST + 32)

static int
totp_read(const struct keeper *k, const uint8_t staff[16], struct totp *t)
{
	char name[ID_TEXT];
	struct buf b = BUF_INIT;
	int error;

	id_text(staff, name);
	error = record_read(k, k->totp_fd, name, &b);
	if (error == 0 && !(b.len == TOTP_LEN && b.p[0] == VERSION) && !(b.len == TOTP_FIRST && b.p[0] == VERSION_FIRST))
		error = ICERT_E_MALFORMED;
	if (error == 0) {
		const uint8_t *p = b.p + 1;

		memcpy(t->seed, p, TOTP_SEED);
		memcpy(t->person, p + TOTP_SEED, 32);
		p += TOTP_SEED + 32;
		t->last_step = get_u64le(p);
		t->wrong = get_u32le(p + 8);
		t->wrong_at = (int64_t)get_u64le(p + 12);
		memset(t->passport, 0, sizeof(t->passport));
		if (b.len == TOTP_LEN)
			memcpy(t->passport, p + 20, sizeof(t->passport));
	}
	buf_free(&b);
	return error;
}

static int
totp_write(const struct keeper *k, const uint8_t staff[16], const struct totp *t)
{
	char name[ID_TEXT];
	struct buf b = BUF_INIT;
	int error;

	id_text(staff, name);
	buf_putc(&b, VERSION);
	buf_put(&b, t->seed, TOTP_SEED);
	buf_put(&b, t->person, 32);
	buf_u64le(&b, t->last_step);
	buf_u32le(&b, t->wrong);
	buf_u64le(&b, (uint64_t)t->wrong_at);
	buf_put(&b, t->passport, sizeof(t->passport));
	error = buf_error(&b);
	if (error == 0)
		error = record_write(k, k->totp_fd, name, b.p, b.len);
	buf_free(&b);
	return error;
}

static int
code_at(const struct totp *t, uint64_t step, const char *code, int *equal)
{
	char right[TOTP_DIGITS + 1];

	if (oath_hotp_generate((const char *)t->seed, TOTP_SEED, step, TOTP_DIGITS, false,
	    OATH_HOTP_DYNAMIC_TRUNCATION, right) != OATH_OK)
		return ICERT_E_CRYPTO;
	*equal = bytes_equal(right, code, TOTP_DIGITS);
	bytes_wipe(right, sizeof(right));
	return 0;
}

/* The step whose code this is: used says that only a used one's is.  0, ICERT_E_CODE_WRONG, ICERT_E_CODE_REPLAYED. */
static int
find_step(const struct totp *t, uint64_t now_step, const char *code, uint64_t *found)
{
	int outcome = ICERT_E_CODE_WRONG;

	for (uint64_t step = now_step - GRACE; step <= now_step + GRACE; step++) {
		int equal = 0;
		int error = code_at(t, step, code, &equal);

		if (error != 0)
			return error;
		if (equal && step > t->last_step) {
			*found = step;
			return 0;
		}
		if (equal)
			outcome = ICERT_E_CODE_REPLAYED;
	}
	return outcome;
}

/*
 * Is this a pause?  Were it always of the same length, whoever holds the desk's socket could try a thousand codes a day on
 * every staff member, and for each would be right some day within a year.
 */
static int
pausing(const struct totp *t, int64_t now)
{
	int64_t pause = PAUSE;

	if (t->wrong == 0 || t->wrong % TRIES != 0)
		return 0;
	for (uint32_t rounds = t->wrong / TRIES; rounds > 1 && pause < PAUSE_MAX; rounds--)
		pause *= 2;
	return now - t->wrong_at < (pause < PAUSE_MAX ? pause : PAUSE_MAX);
}

int
totp_use(struct keeper *k, const uint8_t staff[16], const char *code, int *tries)
{
	int64_t now = k->now();
	struct totp t = { .last_step = 0 };
	uint64_t step = 0;
	int outcome = totp_read(k, staff, &t);
	int error = 0;

	if (outcome != 0)
		return outcome;
	if (pausing(&t, now)) {
		bytes_wipe(&t, sizeof(t));
		*tries = 0;
		return ICERT_E_CODE_SPENT;
	}
	outcome = find_step(&t, (uint64_t)now / STEP, code, &step);
	if (outcome == 0) {
		t.last_step = step;
		t.wrong = 0;
		error = totp_write(k, staff, &t);
	} else if (outcome == ICERT_E_CODE_WRONG) {
		t.wrong++;
		t.wrong_at = now;
		*tries = TRIES - 1 - (int)((t.wrong - 1) % TRIES);
		error = totp_write(k, staff, &t);
	}
	bytes_wipe(&t, sizeof(t));
	return error != 0 ? error : outcome;
}

int
totp_person(struct keeper *k, const uint8_t staff[16], uint8_t person[32], uint8_t passport[32])
{
	struct totp t;
	int error = totp_read(k, staff, &t);

	if (error == 0) {
		memcpy(person, t.person, 32);
		memcpy(passport, t.passport, 32);
	}
	bytes_wipe(&t, sizeof(t));
	return error;
}

int
totp_code(const struct message *m, char code[TOTP_DIGITS + 1])
{
	int error = message_string(m, TAG_CODE, code, TOTP_DIGITS + 1);

	if (error == 0 && strspn(code, "0123456789") != TOTP_DIGITS)
		return ICERT_E_CODE_WRONG;
	return error;
}

int
keeper_on_totp_verify(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char code[TOTP_DIGITS + 1];
	int error = totp_code(q->message, code);

	if (error == 0)
		error = totp_use(ctx, message_get(q->message, TAG_STAFF, 0)->p, code, &r->tries);
	return error;
}

int
keeper_on_totp_enrol(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct keeper *k = ctx;
	const uint8_t *staff = message_get(q->message, TAG_STAFF, 0)->p;
	struct totp t = { .last_step = 0 }, before;
	char cedula[65];
	int error = message_string(q->message, TAG_TEXT, cedula, sizeof(cedula));

	/* Who is enrolled anew is the same person with a new authenticator. */
	if (error == 0 && totp_read(k, staff, &before) == 0) {
		memcpy(t.passport, before.passport, sizeof(t.passport));
		bytes_wipe(&before, sizeof(before));
	}

	if (error == 0)
		error = keeper_hash(k, "person", cedula, t.person);
	if (error == 0)
		error = bytes_random(t.seed, TOTP_SEED);
	if (error == 0)
		error = totp_write(k, staff, &t);
	if (error == 0)
		message_put(&r->body, TAG_SEED, t.seed, TOTP_SEED);
	bytes_wipe(&t, sizeof(t));
	return error;
}

int
keeper_on_staff_passport(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	const uint8_t *staff = message_get(q->message, TAG_STAFF, 0)->p;
	struct keeper *k = ctx;
	struct totp t;
	char number[65];
	int error = message_string(q->message, TAG_TEXT, number, sizeof(number));

	(void)r;
	if (error == 0 && (error = totp_read(k, staff, &t)) == 0) {
		if ((error = keeper_hash(k, "person", number, t.passport)) == 0)
			error = totp_write(k, staff, &t);
		bytes_wipe(&t, sizeof(t));
	}
	return error;
}

int
keeper_on_totp_last(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct totp t;
	int error = totp_read(ctx, message_get(q->message, TAG_STAFF, 0)->p, &t);

	if (error == 0)
		message_put_number(&r->body, TAG_NUMBER, t.last_step);
	bytes_wipe(&t, sizeof(t));
	return error;
}

int
keeper_on_totp_forget(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct keeper *k = ctx;
	char name[ID_TEXT];

	(void)r;
	id_text(message_get(q->message, TAG_STAFF, 0)->p, name);
	return record_unlink(k, k->totp_fd, name);
}

/* The fields as the caller sends them, hashed here; and who the holder is. */
static int
read_order(struct keeper *k, const struct message *m, struct approval *a, uint8_t holder[32], uint8_t identification[32])
{
	const struct message_field *f = message_get(m, TAG_FIELDS, 0);
	struct cert_fields fields;
	struct buf store = BUF_INIT;
	int error = cert_fields_decode(&fields, f->p, f->len, &store);

	if (error == 0)
		error = cert_fields_hash(&fields, a->fields_hash);
	if (error == 0)
		error = keeper_hash(k, "person", fields.serial_number, holder);
	if (error == 0)
		error = keeper_hash(k, "person", fields.identification, identification);
	memcpy(a->case_id, message_get(m, TAG_CASE, 0)->p, ID_RAW);
	a->time = k->now();
	buf_free(&store);
	return error;
}

static int
put_statement(const struct keeper *k, const struct approval *a, struct serve_reply *r)
{
	struct statement s;
	struct buf b = BUF_INIT;
	int error = approval_build(a, &s);

	if (error == 0)
		error = statement_sign(&s, k->approval_key);
	if (error == 0) {
		statement_encode(&s, &b);
		error = buf_error(&b);
	}
	if (error == 0)
		message_put(&r->body, TAG_STATEMENT, b.p, b.len);
	buf_free(&b);
	return error;
}

int
keeper_on_accept(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct approval a = { .kind = APPROVAL_ACCEPT };
	uint8_t identification[32];
	int error = read_order(ctx, q->message, &a, a.person_hash, identification);

	if (error == 0)
		error = put_statement(ctx, &a, r);
	return error;
}

/* What a code was used for: asked again for the same, it says nothing that was not said. */
static int
approval_digest(const struct keeper *k, const struct approval *a, const uint8_t staff[16], const char *code, uint8_t out[32])
{
	uint8_t bytes[1 + 16 + ID_RAW + sizeof(a->fields_hash) + TOTP_DIGITS], *p = bytes;
	unsigned len = 32;
	int ok;

	*p++ = (uint8_t)a->kind;
	memcpy(p, staff, 16);
	memcpy(p += 16, a->case_id, ID_RAW);
	memcpy(p += ID_RAW, a->fields_hash, sizeof(a->fields_hash));
	memcpy(p + sizeof(a->fields_hash), code, TOTP_DIGITS);
	ok = HMAC(EVP_sha256(), k->record_key, 32, bytes, sizeof(bytes), out, &len) != NULL;
	bytes_wipe(bytes, sizeof(bytes));
	return ok ? 0 : ICERT_E_CRYPTO;
}

/*
 * Uses the code up for this approval.  A desk that was killed before it heard comes again with the same code for the same person, case
 * and fields: that is the same approval, for as long as the code would be taken at all, and nobody waits for the next one.
 */
static int
approval_code(struct keeper *k, const struct approval *a, const uint8_t staff[16], const char *code, int *tries)
{
	uint8_t digest[32];
	int outcome, error = approval_digest(k, a, staff, code, digest);

	if (error != 0)
		return error;
	outcome = totp_use(k, staff, code, tries);
	if (outcome == 0) {
		struct approved *last = &k->approved[k->approvals++ % (sizeof(k->approved) / sizeof(k->approved[0]))];

		memcpy(last->digest, digest, sizeof(digest));
		last->at = a->time;
	} else if (outcome == ICERT_E_CODE_REPLAYED) {
		for (size_t i = 0; i < sizeof(k->approved) / sizeof(k->approved[0]); i++)
			if (k->approved[i].at != 0 && a->time - k->approved[i].at <= (2 * GRACE + 1) * STEP &&
			    bytes_equal(k->approved[i].digest, digest, sizeof(digest)))
				outcome = 0;
	}
	return outcome;
}

int
keeper_on_approve(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	struct keeper *k = ctx;
	const uint8_t *staff = message_get(q->message, TAG_STAFF, 0)->p;
	struct approval a = { .kind = (enum approval_kind)message_get(q->message, TAG_KIND, 0)->p[0] };
	uint8_t holder[32];
	uint8_t identification[32];
	uint8_t passport[32];
	char code[TOTP_DIGITS + 1];
	int error;

	if (a.kind != APPROVAL_ISSUE && a.kind != APPROVAL_SECOND)
		return ICERT_E_INVALID;
	error = read_order(k, q->message, &a, holder, identification);
	if (error == 0)
		error = totp_person(k, staff, a.person_hash, passport);
	if (error == 0 && (bytes_equal(holder, a.person_hash, 32) || bytes_equal(identification, a.person_hash, 32) ||
	    bytes_equal(holder, passport, 32) || bytes_equal(identification, passport, 32)))
		error = ICERT_E_OWN_CASE;
	if (error == 0)
		error = totp_code(q->message, code);
	if (error == 0)
		error = approval_code(k, &a, staff, code, &r->tries);
	if (error == 0)
		error = put_statement(k, &a, r);
	return error;
}
