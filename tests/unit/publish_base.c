/*
 * The published set rebuilt and merged: what is signed again, what is carried over, what a database of yesterday
 * may not take back.  Signatures come from a process behind a socket, as they do in the publisher.
 */
#include "pki_fixture.h"
#include "key_server.h"
#include "publish/base.h"
#include "publish/base_source.h"
#include "publish/revocations.h"

#include <time.h>

#define SOCKET "status-signer-publisher"
#define N 5000

static struct fixture f;
static struct ocsp_template template;
static struct base_ca ca = { .template = &template, .number = ISSUER_FIRST };
static EVP_PKEY *responder_key;
static struct key_server server;
static char folder[] = "/tmp/icert-unit-XXXXXX";
static int dirfd;
static int64_t now;
static uint64_t epoch = 1;

static int
on_sign(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	EVP_PKEY_CTX *key = EVP_PKEY_CTX_new(ctx, NULL);
	uint8_t signature[STATUS_SIGNATURE_MAX];
	size_t i, n;

	EVP_PKEY_sign_init(key);
	EVP_PKEY_CTX_set_signature_md(key, EVP_sha256());
	for (i = 0; i < message_count(request->message, TAG_DIGEST); i++) {
		n = sizeof(signature);
		EVP_PKEY_sign(key, signature, &n, message_get(request->message, TAG_DIGEST, i)->p, 32);
		message_put(&reply->body, TAG_SIGNATURE, signature, n);
	}
	EVP_PKEY_CTX_free(key);
	return 0;
}

static const struct serve_op ops[] = { { .op = OP_STATUS_SIGN, .sockets = SOCKET, .handler = on_sign } };

static int
setup(void **state)
{
	static const char *const names[] = { SOCKET };
	struct serve serve = { .ops = ops, .n = 1 };
	struct profile_name name = fixture_name("RESPONDEDOR");
	struct buf spki = BUF_INIT, tbs = BUF_INIT, der = BUF_INIT;
	uint8_t serial[PROFILE_SERIAL];

	(void)state;
	now = (int64_t)time(NULL);
	fixture_make(&f);
	responder_key = EVP_EC_gen("P-256");
	fixture_spki(responder_key, &spki);
	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_responder(&f.issuer, &name, serial, now - 300, now + 10 * 86400, spki.p, spki.len, &tbs), 0);
	fixture_sign(f.ca_key, &tbs, &der);
	assert_int_equal(ocsp_template_init(&template, f.ca_der.p, f.ca_der.len, der.p, der.len), 0);
	assert_int_equal(segments_ca(&ca.names, f.ca_der.p, f.ca_der.len), 0);
	buf_free(&spki);
	buf_free(&tbs);
	buf_free(&der);
	serve.ctx = responder_key;
	bind_server(&server, names, 1);
	run_server(&server, &serve);
	assert_non_null(mkdtemp(folder));
	dirfd = open(folder, O_RDONLY | O_DIRECTORY);
	return dirfd < 0;
}

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	stop_server(&server);
	ocsp_template_free(&template);
	EVP_PKEY_free(responder_key);
	fixture_free(&f);
	close(dirfd);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void
serial_of(unsigned i, uint8_t out[16])
{
	memset(out, 0, 16);
	out[0] = 0x40;
	out[1] = (uint8_t)(i >> 8);
	out[2] = (uint8_t)i;
	out[15] = 7;
}

static void
status_make(struct cert_status *s, unsigned i, int revoked)
{
	memset(s, 0, sizeof(*s));
	serial_of(i, s->serial);
	s->revoked = revoked;
	s->reason = revoked ? 1 : 0;
	s->revoked_at = revoked ? now - 60 : 0;
	s->not_after = now + 86400;
}

