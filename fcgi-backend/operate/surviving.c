#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "libicert/buf.h"
#include "libicert/id.h"
#include "libicert/status.h"
#include "operate/surviving.h"
#include "pki/issuer_list.h"
#include "pki/keyfile.h"
#include "procedure/certificate/issuance.h"

#define DATA_KEY 'k'	/* kinds of the keeper's list: docs/key-protocol.md */
#define DELIVERY 'd'
#define DELIVERY_SPENT 's'

/* The octets of NAME=HEX in a line of words, malloc'd; NULL when it has none. */
static uint8_t *
octets_of(const char *line, const char *name, size_t *len)
{
	size_t n = strlen(name);
	const char *at = line;
	uint8_t *out = NULL;
	char *hex;

	while ((at = strchr(at, ' ')) != NULL && (strncmp(++at, name, n) != 0 || at[n] != '='))
		continue;
	if (at == NULL || (hex = strndup(at + n + 1, strcspn(at + n + 1, " \n"))) == NULL)
		return NULL;
	*len = strlen(hex) / 2;
	if ((out = malloc(*len + 1)) != NULL && bytes_from_hex(out, *len, hex) != 0) {
		free(out);
		out = NULL;
	}
	free(hex);
	return out;
}

static int
id_of(const char *line, const char *name, uint8_t out[16])
{
	size_t len;
	uint8_t *bytes = octets_of(line, name, &len);
	int ok = bytes != NULL && len == 16;

	if (ok)
		memcpy(out, bytes, len);
	free(bytes);
	return ok ? 0 : -1;
}

