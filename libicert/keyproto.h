#ifndef LIBICERT_KEYPROTO_H
#define LIBICERT_KEYPROTO_H

#include "libicert/message.h"

#include <stdint.h>

/*
 * The operations of the key processes and the form of their messages: one table
 * that clients (crypt/) and servers (keys/, checker/) both read.  Which socket
 * may ask for what stands in each server's own table.  docs/key-protocol.md.
 */
enum keyproto_op {
	OP_PING = 0x0001,			/* is anybody there; on every socket */

	OP_DATAKEY_NEW = 0x0101,
	OP_DATAKEY_UNWRAP = 0x0102,
	OP_DATAKEY_DESTROY = 0x0103,
	OP_LOOKUP = 0x0104,
	OP_TOTP_VERIFY = 0x0105,
	OP_TOTP_ENROL = 0x0106,
	OP_TOTP_LAST = 0x0107,
	OP_TOTP_FORGET = 0x0108,
	OP_ACCEPT = 0x0109,
	OP_APPROVE = 0x010a,
	OP_DELIVERY_NEW = 0x010b,
	OP_DELIVERY_GET = 0x010c,
	OP_DELIVERY_DESTROY = 0x010d,
	OP_ENVELOPE_NEW = 0x010e,
	OP_OPENING_CODE_TAKE = 0x010f,
	OP_ENVELOPE_OPEN = 0x0110,
	OP_ENVELOPE_DONE = 0x0111,
	OP_OPENING_CODE_TOLD = 0x0112,
	OP_STAFF_PASSPORT = 0x0113,
	OP_ENVELOPE_RENEW = 0x0114,

	OP_KEY_MAKE = 0x0201,
	OP_KEY_PACK = 0x0202,
	OP_KEY_ENVELOPE = 0x0203,

	OP_SIGN_CERTIFICATE = 0x0301,
	OP_SIGN_CRL = 0x0302,
	OP_SIGN_RESPONDER = 0x0303,
	OP_JOURNAL_STATE = 0x0304,
	OP_SIGNED_REVOKED = 0x0305,

	OP_STATUS_INFO = 0x0401,
	OP_STATUS_SIGN = 0x0402,
	OP_STATUS_NEW_KEY = 0x0403,
	OP_STATUS_INSTALL = 0x0404,

	OP_CHECK = 0x0501,
	OP_INVOICE = 0x0502
};

enum keyproto_tag {
	TAG_DETAIL = 1,		/* in an error reply: one line for the log and the desk, no secret, no name */
	TAG_TRIES = 2,		/* number: tries that remain */
	TAG_ID = 3,		/* 16 bytes: a data key */
	TAG_CASE = 4,		/* 16 bytes */
	TAG_STAFF = 5,		/* 16 bytes */
	TAG_KIND = 6,		/* 1 byte: enum datakey_kind, enum approval_kind or enum check_kind */
	TAG_LABEL = 7,		/* lower-case word */
	TAG_TEXT = 8,		/* UTF-8 */
	TAG_CODE = 9,		/* decimal digits */
	TAG_KEY = 10,		/* 32 bytes */
	TAG_WRAPPED = 11,	/* KEEPER_WRAPPED bytes */
	TAG_HASH = 12,		/* 32 bytes */
	TAG_SESSION = 13,	/* 32 bytes: hash of a session's secret */
	TAG_FIELDS = 14,	/* canonical certificate fields */
	TAG_STATEMENT = 15,	/* a statement with its signature */
	TAG_WORD = 16,		/* the keymaker's, the same form */
	TAG_SEED = 17,		/* 20 bytes */
	TAG_NUMBER = 18,
	TAG_TIME = 19,		/* UTC seconds */
	TAG_TIME_NEXT = 20,
	TAG_SEALED = 21,	/* libicert/sealed.h */
	TAG_SEALED_PKCS12 = 22,
	TAG_SEALED_ENVELOPE = 23,
	TAG_KEY_PRIVATE = 24,	/* 32 bytes: delivery keys, by label */
	TAG_KEY_PKCS12 = 25,
	TAG_KEY_ENVELOPE = 26,
	TAG_SPKI = 27,		/* DER SubjectPublicKeyInfo */
	TAG_CERT = 28,		/* DER certificate */
	TAG_PROFILE = 29,	/* 1 byte: enum pkcs12_profile */
	TAG_SERIAL = 30,	/* 16 bytes, big-endian */
	TAG_PROOF = 31,		/* the status signer's signed word for its key (keys/responder_word.h) */
	TAG_DIGEST = 32,	/* 32 bytes */
	TAG_SIGNATURE = 33,
	TAG_TYPE = 34,		/* 1 byte: enum check_kind */
	TAG_PURPOSE = 35,	/* 1 byte: enum check_purpose */
	TAG_WIDTH = 36,		/* numbers */
	TAG_HEIGHT = 37,
	TAG_PAGES = 38,
	TAG_FLAGS = 39,
	TAG_MEAN = 40,
	TAG_DEVIATION = 41,
	TAG_REQUEST = 42,	/* DER certification request of a token's key */
	TAG_ISSUER = 43,	/* number of an issuing CA (pki/issuer_list.h); absent: the first */
	TAG_PARTITION = 44	/* number of a partition of its list; absent: the whole */
};

