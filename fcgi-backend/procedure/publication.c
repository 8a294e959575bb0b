#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "crypt/signer.h"
#include "crypt/status_signer.h"
#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "libicert/status_write.h"
#include "pki/keyfile.h"
#include "procedure/edge_probe.h"
#include "procedure/publication.h"
#include "procedure/status_change.h"

#define PATH 512
#define CHANGES 500
#define DER_MAX (64u << 20)
#define CRL_COALESCE 10		/* seconds between two CRLs that revocations cause */
#define PROBE_ROUNDS 30
#define PROBE_PAUSE_MS 100
#define RETRY_S 5		/* between two attempts at a responder's certificate */

/* What a step last ended with: an error is told when it begins, when it changes and when it ends. */
enum step { STEP_RESPONDER, STEP_DATABASE, STEP_ANSWERS, STEP_CRL, STEP_WRITE, STEP_EDGE, STEPS };
static const char *const step_names[STEPS] = { "responder", "database", "answers", "crl", "write", "edge" };

struct publication {
	const struct config *config;
	struct db *db, *listener;
	int listening;
	struct keyclient signer, status_signer;
	struct buf issuer, root, arl;
	struct edge_probe *probe;
	int dirfd;
	uint8_t seed[STATUS_SEAL_KEY];

	int64_t validity, refresh, crl_validity, crl_refresh, beat, rotate;	/* seconds */

	struct ocsp_template template;
	int has_template;
	int64_t responder_tried;

	struct status_set *set;
	int loaded;			/* the set holds what the database said */
	struct status_change changes[CHANGES];
	size_t n;			/* changes not seen at the edge yet */

	struct status_crl crl;
	struct buf crl_der;
	int crl_owed;			/* a revocation is not in the CRL */

	struct status_manifest manifest, before;
	int has_manifest;
	int dirty;			/* set or CRL differ from what the manifest names */
	int last[STEPS];
};

static int
note(struct publication *p, enum step step, int error, const char *detail)
{
	if (error != p->last[step]) {
		if (error != 0)
			log_error("publish_failed", "%s: %s %s", step_names[step], icert_err_code(error), detail);
		else
			log_info("publish_recovered", "%s", step_names[step]);
		p->last[step] = error;
	}
	return error;
}

static int
read_ca(const struct config *config, const char *name, struct buf *out)
{
	char path[PATH];
	int error;

	snprintf(path, sizeof(path), "%s/%s", config_require(config, "paths", "ca"), name);
	if ((error = keyfile_read(path, DER_MAX, out)) != 0)
		log_error("publish_start", "%s: %s", path, icert_err_code(error));
	return error;
}

static int
read_seed(struct publication *p)
{
	char path[PATH];
	int error;

	snprintf(path, sizeof(path), "%s/manifest.key", config_require(p->config, "paths", "publisher_dir"));
	if ((error = keyfile_read_exact(path, p->seed, sizeof(p->seed))) != 0)
		log_error("publish_start", "%s: %s", path, icert_err_code(error));
	return error;
}

