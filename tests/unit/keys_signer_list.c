/*
 * The signer's lists: whole and of a partition, what may be missing from one, and those of a CA that ends.
 */
#include "signer_fixture.h"
#include "libicert/status.h"
#include "pki/crl.h"

#include <openssl/x509v3.h>
#include <sys/mman.h>

static int
ask_list(const char *socket, unsigned partition, uint64_t number, int64_t this_update, int64_t next_update,
    const struct crl_entry *entries, size_t n_entries, struct buf *crl)
{
	static struct message reply;
	struct buf request = BUF_INIT, packet = BUF_INIT;
	uint8_t bytes[CRL_ENTRY], read_back[4096];
	int error, fd = memfd_create("entries", MFD_CLOEXEC), fd_out = -1;
	ssize_t n;

	for (size_t i = 0; i < n_entries; i++) {
		crl_entry_encode(&entries[i], bytes);
		assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	}
	message_begin(&request, OP_SIGN_CRL, 0, 7);
	if (partition != 0)
		message_put_number(&request, TAG_PARTITION, partition);
	message_put_number(&request, TAG_NUMBER, number);
	message_put_number(&request, TAG_TIME, (uint64_t)this_update);
	message_put_number(&request, TAG_TIME_NEXT, (uint64_t)next_update);
	error = ask(signer_ops, signer_ops_n, &s, socket, &request, fd, &reply, &packet, &fd_out);
	if (fd_out >= 0) {
		n = pread(fd_out, read_back, sizeof(read_back), 0);
		assert_true(n > 0);
		buf_put(crl, read_back, (size_t)n);
		close(fd_out);
	}
	buf_free(&request);
	buf_free(&packet);
	return error;
}

static int
ask_crl_of(const char *socket, uint64_t number, int64_t this_update, const uint8_t *serials, size_t n, struct buf *crl)
{
	struct crl_entry entries[8];

	for (size_t i = 0; i < n; i++)
		entries[i] = (struct crl_entry){ .serial = { serials[i] }, .revoked_at = now - 100, .reason = 1 };
	return ask_list(socket, 0, number, this_update, this_update + 86400, entries, n, crl);
}

static int
ask_crl(const char *socket, uint64_t number, int64_t this_update, struct buf *crl)
{
	return ask_crl_of(socket, number, this_update, (const uint8_t[]){ 0x44 }, 1, crl);
}

static void
test_crl(void **state)
{
	struct buf crl = BUF_INIT;
	const uint8_t *p;
	X509_CRL *list;
	X509 *ca;

	(void)state;
	assert_int_equal(ask_crl("signer-issuer", 5, now, &crl), ICERT_E_DENIED);
	assert_int_equal(ask_crl("signer-publisher", 5, now, &crl), 0);
	p = crl.p;
	list = d2i_X509_CRL(NULL, &p, (long)crl.len);
	ca = fixture_parse(&s.ca[0].der);
	assert_non_null(list);
	assert_int_equal(X509_CRL_verify(list, X509_get0_pubkey(ca)), 1);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)), 1);
	X509_CRL_free(list);
	X509_free(ca);
	/* Numbers grow, times are of now. */
	assert_int_equal(ask_crl("signer-publisher", 5, now, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_crl("signer-publisher", 6, now - 7200, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_crl("signer-publisher", 6, now + 3600, &crl), ICERT_E_INVALID);
	assert_int_equal(journal_crl_number(s.ca[0].journal), 5);
	buf_free(&crl);
}

/* Whoever has taken the publisher over cannot have a revocation forgotten, nor after a restart of the signer. */
static void
test_crl_forgets_nothing(void **state)
{
	static const uint8_t serials[] = { 0x50, 0x44, 0x30 };
	struct buf crl = BUF_INIT;
	uint64_t number = journal_crl_number(s.ca[0].journal);

	(void)state;
	assert_int_equal(ask_crl_of("signer-publisher", ++number, now, serials, 3, &crl), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(journal_revocations(s.ca[0].journal)->n, 3);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, serials, 2, &crl), ICERT_E_MISMATCH);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, NULL, 0, &crl), ICERT_E_MISMATCH);
		assert_int_equal(ask_crl_of("signer-publisher", number + 1, now, (const uint8_t[]){ 0x30, 0x45, 0x50, 0x60 }, 4, &crl),
		    ICERT_E_MISMATCH);
		journal_close(s.ca[0].journal);
		assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	}
	assert_int_equal(ask_crl_of("signer-publisher", ++number, now, serials, 3, &crl), 0);
	buf_free(&crl);
}

