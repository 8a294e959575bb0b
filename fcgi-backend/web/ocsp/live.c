#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <openssl/evp.h>

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

int
live_open(struct live *l, const struct config *config)
{
	char path[PATH];
	int error;

	memset(l, 0, sizeof(*l));
	keyclient_init(&l->signer, config_require(config, "sockets", "status-signer-ocsp"));
	l->stale_hard = config_int(config, "status", "stale_hard", STALE_HARD, 60, 30 * 86400);
	l->dirfd = open(config_require(config, "paths", "status"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->segments.dirfd = l->dirfd;
	snprintf(path, sizeof(path), "%s/manifest.pub", config_require(config, "paths", "pins"));
	error = l->dirfd < 0 ? ICERT_E_SYSTEM : keyfile_read_exact(path, l->seal_key, sizeof(l->seal_key));
	snprintf(path, sizeof(path), "%s/emisora.cer", config_require(config, "paths", "ca"));
	if (error == 0)
		error = keyfile_read(path, DER_MAX, &l->issuer);
	if (error != 0)
		log_error("ocsp_start", "%s: %s", path, icert_err_code(error));
	return error;
}

/* The responder's certificate: every answer carries it, so it is asked for again when the signer has another. */
static int
load_template(struct live *l)
{
	struct buf certificate = BUF_INIT, spki = BUF_INIT;
	struct ocsp_template fresh;
	int error;

	error = status_signer_info(&l->signer, ISSUER_FIRST, &certificate, &spki);
	if (error == 0 && certificate.len == 0)
		error = ICERT_E_UNAVAILABLE;
	if (error == 0 && (error = ocsp_template_init(&fresh, l->issuer.p, l->issuer.len, certificate.p, certificate.len)) == 0) {
		if (l->has_template)
			ocsp_template_free(&l->template);
		l->template = fresh;
		l->has_template = 1;
		if (EVP_Digest(certificate.p, certificate.len, l->certificate_sha256, NULL, EVP_sha256(), NULL) != 1)
			error = ICERT_E_CRYPTO;
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
		if ((error = segments_open(&segments, l->dirfd, &fresh, &l->template)) != 0)
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

	if (!l->has_template && (error = load_template(l)) != 0)
		return error;
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

/* What is true of one CertID.  ICERT_E_NOT_FOUND: not one of ours. */
static int
question_fill(const struct live *l, const struct ocsp_certid *id, int64_t now, struct ocsp_question *q, uint8_t serial[16])
{
	struct status_record r;
	size_t hash_len;
	int64_t until = now + LIVE_VALIDITY;
	int found;

	if (id->algorithm < 0 || id->serial_len > 16)
		return ICERT_E_NOT_FOUND;
	q->hash = id->algorithm == STATUS_SHA1 ? OCSP_SHA1 : OCSP_SHA256;
	hash_len = q->hash == OCSP_SHA1 ? 20 : 32;
	if (memcmp(id->name_hash, l->template.name_hash[q->hash], hash_len) != 0 ||
	    memcmp(id->key_hash, l->template.key_hash[q->hash], hash_len) != 0)
		return ICERT_E_NOT_FOUND;
	memset(serial, 0, 16);
	memcpy(serial + 16 - id->serial_len, id->serial, id->serial_len);
	if ((found = segments_find(&l->segments, serial, &r)) <= 0)
		return found < 0 ? found : ICERT_E_NOT_FOUND;
	memset(&q->single, 0, sizeof(q->single));
	q->single.serial = serial;
	q->single.serial_len = 16;
	q->single.this_update = now;
	/* As long as the stored answer: whoever asks with a nonce gets no staler one. */
	if (r.next_update > now && r.next_update != STATUS_NEVER)
		until = r.next_update;
	q->single.next_update = until < l->template.responder_not_after ? until : l->template.responder_not_after;
	if (r.state != STATUS_GOOD) {
		q->single.revoked = 1;
		q->single.reason = r.reason == STATUS_NO_REASON ? CRL_REASON_UNSPECIFIED : r.reason;
		q->single.revoked_at = r.revoked_at != 0 && r.revoked_at < now ? r.revoked_at : now;
	}
	return 0;
}

static int
sign(struct live *l, const struct ocsp_request *request, const struct ocsp_question *question, struct buf *out)
{
	struct status_signature signature;
	uint8_t digest[1][32];
	int echo = request->nonce != NULL && request->nonce_len >= OCSP_NONCE_ECHO_MIN &&
	    request->nonce_len <= OCSP_NONCE_ECHO_MAX;
	int error;

	buf_reset(&l->data);
	if ((error = ocsp_live_data(&l->template, question, request->count, echo ? request->nonce_value : NULL,
	    request->nonce_value_len, &l->data, digest[0])) != 0 ||
	    (error = status_signer_sign_as(&l->signer, l->certificate_sha256, 1, (const uint8_t (*)[32])digest,
	    &signature)) != 0 ||
	    (error = ocsp_answer_head(&l->template, l->data.p, l->data.len, signature.bytes, signature.len, out)) != 0)
		return error;
	buf_put(out, l->template.tail.p, l->template.tail.len);
	return buf_error(out);
}

int
live_compose(struct live *l, const uint8_t *octets, size_t len, int64_t now, struct buf *out)
{
	static const uint8_t unauthorized[] = { 0x30, 0x03, 0x0A, 0x01, 0x06 };
	struct ocsp_question question[OCSP_CERTIDS_MAX];
	uint8_t serial[OCSP_CERTIDS_MAX][16];
	struct ocsp_request request;
	unsigned i, tries;
	int error;

	if ((error = ocsp_request_parse(&request, octets, len)) != 0 || (error = refresh(l, now)) != 0)
		return error;
	for (tries = 0;; tries++) {
		for (i = 0; i < request.count && error == 0; i++)
			error = question_fill(l, &request.certid[i], now, &question[i], serial[i]);
		if (error == 0)
			error = sign(l, &request, question, out);
		if (error != ICERT_E_MISMATCH || tries > 0)
			break;
		/* The responder's key was changed: once more, with its certificate. */
		buf_reset(out);
		error = load_template(l);
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

	buf_reset(&l->head);
	if (error == 0)
		error = live_compose(l, octets, (size_t)n, clock_real(), &l->head);
	if (error != 0 && error != ICERT_E_NOT_FOUND) {
		FCGX_FPrintF(request->out, "Status: 503\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	FCGX_FPrintF(request->out, "Content-Type: application/ocsp-response\r\nContent-Length: %d\r\nCache-Control: %s\r\n\r\n",
	    (int)l->head.len, error == 0 ? "max-age=0, must-revalidate" : "no-store");
	FCGX_PutStr((const char *)l->head.p, (int)l->head.len, request->out);
}