/* A segment of those from..until, every tenth revoked where so asked; pending: without answers. */
static void
segment_make(struct status_manifest *m, const char *kind, unsigned from, unsigned until, int revoked)
{
	static struct answers a;
	struct status_record_in pending = { .state = STATUS_PENDING, .reason = 1, .this_update = now,
	    .next_update = STATUS_NEVER };
	struct status_writer *w;
	struct keyclient signer;
	struct status_entry entry;
	char file[STATUS_FILE_MAX + 1];
	unsigned issuer, tail, i = from;

	snprintf(file, sizeof(file), "%s-%llu", kind, (unsigned long long)epoch);
	assert_int_equal(status_writer_open(&w, dirfd, file, epoch++, 0, 0), 0);
	assert_int_equal(answers_begin(&template, w, &issuer, &tail), 0);
	keyclient_init(&signer, server.path[0]);
	a.template = &template;
	a.hashes = ANSWERS_SHA1 | ANSWERS_SHA256;
	a.this_update = now - 3600;
	a.next_update = now + 3600;
	while (i < until) {
		for (a.n = 0; i < until && a.n < answers_room(&a); i++)
			status_make(&a.status[a.n++], i, revoked && i % 10 == 0);
		if (strcmp(kind, SEGMENT_PENDING) == 0) {
			pending.issuer = issuer;
			pending.serial = a.status[0].serial;
			pending.serial_len = 16;
			assert_int_equal(a.n, 1);
			assert_int_equal(status_writer_record(w, &pending), 0);
		} else {
			assert_int_equal(answers_make(&a, &signer), 0);
			assert_int_equal(answers_write(&a, w, issuer, tail), 0);
		}
	}
	assert_int_equal(status_writer_finish(w, kind, &entry), 0);
	memmove(&m->entry[1], &m->entry[0], m->count * sizeof(entry));
	m->entry[0] = entry;
	m->count++;
	keyclient_close(&signer);
	answers_free(&a);
	memset(&a, 0, sizeof(a));
}

static struct base_order
order_of(const struct status_manifest *m)
{
	return (struct base_order){ .socket = server.path[0], .dirfd = dirfd, .manifest = m, .ca = &ca, .cas = 1,
	    .hashes = ANSWERS_SHA1, .threads = 3, .now = now, .validity = 86400, .resume_within = 3600, .epoch = epoch++ };
}

static int
build(const struct base_order *order, struct status_entry *entry)
{
	struct timespec pause = { 0, 1000000 };
	struct base *base;
	int error;

	assert_int_equal(base_start(&base, order), 0);
	while (base_poll(base, &error, entry))
		nanosleep(&pause, NULL);
	base_free(base);
	return error;
}

static void
open_one(struct segments *s, const struct status_entry *entry)
{
	static struct status_manifest m;

	m.count = 1;
	m.entry[0] = *entry;
	assert_int_equal(segments_open(s, dirfd, &m, &ca.names, 1), 0);
	assert_int_equal(status_segment_verify(&s->at[0].s), 0);
}

static enum status_state
state_in(const struct segments *s, unsigned i, struct status_record *r)
{
	uint8_t serial[16];

	serial_of(i, serial);
	assert_int_equal(segments_find(s, 0, serial, r), 1);
	return r->state;
}

/* Everything public is signed again, with the new times, newest word of each, in the order of serials. */
static void
test_signed_again(void **state)
{
	static struct status_manifest m;
	struct base_order order;
	struct status_entry entry;
	struct status_record r;
	struct segments s;

	(void)state;
	m.count = 0;
	segment_make(&m, SEGMENT_BASE, 0, N, 1);
	segment_make(&m, SEGMENT_DELTA, N, N + 100, 0);
	segment_make(&m, SEGMENT_DELTA, 5, 6, 0);
	segment_make(&m, SEGMENT_PENDING, 7, 8, 0);
	order = order_of(&m);
	assert_int_equal(build(&order, &entry), 0);
	assert_string_equal(entry.name, SEGMENT_BASE);
	assert_int_equal(entry.this_update, now);
	assert_int_equal(entry.next_update, now + 86400);
	open_one(&s, &entry);
	assert_int_equal(s.at[0].s.records, N + 100);
	assert_int_equal(state_in(&s, 5, &r), STATUS_GOOD);
	assert_non_null(r.answer[STATUS_SHA1].head);
	assert_null(r.answer[STATUS_SHA256].head);	/* the order's hashes, not the former ones */
	assert_int_equal(state_in(&s, 10, &r), STATUS_REVOKED);
	assert_int_equal(r.reason, 1);
	assert_int_equal(r.revoked_at, now - 60);
	assert_int_equal(state_in(&s, 7, &r), STATUS_REVOKED);	/* on its way to be: never good again */
	assert_int_equal(state_in(&s, N + 50, &r), STATUS_GOOD);
	/* About 320 octets a certificate with one hash and P-256, index included. */
	assert_in_range(entry.size / (N + 100), 250, 340);
	segments_close(&s);
}

