#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/ocsp_request.h"
#include "pki/crl.h"
#include "pki/issuer_list.h"
#include "pki/keyfile.h"
#include "web/ocsp/live.h"

#define PATH 512
#define DER_MAX 65536
#define LIVE_VALIDITY 3600		/* seconds, where the stored answer has ended */
#define STALE_HARD 21600		/* as the edge's own limit, conf/nginx.conf */

static int
is(const struct config *config, unsigned number, const char *key, const char *wanted)
{
	const char *value = issuer_policy(config, number, key);

	return value != NULL && strcmp(value, wanted) == 0;
}

static int
open_ca(struct live *l, const struct config *config, const struct issuer_entry *entry)
{
	struct live_ca *ca = &l->ca[l->cas];
	char path[PATH], name[ISSUER_NAME];
	int error;

	ca->number = entry->number;
	ca->ignore_nonce = is(config, ca->number, "nonce", "ignore");
	ca->extended_revoke = is(config, ca->number, "unknown", "revoked");
	ca->ended = entry->state == ISSUER_ENDED;
	if ((error = issuer_name(name, sizeof(name), ISSUER_CERTIFICATE, ca->number, 0)) != 0)
		return error;
	snprintf(path, sizeof(path), "%s/%s", config_require(config, "paths", "ca"), name);
	if ((error = keyfile_read(path, DER_MAX, &ca->der)) != 0 ||
	    (error = segments_ca(&l->names[l->cas], ca->der.p, ca->der.len)) != 0) {
		log_error("ocsp_start", "%s: %s", path, icert_err_code(error));
		return error;
	}
	l->cas++;
	return 0;
}