/* Until when the certificate that stands in the line is valid; 0 when it cannot be read. */
static int64_t
end_of(const char *line)
{
	size_t len = 0;
	uint8_t *der = octets_of(line, "der", &len);
	const uint8_t *p = der;
	X509 *x = der == NULL ? NULL : d2i_X509(NULL, &p, (long)len);
	struct tm tm;
	int64_t end = 0;

	if (x != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
		end = (int64_t)timegm(&tm);
	X509_free(x);
	free(der);
	return end;
}

static int
add_certificate(struct surviving *s, const char *line, unsigned issuer)
{
	struct restoration_certificate *c, *more;

	if ((s->n_certificates & (s->n_certificates + 1)) == 0) {
		more = reallocarray(s->certificates, 2 * (s->n_certificates + 1), sizeof(*more));
		if (more == NULL)
			return complain("no memory");
		s->certificates = more;
	}
	c = &s->certificates[s->n_certificates];
	memset(c, 0, sizeof(*c));
	if (id_of(line, "case", c->case_id) != 0 || id_of(line, "serial", c->serial) != 0 ||
	    (c->not_after = end_of(line)) == 0)
		return complain("the signer's journal has a line that cannot be read; nothing was changed");
	c->issuer = issuer;
	s->n_certificates++;
	return 0;
}

/* Whether its lines link, the signer itself finds out before it signs again. */
static int
read_journal(const struct instance *i, unsigned issuer, struct surviving *s)
{
	char first[FILES_PATH], path[FILES_PATH], *line = NULL, kind[16];
	size_t room = 0;
	FILE *in;
	int rc = 0;

	if (path_join(first, "%s/journal", config_require(&i->config, "paths", "signer_dir")) != 0 ||
	    issuer_name(path, sizeof(path), first, issuer, 0) != 0)
		return -1;
	if ((in = fopen(path, "re")) == NULL)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	while (rc == 0 && getline(&line, &room, in) > 0)
		/* A line without its end was being written: what it speaks of never left. */
		if (strchr(line, '\n') != NULL && sscanf(line, "%*s %*s %15s", kind) == 1 && strcmp(kind, "certificate") == 0)
			rc = add_certificate(s, line, issuer);
	if (ferror(in))
		rc = complain("%s: %s", path, strerror(errno));
	free(line);
	fclose(in);
	return rc;
}

/* Each CA has one. */
static int
read_journals(const struct instance *i, struct surviving *s)
{
	unsigned n;
	int rc = 0;

	for (n = ISSUER_FIRST; n < ISSUER_FIRST + ISSUERS_MAX && rc == 0; n++)
		rc = read_journal(i, n, s);
	return rc;
}

/* What one segment says of each certificate; revoked in any is revoked. */
static void
apply_segment(struct surviving *s, const struct status_segment *segment)
{
	struct restoration_certificate *c;
	struct status_record record;
	size_t n, zeros;
	unsigned issuer;

	for (n = 0; n < s->n_certificates; n++) {
		c = &s->certificates[n];
		for (zeros = 0; zeros < sizeof(c->serial) - 1 && c->serial[zeros] == 0; zeros++)
			continue;
		for (issuer = 0; issuer < segment->issuers && !c->revoked; issuer++) {
			if (status_segment_find(segment, issuer, c->serial + zeros, sizeof(c->serial) - zeros, &record) != 1 ||
			    record.state == STATUS_GOOD)
				continue;
			/* Pending is on its way to be revoked. */
			c->revoked = 1;
			c->revoked_at = record.revoked_at != 0 ? record.revoked_at : record.this_update;
			c->reason = record.reason == STATUS_NO_REASON ? 0 : record.reason;
		}
	}
}

static int
read_entry(struct surviving *s, int dirfd, const struct status_entry *entry)
{
	struct status_segment segment;
	const void *map;
	int error;

	if (entry->kind != STATUS_KIND_SEGMENT)
		return 0;
	if ((error = status_map(dirfd, entry, &map)) != 0)
		return complain("the status that was public cannot be read: %s", icert_err_code(error));
	if ((error = status_segment_init(&segment, map, entry->size, entry->digest)) == 0 &&
	    (error = status_segment_verify(&segment)) == 0)
		apply_segment(s, &segment);
	status_unmap(map, entry->size);
	return error == 0 ? 0 : complain("the status that was public is damaged: %s", icert_err_code(error));
}

/* The manifest in place, sealed by the publisher. */
static int
read_status(const struct instance *i, struct surviving *s)
{
	const char *folder = config_require(&i->config, "paths", "status");
	struct status_manifest manifest;
	struct buf bytes = BUF_INIT;
	char path[FILES_PATH], pin[FILES_PATH];
	uint8_t public[STATUS_SEAL_KEY];
	uint32_t k;
	int fd, rc = 0;

	if (path_join(path, "%s/" STATUS_MANIFEST_FILE, folder) != 0 ||
	    path_join(pin, "%s/manifest.pub", config_require(&i->config, "paths", "pins")) != 0)
		return -1;
	if (!file_exists(path))
		return 0;
	if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return complain("%s: %s", folder, strerror(errno));
	if (keyfile_read_exact(pin, public, sizeof(public)) != 0 || keyfile_read(path, STATUS_MANIFEST_MAX, &bytes) != 0 ||
	    status_manifest_read(&manifest, bytes.p, bytes.len, public) != 0)
		rc = complain("%s is not sealed by this authority's publisher", path);
	for (k = 0; rc == 0 && k < manifest.count; k++)
		rc = read_entry(s, fd, &manifest.entry[k]);
	buf_free(&bytes);
	close(fd);
	return rc;
}

/* The ids of one kind out of a list. */
static int
ids_of(const struct id_list *list, char kind, uint8_t (**out)[16], size_t *n)
{
	size_t k;

	*n = 0;
	if ((*out = calloc(list->n + 1, 16)) == NULL)
		return complain("no memory");
	for (k = 0; k < list->n; k++)
		if (list->entry[k][0] == (uint8_t)kind)
			memcpy((*out)[(*n)++], list->entry[k] + 1, 16);
	return 0;
}

/* Made by root where it was not there, a list would not be its program's own: only read what is. */
static int
read_list(const char *folder, const char *name, struct id_list *list)
{
	char path[FILES_PATH];
	int error;

	list->fd = -1;
	if (path_join(path, "%s/%s", folder, name) != 0)
		return -1;
	if (!file_exists(path))
		return 0;
	error = id_list_open_path(list, path);
	return error == 0 ? 0 : complain("%s: %s", path, icert_err_code(error));
}

static int
read_lists(const struct instance *i, struct surviving *s)
{
	const char *keeper = config_require(&i->config, "paths", "keeper_dir");
	struct id_list spent = { .fd = -1 };
	int rc = read_list(config_require(&i->config, "paths", "issuer_dir"), "spent", &spent);

	if (rc == 0)
		rc = ids_of(&spent, SPENT_ORDER, &s->spent, &s->n_spent);
	id_list_close(&spent);
	if (rc == 0 && (rc = read_list(keeper, "destroyed", &s->gone)) == 0 &&
	    (rc = ids_of(&s->gone, DATA_KEY, &s->destroyed, &s->n_destroyed)) == 0)
		rc = path_join(s->deliveries, "%s/delivery", keeper);
	return rc;
}

int
surviving_read(const struct instance *i, struct surviving *s)
{
	memset(s, 0, sizeof(*s));
	s->gone.fd = -1;
	return read_lists(i, s) != 0 || read_journals(i, s) != 0 || read_status(i, s) != 0 ? -1 : 0;
}

void
surviving_free(struct surviving *s)
{
	free(s->certificates);
	free(s->spent);
	free(s->destroyed);
	id_list_close(&s->gone);
	memset(s, 0, sizeof(*s));
	s->gone.fd = -1;
}

int
surviving_delivery_gone(void *ctx, const char *application, const char *label)
{
	const struct surviving *s = ctx;
	uint8_t hash[EVP_MAX_MD_SIZE];
	char name[128], path[FILES_PATH];
	int n = snprintf(name, sizeof(name), "%s.%s", application, label);

	/* As the keeper names it in its list and on its disk. */
	if (n >= (int)sizeof(name) || EVP_Digest(name, (size_t)n, hash, NULL, EVP_sha256(), NULL) != 1 ||
	    id_list_has(&s->gone, DELIVERY, hash) || id_list_has(&s->gone, DELIVERY_SPENT, hash))
		return 1;
	return path_join(path, "%s/%s", s->deliveries, name) == 0 && !file_exists(path);
}
