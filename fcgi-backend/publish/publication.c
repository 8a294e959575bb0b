#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "pki/keyfile.h"
#include "publish/publication_private.h"

#define DER_MAX (64u << 20)
#define BASE_WAIT_MS 100	/* while one is being built */
#define BASE_FIRST_MS 10	/* while nothing is in place before it is */

static const char *const step_names[STEPS] = { "responder", "database", "answers", "base", "crl", "write", "edge", "journal" };

const char *
publication_step_name(enum step step)
{
	return step_names[step];
}

int
publication_note(struct publication *p, enum step step, int error, const char *detail)
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

int
publication_read(const struct config *config, const char *name, struct buf *out)
{
	char path[PUBLICATION_PATH];
	int error;

	snprintf(path, sizeof(path), "%s/%s", config_require(config, "paths", "ca"), name);
	if ((error = keyfile_read(path, DER_MAX, out)) != 0)
		log_error("publish_start", "%s: %s", path, icert_err_code(error));
	return error;
}

static int
read_seed(struct publication *p)
{
	char path[PUBLICATION_PATH];
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
	char path[PUBLICATION_PATH];
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

/* A folder of yesterday: the edge has had later ones, and takes none again until one goes beyond them.  Without an edge here there is nothing to read. */
static void
read_high_water(struct publication *p)
{
	const char *path = config_get(p->config, "paths", "edge_high_water");
	struct buf text = BUF_INIT;
	uint64_t epoch = 0;
	char end;

	if (path == NULL || keyfile_read(path, 24, &text) != 0)
		return;
	buf_putc(&text, '\0');
	if (buf_error(&text) == 0 && sscanf((const char *)text.p, "%20" SCNu64 "%c", &epoch, &end) >= 1 && epoch <= INT64_MAX / 2 &&
	    epoch > p->manifest.epoch) {
		if (p->has_manifest)
			log_warn("epoch_behind", "%" PRIu64 " is in place, %" PRIu64 " was taken by the edge", p->manifest.epoch, epoch);
		p->edge_epoch = epoch;
		p->dirty = 1;
	}
	buf_free(&text);
}

static void
read_policy(struct publication *p)
{
	const struct config *c = p->config;

	p->validity = config_int(c, "status", "answer_validity", 86400, 60, 30 * 86400);
	p->refresh = config_int(c, "status", "answer_refresh", 43200, 1, 30 * 86400);
	p->crl_validity = config_int(c, "status", "crl_validity", 604800, 3600, 7 * 86400);
	p->crl_refresh = config_int(c, "status", "crl_refresh", 86400, 60, 7 * 86400);
	p->beat = config_int(c, "status", "beat", 10, 1, 3600);
	p->hashes = ANSWERS_SHA1 | (config_int(c, "status", "answer_sha256", 1, 0, 1) ? ANSWERS_SHA256 : 0);
	p->threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	p->rotate = config_int(c, "ca", "responder_days", 30, 1, 30) * 86400 / 3;
}

int
publication_open(struct publication **out, const struct config *config, int admin)
{
	struct publication *p = calloc(1, sizeof(*p));
	int error;

	if (p == NULL)
		return ICERT_E_MEMORY;
	pthread_mutex_init(&p->lock, NULL);
	publication_come_back(p);
	p->admin = admin;
	p->asker = -1;
	p->config = config;
	p->dirfd = -1;
	read_policy(p);
	keyclient_init(&p->signer, config_require(config, "sockets", "signer-publisher"));
	keyclient_init(&p->status_signer, config_require(config, "sockets", "status-signer-publisher"));
	error = config_conninfo(config, "publisher", p->conninfo, sizeof(p->conninfo)) == 0 ? 0 : ICERT_E_CONFIG;
	if (error == 0 && ((p->db = db_open(p->conninfo)) == NULL || (p->listener = db_open(p->conninfo)) == NULL))
		error = ICERT_E_MEMORY;
	if (error == 0 && (error = publication_read(config, "raiz.cer", &p->root)) == 0 &&
	    (error = publication_read(config, "raiz.crl", &p->arl)) == 0 &&
	    (error = read_seed(p)) == 0 && (error = read_manifest(p)) == 0) {
		read_high_water(p);
		error = publication_cas_open(p);
	}
	if (error == 0)
		error = publication_stopper_open(p);
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
	publication_leave(p);
	publication_stopper_close(p);
	pthread_mutex_destroy(&p->lock);
	keyclient_close(&p->signer);
	keyclient_close(&p->status_signer);
	db_close(p->db);
	db_close(p->listener);
	base_free(p->base);
	segments_close(&p->segments);
	answers_free(&p->answers);
	publication_cas_free(p);
	buf_free(&p->root);
	buf_free(&p->arl);
	if (p->dirfd >= 0)
		close(p->dirfd);
	bytes_wipe(p->seed, sizeof(p->seed));
	free(p);
}

void
publication_leave(struct publication *p)
{
	pthread_mutex_unlock(&p->lock);
}

void
publication_come_back(struct publication *p)
{
	pthread_mutex_lock(&p->lock);
}

int
publication_heard(struct publication *p)
{
	char channel[64];
	int heard = 0;

	if (!p->listening)
		p->listening = db_listen(p->listener, PUBLICATION_CHANNEL) == 0;
	if (p->listening && (heard = db_wait(p->listener, 0, channel, sizeof(channel))) < 0)
		p->listening = 0;
	return heard > 0;
}

void
publication_wait(struct publication *p, int ms)
{
	char channel[64];
	int heard;

	if (p->base != NULL)
		ms = publication_has_base(p) ? BASE_WAIT_MS : BASE_FIRST_MS;
	publication_leave(p);
	/* What was announced while the round went on is read already and would wake no poll. */
	heard = p->heard || publication_heard(p);
	publication_come_back(p);
	p->heard = 0;
	if (heard)
		return;
	if (publication_asked_wait(p, ms, p->listening ? db_fd(p->listener) : -1) && db_wait(p->listener, 0, channel, sizeof(channel)) < 0)
		p->listening = 0;
}


/* The root's list comes from a ceremony, now and then: it is read when the file is another one. */
static void
look_at_arl(struct publication *p)
{
	struct buf fresh = BUF_INIT;
	char path[PUBLICATION_PATH];
	int64_t from, until;
	struct stat st;

	snprintf(path, sizeof(path), "%s/raiz.crl", config_require(p->config, "paths", "ca"));
	if (stat(path, &st) != 0 || (int64_t)st.st_ino == p->arl_seen)
		return;
	p->arl_seen = (int64_t)st.st_ino;
	if (publication_read(p->config, "raiz.crl", &fresh) == 0) {
		publication_crl_times(&fresh, &from, &until);
		if (from == 0) {
			log_error("publish_start", "%s is no list", path);
		} else if (fresh.len != p->arl.len || memcmp(fresh.p, p->arl.p, fresh.len) != 0) {
			buf_free(&p->arl);
			p->arl = fresh;
			p->dirty = 1;
			return;
		}
	}
	buf_free(&fresh);
}

/* What the signer remembers, then new lists: one that leaves out what was signed as revoked would be refused. */
static int
lists(struct publication *p, int64_t now)
{
	int error = publication_remember(p);

	return error != 0 ? error : publication_crl(p, now);
}

void
publication_round(struct publication *p)
{
	int64_t now = clock_real();
	int error = 0;

	look_at_arl(p);
	publication_responders(p, now);
	if (publication_can_sign(p)) {
		publication_map(p);
		publication_note(p, STEP_DATABASE, publication_take(p), db_detail(p->db));
		/* A first list before the first set, any other when nobody waits for it to be told "revoked". */
		if (p->loaded && (!p->remembered || !publication_has_base(p)))
			publication_note(p, STEP_CRL, lists(p, now), p->signer.detail);
		publication_note(p, STEP_BASE, publication_base(p, now), "");
		if (p->last[STEP_BASE] == ICERT_E_MISMATCH || p->last[STEP_BASE] == ICERT_E_STATE)
			publication_responders_forget(p);
		if (p->loaded && publication_has_base(p)) {
			p->stoppable = 1;
			if ((error = publication_settle(p, now)) == 0)
				error = publication_changes(p, now);
			publication_note(p, STEP_ANSWERS, error, p->status_signer.detail);
			error = publication_compact(p, now);
			if (p->last[STEP_ANSWERS] == ICERT_E_MISMATCH || p->last[STEP_ANSWERS] == ICERT_E_STATE)
				publication_responders_forget(p);
			if (p->remembered)
				publication_note(p, STEP_CRL, publication_crl(p, now), p->signer.detail);
		}
	}
	publication_note(p, STEP_WRITE, error != 0 ? error : publication_beat(p, now), "");
	if (p->n > 0 && publication_has_base(p))
		publication_confirm(p, now);
	/* Nobody's change waits for it. */
	if (p->n == 0 && p->loaded && p->last[STEP_DATABASE] == 0)
		publication_note(p, STEP_JOURNAL, publication_witness(p, now), p->signer.detail);
	publication_asked_round(p);
}

int
publication_stands(const struct publication *p)
{
	return p->loaded && p->last[STEP_DATABASE] == 0 && p->last[STEP_WRITE] == 0 && publication_has_base(p);
}
