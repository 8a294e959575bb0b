/*
 * Workers of libfcgi that take uploads in, for upload_rate and upload_cpu.
 *	uploads SOCKET SPOOL FOLDER WORKERS
 * A request that carries ICERT_UPLOAD has been taken apart by the edge: its files are moved from SPOOL into FOLDER.  Any other
 * is what the edge replaces: the body is read from FastCGI, split by libicert's own parser, hashed by OpenSSL and written
 * into FOLDER, each octet copied as seldom as libfcgi allows.  Both say how many files and octets there were and what their
 * digests begin with, so that the sender sees that both did the same.  Names in FOLDER are taken again and again, so that neither
 * side fills the memory.  Leaves when its parent does, or on SIGTERM.
 */
#include <fcgiapp.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libicert/handover.h"
#include "libicert/multipart.h"

#define BACKLOG 1024
#define CHUNK (128 * 1024)
#define PATH 512

struct taking {
	const char	*folder;
	EVP_MD_CTX	*md;
	int		 fd;
	int		 files;
	uint64_t	 octets;
	uint8_t		 digests[4];	/* of all files, first octets, XORed */
};

static char chunk[CHUNK];

static void
name_of(struct taking *t, char path[PATH])
{
	snprintf(path, PATH, "%s/%d-%d", t->folder, (int)getpid(), t->files);
}

static void
count(struct taking *t, const uint8_t *digest)
{
	int	i;

	for (i = 0; i < 4; i++)
		t->digests[i] ^= digest[i];
	t->files++;
}

static int
event(void *arg, const struct multipart_event *e)
{
	struct taking	*t = arg;
	uint8_t		 digest[EVP_MAX_MD_SIZE];
	char		 path[PATH];
	size_t		 at;
	ssize_t		 n;

	if (e->kind == MULTIPART_PART && e->file_name != NULL) {
		name_of(t, path);
		t->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
		return t->fd == -1 || EVP_DigestInit_ex(t->md, EVP_sha256(), NULL) != 1;
	}
	if (t->fd == -1)
		return 0;
	if (e->kind == MULTIPART_DATA) {
		for (at = 0; at < e->len; at += (size_t)n)
			if ((n = write(t->fd, e->data + at, e->len - at)) <= 0)
				return 1;
		t->octets += e->len;
		return EVP_DigestUpdate(t->md, e->data, e->len) != 1;
	}
	if (e->kind == MULTIPART_PART_END) {
		if (EVP_DigestFinal_ex(t->md, digest, NULL) != 1 || close(t->fd) != 0)
			return 1;
		t->fd = -1;
		count(t, digest);
	}
	return 0;
}

/* What the edge replaces. */
static int
split(FCGX_Request *request, struct taking *t)
{
	static struct multipart	m;
	const char		*type = FCGX_GetParam("CONTENT_TYPE", request->envp);
	char			 boundary[MULTIPART_BOUNDARY_MAX + 1];
	size_t			 len;
	int			 n;

	if (type == NULL || multipart_boundary(type, strlen(type), boundary, &len) != 1)
		return -1;
	multipart_init(&m, boundary, len, event, t);
	while ((n = FCGX_GetStr(chunk, sizeof(chunk), request->in)) > 0)
		if (multipart_feed(&m, chunk, (size_t)n) != 0)
			return -1;
	return multipart_finish(&m);
}

/* What the edge has taken apart. */
static int
take(FCGX_Request *request, const char *spool, struct taking *t)
{
	struct handover_reader	reader;
	struct handover_record	r;
	char			from[PATH], to[PATH];
	int			rc, n = FCGX_GetStr(chunk, sizeof(chunk), request->in);

	if (n <= 0 || handover_open(&reader, chunk, (size_t)n) != 0)
		return -1;
	while ((rc = handover_next(&reader, &r)) == 1) {
		if (r.kind != HANDOVER_FILE)
			continue;
		snprintf(from, sizeof(from), "%s/%.*s", spool, (int)r.spool.len, r.spool.p);
		name_of(t, to);
		if (rename(from, to) != 0)
			return -1;
		t->octets += r.size;
		count(t, r.sha256);
	}
	return rc;
}

static void
work(int listener, const char *spool, const char *folder)
{
	FCGX_Request	request;
	struct taking	t = { .folder = folder, .md = EVP_MD_CTX_new() };
	int		rc;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		const char *taken = FCGX_GetParam("ICERT_UPLOAD", request.envp);

		t.fd = -1;
		t.files = 0;
		t.octets = 0;
		memset(t.digests, 0, sizeof(t.digests));
		rc = taken != NULL && *taken != '\0' ? take(&request, spool, &t) : split(&request, &t);
		if (t.fd != -1)
			close(t.fd);
		FCGX_FPrintF(request.out, "Status: %s\r\nContent-Type: text/plain\r\n\r\n%d %ld %02x%02x%02x%02x\n", rc == 0 ? "200 OK" : "500 Internal Server Error",
		    t.files, (long)t.octets, t.digests[0], t.digests[1], t.digests[2], t.digests[3]);
		FCGX_Finish_r(&request);
	}
	_exit(0);
}

int
main(int argc, char *argv[])
{
	int	listener, i;

	if (argc != 5 || FCGX_Init() != 0 || (listener = FCGX_OpenSocket(argv[1], BACKLOG)) < 0 || chmod(argv[1], 0666) != 0) {
		fprintf(stderr, "uploads SOCKET SPOOL FOLDER WORKERS\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (i = 0; i < atoi(argv[4]); i++)
		if (fork() == 0)
			work(listener, argv[2], argv[3]);
	while (wait(NULL) > 0)
		;
	return 0;
}