/* Stopped, then taken up: the same set, and nothing twice. */
static void
test_stopped(void **state)
{
	static struct status_manifest m;
	struct timespec pause = { 0, 200000 };
	struct base_order order;
	struct status_entry entry;
	struct segments s;
	struct base *base;
	int64_t begun = now;
	int rounds, resumed = 0, error;

	(void)state;
	m.count = 0;
	segment_make(&m, SEGMENT_BASE, 0, 3 * N, 1);
	order = order_of(&m);
	for (rounds = 0;; rounds++) {
		assert_int_equal(base_start(&base, &order), 0);
		while ((rounds == 6 || base_records(base) < (uint64_t)(rounds + 1) * 1000) && base_poll(base, &error, &entry))
			nanosleep(&pause, NULL);
		if (!base_poll(base, &error, &entry))
			break;
		base_free(base);
		order.now++;
		/* It was over before it heard of the stop: then there is nothing to go on with. */
		if (faccessat(dirfd, STATUS_MARK_FILE, F_OK, 0) == 0)
			resumed++;
		else
			begun = order.now;
	}
	base_free(base);
	assert_int_equal(error, 0);
	assert_true(resumed > 0);
	assert_int_equal(entry.this_update, begun);	/* of the first beginning */
	open_one(&s, &entry);
	assert_int_equal(s.at[0].s.records, 3 * N);
	segments_close(&s);
}

/* A database of yesterday: it brings no revoked one back and loses no new one. */
static void
test_restored(void **state)
{
	static struct status_manifest m;
	static struct cert_status rows[30], out[64];
	const uint8_t start[16] = { 0 };
	struct signed_revocation journal = { .revoked_at = now - 7, .not_after = INT64_MAX };
	struct revocations signed_once = { 0 };
	struct base_source source;
	struct segments s;
	size_t n = 0, i;
	int found;

	(void)state;
	serial_of(5, journal.serial);				/* neither the rows nor the set know that */
	assert_int_equal(revocations_add_signed(&signed_once, ISSUER_FIRST, &journal, 1), 0);
	m.count = 0;
	segment_make(&m, SEGMENT_BASE, 0, 40, 1);		/* 0, 10, 20, 30 are revoked */
	segment_make(&m, SEGMENT_DELTA, 50, 51, 1);		/* 50 too */
	assert_int_equal(segments_open(&s, dirfd, &m, &ca.names, 1), 0);
	for (i = 0; i < 30; i++)
		status_make(&rows[i], (unsigned)i, i == 20);	/* nothing from 30 on; 0 and 10 good again; 20 as it was */
	rows[3].revoked = 1;					/* and one that only the rows call revoked */
	rows[3].reason = 4;
	rows[3].revoked_at = now - 5;
	assert_int_equal(base_source_open(&source, &s, 0, ISSUER_FIRST, &signed_once, NULL, start), 0);
	source.rows = rows;
	source.row = 0;
	source.row_n = 30;
	source.rows_end = 0;
	while ((found = base_source_next(&source, &out[n])) == 1)
		n++;
	assert_int_equal(found, 0);
	assert_int_equal(n, 41);
	for (i = 0; i < 40; i++) {
		uint8_t serial[16];

		serial_of((unsigned)i, serial);
		assert_memory_equal(out[i].serial, serial, 16);
		assert_int_equal(out[i].revoked, i % 10 == 0 || i == 3 || i == 5);
	}
	assert_int_equal(out[3].reason, 4);
	assert_int_equal(out[10].revoked_at, now - 60);
	assert_int_equal(out[40].revoked, 1);
	assert_int_equal(out[5].revoked_at, now - 7);
	assert_int_equal(source.kept, 3);
	assert_int_equal(source.carried, 11);
	source.rows = NULL;
	revocations_free(&signed_once);
	base_source_close(&source);
	segments_close(&s);
}

