#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509.h>

#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

#define CRL_COALESCE 10		/* seconds between two CRLs that revocations cause */
#define CLOCK_SKEW 60		/* seconds: what is from later was made while the clock was wrong */

static int
load_revoked(struct publication *p, struct ca *ca)
{
	struct cert_status *page;
	uint8_t after[16] = { 0 };
	size_t i, n;
	int error;

	if ((page = calloc(STATUS_ROWS_PAGE, sizeof(*page))) == NULL)
		return ICERT_E_MEMORY;
	do {
		error = status_rows_revoked(p->db, ca->number, after, page, &n);
		for (i = 0; i < n && error == 0; i++)
			error = revocations_add(&ca->revocations, &page[i]);
		if (n > 0)
			memcpy(after, page[n - 1].serial, sizeof(after));
	} while (error == 0 && n == STATUS_ROWS_PAGE);
	free(page);
	return error;
}

/* The lists that certificates name, or will: those of former days stay as long as somebody looks there. */
static int
load_lists(struct publication *p, struct ca *ca)
{
	unsigned named, i;
	int error;

	if ((error = status_rows_lists(p->db, ca->number, &named, &ca->crl_number)) != 0)
		return error;
	if (named > ca->partitions)
		ca->partitions = named < CRL_PARTITIONS_MAX ? named : CRL_PARTITIONS_MAX;
	for (i = 0; i <= ca->partitions; i++) {
		buf_reset(&ca->list[i].der);
		if ((error = issuer_name(ca->list[i].name, sizeof(ca->list[i].name), ISSUER_LIST, ca->number, i)) != 0)
			return error;
		error = status_rows_crl(p->db, ca->number, i, &ca->list[i].crl, &ca->list[i].der);
		if (error != 0 && error != ICERT_E_NOT_FOUND)
			return error;
		ca->list[i].owed = 1;
	}
	return 0;
}

int
publication_crl_load(struct publication *p)
{
	size_t i;
	int error = 0;

	if (p->loaded)
		return 0;
	for (i = 0; i < p->cas && error == 0; i++) {
		/* The database first: it knows when each ends, and its partition; the published set does not. */
		if ((error = load_lists(p, &p->ca[i])) == 0 && (error = load_revoked(p, &p->ca[i])) == 0)
			error = revocations_add_published(&p->ca[i].revocations, &p->segments, i);
	}
	p->loaded = p->dirty = error == 0;
	return error;
}

static int
remember_ca(struct publication *p, struct ca *ca)
{
	size_t n, known = ca->revocations.n;
	struct signed_revocation *list;
	unsigned k;
	int error;

	publication_leave(p);
	error = signer_revoked(&p->signer, ca->number, &list, &n);
	publication_come_back(p);
	if (error == 0)
		error = revocations_add_signed(&ca->revocations, ca->number, list, n);
	free(list);
	if (error != 0 || ca->revocations.n == known)
		return error;
	log_warn("status_kept", "%zu revoked certificates are known to the signer's journal alone", ca->revocations.n - known);
	for (k = 0; k <= ca->partitions; k++)
		ca->list[k].owed = 1;
	p->settled = 0;
	return 0;
}

int
publication_remember(struct publication *p)
{
	size_t i;
	int error = 0;

	if (p->remembered)
		return 0;
	for (i = 0; i < p->cas && error == 0; i++)
		error = remember_ca(p, &p->ca[i]);
	p->remembered = error == 0;
	return error;
}

int
publication_has_lists(const struct publication *p)
{
	size_t i;
	unsigned k;

	for (i = 0; i < p->cas; i++)
		for (k = 0; k <= p->ca[i].partitions; k++)
			if (p->ca[i].list[k].der.len == 0)
				return 0;
	return 1;
}

static int
is_due(const struct publication *p, const struct ca *ca, const struct crl_list *l, int64_t now)
{
	int64_t age = now - l->crl.this_update;

	if (l->crl.number == 0)
		return 1;
	/* The last list of a CA that has ended has no next one; a revocation is not left out for that. */
	if (ca->state == ISSUER_ENDED && l->crl.next_update == STATUS_NEVER)
		return 0;
	return ca->state == ISSUER_ENDED || p->asked_crl || age >= p->crl_refresh || age < -CLOCK_SKEW || (l->owed && age >= CRL_COALESCE);
}

static int
renew(struct publication *p, struct ca *ca, unsigned partition, int64_t now)
{
	struct crl_list *l = &ca->list[partition];
	struct crl_entry *entries = NULL;
	struct status_crl fresh = l->crl;
	struct buf der = BUF_INIT;
	size_t n = 0;
	int error, kept;

	/* The clock's seconds keep numbers growing even after a restore of the database. */
	fresh.number = ca->crl_number + 1 > now ? ca->crl_number + 1 : now;
	fresh.this_update = now;
	fresh.next_update = ca->state == ISSUER_ENDED ? STATUS_NEVER : now + p->crl_validity;
	publication_leave(p);
	if ((error = revocations_entries(&ca->revocations, partition, l->crl.this_update, &entries, &n)) == 0)
		error = signer_crl(&p->signer, ca->number, partition, (uint64_t)fresh.number, fresh.this_update,
		    fresh.next_update, entries, n, &der);
	publication_come_back(p);
	if (error == 0) {
		buf_free(&l->der);
		l->der = der;
		buf_init(&der);
		l->crl = fresh;
		ca->crl_number = fresh.number;
		l->owed = 0;
		p->dirty = 1;
		/* Without the database it goes out all the same. */
		publication_leave(p);
		kept = status_rows_crl_add(p->db, ca->number, partition, &fresh, n, &l->der);
		publication_come_back(p);
		publication_note(p, STEP_DATABASE, kept, "crl row");
	} else
		log_error("crl_not_signed", "%s: %s", l->name, icert_err_code(error));
	free(entries);
	buf_free(&der);
	return error;
}

int
publication_crl(struct publication *p, int64_t now)
{
	size_t i;
	unsigned k;
	int error = 0;

	for (i = 0; i < p->cas && error == 0; i++)
		for (k = 0; k <= p->ca[i].partitions && error == 0; k++)
			if (is_due(p, &p->ca[i], &p->ca[i].list[k], now))
				error = renew(p, &p->ca[i], k, now);
	if (error == 0)
		p->asked_crl = 0;
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
