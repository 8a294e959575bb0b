#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "publish/publication_private.h"

/* The issuing CAs, and the responder that answers for each. */

#define RETRY_S 5		/* between two attempts at a responder's certificate */
#define FILES_FIXED 2		/* of a manifest: the root's certificate and list */

static int
open_ca(struct publication *p, const struct issuer_entry *entry)
{
	const char *url = config_require(p->config, "public", "ocsp_url");
	struct ca *ca = &p->ca[p->cas];
	int error;

	ca->number = entry->number;
	ca->state = entry->state;
	ca->partitions = issuer_partitions(p->config, ca->number);
	if ((error = issuer_name(ca->name, sizeof(ca->name), ISSUER_CERTIFICATE, ca->number, 0)) != 0 ||
	    (error = publication_read(p->config, ca->name, &ca->der)) != 0)
		return error;
	if ((error = segments_ca(&p->names[p->cas], ca->der.p, ca->der.len)) == 0)
		error = edge_probe_open(&ca->probe, url, ca->der.p, ca->der.len, p->root.p, p->root.len);
	if (error != 0)
		log_error("publish_start", "%s: %s", ca->name, icert_err_code(error));
	else
		p->cas++;
	return error;
}

int
publication_cas_open(struct publication *p)
{
	struct issuer_list list;
	size_t i, files = SEGMENTS_MAX + FILES_FIXED;
	int error = issuer_list_read(&list, p->config);

	for (i = 0; i < list.n && error == 0; i++)
		if ((error = open_ca(p, &list.at[i])) == 0)
			files += 2 + p->ca[i].partitions;
	if (error == 0 && files > STATUS_ENTRIES_MAX) {
		log_error("publish_start", "%zu files: a set names %d at most; fewer partitions", files, STATUS_ENTRIES_MAX);
		error = ICERT_E_TOO_LARGE;
	}
	return error;
}

void
publication_cas_free(struct publication *p)
{
	size_t i, k;

	for (i = 0; i < ISSUERS_MAX; i++) {
		edge_probe_free(p->ca[i].probe);
		revocations_free(&p->ca[i].revocations);
		if (p->ca[i].has_template)
			ocsp_template_free(&p->ca[i].template);
		for (k = 0; k <= CRL_PARTITIONS_MAX; k++)
			buf_free(&p->ca[i].list[k].der);
		buf_free(&p->ca[i].der);
	}
}

size_t
publication_place(const struct publication *p, unsigned number)
{
	size_t i = 0;

	while (i < p->cas && p->ca[i].number != number)
		i++;
	return i;
}

int
publication_can_sign(const struct publication *p)
{
	size_t i;

	for (i = 0; i < p->cas; i++)
		if (!p->ca[i].has_template)
			return 0;
	return p->cas > 0;
}

int64_t
publication_until(const struct publication *p, const struct ca *ca, int64_t now)
{
	return ca->state == ISSUER_ENDED ? STATUS_NEVER : answers_until(&ca->template, now, p->validity);
}

void
publication_responders_forget(struct publication *p)
{
	size_t i;

	for (i = 0; i < p->cas; i++) {
		if (p->ca[i].has_template)
			ocsp_template_free(&p->ca[i].template);
		p->ca[i].has_template = 0;
	}
}

/* Takes a responder's certificate into use for answers. */
static int
use_responder(struct publication *p, struct ca *ca, const struct buf *certificate)
{
	struct ocsp_template fresh;
	int error;

	if ((error = ocsp_template_init(&fresh, ca->der.p, ca->der.len, certificate->p, certificate->len)) != 0)
		return error;
	if (ca->has_template)
		ocsp_template_free(&ca->template);
	ca->template = fresh;
	ca->has_template = 1;
	/* What the former one has signed stays as it is until it is signed again. */
	p->dirty = 1;
	return 0;
}

/* A new key in the status signer, a certificate for it from the CA. */
static int
new_responder(struct publication *p, struct ca *ca)
{
	struct buf spki = BUF_INIT, proof = BUF_INIT, certificate = BUF_INIT;
	int error;

	publication_leave(p);
	if ((error = status_signer_new_key(&p->status_signer, ca->number, &spki, &proof)) == 0 &&
	    (error = signer_responder(&p->signer, ca->number, spki.p, spki.len, proof.p, proof.len, &certificate)) == 0)
		error = status_signer_install_certificate(&p->status_signer, ca->number, certificate.p, certificate.len);
	publication_come_back(p);
	if (error == 0 && (error = use_responder(p, ca, &certificate)) == 0) {
		ca->shift = clock_business() - clock_real();
		log_info("responder_new", "of CA %u, until %lld", ca->number, (long long)ca->template.responder_not_after);
	}
	buf_free(&spki);
	buf_free(&proof);
	buf_free(&certificate);
	return error;
}

/*
 * Is the responder's certificate near its end?  To replace it is a deadline of the house, so the test clock counts, by what
 * it was moved since the certificate was made; what the certificate itself says is real time.
 */
static int
near_its_end(const struct publication *p, const struct ca *ca, int64_t now)
{
	int64_t moved = clock_business() - clock_real() - ca->shift;

	/* Once a CA has ended its key may be gone; only while its last answers are not signed yet may one still be needed. */
	if (ca->state == ISSUER_ENDED)
		return ca->template.responder_not_after <= now && ca->list[0].crl.next_update != STATUS_NEVER;
	return ca->template.responder_not_after - (now + moved) <= p->rotate;
}

static int
responder(struct publication *p, struct ca *ca, int64_t now)
{
	struct buf certificate = BUF_INIT, spki = BUF_INIT;
	int error = 0;

	ca->responder_tried = now;
	if (!ca->has_template) {
		publication_leave(p);
		error = status_signer_info(&p->status_signer, ca->number, &certificate, &spki);
		publication_come_back(p);
		if (error == 0 && certificate.len > 0)
			error = use_responder(p, ca, &certificate);
		else if (error == ICERT_E_STATE)
			error = 0;
	}
	if (error == 0 && (!ca->has_template || near_its_end(p, ca, now)))
		error = new_responder(p, ca);
	buf_free(&certificate);
	buf_free(&spki);
	return error;
}

void
publication_responders(struct publication *p, int64_t now)
{
	size_t i, tried = 0;
	int error = 0, one;

	for (i = 0; i < p->cas; i++) {
		if (p->ca[i].has_template && !near_its_end(p, &p->ca[i], now))
			continue;
		if (p->ca[i].responder_tried > now - RETRY_S && p->ca[i].responder_tried <= now)
			continue;
		tried++;
		one = responder(p, &p->ca[i], now);
		error = error != 0 ? error : one;
	}
	if (tried > 0)
		publication_note(p, STEP_RESPONDER, error, p->signer.detail);
}