/* A CA that has ended: its answers are signed a last time, and copied ever after. */
static void
test_last_answers(void **state)
{
	static struct status_manifest m;
	struct base_ca ended = ca;
	struct base_order order;
	struct status_entry entry, again;
	struct status_record r;
	struct segments s;

	(void)state;
	ended.ended = 1;
	m.count = 0;
	segment_make(&m, SEGMENT_BASE, 0, 50, 1);
	segment_make(&m, SEGMENT_DELTA, 50, 60, 0);
	order = order_of(&m);
	order.ca = &ended;
	assert_int_equal(build(&order, &entry), 0);
	assert_int_equal(entry.next_update, STATUS_NEVER);
	open_one(&s, &entry);
	assert_int_equal(s.at[0].s.records, 60);
	assert_int_equal(state_in(&s, 10, &r), STATUS_REVOKED);
	assert_int_equal(r.next_update, STATUS_NEVER);
	segments_close(&s);
	m.count = 1;
	m.entry[0] = entry;
	order = order_of(&m);
	order.ca = &ended;
	order.now = now + 1000;
	assert_int_equal(build(&order, &again), 0);
	assert_int_equal(again.this_update, now);
	open_one(&s, &again);
	assert_int_equal(s.at[0].s.records, 60);
	assert_int_equal(state_in(&s, 55, &r), STATUS_GOOD);
	assert_non_null(r.answer[STATUS_SHA1].head);
	segments_close(&s);
}

/* Deltas made one: the newest word of each, nothing signed. */
static void
test_merge(void **state)
{
	static struct status_manifest m;
	struct status_entry entry;
	struct status_record r;
	struct segments s, one;

	(void)state;
	m.count = 0;
	segment_make(&m, SEGMENT_DELTA, 0, 20, 0);
	segment_make(&m, SEGMENT_DELTA, 10, 11, 1);
	segment_make(&m, SEGMENT_DELTA, 19, 30, 0);
	segment_make(&m, SEGMENT_PENDING, 4, 5, 0);
	assert_int_equal(segments_open(&s, dirfd, &m, &ca.names, 1), 0);
	assert_int_equal(segments_merge(&s, 4, "merged", epoch++, &entry), 0);
	open_one(&one, &entry);
	assert_int_equal(one.at[0].s.records, 30);
	assert_int_equal(one.at[0].s.tails, 1);
	assert_int_equal(state_in(&one, 10, &r), STATUS_REVOKED);
	assert_int_equal(state_in(&one, 19, &r), STATUS_GOOD);
	assert_int_equal(state_in(&one, 4, &r), STATUS_PENDING);
	segments_close(&one);
	segments_close(&s);
}

static void
test_revocations(void **state)
{
	static struct status_manifest m;
	struct revocations list = { 0 };
	struct crl_entry *entries;
	struct cert_status one;
	struct segments s;
	size_t n;

	(void)state;
	m.count = 0;
	segment_make(&m, SEGMENT_BASE, 0, 1000, 1);
	assert_int_equal(segments_open(&s, dirfd, &m, &ca.names, 1), 0);
	status_make(&one, 10, 1);
	one.not_after = now - 10;
	assert_int_equal(revocations_add(&list, &one), 0);
	assert_int_equal(revocations_add_published(&list, &s, 0), 0);
	assert_int_equal(list.n, 100);
	assert_int_equal(revocations_entries(&list, 0, now - 20, &entries, &n), 0);
	assert_int_equal(n, 100);	/* it ended after the last list: once more */
	free(entries);
	assert_int_equal(revocations_entries(&list, 0, now, &entries, &n), 0);
	assert_int_equal(n, 99);
	free(entries);
	revocations_free(&list);
	segments_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed_again), cmocka_unit_test(test_stopped), cmocka_unit_test(test_restored),
		cmocka_unit_test(test_last_answers), cmocka_unit_test(test_merge), cmocka_unit_test(test_revocations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
