#include "keys/signer.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/status.h"
#include "pki/crl.h"
#include "pki/lint_crl.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Lists of revoked certificates: what may be signed as one, and that none forgets what an earlier one said. */

#define HOUR 3600
#define DETAIL 256
#define CRL_ENTRIES_MAX 4000000

/* The entries of a CRL out of the file that came along. */
static int
read_entries(int fd, struct crl_entry **entries, size_t *n)
{
	const uint8_t *map;
	struct stat st;
	size_t i;

	*entries = NULL;
	*n = 0;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size % CRL_ENTRY != 0 ||
	    st.st_size / CRL_ENTRY > CRL_ENTRIES_MAX)
		return ICERT_E_MALFORMED;
	if (st.st_size == 0)
		return 0;
	*n = (size_t)st.st_size / CRL_ENTRY;
	if ((*entries = calloc(*n, sizeof(**entries))) == NULL)
		return ICERT_E_MEMORY;
	/* Read, not mapped: the sender could cut a mapped file under us. */
	map = malloc((size_t)st.st_size);
	if (map == NULL)
		return ICERT_E_MEMORY;
	if (pread(fd, (void *)(uintptr_t)map, (size_t)st.st_size, 0) != st.st_size) {
		free((void *)(uintptr_t)map);
		return ICERT_E_MALFORMED;
	}
	for (i = 0; i < *n; i++)
		crl_entry_decode(&(*entries)[i], map + i * CRL_ENTRY);
	free((void *)(uintptr_t)map);
	return 0;
}

static int
write_memory(const struct buf *der)
{
	int fd = memfd_create("crl", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, der->p, der->len) != (ssize_t)der->len) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * What the journal has of a certificate: when it ends, and the partition that it names.  INT64_MAX and 0 for one that this
 * signer knows nothing of.
 */