/* The octets of a distribution point's name, as the certificate and the list of its partition both have them. */
static void
put_point(struct buf *b, const char *url)
{
	size_t n = strlen(url);

	buf_putc(b, 0xA0);
	buf_putc(b, (int)n + 4);
	buf_putc(b, 0xA0);
	buf_putc(b, (int)n + 2);
	buf_putc(b, 0x86);
	buf_putc(b, (int)n);
	buf_puts(b, url);
}

/* A certificate names its partition; the partition's list is of that scope, critically, and forgets nothing of it. */
static void
test_partition(void **state)
{
	struct buf der = BUF_INIT, spki = BUF_INIT, crl = BUF_INIT, point = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char detail[DETAIL], url[ISSUER_URL];
	struct crl_entry e = { .revoked_at = now - 5, .reason = 4 }, all[4];
	uint64_t number = journal_crl_number(s.ca[0].journal);
	struct signer_request r;
	unsigned part, named = 99;
	const uint8_t *p;
	X509_CRL *list;
	X509 *x;
	int critical = -1;
	ISSUING_DIST_POINT *idp;

	(void)state;
	fixture_spki(key, &spki);
	begin(&r);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now - 600);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	s.ca[0].partitions = 4;
	part = issuer_partition_of(r.serial, 4);
	assert_in_range(part, 1, 4);
	assert_int_equal(issue(&r, &der, detail), 0);
	s.ca[0].partitions = 0;
	x = fixture_parse(&der);
	assert_int_equal(crl_point_partition(x, s.ca[0].crl_url, &named), 0);
	assert_int_equal(named, part);
	assert_int_equal(crl_point_partition(x, "http://another/list.crl", &named), ICERT_E_NOT_FOUND);
	X509_free(x);
	assert_int_equal(issuer_name(url, sizeof(url), s.ca[0].crl_url, ISSUER_FIRST, part), 0);
	put_point(&point, url);
	assert_non_null(memmem(der.p, der.len, point.p, point.len));

	/* Named in the complete list; then no list of its partition may leave it out, nor after a restart. */
	memcpy(e.serial, r.serial, 16);
	for (int i = 0; i < 3; i++)
		all[i] = (struct crl_entry){ .serial = { (const uint8_t[]){ 0x30, 0x44, 0x50 }[i] }, .revoked_at = now - 100, .reason = 1 };
	all[3] = e;
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, now + 86400, all, 4, &crl), 0);
	assert_null(memmem(crl.p, crl.len, point.p, point.len));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(ask_list("signer-publisher", part, number + 1, now, now + 86400, NULL, 0, &crl), ICERT_E_MISMATCH);
		journal_close(s.ca[0].journal);
		assert_int_equal(journal_open(&s.ca[0].journal, journal_path), 0);
	}
	/* Another's list is empty, and its own has it alone. */
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", part % 4 + 1, ++number, now, now + 86400, NULL, 0, &crl), 0);
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", part, ++number, now, now + 86400, &e, 1, &crl), 0);
	assert_non_null(memmem(crl.p, crl.len, point.p, point.len));
	p = crl.p;
	assert_non_null(list = d2i_X509_CRL(NULL, &p, (long)crl.len));
	assert_non_null(idp = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL));
	assert_int_equal(critical, 1);
	assert_true(idp->onlyuser);
	ISSUING_DIST_POINT_free(idp);
	X509_CRL_free(list);
	/* Numbers grow over all of a CA's lists; there is no seventeenth. */
	assert_int_equal(ask_list("signer-publisher", part, number, now, now + 86400, &e, 1, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_list("signer-publisher", 17, number + 1, now, now + 86400, &e, 1, &crl), ICERT_E_NOT_FOUND);
	buf_free(&der);
	buf_free(&spki);
	buf_free(&crl);
	buf_free(&point);
	EVP_PKEY_free(key);
}

