#include "keys/keeper_record.h"

#include "libicert/error.h"
#include "libicert/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Delivery keys: delivery/CASE.LABEL is the one place where such a key exists.  The envelope's has a
 * companion CASE.code with the opening code and what became of it.
 */
#define KEY_VERSION 1
#define KEY_LEN (1 + 8 + 32)		/* version, time of making, key */

#define CODE_LABEL "code"
#define CODE_VERSION 2
#define CODE_VERSION_1 1		/* before there were rounds: the first one */
#define CODE_TRIES 5
#define CODE_RENEWALS 3			/* new opening codes for one envelope */
#define SEEN_AGAIN 1800			/* seconds in which an opened envelope can be seen again */

enum envelope_state { CODE_MADE = 0, CODE_TOLD = 1, OPENED = 2 };

struct envelope {
	uint8_t state;
	uint8_t wrong;
	char code[OPENING_DIGITS];	/* zeros once the desk says that it was told, or it was tried */
	uint8_t code_hash[32];
	uint8_t staff[16];		/* whom it was told */
	uint8_t session[32];		/* where it was opened */
	int64_t made_at;
	int64_t opened_at;
	uint8_t round;			/* which code this is: 0 the first, up to CODE_RENEWALS */
};
#define ENVELOPE_LEN_1 (1 + 1 + 1 + OPENING_DIGITS + 32 + 16 + 32 + 8 + 8)
#define ENVELOPE_LEN (ENVELOPE_LEN_1 + 1)

static void
record_name(char out[RECORD_NAME], const uint8_t case_id[16], const char *label)
{
	char id[ID_TEXT];

	id_text(case_id, id);
	snprintf(out, RECORD_NAME, "%s.%s", id, label);
}

/* The id under which a delivery stands in the list of destroyed ones. */
static int
delivery_id(const uint8_t case_id[16], const char *label, uint8_t out[16])
{
	uint8_t hash[32];
	char name[RECORD_NAME];

	record_name(name, case_id, label);
	if (EVP_Digest(name, strlen(name), hash, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	memcpy(out, hash, 16);
	return 0;
}

static int
label_known(const char *label)
{
	return strcmp(label, DELIVERY_PRIVATE) == 0 || strcmp(label, DELIVERY_PKCS12) == 0 ||
	    strcmp(label, DELIVERY_ENVELOPE) == 0;
}

/* 0 while it may exist, else how it ended. */
static int
how_it_ended(const struct keeper *k, const uint8_t case_id[16], const char *label)
{
	uint8_t id[16];
	int error = delivery_id(case_id, label, id);

	if (error == 0 && id_list_has(&k->destroyed, DESTROYED_SPENT, id))
		error = ICERT_E_CODE_SPENT;
	if (error == 0 && id_list_has(&k->destroyed, DESTROYED_DELIVERY, id))
		error = ICERT_E_DESTROYED;
	return error;
}

static int
key_read(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32], int64_t *made_at)
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = how_it_ended(k, case_id, label);

	record_name(name, case_id, label);
	if (error == 0)
		error = record_read(k, k->delivery_fd, name, &b);
	if (error == 0 && (b.len != KEY_LEN || b.p[0] != KEY_VERSION))
		error = ICERT_E_MALFORMED;
	if (error == 0) {
		if (made_at != NULL)
			*made_at = (int64_t)get_u64le(b.p + 1);
		if (key != NULL)
			memcpy(key, b.p + 9, 32);
	}
	buf_free(&b);
	return error;
}

static int
key_make(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32])
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = bytes_random(key, 32);

	record_name(name, case_id, label);
	buf_putc(&b, KEY_VERSION);
	buf_u64le(&b, (uint64_t)k->now());
	buf_put(&b, key, 32);
	if (error == 0)
		error = buf_error(&b);
	if (error == 0)
		error = record_write(k, k->delivery_fd, name, b.p, b.len);
	buf_free(&b);
	return error;
}

/* The key that is there, or a new one: whoever resumes gets the same. */
static int
key_get_or_make(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32])
{
	int error = key_read(k, case_id, label, key, NULL);

	return error == ICERT_E_NOT_FOUND ? key_make(k, case_id, label, key) : error;
}

