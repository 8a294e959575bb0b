#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "libicert/status.h"
#include "operate/files.h"
#include "operate/status_files.h"
#include "operate/status_set.h"

#define SAMPLES 1000

static const char *
moment(int64_t t, char out[32])
{
	time_t at = (time_t)t;
	struct tm tm;

	if (t == 0)
		return "-";
	if (gmtime_r(&at, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		return "?";
	return out;
}

/* What signatures are checked with: the certificates of the set itself, the root's and each issuing CA's. */
static X509_STORE *
trust(const struct status_set_files *s)
{
	X509_STORE *store = X509_STORE_new();
	const uint8_t *p;
	uint32_t i;
	X509 *x;

	for (i = 0; i < s->manifest.count && store != NULL; i++) {
		if (s->manifest.entry[i].kind != STATUS_KIND_CA)
			continue;
		p = s->map[i];
		if ((x = d2i_X509(NULL, &p, (long)s->manifest.entry[i].size)) != NULL)
			X509_STORE_add_cert(store, x);
		X509_free(x);
	}
	return store;
}

/* Does the answer verify, and say of its serial what the record says? */
static int
answer_sound(X509_STORE *store, const struct status_key *key, const struct status_record *r, int algorithm)
{
	const struct status_answer *a = &r->answer[algorithm];
	struct buf whole = BUF_INIT;
	OCSP_RESPONSE *response = NULL;
	OCSP_BASICRESP *basic = NULL;
	ASN1_INTEGER *number = NULL;
	BIGNUM *serial = NULL, *said = NULL;
	const uint8_t *p;
	int sound = 0, status, reason;

	buf_put(&whole, a->head, a->head_len);
	buf_put(&whole, a->tail, a->tail_len);
	p = whole.p;
	if (buf_error(&whole) == 0 && (response = d2i_OCSP_RESPONSE(NULL, &p, (long)whole.len)) != NULL &&
	    p == whole.p + whole.len && (basic = OCSP_response_get1_basic(response)) != NULL &&
	    OCSP_resp_count(basic) == 1 && OCSP_basic_verify(basic, NULL, store, 0) == 1) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, 0);

		OCSP_id_get0_info(NULL, NULL, NULL, &number, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
		said = number == NULL ? NULL : ASN1_INTEGER_to_BN(number, NULL);
		serial = BN_bin2bn(key->serial, (int)key->serial_len, NULL);
		status = OCSP_single_get0_status(single, &reason, NULL, NULL, NULL);
		sound = said != NULL && serial != NULL && BN_cmp(said, serial) == 0 &&
		    status == (r->state == STATUS_REVOKED ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD);
	}
	ERR_clear_error();
	BN_free(said);
	BN_free(serial);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	buf_free(&whole);
	return sound;
}

struct tally {
	uint64_t records, good, revoked, pending, signatures, bad;
};

static int
walk(const struct status_segment *segment, X509_STORE *store, uint64_t step, struct tally *t)
{
	struct status_record r, found;
	struct status_key key;
	uint64_t cursor = 0, n = 0;
	int rc, a;

	while ((rc = status_segment_next(segment, &cursor, &key, &r)) == 1) {
		t->records++;
		t->good += r.state == STATUS_GOOD;
		t->revoked += r.state == STATUS_REVOKED;
		t->pending += r.state == STATUS_PENDING;
		/* What stands there is also what a look-up finds. */
		if (status_segment_find(segment, key.issuer, key.serial, key.serial_len, &found) != 1 ||
		    found.answer[0].head != r.answer[0].head)
			t->bad++;
		if (step == 0 || n++ % step != 0)
			continue;
		for (a = 0; a < STATUS_ALGORITHMS; a++) {
			if (r.answer[a].head == NULL)
				continue;
			t->signatures++;
			t->bad += !answer_sound(store, &key, &r, a);
		}
	}
	return rc;
}

int
status_files_verify(const struct status_files *f, FILE *out)
{
	struct status_set_files s;
	struct tally t = { 0 };
	X509_STORE *store;
	uint64_t all = 0, step;
	size_t i;
	int rc;

	if ((rc = status_set_open(&s, f->folder, f->key)) != 0) {
		fprintf(out, "%s: %s\n", f->folder, icert_err_code(rc));
		return rc == ICERT_E_SYSTEM || rc == ICERT_E_CONFIG ? 2 : 1;
	}
	store = trust(&s);
	for (i = 0; i < s.segments; i++)
		all += s.segment[i].records;
	step = f->samples < 0 ? 1 : 1 + all / (uint64_t)(f->samples == 0 ? SAMPLES : f->samples);
	for (i = 0; i < s.segments && rc == 0; i++)
		if ((rc = status_segment_verify(&s.segment[i])) == 0)
			rc = walk(&s.segment[i], store, store == NULL ? 0 : step, &t);
	fprintf(out, "epoch %" PRIu64 ", %u files, %zu segments, %" PRIu64 " records: %" PRIu64 " good, %" PRIu64 " revoked, %"
	    PRIu64 " pending; %" PRIu64 " signatures checked\n", s.manifest.epoch, s.manifest.count, s.segments, t.records,
	    t.good, t.revoked, t.pending, t.signatures);
	if (rc != 0)
		fprintf(out, "segment %zu: %s\n", i, icert_err_code(rc));
	if (t.bad > 0)
		fprintf(out, "%" PRIu64 " records are not what their answers say\n", t.bad);
	X509_STORE_free(store);
	status_set_close(&s);
	if (rc == 0 && t.bad == 0)
		fprintf(out, "sound\n");
	return rc == 0 && t.bad == 0 ? 0 : 1;
}

static void
print_manifest(const struct status_set_files *s, FILE *out)
{
	static const char *const kinds[] = { "?", "segment", "list", "certificate" };
	char from[32], until[32];
	size_t segment = 0;
	uint32_t i;

	fprintf(out, "epoch      %" PRIu64 "\nheartbeat  %s\n", s->manifest.epoch, moment(s->manifest.heartbeat, from));
	for (i = 0; i < s->manifest.count; i++) {
		const struct status_entry *e = &s->manifest.entry[i];

		fprintf(out, "%-11s %-12s %12" PRIu64 " octets  %s – %s", kinds[e->kind], e->name, e->size,
		    moment(e->this_update, from), moment(e->next_update, until));
		if (e->kind == STATUS_KIND_SEGMENT) {
			fprintf(out, "  %" PRIu64 " records", s->segment[segment].records);
			segment++;
		}
		fprintf(out, "  %s\n", e->file);
	}
}

static size_t
serial_parse(const char *text, uint8_t out[STATUS_SERIAL_MAX])
{
	size_t digits, n = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	while (*text == '0')
		text++;
	digits = strlen(text);
	if (digits == 0 || digits > 2 * STATUS_SERIAL_MAX || strspn(text, "0123456789abcdefABCDEF") != digits)
		return 0;
	for (; digits > 0; digits -= 1 + (digits % 2 == 0)) {
		unsigned octet;
		char pair[3] = { text[0], digits % 2 == 0 ? text[1] : '\0', '\0' };

		sscanf(pair, "%x", &octet);
		out[n++] = (uint8_t)octet;
		text += digits % 2 == 0 ? 2 : 1;
	}
	return n;
}

static int
print_serial(const struct status_set_files *s, const char *text, FILE *out)
{
	static const char *const states[] = { "good", "revoked", "pending" };
	uint8_t serial[STATUS_SERIAL_MAX];
	size_t len = serial_parse(text, serial), i;
	struct status_record r;
	char from[32], until[32], at[32];
	unsigned issuer;

	if (len == 0) {
		complain("%s is no serial number in hexadecimal digits", text);
		return 2;
	}
	for (i = 0; i < s->segments; i++)
		for (issuer = 0; issuer < s->segment[i].issuers; issuer++) {
			if (status_segment_find(&s->segment[i], issuer, serial, len, &r) != 1)
				continue;
			fprintf(out, "%s  %s – %s", states[r.state], moment(r.this_update, from), moment(r.next_update, until));
			if (r.state != STATUS_GOOD)
				fprintf(out, "  revoked %s, reason %d", moment(r.revoked_at, at), r.reason == STATUS_NO_REASON ? 0 : r.reason);
			fprintf(out, "  (segment %zu, issuer %u, SHA-1 %u and SHA-256 %u octets)\n", i, issuer, r.answer[0].head_len,
			    r.answer[1].head_len);
			return 0;
		}
	fprintf(out, "not in the set\n");
	return 1;
}

int
status_files_inspect(const struct status_files *f, const char *serial, FILE *out)
{
	struct status_set_files s;
	int rc;

	if ((rc = status_set_open(&s, f->folder, f->key)) != 0) {
		complain("%s: %s", f->folder, icert_err_code(rc));
		return 2;
	}
	if (serial == NULL)
		print_manifest(&s, out);
	else
		rc = print_serial(&s, serial, out);
	status_set_close(&s);
	return rc;
}