/* A CA that only answers certifies nobody; one that has ended signs its last list, which has no next. */
static void
test_states_of_a_ca(void **state)
{
	struct crl_entry all[4];
	const struct revoked_list *revoked = journal_revocations(s.ca[0].journal);
	uint64_t number = journal_crl_number(s.ca[0].journal);
	char detail[DETAIL];
	struct buf crl = BUF_INIT, der = BUF_INIT, spki = BUF_INIT;
	EVP_PKEY *key = EVP_RSA_gen(2048);
	struct signer_request r;

	(void)state;
	assert_int_equal(revoked->n, 4);
	for (size_t i = 0; i < 4; i++) {
		all[i] = (struct crl_entry){ .revoked_at = revoked->item[i].revoked_at, .reason = 1 };
		memcpy(all[i].serial, revoked->item[i].serial, 16);
	}
	fixture_spki(key, &spki);
	begin(&r);
	set_key(&r, &spki);
	approve(&r, APPROVAL_ACCEPT, holder, now - 600);
	approve(&r, APPROVAL_ISSUE, operator, now);
	vouch(&r, keymaker_key);
	s.issuing = NULL;
	s.ca[0].state = ISSUER_ANSWERS;
	assert_int_equal(issue(&r, &der, detail), ICERT_E_STATE);
	assert_int_equal(ask_list("signer-publisher", 0, number + 1, now, STATUS_NEVER, all, 4, &crl), ICERT_E_INVALID);
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, now + 86400, all, 4, &crl), 0);
	s.ca[0].state = ISSUER_ENDED;
	assert_int_equal(ask_list("signer-publisher", 0, number + 1, now, now + 86400, all, 4, &crl), ICERT_E_INVALID);
	buf_reset(&crl);
	assert_int_equal(ask_list("signer-publisher", 0, ++number, now, STATUS_NEVER, all, 4, &crl), 0);
	assert_non_null(memmem(crl.p, crl.len, "99991231235959Z", 15));
	s.ca[0].state = ISSUER_ISSUES;
	s.issuing = &s.ca[0];
	assert_int_equal(issue(&r, &der, detail), 0);
	buf_free(&crl);
	buf_free(&der);
	buf_free(&spki);
	EVP_PKEY_free(key);
}

/* What ended before the list before this one may go; nothing else. */
static void
test_revoked_missing(void **state)
{
	struct revoked_list l = { 0 };
	struct revoked r = { .serial = { 9 }, .not_after = 1000 };
	struct crl_entry e = { .serial = { 7 } };
	struct buf b = BUF_INIT;
	struct revoked back;

	(void)state;
	assert_int_equal(revoked_add(&l, &r), 0);
	r.serial[0] = 7;
	assert_int_equal(revoked_add(&l, &r), 0);
	revoked_sort(&l);
	assert_int_equal(revoked_missing(&l, &e, 1, 999)->serial[0], 9);
	assert_null(revoked_missing(&l, &e, 1, 1000));
	assert_int_equal(revoked_missing(&l, NULL, 0, 0)->serial[0], 7);
	revoked_put(&b, &r);
	assert_int_equal(b.len, REVOKED_ENTRY);
	revoked_decode(&back, b.p);
	assert_memory_equal(back.serial, r.serial, sizeof(r.serial));
	assert_int_equal(back.revoked_at, r.revoked_at);
	assert_int_equal(back.not_after, r.not_after);
	assert_int_equal(back.partition, REVOKED_PARTITION_UNREAD);
	buf_free(&b);
	revoked_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crl), cmocka_unit_test(test_crl_forgets_nothing), cmocka_unit_test(test_partition),
		cmocka_unit_test(test_states_of_a_ca), cmocka_unit_test(test_revoked_missing),
	};

	return cmocka_run_group_tests(tests, signer_setup, signer_teardown);
}