static void
about(const struct signer_ca *ca, const uint8_t serial[16], int64_t *end, int *partition)
{
	const struct journal_certificate *c = journal_by_serial(ca->journal, serial);
	struct buf der = BUF_INIT;
	unsigned part = 0;
	const uint8_t *at;
	X509 *x = NULL;
	struct tm tm;

	*end = INT64_MAX;
	if (c != NULL && journal_read(ca->journal, c, &der) == 0) {
		at = der.p;
		if ((x = d2i_X509(NULL, &at, (long)der.len)) != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
			*end = (int64_t)timegm(&tm);
		if (x == NULL || crl_point_partition(x, ca->crl_url, &part) != 0)
			part = 0;
	}
	*partition = (int)part;
	X509_free(x);
	buf_free(&der);
}

/* What this list is the first to name goes into the journal: no later one may leave it out. */
static int
note_revoked(struct signer_ca *ca, const struct crl *crl, int64_t now)
{
	struct revoked *fresh = calloc(crl->n + 1, sizeof(*fresh));
	size_t i, n = 0;
	int error;

	if (fresh == NULL)
		return ICERT_E_MEMORY;
	for (i = 0; i < crl->n; i++) {
		if (revoked_has(journal_revocations(ca->journal), crl->entries[i].serial))
			continue;
		memcpy(fresh[n].serial, crl->entries[i].serial, sizeof(fresh[n].serial));
		fresh[n].revoked_at = crl->entries[i].revoked_at;
		about(ca, crl->entries[i].serial, &fresh[n].not_after, &fresh[n].partition);
		n++;
	}
	error = journal_revoked(ca->journal, now, fresh, n);
	free(fresh);
	return error;
}

/* Those of the revoked that belong to a partition; read from the certificates once. */
static int
of_partition(struct signer_ca *ca, int partition, struct revoked_list *out)
{
	const struct revoked_list *all = journal_revocations(ca->journal);
	int64_t end;
	size_t i;
	int error = 0;

	for (i = 0; i < all->n && error == 0; i++) {
		if (all->item[i].partition == REVOKED_PARTITION_UNREAD)
			about(ca, all->item[i].serial, &end, &all->item[i].partition);
		if (all->item[i].partition == partition)
			error = revoked_add(out, &all->item[i]);
	}
	return error;
}

/* The entries in order.  Is one left out that was signed as revoked before? */
static int
nothing_forgotten(struct signer_ca *ca, const struct crl *crl, int partition, char *detail)
{
	/* As the publisher counts: from thisUpdate of the list before, which was signed a moment later. */
	int64_t ended = journal_crl_time(ca->journal) - SIGNER_CLOCK_SKEW;
	struct revoked_list part = { 0 };
	const struct revoked_list *wanted = partition == 0 ? journal_revocations(ca->journal) : &part;
	const struct revoked *r;
	char serial[33];
	int error = 0;

	if (partition != 0)
		error = of_partition(ca, partition, &part);
	if (error == 0 && (r = revoked_missing(wanted, crl->entries, crl->n, ended)) != NULL) {
		bytes_to_hex(serial, r->serial, sizeof(r->serial));
		snprintf(detail, DETAIL, "serial %s was signed as revoked and is left out", serial);
		error = ICERT_E_MISMATCH;
	}
	revoked_free(&part);
	return error;
}

/* The last list of a CA that has ended has no next one; any other has it within days. */
static int
times_allowed(const struct signer_ca *ca, const struct crl *crl, int64_t now)
{
	return crl->this_update <= now + SIGNER_CLOCK_SKEW && crl->this_update >= now - HOUR &&
	    (ca->state == ISSUER_ENDED ? crl->next_update == STATUS_NEVER :
	    crl->next_update <= crl->this_update + SIGNER_CRL_SECONDS);
}

static int
sign_crl(struct signer *s, struct signer_ca *ca, struct crl *crl, int partition, int64_t now, struct buf *der, char *detail)
{
	struct lint_finding finding;
	struct buf tbs = BUF_INIT;
	uint8_t digest[32];
	int error = ICERT_E_INVALID;

	if (crl->number <= journal_crl_number(ca->journal) || crl->number > INT64_MAX)
		snprintf(detail, DETAIL, "cRLNumber does not grow (RFC 5280, 5.2.3)");
	else if (!times_allowed(ca, crl, now))
		snprintf(detail, DETAIL, "thisUpdate is not of now, or nextUpdate above 7 days later");
	else if ((error = crl_compose(crl, &tbs)) == ICERT_E_INVALID)
		snprintf(detail, DETAIL, "a reason, a time or a repeated serial (RFC 5280, 5.3)");
	if (error == 0 && (error = nothing_forgotten(ca, crl, partition, detail)) == 0)
		error = signer_sign(s, ca, &tbs, der);
	if (error == 0 && (error = lint_crl(ca->der.p, ca->der.len, crl, der->p, der->len, &finding)) == ICERT_E_LINT)
		snprintf(detail, DETAIL, "%s (%s): %s", finding.rule, finding.source, finding.detail);
	if (error == 0 && EVP_Digest(der->p, der->len, digest, NULL, EVP_sha256(), NULL) != 1)
		error = ICERT_E_CRYPTO;
	if (error == 0 && (error = note_revoked(ca, crl, now)) == 0)
		error = journal_crl(ca->journal, now, crl->number, crl->n, digest);
	buf_free(&tbs);
	return error;
}

int
signer_on_revoked(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	const struct signer_ca *ca = signer_ca_of(ctx, request->message);
	const struct revoked_list *list;
	struct buf out = BUF_INIT;
	size_t i;
	int error;

	if (ca == NULL)
		return ICERT_E_NOT_FOUND;
	list = journal_revocations(ca->journal);
	for (i = 0; i < list->n; i++)
		revoked_put(&out, &list->item[i]);
	if ((error = buf_error(&out)) == 0 && (reply->fd = write_memory(&out)) < 0)
		error = ICERT_E_SYSTEM;
	if (error == 0)
		message_put_number(&reply->body, TAG_NUMBER, list->n);
	buf_free(&out);
	return error;
}

int
signer_on_crl(void *ctx, const struct serve_request *request, struct serve_reply *reply)
{
	const struct message *m = request->message;
	struct signer *s = ctx;
	struct signer_ca *ca = signer_ca_signs(s, m);
	uint64_t partition = message_number(m, TAG_PARTITION, 0);
	struct crl crl = { 0 };
	char point[ISSUER_URL];
	struct buf der = BUF_INIT;
	int error;

	if (ca == NULL || partition > CRL_PARTITIONS_MAX)
		return ICERT_E_NOT_FOUND;
	crl.issuer = &ca->issuer;
	crl.number = message_number(m, TAG_NUMBER, 0);
	crl.this_update = (int64_t)message_number(m, TAG_TIME, 0);
	crl.next_update = (int64_t)message_number(m, TAG_TIME_NEXT, 0);
	error = issuer_name(point, sizeof(point), ca->crl_url, ISSUER_FIRST, (unsigned)partition);
	if (partition != 0)
		crl.point = point;
	if (error == 0 && (error = read_entries(request->fd, &crl.entries, &crl.n)) == 0)
		error = sign_crl(s, ca, &crl, (int)partition, clock_real(), &der, reply->detail);
	if (error == 0 && (reply->fd = write_memory(&der)) < 0)
		error = ICERT_E_SYSTEM;
	if (error == 0)
		message_put_number(&reply->body, TAG_NUMBER, crl.number);
	else
		signer_refused(s, "crl", NULL, error, reply->detail);
	free(crl.entries);
	buf_free(&der);
	return error;
}
