#include "libicert/keyproto.h"

#include "libicert/access_key.h"
#include "libicert/approval.h"
#include "libicert/csr.h"
#include "libicert/id.h"
#include "libicert/invoice.h"
#include "libicert/sealed.h"

#include <stdio.h>
#include <string.h>

#define STATEMENT_LEN_MIN (STATEMENT_SIGNATURE + 1)
#define STATEMENT_LEN_MAX (STATEMENT_MAX + STATEMENT_SIGNATURE)
#define DETAIL_MAX 512
#define ENVELOPE_MAX 1024
#define PRIVATE_MAX 4096
#define PROOF_MAX 4096

/* Exactly one field of that tag: SPAN of a length in a range, ONE of one length, NUM of eight bytes. */
#define SPAN(tag, from, to) { (tag), 1, 1, (from), (to) }
#define ONE(tag, len) SPAN(tag, len, len)
#define NUM(tag) ONE(tag, 8)
#define MANY(tag, least, most, from, to) { (tag), (least), (most), (from), (to) }
#define MAYBE(tag, len) MANY(tag, 0, 1, len, len)
#define RULES(name, ...) static const struct message_rule name[] = { __VA_ARGS__, { 0, 0, 0, 0, 0 } }

static const struct message_rule nothing[] = { { 0, 0, 0, 0, 0 } };

const struct message_rule keyproto_error_reply[] = {
	MANY(TAG_DETAIL, 0, 1, 0, DETAIL_MAX),
	MANY(TAG_TRIES, 0, 1, 8, 8),
	{ 0, 0, 0, 0, 0 }
};

RULES(datakey_new, ONE(TAG_KIND, 1));
RULES(datakey_new_reply, ONE(TAG_ID, ID_RAW), ONE(TAG_KEY, SEALED_KEY), ONE(TAG_WRAPPED, KEEPER_WRAPPED));
RULES(datakey_unwrap, MANY(TAG_WRAPPED, 1, KEEPER_BATCH, KEEPER_WRAPPED, KEEPER_WRAPPED));
RULES(datakey_unwrap_reply, MANY(TAG_KEY, 1, KEEPER_BATCH, SEALED_KEY, SEALED_KEY));
RULES(datakey_destroy, ONE(TAG_ID, ID_RAW));
RULES(lookup, SPAN(TAG_LABEL, 1, 32), MANY(TAG_TEXT, 1, KEEPER_BATCH, 1, 320));
RULES(lookup_reply, MANY(TAG_HASH, 1, KEEPER_BATCH, 32, 32));
RULES(totp_verify, ONE(TAG_STAFF, ID_RAW), ONE(TAG_CODE, TOTP_DIGITS));
RULES(totp_enrol, ONE(TAG_STAFF, ID_RAW), SPAN(TAG_TEXT, 1, 64));
RULES(totp_enrol_reply, ONE(TAG_SEED, TOTP_SEED));
RULES(totp_staff, ONE(TAG_STAFF, ID_RAW));
RULES(totp_last_reply, NUM(TAG_NUMBER));
RULES(accept_fields, ONE(TAG_CASE, ID_RAW), SPAN(TAG_FIELDS, 1, CERT_FIELDS_MAX));
RULES(approve, ONE(TAG_KIND, 1), ONE(TAG_CASE, ID_RAW), SPAN(TAG_FIELDS, 1, CERT_FIELDS_MAX),
    ONE(TAG_STAFF, ID_RAW), ONE(TAG_CODE, TOTP_DIGITS));
RULES(statement_reply, SPAN(TAG_STATEMENT, STATEMENT_LEN_MIN, STATEMENT_LEN_MAX));
RULES(delivery, ONE(TAG_CASE, ID_RAW), SPAN(TAG_LABEL, 1, 16));
RULES(key_reply, ONE(TAG_KEY, SEALED_KEY));
RULES(only_case, ONE(TAG_CASE, ID_RAW));
RULES(code_take, ONE(TAG_CASE, ID_RAW), ONE(TAG_STAFF, ID_RAW));
RULES(envelope_renew, ONE(TAG_CASE, ID_RAW), ONE(TAG_STAFF, ID_RAW), ONE(TAG_CODE, TOTP_DIGITS));
RULES(code_reply, ONE(TAG_CODE, OPENING_DIGITS));
RULES(envelope_open, ONE(TAG_CASE, ID_RAW), ONE(TAG_SESSION, 32), MANY(TAG_CODE, 0, 1, OPENING_DIGITS, OPENING_DIGITS));
RULES(envelope_open_reply, ONE(TAG_KEY, SEALED_KEY), NUM(TAG_TRIES));
RULES(envelope_done, ONE(TAG_CASE, ID_RAW), ONE(TAG_SESSION, 32));

