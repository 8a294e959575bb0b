#include "crypt/signer.h"

#include "crypt/call.h"
#include "libicert/error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* An HSM at work on a long CRL, or behind a queue of certificates. */
#define SIGNER_TIMEOUT 20000
#define CRL_MAX ((off_t)1 << 29)

int
signer_certificate(struct keyclient *client, const struct signer_order *order, struct buf *cert_der)
{
	struct call c;

	if (order->statements_n > 3)
		return ICERT_E_INVALID;
	call_begin(&c, client, OP_SIGN_CERTIFICATE);
	c.timeout_ms = SIGNER_TIMEOUT;
	call_id(&c, TAG_CASE, order->case_id);
	call_bytes(&c, TAG_SERIAL, order->serial, sizeof(order->serial));
	call_number(&c, TAG_TIME, (uint64_t)order->not_before);
	call_fields(&c, TAG_FIELDS, order->fields);
	call_bytes(&c, TAG_SPKI, order->spki, order->spki_len);
	for (size_t i = 0; i < order->statements_n; i++)
		call_statement(&c, TAG_STATEMENT, &order->statements[i]);
	if (order->request != NULL)
		call_bytes(&c, TAG_REQUEST, order->request, order->request_len);
	else
		call_statement(&c, TAG_WORD, &order->word);
	call_do(&c, 1);
	call_get_buf(&c, TAG_CERT, cert_der);
	return call_end(&c);
}

/* The entries as a file of their own; the descriptor, or -1. */
static int
entries_file(const struct crl_entry *entries, size_t n)
{
	int fd = memfd_create("crl-entries", MFD_CLOEXEC);
	uint8_t *bytes = malloc(n * CRL_ENTRY + 1);
	size_t done = 0;

	if (fd >= 0 && bytes != NULL) {
		for (size_t i = 0; i < n; i++)
			crl_entry_encode(&entries[i], bytes + i * CRL_ENTRY);
		while (done < n * CRL_ENTRY) {
			ssize_t wrote = write(fd, bytes + done, n * CRL_ENTRY - done);

			if (wrote <= 0)
				break;
			done += (size_t)wrote;
		}
	}
	free(bytes);
	if (fd >= 0 && (bytes == NULL || done != n * CRL_ENTRY || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
read_file(int fd, off_t least, struct buf *out)
{
	struct stat st;
	off_t at = 0;

	if (fd < 0)
		return ICERT_E_MALFORMED;
	if (fstat(fd, &st) != 0)
		return ICERT_E_SYSTEM;
	if (st.st_size < least || st.st_size > CRL_MAX)
		return ICERT_E_MALFORMED;
	while (at < st.st_size) {
		size_t want = (size_t)(st.st_size - at);
		uint8_t *p = buf_room(out, want);
		ssize_t got = p == NULL ? -1 : pread(fd, p, want, at);

		if (p == NULL)
			return buf_error(out);
		if (got <= 0)
			return ICERT_E_SYSTEM;
		buf_took(out, (size_t)got);
		at += got;
	}
	return 0;
}

int
signer_crl(struct keyclient *client, unsigned issuer, unsigned partition, uint64_t number, int64_t this_update, int64_t next_update,
    const struct crl_entry *entries, size_t n, struct buf *crl_der)
{
	int fd = entries_file(entries, n);
	int out = -1;
	struct call c;

	if (fd < 0)
		return ICERT_E_SYSTEM;
	call_begin(&c, client, OP_SIGN_CRL);
	c.timeout_ms = SIGNER_TIMEOUT;
	c.fd_in = fd;
	c.fd_out = &out;
	call_number(&c, TAG_ISSUER, issuer);
	if (partition != 0)
		call_number(&c, TAG_PARTITION, partition);
	call_number(&c, TAG_NUMBER, number);
	call_number(&c, TAG_TIME, (uint64_t)this_update);
	call_number(&c, TAG_TIME_NEXT, (uint64_t)next_update);
	if (call_do(&c, 0) == 0)
		c.error = read_file(out, 1, crl_der);
	if (out >= 0)
		close(out);
	close(fd);
	return call_end(&c);
}

int
signer_revoked(struct keyclient *client, unsigned issuer, struct signed_revocation **out, size_t *n)
{
	struct buf bytes = BUF_INIT;
	struct call c;
	int fd = -1;
	size_t i;

	*out = NULL;
	*n = 0;
	call_begin(&c, client, OP_SIGNED_REVOKED);
	c.fd_out = &fd;
	call_number(&c, TAG_ISSUER, issuer);
	if (call_do(&c, 0) == 0)
		c.error = read_file(fd, 0, &bytes);
	if (c.error == 0 && bytes.len % REVOKED_ENTRY != 0)
		c.error = ICERT_E_MALFORMED;
	if (c.error == 0 && bytes.len > 0 && (*out = calloc(bytes.len / REVOKED_ENTRY, sizeof(**out))) == NULL)
		c.error = ICERT_E_MEMORY;
	for (i = 0; c.error == 0 && i < bytes.len / REVOKED_ENTRY; i++, (*n)++) {
		memcpy((*out)[i].serial, bytes.p + i * REVOKED_ENTRY, 16);
		(*out)[i].revoked_at = (int64_t)get_u64be(bytes.p + i * REVOKED_ENTRY + 16);
		(*out)[i].not_after = (int64_t)get_u64be(bytes.p + i * REVOKED_ENTRY + 24);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&bytes);
	return call_end(&c);
}

int
signer_responder(struct keyclient *client, unsigned issuer, const uint8_t *spki, size_t spki_len, const uint8_t *proof, size_t proof_len,
    struct buf *cert_der)
{
	struct call c;

	call_begin(&c, client, OP_SIGN_RESPONDER);
	c.timeout_ms = SIGNER_TIMEOUT;
	call_number(&c, TAG_ISSUER, issuer);
	call_bytes(&c, TAG_SPKI, spki, spki_len);
	call_bytes(&c, TAG_PROOF, proof, proof_len);
	call_do(&c, 1);
	call_get_buf(&c, TAG_CERT, cert_der);
	return call_end(&c);
}

int
signer_journal(struct keyclient *client, unsigned issuer, uint64_t at, uint64_t *sequence, uint8_t hash[32], uint8_t asked[32])
{
	struct call c;

	call_begin(&c, client, OP_JOURNAL_STATE);
	call_number(&c, TAG_ISSUER, issuer);
	call_number(&c, TAG_NUMBER, at);
	call_do(&c, 1);
	*sequence = c.error == 0 ? message_number(&c.reply, TAG_NUMBER, 0) : 0;
	call_get(&c, TAG_HASH, hash, 32);
	call_get(&c, TAG_DIGEST, asked, 32);
	return call_end(&c);
}