int
live_open(struct live *l, const struct config *config)
{
	struct issuer_list list;
	char path[PATH];
	size_t i;
	int error;

	memset(l, 0, sizeof(*l));
	keyclient_init(&l->signer, config_require(config, "sockets", "status-signer-ocsp"));
	l->stale_hard = config_int(config, "status", "stale_hard", STALE_HARD, 60, 30 * 86400);
	l->dirfd = open(config_require(config, "paths", "status"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/manifest.pub", config_require(config, "paths", "pins"));
	error = l->dirfd < 0 ? ICERT_E_SYSTEM : keyfile_read_exact(path, l->seal_key, sizeof(l->seal_key));
	if (error != 0)
		log_error("ocsp_start", "%s: %s", path, icert_err_code(error));
	else
		error = issuer_list_read(&list, config);
	for (i = 0; error == 0 && i < list.n; i++)
		error = open_ca(l, config, &list.at[i]);
	segments_begin(&l->segments, l->dirfd, l->names, l->cas);
	return error;
}

/* The responder's certificate: every answer carries it, so it is asked for again when the signer has another. */
static int
load_template(struct live *l, struct live_ca *ca)
{
	struct buf certificate = BUF_INIT, spki = BUF_INIT;
	struct ocsp_template fresh;
	int error;

	error = status_signer_info(&l->signer, ca->number, &certificate, &spki);
	if (error == 0 && certificate.len == 0)
		error = ICERT_E_UNAVAILABLE;
	if (error == 0 && (error = ocsp_template_init(&fresh, ca->der.p, ca->der.len, certificate.p, certificate.len)) == 0) {
		if (ca->has_template)
			ocsp_template_free(&ca->template);
		ca->template = fresh;
		ca->has_template = 1;
	}
	buf_free(&certificate);
	buf_free(&spki);
	return error;
}

/* Takes the manifest in place into use, if it is newer than the one in use. */
static int
load_manifest(struct live *l)
{
	uint8_t bytes[STATUS_MANIFEST_MAX];
	static struct status_manifest fresh;
	struct segments segments;
	ssize_t n;
	int fd, error;

	fd = openat(l->dirfd, STATUS_MANIFEST_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return ICERT_E_SYSTEM;
	if ((error = status_manifest_read(&fresh, bytes, (size_t)n, l->seal_key)) != 0)
		return error;
	if (l->has_manifest && (fresh.epoch < l->manifest.epoch ||
	    (fresh.epoch == l->manifest.epoch && fresh.heartbeat < l->manifest.heartbeat)))
		return ICERT_E_STALE;
	/* A beat alone changes no segment. */
	if (!l->has_manifest || fresh.epoch != l->manifest.epoch) {
		if ((error = segments_open(&segments, l->dirfd, &fresh, l->names, l->cas)) != 0)
			return error;
		segments_close(&l->segments);
		l->segments = segments;
	}
	l->manifest = fresh;
	l->has_manifest = 1;
	return 0;
}

/* A file that was looked at already is not read again. */
static int
refresh(struct live *l, int64_t now)
{
	struct stat st;
	int64_t mtime;
	int error;

	if (fstatat(l->dirfd, STATUS_MANIFEST_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return ICERT_E_STALE;
	mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (mtime != l->seen_mtime_ns || (int64_t)st.st_ino != l->seen_ino) {
		error = load_manifest(l);
		/* What was replaced between the two is looked at again. */
		if (error == 0) {
			l->seen_mtime_ns = mtime;
			l->seen_ino = (int64_t)st.st_ino;
		} else if (!l->has_manifest) {
			return error;
		} else {
			log_warn("ocsp_set", "the new set is not taken: %s", icert_err_code(error));
		}
	}
	return now - l->manifest.heartbeat < l->stale_hard ? 0 : ICERT_E_STALE;
}

/* Which CA a CertID means; NULL: none of ours, or by a hash that nobody knows. */
static struct live_ca *
ca_of(struct live *l, const struct ocsp_certid *id)
{
	enum ocsp_hash hash = id->algorithm == STATUS_SHA1 ? OCSP_SHA1 : OCSP_SHA256;
	size_t len = hash == OCSP_SHA1 ? 20 : 32, i;

	for (i = 0; id->algorithm >= 0 && i < l->cas; i++)
		if (l->ca[i].has_template && memcmp(id->name_hash, l->ca[i].template.name_hash[hash], len) == 0 &&
		    memcmp(id->key_hash, l->ca[i].template.key_hash[hash], len) == 0)
			return &l->ca[i];
	return NULL;
}

/* id-pkix-ocsp-archive-cutoff, 1.3.6.1.5.5.7.48.1.6: the stored answer says that its certificate has ended. */
static int
has_ended(const struct status_record *r)
{
	static const uint8_t oid[] = { 0x06, 0x09, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x06 };
	int a;

	for (a = 0; a < STATUS_ALGORITHMS; a++)
		if (r->answer[a].head != NULL && memmem(r->answer[a].head, r->answer[a].head_len, oid, sizeof(oid)) != NULL)
			return 1;
	return 0;
}

/* What is true of one CertID.  ICERT_E_NOT_FOUND: never issued, and policy says nothing of such. */
static int
question_fill(const struct live *l, const struct live_ca *ca, const struct ocsp_certid *id, int64_t now,
    struct ocsp_question *q, uint8_t serial[16])
{
	struct status_record r;
	int64_t until = now + LIVE_VALIDITY;
	int found;

	if (id->serial_len > 16 && !ca->extended_revoke)
		return ICERT_E_NOT_FOUND;
	memset(q, 0, sizeof(*q));
	q->hash = id->algorithm == STATUS_SHA1 ? OCSP_SHA1 : OCSP_SHA256;
	q->single.serial = id->serial;
	q->single.serial_len = id->serial_len;
	q->single.this_update = now;
	found = 0;
	if (id->serial_len <= 16) {
		memset(serial, 0, 16);
		memcpy(serial + 16 - id->serial_len, id->serial, id->serial_len);
		found = segments_find(&l->segments, (size_t)(ca - l->ca), serial, &r);
	}
	if (found < 0 || (found == 0 && !ca->extended_revoke))
		return found < 0 ? found : ICERT_E_NOT_FOUND;
	/* As long as the stored answer: whoever asks with a nonce gets no staler one. */
	if (found && r.next_update > now && r.next_update != STATUS_NEVER)
		until = r.next_update;
	q->single.next_update = until < ca->template.responder_not_after ? until : ca->template.responder_not_after;
	if (found && ca->ended && r.next_update == STATUS_NEVER && r.state != STATUS_PENDING)
		q->single.next_update = STATUS_NEVER;
	q->single.not_issued = !found;
	if (!found)
		return 0;
	q->single.ended = has_ended(&r);
	if (r.state != STATUS_GOOD) {
		q->single.revoked = 1;
		q->single.reason = r.reason == STATUS_NO_REASON ? CRL_REASON_UNSPECIFIED : r.reason;
		q->single.revoked_at = r.revoked_at != 0 && r.revoked_at < now ? r.revoked_at : now;
	}
	return 0;
}

/* Is it its nonce alone that makes a question one for us, and policy one that ignores it? */
static int
nonce_ignored(const struct live_ca *ca, const struct ocsp_request *request, const struct ocsp_question *question)
{
	return ca->ignore_nonce && request->nonce != NULL && request->count == 1 && !question[0].single.not_issued;
}

static int
sign(struct live *l, const struct live_ca *ca, const struct ocsp_request *request, const struct ocsp_question *question,
    struct buf *out)
{
	struct status_signature signature;
	uint8_t digest[1][32];
	int echo = !ca->ignore_nonce && request->nonce != NULL && request->nonce_len >= OCSP_NONCE_ECHO_MIN &&
	    request->nonce_len <= OCSP_NONCE_ECHO_MAX;
	int error;

	buf_reset(&l->data);
	if ((error = ocsp_live_data(&ca->template, question, request->count, echo ? request->nonce_value : NULL,
	    request->nonce_value_len, &l->data, digest[0])) != 0 ||
	    (error = status_signer_sign_as(&l->signer, ca->template.certificate_sha256, 1, (const uint8_t (*)[32])digest,
	    &signature)) != 0 ||
	    (error = ocsp_answer_head(&ca->template, l->data.p, l->data.len, signature.bytes, signature.len, out)) != 0)
		return error;
	buf_put(out, ca->template.tail.p, ca->template.tail.len);
	return buf_error(out);
}

/* Of another CA, whatever we know of it: this responder cannot speak for it. */
static void
question_foreign(const struct live_ca *ca, const struct ocsp_certid *id, int64_t now, struct ocsp_question *q)
{
	int64_t until = now + LIVE_VALIDITY;

	memset(q, 0, sizeof(*q));
	q->foreign = id->octets;
	q->foreign_len = id->len;
	q->single.this_update = now;
	q->single.next_update = until < ca->template.responder_not_after ? until : ca->template.responder_not_after;
}

/* All CertIDs of one question, by the responder of this CA. */
static int
compose(struct live *l, struct live_ca *ca, const struct ocsp_request *request, int64_t now, struct buf *out)
{
	struct ocsp_question question[OCSP_CERTIDS_MAX];
	uint8_t serial[OCSP_CERTIDS_MAX][16];
	unsigned i;
	int error = 0;

	for (i = 0; i < request->count && error == 0; i++) {
		if (ca_of(l, &request->certid[i]) == ca)
			error = question_fill(l, ca, &request->certid[i], now, &question[i], serial[i]);
		else
			question_foreign(ca, &request->certid[i], now, &question[i]);
	}
	if (error == 0 && nonce_ignored(ca, request, question))
		return ICERT_E_STATE;
	return error != 0 ? error : sign(l, ca, request, question, out);
}

int
live_compose(struct live *l, const uint8_t *octets, size_t len, int64_t now, struct buf *out)
{
	static const uint8_t unauthorized[] = { 0x30, 0x03, 0x0A, 0x01, 0x06 };
	struct ocsp_request request;
	struct live_ca *ca = NULL;
	size_t i;
	int error;

	if ((error = ocsp_request_parse(&request, octets, len)) != 0 || (error = refresh(l, now)) != 0)
		return error;
	for (i = 0; i < l->cas; i++)
		if (!l->ca[i].has_template && (error = load_template(l, &l->ca[i])) != 0)
			return error;
	for (i = 0; i < request.count && ca == NULL; i++)
		ca = ca_of(l, &request.certid[i]);
	if (ca == NULL)
		error = ICERT_E_NOT_FOUND;
	else
		error = compose(l, ca, &request, now, out);
	if (error == ICERT_E_MISMATCH) {
		/* The responder's key was changed: once more, with its certificate. */
		buf_reset(out);
		if ((error = load_template(l, ca)) == 0)
			error = compose(l, ca, &request, now, out);
	}
	if (error == ICERT_E_NOT_FOUND)
		buf_put(out, unauthorized, sizeof(unauthorized));
	return error;
}

void
live_answer(struct live *l, struct FCGX_Request *request)
{
	const char *encoded = FCGX_GetParam("ICERT_OCSP_REQUEST", request->envp);
	uint8_t octets[OCSP_REQUEST_MAX];
	long n = encoded == NULL ? ICERT_E_MISSING : ocsp_request_from_path(encoded, strlen(encoded), octets, sizeof(octets), NULL);
	int error = n < 0 ? (int)n : 0;

	/* The next one has its own. */
	log_request(FCGX_GetParam("ICERT_REQUEST_ID", request->envp));
	buf_reset(&l->head);
	if (error == 0)
		error = live_compose(l, octets, (size_t)n, clock_real(), &l->head);
	/* The edge sends what is stored, and counts it; why, only we know.  A policy that ignores nonces is no failure. */
	if (error != 0 && error != ICERT_E_NOT_FOUND && error != ICERT_E_STATE)
		log_warn("live_failed", "%s", icert_err_code(error));
	if (error != 0 && error != ICERT_E_NOT_FOUND) {
		FCGX_FPrintF(request->out, "Status: 503\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	FCGX_FPrintF(request->out, "Content-Type: application/ocsp-response\r\nContent-Length: %d\r\nCache-Control: %s\r\n\r\n",
	    (int)l->head.len, error == 0 ? "max-age=0, must-revalidate" : "no-store");
	FCGX_PutStr((const char *)l->head.p, (int)l->head.len, request->out);
}