/* First the list, then the files: what is being destroyed is refused from the first step on. */
static int
destroy(struct keeper *k, const uint8_t case_id[16], const char *label, char kind)
{
	char name[RECORD_NAME];
	uint8_t id[16];
	int error = delivery_id(case_id, label, id);

	if (error == 0)
		error = id_list_add(&k->destroyed, kind, id);
	record_name(name, case_id, label);
	if (error == 0)
		error = record_unlink(k, k->delivery_fd, name);
	if (error == 0 && strcmp(label, DELIVERY_ENVELOPE) == 0) {
		record_name(name, case_id, CODE_LABEL);
		error = record_unlink(k, k->delivery_fd, name);
	}
	return error;
}

static int
read_label(const struct message *m, char label[17])
{
	int error = message_string(m, TAG_LABEL, label, 17);

	return error == 0 && !label_known(label) ? ICERT_E_INVALID : error;
}

static int
put_key(struct serve_reply *r, uint8_t key[32], int error)
{
	if (error == 0)
		message_put(&r->body, TAG_KEY, key, 32);
	bytes_wipe(key, 32);
	return error;
}

int
keeper_on_delivery_new(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	uint8_t key[32];
	int error = read_label(q->message, label);

	/* The envelope's key is made with its opening code, by its own operation. */
	if (error == 0 && strcmp(label, DELIVERY_ENVELOPE) == 0)
		error = ICERT_E_INVALID;
	if (error == 0)
		error = key_get_or_make(ctx, message_get(q->message, TAG_CASE, 0)->p, label, key);
	return put_key(r, key, error);
}

int
keeper_on_delivery_get(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	uint8_t key[32];
	int error = read_label(q->message, label);

	if (error == 0 && strcmp(q->socket, "keeper-issuer") != 0 && strcmp(label, DELIVERY_PKCS12) != 0)
		error = ICERT_E_DENIED;
	if (error == 0)
		error = key_read(ctx, message_get(q->message, TAG_CASE, 0)->p, label, key, NULL);
	return put_key(r, key, error);
}

int
keeper_on_delivery_destroy(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	int error = read_label(q->message, label);

	(void)r;
	if (error == 0)
		error = destroy(ctx, message_get(q->message, TAG_CASE, 0)->p, label, DESTROYED_DELIVERY);
	return error;
}

static int
envelope_read(const struct keeper *k, const uint8_t case_id[16], struct envelope *e)
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = how_it_ended(k, case_id, DELIVERY_ENVELOPE);

	record_name(name, case_id, CODE_LABEL);
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

	record_name(name, case_id, CODE_LABEL);
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
envelope_make(const struct keeper *k, const uint8_t case_id[16], uint8_t round)
{
	struct envelope e = { .state = CODE_MADE, .made_at = k->now(), .round = round };
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
		error = envelope_make(ctx, case_id, 0);
	else if (error == 0 && is_locked(ctx, case_id, &e))
		error = ICERT_E_CODE_SPENT;
	if (error == 0)
		error = key_get_or_make(ctx, case_id, DELIVERY_ENVELOPE, key);
	bytes_wipe(&e, sizeof(e));
	return put_key(r, key, error);
}

static int
has_code(const struct envelope *e)
{
	static const char none[OPENING_DIGITS];

	return memcmp(e->code, none, OPENING_DIGITS) != 0;
}

