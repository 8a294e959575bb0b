#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypt/seal.h"
#include "documents/store.h"
#include "libicert/error.h"
#include "libicert/keyproto.h"
#include "procedure/contract/contract_proof.h"


static const struct db_stmt proof = { "contract_proof",
	"select c.id, c.number, c.sha256, d.size, d.pages, x.id, x.state, coalesce(x.issued_at, 0), x.der from icert.contract c"
	" join icert.document d on d.id = c.document_id join icert.certificate x on x.id = c.certificate_id"
	" where c.application_id = $1 order by c.made_at desc limit 1" };
static const struct db_stmt side = { "contract_side",
	"select k.id, k.document_id, coalesce(k.certificate_id::text, ''), s.der, d.file, d.size, d.sha256"
	" from icert.contract_copy k join icert.document d on d.id = k.document_id"
	" left join icert.staff_certificate s on s.id = k.certificate_id"
	" where k.application_id = $1 and (k.source = 'director') = $2 and k.state = 'valid'" };

static int
fill_proof(struct db_result *r, const uint8_t key[32], struct contract_proof *p)
{
	const uint8_t *bytes;
	char place[80];
	size_t n;

	snprintf(p->contract, sizeof p->contract, "%s", db_text(r, 0, 0));
	snprintf(p->number, sizeof p->number, "%s", db_text(r, 0, 1));
	bytes = db_bytes(r, 0, 2, &n);
	if (n != sizeof p->sha256)
		return ICERT_E_MALFORMED;
	memcpy(p->sha256, bytes, n);
	p->len = (size_t)db_int(r, 0, 3);
	p->pages = (int)db_int(r, 0, 4);
	snprintf(p->certificate, sizeof p->certificate, "%s", db_text(r, 0, 5));
	snprintf(p->state, sizeof p->state, "%s", db_text(r, 0, 6));
	p->issued_at = db_int(r, 0, 7);
	snprintf(place, sizeof place, "certificate|der|%s", p->certificate);
	bytes = db_bytes(r, 0, 8, &n);
	return open_field(key, place, bytes, n, &p->der);
}

int
contract_proof_read(struct act *act, const char *application, const uint8_t key[32], struct contract_proof *p)
{
	struct db_result *r;
	int error;

	memset(p, 0, sizeof *p);
	if ((error = DB_QUERY(act->db, &proof, &r, P_TEXT(application))) != 0)
		return error;
	error = db_rows(r) == 1 ? fill_proof(r, key, p) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

void
contract_proof_free(struct contract_proof *p)
{
	buf_free(&p->der);
}

static int
fill_side(const struct document_store *store, struct db_result *r, const uint8_t key[32], struct contract_side *s)
{
	const uint8_t *bytes;
	size_t n;

	snprintf(s->copy, sizeof s->copy, "%s", db_text(r, 0, 0));
	snprintf(s->document, sizeof s->document, "%s", db_text(r, 0, 1));
	snprintf(s->staff_certificate, sizeof s->staff_certificate, "%s", db_text(r, 0, 2));
	bytes = db_bytes(r, 0, 3, &n);
	buf_put(&s->der, bytes, n);
	bytes = db_bytes(r, 0, 6, &n);
	if (n != sizeof s->sha256 || buf_error(&s->der) != 0)
		return ICERT_E_MEMORY;
	memcpy(s->sha256, bytes, n);
	return document_get_bytes(store, key, db_text(r, 0, 4), (size_t)db_int(r, 0, 5), &s->bytes);
}

int
contract_side_read(struct act *act, const struct document_store *store, const char *application, const uint8_t key[32],
    int director, struct contract_side *s)
{
	struct db_result *r;
	int error;

	memset(s, 0, sizeof *s);
	if ((error = DB_QUERY(act->db, &side, &r, P_TEXT(application), P_BOOL(director))) != 0)
		return error;
	error = db_rows(r) == 1 ? fill_side(store, r, key, s) : ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

void
contract_side_free(struct contract_side *s)
{
	buf_free(&s->der);
	buf_free(&s->bytes);
}

static const char *
fault_of(const struct checked *c, int pages)
{
	if (c->flags & (CHECK_OTHER | CHECK_UNEXPECTED | CHECK_TOO_BIG))
		return "contract-other";
	if (c->encrypted || c->flags & CHECK_RESTRICTED)
		return "contract-encrypted";
	if (c->flags & (CHECK_JAVASCRIPT | CHECK_LAUNCH | CHECK_XFA))
		return "contract-script-added";
	if (c->flags & CHECK_EMBEDDED)
		return "contract-file-added";
	if (c->truncated || c->broken || c->flags & CHECK_REPAIRED)
		return "contract-damaged";
	return pages != 0 && c->pages != (uint32_t)pages ? "contract-page-changed" : NULL;
}

int
contract_checked(struct keyclient *checker, const void *bytes, size_t len, int *pages, const char **fault)
{
	int error, fd = memfd_create("contract", MFD_CLOEXEC);
	struct checked c;
	size_t at = 0;
	ssize_t n = 0;

	*fault = NULL;
	if (fd < 0)
		return ICERT_E_SYSTEM;
	for (; at < len && (n = write(fd, (const uint8_t *)bytes + at, len - at)) > 0; at += (size_t)n)
		;
	error = at < len || lseek(fd, 0, SEEK_SET) != 0 ? ICERT_E_SYSTEM :
	    checker_check(checker, fd, CHECK_PDF, CHECK_DOCUMENT, &c, NULL);
	close(fd);
	if (error == ICERT_E_CRASHED || error == ICERT_E_TIMEOUT) {
		*fault = "contract-damaged";
		return 0;
	}
	if (error == 0) {
		*fault = fault_of(&c, *pages);
		if (*pages == 0)
			*pages = (int)c.pages;
	}
	return error;
}

/* The director's file begins with the applicant's, octet for octet: no signature of another day slips in under it. */
static int
continues(const struct contract_side *applicant, const void *bytes, size_t len)
{
	uint8_t sha256[SHA256_DIGEST_LENGTH];

	if (len <= applicant->bytes.len)
		return len < applicant->bytes.len ? 0 : memcmp(bytes, applicant->bytes.p, len) == 0;
	SHA256(bytes, applicant->bytes.len, sha256);
	return memcmp(sha256, applicant->sha256, sizeof sha256) == 0;
}

int
contract_verdict(const struct contract_proof *p, const struct contract_side *applicant, const struct buf *director,
    const void *bytes, size_t len, const char **fault)
{
	struct pdf_original original = { .len = p->len };
	struct contract_signer signers[2] = { { .cert = p->der.p, .len = p->der.len } };
	struct contract_signatures out;

	memcpy(original.sha256, p->sha256, sizeof original.sha256);
	*fault = NULL;
	if (director != NULL) {
		signers[1] = (struct contract_signer){ .cert = director->p, .len = director->len };
		if (!continues(applicant, bytes, len)) {
			*fault = "contract-first-signature";
			return 0;
		}
	}
	contract_signatures_verify(bytes, len, &original, signers, director != NULL ? 2 : 1, &out);
	if (out.fault != NULL && strcmp(out.fault, "memory") == 0)
		return ICERT_E_MEMORY;
	*fault = out.fault;
	return 0;
}