RULES(key_make, ONE(TAG_CASE, ID_RAW), ONE(TAG_KEY, SEALED_KEY));
RULES(key_make_reply, SPAN(TAG_SEALED, SEALED_OVERHEAD, PRIVATE_MAX), SPAN(TAG_SPKI, 1, SPKI_MAX),
    SPAN(TAG_WORD, STATEMENT_LEN_MIN, STATEMENT_LEN_MAX));
RULES(key_pack, ONE(TAG_CASE, ID_RAW), ONE(TAG_KEY_PRIVATE, SEALED_KEY), ONE(TAG_KEY_PKCS12, SEALED_KEY),
    ONE(TAG_KEY_ENVELOPE, SEALED_KEY), SPAN(TAG_SEALED, SEALED_OVERHEAD, PRIVATE_MAX),
    MANY(TAG_CERT, 1, CHAIN_MAX, 1, CERT_MAX), SPAN(TAG_TEXT, 0, 256), ONE(TAG_PROFILE, 1));
RULES(key_envelope, ONE(TAG_CASE, ID_RAW), ONE(TAG_KEY_ENVELOPE, SEALED_KEY));
RULES(key_envelope_reply, SPAN(TAG_SEALED_ENVELOPE, SEALED_OVERHEAD, ENVELOPE_MAX), ONE(TAG_HASH, 32));
RULES(key_pack_reply, SPAN(TAG_SEALED_PKCS12, SEALED_OVERHEAD, PKCS12_MAX),
    SPAN(TAG_SEALED_ENVELOPE, SEALED_OVERHEAD, ENVELOPE_MAX), ONE(TAG_HASH, 32));

RULES(sign_certificate, ONE(TAG_CASE, ID_RAW), ONE(TAG_SERIAL, 16), NUM(TAG_TIME), SPAN(TAG_FIELDS, 1, CERT_FIELDS_MAX),
    SPAN(TAG_SPKI, 1, SPKI_MAX), MANY(TAG_STATEMENT, 1, 3, STATEMENT_LEN_MIN, STATEMENT_LEN_MAX),
    MANY(TAG_WORD, 0, 1, STATEMENT_LEN_MIN, STATEMENT_LEN_MAX), MANY(TAG_REQUEST, 0, 1, 1, CSR_MAX));
RULES(cert_reply, SPAN(TAG_CERT, 1, CERT_MAX));
RULES(sign_crl, MAYBE(TAG_ISSUER, 8), MAYBE(TAG_PARTITION, 8), NUM(TAG_NUMBER), NUM(TAG_TIME), NUM(TAG_TIME_NEXT));
RULES(sign_crl_reply, NUM(TAG_NUMBER));
RULES(journal_state, MAYBE(TAG_ISSUER, 8), NUM(TAG_NUMBER));
RULES(journal_state_reply, NUM(TAG_NUMBER), ONE(TAG_HASH, 32), ONE(TAG_DIGEST, 32));
RULES(sign_responder, SPAN(TAG_SPKI, 1, SPKI_MAX), SPAN(TAG_PROOF, 1, PROOF_MAX), MAYBE(TAG_ISSUER, 8));

RULES(status_issuer, MAYBE(TAG_ISSUER, 8));
RULES(status_info_reply, MANY(TAG_CERT, 0, 1, 1, CERT_MAX), SPAN(TAG_SPKI, 1, SPKI_MAX), MAYBE(TAG_NUMBER, 8));
RULES(status_sign, MANY(TAG_DIGEST, 1, STATUS_BATCH, 32, 32), MANY(TAG_HASH, 0, 1, 32, 32));
RULES(status_sign_reply, MANY(TAG_SIGNATURE, 1, STATUS_BATCH, 1, STATUS_SIGNATURE_MAX));
RULES(status_new_key_reply, SPAN(TAG_SPKI, 1, SPKI_MAX), SPAN(TAG_PROOF, 1, PROOF_MAX));
RULES(status_install, SPAN(TAG_CERT, 1, CERT_MAX), MAYBE(TAG_ISSUER, 8));

RULES(check, ONE(TAG_KIND, 1), ONE(TAG_PURPOSE, 1));
RULES(check_reply, ONE(TAG_TYPE, 1), NUM(TAG_FLAGS), NUM(TAG_WIDTH), NUM(TAG_HEIGHT), NUM(TAG_PAGES),
    NUM(TAG_MEAN), NUM(TAG_DEVIATION), MANY(TAG_CODE, 0, CHECK_PRINTED, ACCESS_KEY_DIGITS, ACCESS_KEY_DIGITS));
RULES(invoice_reply, SPAN(TAG_LABEL, 0, sizeof ((struct invoice_fault *)0)->code - 1),
    SPAN(TAG_DETAIL, 0, sizeof ((struct invoice_fault *)0)->element - 1),
    MANY(TAG_TEXT, 0, INVOICE_TEXTS, 0, sizeof ((struct invoice *)0)->buyer_name - 1), MANY(TAG_NUMBER, 0, INVOICE_AMOUNTS, 8, 8));