/* The manifest in place, if there is one of ours: its epoch goes on. */
static int
read_manifest(struct publication *p)
{
	const char *folder = config_require(p->config, "paths", "status");
	uint8_t public[STATUS_SEAL_KEY];
	struct buf bytes = BUF_INIT;
	char path[PATH];
	int error;

	if ((p->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		log_error("publish_start", "%s is not there", folder);
		return ICERT_E_SYSTEM;
	}
	snprintf(path, sizeof(path), "%s/%s", folder, STATUS_MANIFEST_FILE);
	error = keyfile_read(path, STATUS_MANIFEST_MAX, &bytes);
	if (error == 0 && (error = status_seal_public(p->seed, public)) == 0 &&
	    (error = status_manifest_read(&p->manifest, bytes.p, bytes.len, public)) == 0)
		p->has_manifest = 1;
	if (!p->has_manifest)
		memset(&p->manifest, 0, sizeof(p->manifest));
	if (error != 0 && error != ICERT_E_NOT_FOUND)
		log_warn("publish_start", "the manifest in place is not ours: %s", icert_err_code(error));
	buf_free(&bytes);
	return 0;
}

static void
read_policy(struct publication *p)
{
	const struct config *c = p->config;

	p->validity = config_int(c, "status", "answer_validity", 86400, 60, 30 * 86400);
	p->refresh = config_int(c, "status", "answer_refresh", 43200, 30, 30 * 86400);
	p->crl_validity = config_int(c, "status", "crl_validity", 604800, 3600, 7 * 86400);
	p->crl_refresh = config_int(c, "status", "crl_refresh", 86400, 60, 7 * 86400);
	p->beat = config_int(c, "status", "beat", 10, 1, 3600);
	p->rotate = config_int(c, "ca", "responder_days", 30, 1, 30) * 86400 / 3;
}

int
publication_open(struct publication **out, const struct config *config)
{
	struct publication *p = calloc(1, sizeof(*p));
	char conninfo[PATH];
	int error;

	if (p == NULL)
		return ICERT_E_MEMORY;
	p->config = config;
	p->dirfd = -1;
	read_policy(p);
	keyclient_init(&p->signer, config_require(config, "sockets", "signer-publisher"));
	keyclient_init(&p->status_signer, config_require(config, "sockets", "status-signer-publisher"));
	error = config_conninfo(config, "publisher", conninfo, sizeof(conninfo)) == 0 ? 0 : ICERT_E_CONFIG;
	if (error == 0 && ((p->db = db_open(conninfo)) == NULL || (p->listener = db_open(conninfo)) == NULL ||
	    (p->set = status_set_new()) == NULL))
		error = ICERT_E_MEMORY;
	if (error == 0 && (error = read_ca(config, "emisora.cer", &p->issuer)) == 0 &&
	    (error = read_ca(config, "raiz.cer", &p->root)) == 0 && (error = read_ca(config, "raiz.crl", &p->arl)) == 0 &&
	    (error = read_seed(p)) == 0 && (error = read_manifest(p)) == 0)
		error = edge_probe_open(&p->probe, config_require(config, "public", "ocsp_url"), p->issuer.p, p->issuer.len,
		    p->root.p, p->root.len);
	if (error != 0) {
		publication_free(p);
		return error;
	}
	*out = p;
	return 0;
}

void
publication_free(struct publication *p)
{
	if (p == NULL)
		return;
	keyclient_close(&p->signer);
	keyclient_close(&p->status_signer);
	db_close(p->db);
	db_close(p->listener);
	edge_probe_free(p->probe);
	status_set_free(p->set);
	if (p->has_template)
		ocsp_template_free(&p->template);
	buf_free(&p->issuer);
	buf_free(&p->root);
	buf_free(&p->arl);
	buf_free(&p->crl_der);
	if (p->dirfd >= 0)
		close(p->dirfd);
	bytes_wipe(p->seed, sizeof(p->seed));
	free(p);
}

void
publication_wait(struct publication *p, int ms)
{
	struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
	char channel[64];

	if (!p->listening)
		p->listening = db_listen(p->listener, "icert_status") == 0;
	if (p->listening && db_wait(p->listener, ms, channel, sizeof(channel)) >= 0)
		return;
	p->listening = 0;
	nanosleep(&pause, NULL);
}

/* Takes a responder's certificate into use for answers. */
static int
use_responder(struct publication *p, const struct buf *certificate)
{
	struct ocsp_template fresh;
	int error;

	error = ocsp_template_init(&fresh, p->issuer.p, p->issuer.len, certificate->p, certificate->len);
	if (error != 0)
		return error;
	if (p->has_template)
		ocsp_template_free(&p->template);
	p->template = fresh;
	p->has_template = 1;
	status_set_template(p->set, &p->template);
	p->dirty = 1;
	return 0;
}

/* A new key in the status signer, a certificate for it from the signer. */
static int
new_responder(struct publication *p)
{
	struct buf spki = BUF_INIT, proof = BUF_INIT, certificate = BUF_INIT;
	int error;

	if ((error = status_signer_new_key(&p->status_signer, &spki, &proof)) == 0 &&
	    (error = signer_responder(&p->signer, spki.p, spki.len, proof.p, proof.len, &certificate)) == 0 &&
	    (error = status_signer_install_certificate(&p->status_signer, certificate.p, certificate.len)) == 0 &&
	    (error = use_responder(p, &certificate)) == 0)
		log_info("responder_new", "answers until %lld", (long long)p->template.responder_not_after);
	buf_free(&spki);
	buf_free(&proof);
	buf_free(&certificate);
	return error;
}

static void
responder(struct publication *p, int64_t now)
{
	struct buf certificate = BUF_INIT, spki = BUF_INIT;
	int error = 0;

	if (p->has_template && p->template.responder_not_after - now > p->rotate)
		return;
	if (p->responder_tried > now - RETRY_S)
		return;
	p->responder_tried = now;
	if (!p->has_template) {
		error = status_signer_info(&p->status_signer, &certificate, &spki);
		if (error == 0 && certificate.len > 0)
			error = use_responder(p, &certificate);
		else if (error == ICERT_E_STATE)
			error = 0;
	}
	if (error == 0 && (!p->has_template || p->template.responder_not_after - now <= p->rotate))
		error = new_responder(p);
	note(p, STEP_RESPONDER, error, p->signer.detail);
	buf_free(&certificate);
	buf_free(&spki);
}

static int
same(const struct status_set_record *a, const struct status_set_record *b)
{
	return a != NULL && a->revoked == b->revoked && a->reason == b->reason && a->revoked_at == b->revoked_at;
}

/* What is new in the database goes into the set. */
static int
take_changes(struct publication *p)
{
	size_t i;
	int error;

	if (!p->loaded) {
		error = status_change_crl(p->db, &p->crl, &p->crl_der);
		if (error != 0 && error != ICERT_E_NOT_FOUND)
			return error;
		if ((error = status_change_load(p->db, p->set)) != 0)
			return error;
		p->loaded = p->dirty = p->crl_owed = 1;
	}
	p->n = CHANGES;
	if ((error = status_change_open(p->db, p->changes, &p->n)) != 0) {
		p->n = 0;
		return error;
	}
	for (i = 0; i < p->n; i++) {
		if (same(status_set_find(p->set, p->changes[i].record.serial), &p->changes[i].record))
			continue;
		error = status_set_put(p->set, &p->changes[i].record);
		if (error == ICERT_E_STATE)
			log_error("status_refused", "certificate %s was revoked and stays revoked", p->changes[i].certificate);
		else if (error != 0)
			return error;
		p->dirty = 1;
		p->crl_owed |= p->changes[i].record.revoked;
	}
	return 0;
}

static int
sign_digests(void *ctx, size_t n, const uint8_t digest[][32], struct status_set_signature *out)
{
	static struct status_signature signatures[STATUS_BATCH];
	struct publication *p = ctx;
	size_t i;
	int error;

	if ((error = status_signer_sign(&p->status_signer, n, digest, signatures)) != 0)
		return error;
	for (i = 0; i < n; i++) {
		out[i].len = signatures[i].len;
		memcpy(out[i].bytes, signatures[i].bytes, signatures[i].len);
	}
	return 0;
}

static int
answers(struct publication *p, int64_t now)
{
	if (status_set_stale(p->set, now - p->refresh) == 0)
		return 0;
	p->dirty = 1;
	return status_set_sign(p->set, now, p->validity, now - p->refresh, sign_digests, p);
}

static int
crl(struct publication *p, int64_t now)
{
	struct crl_entry *entries = NULL;
	struct status_crl fresh = p->crl;
	struct buf der = BUF_INIT;
	size_t n = 0;
	int error;

	if (p->crl.number != 0 && now - p->crl.this_update < p->crl_refresh &&
	    !(p->crl_owed && now - p->crl.this_update >= CRL_COALESCE))
		return 0;
	/* The clock's seconds keep numbers growing even after a restore of the database. */
	fresh.number = p->crl.number + 1 > now ? p->crl.number + 1 : now;
	fresh.this_update = now;
	fresh.next_update = now + p->crl_validity;
	if ((error = status_set_revoked(p->set, p->crl.this_update, &entries, &n)) == 0 &&
	    (error = signer_crl(&p->signer, "issuing", (uint64_t)fresh.number, fresh.this_update, fresh.next_update,
	    entries, n, &der)) == 0) {
		buf_free(&p->crl_der);
		p->crl_der = der;
		buf_init(&der);
		p->crl = fresh;
		p->crl_owed = 0;
		p->dirty = 1;
		/* Without the database it goes out all the same. */
		note(p, STEP_DATABASE, status_change_crl_add(p->db, &fresh, n, &p->crl_der), "crl row");
	}
	free(entries);
	buf_free(&der);
	return error;
}

/* The entry of a file that does not change from one set to the next; written when it is new. */
static int
put_file(struct publication *p, struct status_manifest *m, enum status_kind kind, const char *name, const struct buf *der,
    int64_t this_update, int64_t next_update)
{
	const struct status_entry *old = status_manifest_entry(&p->manifest, name);
	uint8_t digest[STATUS_DIGEST];
	char file[STATUS_FILE_MAX + 1], hex[17];

	if (EVP_Digest(der->p, der->len, digest, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	if (old != NULL && memcmp(old->digest, digest, sizeof(digest)) == 0) {
		m->entry[m->count++] = *old;
		return 0;
	}
	bytes_to_hex(hex, digest, 8);
	snprintf(file, sizeof(file), "%s-%s", name, hex);
	return status_write_file(p->dirfd, kind, name, file, der->p, der->len, this_update, next_update,
	    &m->entry[m->count++]);
}

/* Files of the folder that neither this manifest nor the one before names. */
static void
sweep(struct publication *p)
{
	const struct status_manifest *kept[] = { &p->manifest, &p->before };
	int fd = dup(p->dirfd), keep;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	uint32_t k, i;

	if (dir == NULL)
		return;
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL) {
		keep = d->d_name[0] == '.' || strcmp(d->d_name, STATUS_MANIFEST_FILE) == 0;
		for (k = 0; k < 2 && !keep; k++)
			for (i = 0; i < kept[k]->count && !keep; i++)
				keep = strcmp(kept[k]->entry[i].file, d->d_name) == 0;
		if (!keep)
			unlinkat(p->dirfd, d->d_name, 0);
	}
	closedir(dir);
}

/* Times of the root's list, for its entry. */
static void
arl_times(const struct buf *der, int64_t *this_update, int64_t *next_update)
{
	const uint8_t *at = der->p;
	X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der->len);
	struct tm from, until;

	*this_update = *next_update = 0;
	if (list != NULL && ASN1_TIME_to_tm(X509_CRL_get0_lastUpdate(list), &from) == 1 &&
	    ASN1_TIME_to_tm(X509_CRL_get0_nextUpdate(list), &until) == 1) {
		*this_update = (int64_t)timegm(&from);
		*next_update = (int64_t)timegm(&until);
	}
	X509_CRL_free(list);
}

static int
write_set(struct publication *p, int64_t now)
{
	struct status_manifest m = { .epoch = p->manifest.epoch + 1, .heartbeat = now };
	char file[STATUS_FILE_MAX + 1];
	int64_t from, until;
	int error;

	snprintf(file, sizeof(file), "base-%016" PRIx64 "-%08" PRIx64, m.epoch, (uint64_t)now);
	arl_times(&p->arl, &from, &until);
	if ((error = status_set_write(p->set, p->dirfd, file, m.epoch, &m.entry[m.count++])) != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CRL, "icert.crl", &p->crl_der, p->crl.this_update, p->crl.next_update)) != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CRL, "raiz.crl", &p->arl, from, until)) != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CA, "emisora.cer", &p->issuer, 0, 0)) != 0 ||
	    (error = put_file(p, &m, STATUS_KIND_CA, "raiz.cer", &p->root, 0, 0)) != 0 ||
	    (error = status_manifest_write(p->dirfd, &m, p->seed)) != 0)
		return error;
	p->before = p->manifest;
	p->manifest = m;
	p->has_manifest = 1;
	p->dirty = 0;
	sweep(p);
	log_info("published", "epoch %" PRIu64 ", %zu certificates", m.epoch, status_set_count(p->set));
	return 0;
}