/* Taken by this person, and neither told nor tried yet. */
static int
taken_by(const struct envelope *e, const uint8_t staff[16])
{
	return e->state == CODE_TOLD && has_code(e) && bytes_equal(e->staff, staff, 16);
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
	/* Until the desk says that it was told, the same person may ask again: a crash on the way loses no code. */
	if (error == 0 && e.state != CODE_MADE && !taken_by(&e, staff))
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
	struct envelope e;
	int error = envelope_read(ctx, case_id, &e);

	(void)r;
	if (error == 0 && (e.state == CODE_MADE || !bytes_equal(e.staff, message_get(q->message, TAG_STAFF, 0)->p, 16)))
		error = ICERT_E_STATE;
	if (error == 0 && has_code(&e)) {
		memset(e.code, 0, OPENING_DIGITS);
		error = envelope_write(ctx, case_id, &e);
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
		destroy(k, case_id, DELIVERY_ENVELOPE, DESTROYED_DELIVERY);
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

/*
 * A new code for an envelope that was not opened.  The second factor is used up only when there will be one.  Spent first,
 * written then: a crash between the two leaves it locked, and the renewal that it cost is there to be asked for again.
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
	int error = totp_code(q->message, code);

	if (error == 0)
		error = envelope_read(k, case_id, &e);
	if (error == 0)
		error = key_read(k, case_id, DELIVERY_ENVELOPE, NULL, NULL);
	if (error == 0 && e.state == OPENED)
		error = ICERT_E_STATE;
	while (next <= CODE_RENEWALS && (next <= e.round || round_spent(k, case_id, next)))
		next++;
	if (error == 0 && next > CODE_RENEWALS)
		error = ICERT_E_CONFLICT;
	if (error == 0)
		error = totp_use(k, staff, code, &r->tries);
	if (error == 0 && !round_spent(k, case_id, e.round))
		error = round_spend(k, case_id, e.round);
	if (error == 0)
		error = envelope_make(k, case_id, (uint8_t)next);
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
		error = key_read(ctx, case_id, DELIVERY_ENVELOPE, key, NULL);
	if (error == 0)
		message_put_number(&r->body, TAG_TRIES, (uint64_t)tries);
	r->tries = tries;
	bytes_wipe(&e, sizeof(e));
	return put_key(r, key, error);
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
		error = destroy(ctx, case_id, DELIVERY_ENVELOPE, DESTROYED_DELIVERY);
	bytes_wipe(&e, sizeof(e));
	return error;
}

/* A new record that a crash kept from its name: nobody writes while this process looks. */
static int
is_torn(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".new") == 0;
}

/* The case and label that a name stands for.  0 for a name that is none of ours. */
static int
read_name(const char *name, uint8_t case_id[16], const char **label)
{
	char id[ID_TEXT];

	if (strlen(name) <= ID_TEXT || name[ID_TEXT - 1] != '.')
		return 0;
	memcpy(id, name, ID_TEXT - 1);
	id[ID_TEXT - 1] = 0;
	*label = name + ID_TEXT;
	return id_raw(id, case_id) == 0 && (strcmp(*label, CODE_LABEL) == 0 || label_known(*label));
}

static int
is_due(const struct keeper *k, const uint8_t case_id[16], const char *label)
{
	struct envelope e;
	int64_t made_at = 0;
	int opened = 0;

	if (strcmp(label, CODE_LABEL) != 0)
		return key_read(k, case_id, label, NULL, &made_at) == 0 && k->now() - made_at >= k->delivery_seconds;
	if (envelope_read(k, case_id, &e) != 0)
		return 0;
	made_at = e.made_at;
	opened = e.state == OPENED && k->now() - e.opened_at >= SEEN_AGAIN;
	bytes_wipe(&e, sizeof(e));
	return opened || k->now() - made_at >= k->delivery_seconds;
}

static void
purge_one(struct keeper *k, const char *name)
{
	uint8_t case_id[16];
	const char *label;
	int error = 0;
	int ended;

	if (is_torn(name))
		error = record_unlink(k, k->delivery_fd, name);
	else if (read_name(name, case_id, &label)) {
		if (strcmp(label, CODE_LABEL) == 0)
			ended = how_it_ended(k, case_id, DELIVERY_ENVELOPE);
		else
			ended = how_it_ended(k, case_id, label);
		/* In the list and still here: a crash between the two, or a copy that came back. */
		if (ended == ICERT_E_DESTROYED || ended == ICERT_E_CODE_SPENT)
			error = record_unlink(k, k->delivery_fd, name);
		else if (is_due(k, case_id, label))
			error = destroy(k, case_id, strcmp(label, CODE_LABEL) == 0 ? DELIVERY_ENVELOPE : label, DESTROYED_DELIVERY);
	}
	if (error != 0)
		log_error("delivery_not_destroyed", "%s", icert_err_code(error));
}

void
keeper_purge(void *ctx)
{
	struct keeper *k = ctx;
	int fd = openat(k->delivery_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		log_error("delivery_unreadable", "the folder of delivery keys cannot be read");
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		purge_one(k, entry->d_name);
	closedir(dir);
}