enum datakey_kind {
	DATAKEY_CONTACT = 1,
	DATAKEY_ORDER = 2,
	DATAKEY_CASE = 3,
	DATAKEY_PAYMENTS_MONTH = 4
};

enum pkcs12_profile {
	PKCS12_MODERN = 1,	/* AES-256-CBC, PBKDF2-HMAC-SHA-256, SHA-256 MAC */
	PKCS12_LEGACY = 2	/* PBE-SHA1-3DES, SHA-1 MAC: the applicant's explicit choice */
};

enum check_kind {
	CHECK_ANY = 0,		/* PDF, JPEG or PNG, by its first bytes */
	CHECK_PDF = 1,
	CHECK_JPEG = 2,
	CHECK_PNG = 3,
	CHECK_IMAGE = 4		/* JPEG or PNG */
};

enum check_purpose {
	CHECK_DOCUMENT = 1,	/* re-encode an image, look a PDF through */
	CHECK_FACE = 2,		/* also measure how even the background is; the output is JPEG */
	CHECK_INVOICE = 3	/* also tell the tax authority's access keys that a PDF prints */
};

/* TAG_FLAGS of OP_CHECK. */
#define CHECK_ENCRYPTED 0x0001u		/* PDF: needs a password */
#define CHECK_JAVASCRIPT 0x0002u
#define CHECK_LAUNCH 0x0004u
#define CHECK_EMBEDDED 0x0008u		/* embedded files */
#define CHECK_XFA 0x0010u
#define CHECK_TRUNCATED 0x0020u		/* ends before its end */
#define CHECK_BROKEN 0x0040u		/* does not parse */
#define CHECK_TOO_BIG 0x0080u		/* more pixels or pages than the cap */
#define CHECK_OTHER 0x0100u		/* its first bytes are none of the kinds */
#define CHECK_UNEXPECTED 0x0200u	/* of another kind than was expected */
#define CHECK_RESTRICTED 0x0400u	/* PDF: opens without a password, but restricts what may be done */
#define CHECK_REPAIRED 0x0800u		/* PDF: parses only after repair */
#define CHECK_PRINTED 4			/* so many access keys are told */
#define CHECK_ACTIVE (CHECK_JAVASCRIPT | CHECK_LAUNCH | CHECK_EMBEDDED | CHECK_XFA)

/* Sizes on the wire. */
#define KEEPER_WRAPPED 78	/* version 1, kind 1, id 16, nonce 12, key 32, tag 16 */
#define KEEPER_BATCH 256	/* data keys or look-ups in one message */
#define TOTP_SEED 20
#define TOTP_DIGITS 6
#define OPENING_DIGITS 8
#define STATUS_BATCH 512		/* digests in one message */
#define STATUS_BATCH_RSA 128	/* so many signatures of an RSA key fit into the reply, and take as long */
#define STATUS_SIGNATURE_MAX 512
#define SPKI_MAX 1024
#define CERT_MAX 8192
#define PKCS12_MAX 24576
#define CHAIN_MAX 4

/* The parts of a delivery, each under a key of its own; also the labels of OP_DELIVERY_*. */
#define DELIVERY_PRIVATE "private"
#define DELIVERY_PKCS12 "pkcs12"
#define DELIVERY_ENVELOPE "envelope"
/* The context under which a part is sealed: "delivery|<case>|<label>". */
#define DELIVERY_CONTEXT 64
void delivery_context(char out[DELIVERY_CONTEXT], const uint8_t case_id[16], const char *label);

/*
 * A revoked certificate on its way to the signer, in the file that goes with OP_SIGN_CRL: 25 bytes each,
 * serial (16, big-endian), time (i64 little-endian, UTC seconds), reason (1, RFC 5280 section 5.3.1).
 */
#define CRL_ENTRY 25
struct crl_entry {
	uint8_t serial[16];
	int64_t revoked_at;
	uint8_t reason;
};
void crl_entry_encode(const struct crl_entry *, uint8_t out[CRL_ENTRY]);
void crl_entry_decode(struct crl_entry *, const uint8_t in[CRL_ENTRY]);

/*
 * What the signer once signed as revoked, on its way back, in the file that comes with OP_SIGNED_REVOKED: 32 bytes each, all
 * big-endian: serial (16), time (i64), end of its certificate (i64; INT64_MAX: not known).
 */
#define REVOKED_ENTRY 32

/* What an operation's request and reply look like. */
struct keyproto_spec {
	uint16_t op;
	const char *name;
	const struct message_rule *request;
	const struct message_rule *reply;	/* of status 0 */
	int fd_in;				/* the request carries a file */
	int fd_out;				/* the reply may carry one */
};

/* NULL for an operation that does not exist. */
const struct keyproto_spec *keyproto_find(uint16_t op);
/* The form of every reply whose status is not 0. */
extern const struct message_rule keyproto_error_reply[];

#endif