static int
beat(struct publication *p, int64_t now)
{
	struct status_manifest m = p->manifest;
	int error;

	if (!p->has_manifest || now - m.heartbeat < p->beat)
		return 0;
	m.heartbeat = now;
	if ((error = status_manifest_write(p->dirfd, &m, p->seed)) == 0)
		p->manifest = m;
	return error;
}

/* Which of the changes does the edge answer with?  Those go to the front; how many. */
static size_t
seen_at_edge(struct publication *p, int *error)
{
	enum edge_status status, wanted;
	struct status_change swap;
	size_t i, seen = 0;

	*error = 0;
	for (i = 0; i < p->n && *error == 0; i++) {
		wanted = p->changes[i].record.revoked ? EDGE_REVOKED : EDGE_GOOD;
		if ((*error = edge_probe_ask(p->probe, p->changes[i].record.serial, &status)) != 0 || status != wanted)
			continue;
		swap = p->changes[seen];
		p->changes[seen++] = p->changes[i];
		p->changes[i] = swap;
	}
	return seen;
}

/* Asks until all are seen or the round's patience ends; what is left is taken up in the next one. */
static void
confirm(struct publication *p, int64_t now)
{
	struct timespec pause = { 0, PROBE_PAUSE_MS * 1000000L };
	size_t seen, i;
	int error = 0;

	for (i = 0; i < PROBE_ROUNDS && p->n > 0; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		seen = seen_at_edge(p, &error);
		if (seen > 0 && note(p, STEP_DATABASE, status_change_published(p->db, p->changes, seen, p->manifest.epoch,
		    now), db_detail(p->db)) != 0)
			return;
		p->n -= seen;
		memmove(p->changes, p->changes + seen, p->n * sizeof(p->changes[0]));
		if (error != 0)
			break;
	}
	if (error == 0 && p->n > 0)
		error = ICERT_E_BUSY;
	note(p, STEP_EDGE, error, "");
}

void
publication_round(struct publication *p)
{
	int64_t now = clock_real();

	responder(p, now);
	note(p, STEP_DATABASE, take_changes(p), db_detail(p->db));
	if (p->loaded && p->has_template) {
		note(p, STEP_ANSWERS, answers(p, now), p->status_signer.detail);
		note(p, STEP_CRL, crl(p, now), p->signer.detail);
	}
	if (p->dirty && p->loaded && p->has_template && p->last[STEP_ANSWERS] == 0 && p->crl_der.len > 0)
		note(p, STEP_WRITE, write_set(p, now), "");
	else
		note(p, STEP_WRITE, beat(p, now), "");
	if (p->n > 0 && p->has_manifest && !p->dirty)
		confirm(p, now);
}