static const struct keyproto_spec specs[] = {
	{ OP_PING, "ping", nothing, nothing, 0, 0 },
	{ OP_DATAKEY_NEW, "datakey-new", datakey_new, datakey_new_reply, 0, 0 },
	{ OP_DATAKEY_UNWRAP, "datakey-unwrap", datakey_unwrap, datakey_unwrap_reply, 0, 0 },
	{ OP_DATAKEY_DESTROY, "datakey-destroy", datakey_destroy, nothing, 0, 0 },
	{ OP_LOOKUP, "lookup", lookup, lookup_reply, 0, 0 },
	{ OP_TOTP_VERIFY, "totp-verify", totp_verify, nothing, 0, 0 },
	{ OP_TOTP_ENROL, "totp-enrol", totp_enrol, totp_enrol_reply, 0, 0 },
	{ OP_TOTP_LAST, "totp-last", totp_staff, totp_last_reply, 0, 0 },
	{ OP_TOTP_FORGET, "totp-forget", totp_staff, nothing, 0, 0 },
	{ OP_STAFF_PASSPORT, "staff-passport", totp_enrol, nothing, 0, 0 },
	{ OP_ACCEPT, "accept", accept_fields, statement_reply, 0, 0 },
	{ OP_APPROVE, "approve", approve, statement_reply, 0, 0 },
	{ OP_DELIVERY_NEW, "delivery-new", delivery, key_reply, 0, 0 },
	{ OP_DELIVERY_GET, "delivery-get", delivery, key_reply, 0, 0 },
	{ OP_DELIVERY_DESTROY, "delivery-destroy", delivery, nothing, 0, 0 },
	{ OP_ENVELOPE_NEW, "envelope-new", only_case, key_reply, 0, 0 },
	{ OP_OPENING_CODE_TAKE, "opening-code-take", code_take, code_reply, 0, 0 },
	{ OP_OPENING_CODE_TOLD, "opening-code-told", code_take, nothing, 0, 0 },
	{ OP_ENVELOPE_RENEW, "envelope-renew", envelope_renew, nothing, 0, 0 },
	{ OP_ENVELOPE_OPEN, "envelope-open", envelope_open, envelope_open_reply, 0, 0 },
	{ OP_ENVELOPE_DONE, "envelope-done", envelope_done, nothing, 0, 0 },
	{ OP_KEY_MAKE, "key-make", key_make, key_make_reply, 0, 0 },
	{ OP_KEY_PACK, "key-pack", key_pack, key_pack_reply, 0, 0 },
	{ OP_KEY_ENVELOPE, "key-envelope", key_envelope, key_envelope_reply, 0, 0 },
	{ OP_SIGN_CERTIFICATE, "sign-certificate", sign_certificate, cert_reply, 0, 0 },
	{ OP_SIGN_CRL, "sign-crl", sign_crl, sign_crl_reply, 1, 1 },
	{ OP_JOURNAL_STATE, "journal-state", journal_state, journal_state_reply, 0, 0 },
	{ OP_SIGN_RESPONDER, "sign-responder", sign_responder, cert_reply, 0, 0 },
	{ OP_SIGNED_REVOKED, "signed-revoked", status_issuer, sign_crl_reply, 0, 1 },
	{ OP_STATUS_INFO, "status-info", status_issuer, status_info_reply, 0, 0 },
	{ OP_STATUS_SIGN, "status-sign", status_sign, status_sign_reply, 0, 0 },
	{ OP_STATUS_NEW_KEY, "status-new-key", status_issuer, status_new_key_reply, 0, 0 },
	{ OP_STATUS_INSTALL, "status-install", status_install, nothing, 0, 0 },
	{ OP_CHECK, "check", check, check_reply, 1, 1 },
	{ OP_INVOICE, "invoice", nothing, invoice_reply, 1, 0 }
};

const struct keyproto_spec *
keyproto_find(uint16_t op)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (specs[i].op == op)
			return &specs[i];
	return NULL;
}

void
delivery_context(char out[DELIVERY_CONTEXT], const uint8_t case_id[16], const char *label)
{
	char id[ID_TEXT];

	id_text(case_id, id);
	snprintf(out, DELIVERY_CONTEXT, "delivery|%s|%s", id, label);
}

void
crl_entry_encode(const struct crl_entry *entry, uint8_t out[CRL_ENTRY])
{
	memcpy(out, entry->serial, 16);
	for (int i = 0; i < 8; i++)
		out[16 + i] = (uint8_t)((uint64_t)entry->revoked_at >> (8 * i));
	out[24] = entry->reason;
}

void
crl_entry_decode(struct crl_entry *entry, const uint8_t in[CRL_ENTRY])
{
	memcpy(entry->serial, in, 16);
	entry->revoked_at = (int64_t)get_u64le(in + 16);
	entry->reason = in[24];
}
