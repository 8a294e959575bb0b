/*
 * Everything signed again, as the publisher does it: its threads, the status signer's loop and pool in a process of
 * its own behind its socket, the writer, the index, what is synced and verified.
 *	resign p256|rsa2048 CERTIFICATES
 * For each line on standard input one base is made of the one before; it says "answers seconds cpu_publisher cpu_signer".
 */
#include "tests/unit/pki_fixture.h"
#include "tests/unit/key_server.h"

#include "keys/status_signer.h"
#include "publish/base.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define SOCKET "status-signer-publisher"

struct resign {
	struct fixture f;
	struct status_signer signer;
	struct ocsp_template template;
	char folder[64];
	int dirfd;
	struct status_manifest manifest;
	uint64_t epoch;
	unsigned cores;
};

static double
monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu_here(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
cpu_of(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL ||
	    fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		abort();
	fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* The responder's key and its certificate. */
static void
responder(struct resign *r, const char *kind)
{
	struct profile_name name = fixture_name("RESPONDEDOR");
	struct buf spki = BUF_INIT, tbs = BUF_INIT;
	struct responder *s = &r->signer.responder[0];
	uint8_t serial[PROFILE_SERIAL];
	int64_t now = (int64_t)time(NULL);

	s->current.key = strcmp(kind, "rsa2048") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	fixture_spki(s->current.key, &spki);
	assert_int_equal(profile_serial(serial), 0);
	assert_int_equal(profile_responder(&r->f.issuer, &name, serial, now - 300, now + 10 * 86400, spki.p, spki.len, &tbs), 0);
	fixture_sign(r->f.ca_key, &tbs, &s->certificate);
	EVP_Digest(s->certificate.p, s->certificate.len, s->certificate_sha256, NULL, EVP_sha256(), NULL);
	assert_int_equal(ocsp_template_init(&r->template, r->f.ca_der.p, r->f.ca_der.len, s->certificate.p,
	    s->certificate.len), 0);
	buf_free(&spki);
	buf_free(&tbs);
}

/* The process of the signer: its loop, its pool, its key. */
static pid_t
signer_start(struct resign *r, struct key_server *server)
{
	static const char *const names[] = { SOCKET };
	struct serve serve = { .ops = status_signer_ops, .n = status_signer_ops_n, .ctx = &r->signer };
	pid_t pid;

	bind_server(server, names, 1);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		_exit(status_signer_threads(&r->signer) == 0 && serve_run(&serve, &server->sockets) == 0 ? 0 : 1);
	}
	return pid;
}

/* The first set: certificates that are good, in the order of their serials, without answers. */
static void
seed(struct resign *r, unsigned certificates)
{
	struct status_record_in record = { .reason = STATUS_NO_REASON, .this_update = time(NULL), .next_update = STATUS_NEVER };
	struct status_writer *w;
	uint8_t serial[16];
	unsigned i, tail;

	assert_int_equal(status_writer_open(&w, r->dirfd, "first", r->epoch++, 0, 0), 0);
	assert_int_equal(answers_begin(&r->template, w, &record.issuer, &tail), 0);
	record.serial = serial;
	record.serial_len = sizeof(serial);
	memset(serial, 0x5a, sizeof(serial));
	for (i = 0; i < certificates; i++) {
		serial[0] = (uint8_t)(0x10 + (i >> 24));
		serial[1] = (uint8_t)(i >> 16);
		serial[2] = (uint8_t)(i >> 8);
		serial[3] = (uint8_t)i;
		assert_int_equal(status_writer_record(w, &record), 0);
	}
	assert_int_equal(status_writer_finish(w, SEGMENT_BASE, &r->manifest.entry[0]), 0);
	r->manifest.count = 1;
}

static void
again(struct resign *r, const char *socket)
{
	struct base_ca ca = { .template = &r->template, .number = ISSUER_FIRST };
	struct base_order order = { .socket = socket, .dirfd = r->dirfd, .manifest = &r->manifest, .ca = &ca, .cas = 1,
	    .hashes = ANSWERS_SHA1 | ANSWERS_SHA256, .threads = r->cores, .now = time(NULL), .validity = 86400,
	    .resume_within = 0, .epoch = r->epoch++ };
	struct timespec pause = { 0, 1000000 };
	struct status_entry entry;
	struct base *base;
	int error;

	assert_int_equal(segments_ca(&ca.names, r->f.ca_der.p, r->f.ca_der.len), 0);
	assert_int_equal(base_start(&base, &order), 0);
	while (base_poll(base, &error, &entry))
		nanosleep(&pause, NULL);
	base_free(base);
	if (error != 0) {
		fprintf(stderr, "resign: %s\n", icert_err_code(error));
		exit(1);
	}
	unlinkat(r->dirfd, r->manifest.entry[0].file, 0);
	r->manifest.entry[0] = entry;
}

int
main(int argc, char *argv[])
{
	static struct resign r = { .folder = "/tmp/icert-bench-XXXXXX", .epoch = 1 };
	unsigned certificates = argc == 3 ? (unsigned)atol(argv[2]) : 0;
	static struct key_server server;
	double began, here, there;
	char line[16];
	pid_t pid;

	if (certificates == 0) {
		fprintf(stderr, "resign p256|rsa2048 CERTIFICATES\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	r.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	fixture_make(&r.f);
	responder(&r, argv[1]);
	pid = signer_start(&r, &server);
	if (mkdtemp(r.folder) == NULL || (r.dirfd = open(r.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	seed(&r, certificates);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		began = monotonic();
		here = cpu_here();
		there = cpu_of(pid);
		again(&r, server.path[0]);
		printf("%u %.6f %.3f %.3f\n", 2 * certificates, monotonic() - began, cpu_here() - here, cpu_of(pid) - there);
		fflush(stdout);
	}
	unlinkat(r.dirfd, r.manifest.entry[0].file, 0);
	rmdir(r.folder);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	remove_server(&server);
	return 0;
}
