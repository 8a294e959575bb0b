#include <stdlib.h>
#include <time.h>

#include <openssl/x509.h>

#include "libicert/error.h"
#include "publish/publication_private.h"

#define CRL_COALESCE 10		/* seconds between two CRLs that revocations cause */
#define PAGE 5000

static int
load_revoked(struct publication *p)
{
	struct cert_status *page;
	uint8_t after[16] = { 0 };
	size_t i, n;
	int error;

	if ((page = calloc(PAGE, sizeof(*page))) == NULL)
		return ICERT_E_MEMORY;
	do {
		n = PAGE;
		error = status_rows_revoked(p->db, after, page, &n);
		for (i = 0; i < n && error == 0; i++)
			error = revocations_add(&p->revocations, &page[i]);
		if (n > 0)
			memcpy(after, page[n - 1].serial, sizeof(after));
	} while (error == 0 && n == PAGE);
	free(page);
	return error;
}

int
publication_crl_load(struct publication *p)
{
	int error;

	if (p->loaded)
		return 0;
	error = status_rows_crl(p->db, &p->crl, &p->crl_der);
	if (error != 0 && error != ICERT_E_NOT_FOUND)
		return error;
	/* The database first: it knows when each ends, the published set does not. */
	if ((error = load_revoked(p)) != 0 || (error = revocations_add_published(&p->revocations, &p->segments)) != 0)
		return error;
	p->loaded = p->dirty = p->crl_owed = 1;
	return 0;
}

int
publication_crl(struct publication *p, int64_t now)
{
	struct crl_entry *entries = NULL;
	struct status_crl fresh = p->crl;
	struct buf der = BUF_INIT;
	size_t n = 0;
	int error;

	if (p->crl.number != 0 && now - p->crl.this_update < p->crl_refresh &&
	    !(p->crl_owed && now - p->crl.this_update >= CRL_COALESCE) && !p->asked_crl)
		return 0;
	/* The clock's seconds keep numbers growing even after a restore of the database. */
	fresh.number = p->crl.number + 1 > now ? p->crl.number + 1 : now;
	fresh.this_update = now;
	fresh.next_update = now + p->crl_validity;
	if ((error = revocations_entries(&p->revocations, p->crl.this_update, &entries, &n)) == 0 &&
	    (error = signer_crl(&p->signer, 1, 0, (uint64_t)fresh.number, fresh.this_update, fresh.next_update,
	    entries, n, &der)) == 0) {
		buf_free(&p->crl_der);
		p->crl_der = der;
		buf_init(&der);
		p->crl = fresh;
		p->crl_owed = p->asked_crl = 0;
		p->dirty = 1;
		/* Without the database it goes out all the same. */
		publication_note(p, STEP_DATABASE, status_rows_crl_add(p->db, &fresh, n, &p->crl_der), "crl row");
	}
	free(entries);
	buf_free(&der);
	return error;
}

void
publication_crl_times(const struct buf *der, int64_t *this_update, int64_t *next_update)
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
