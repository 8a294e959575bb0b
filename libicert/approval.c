#include "libicert/approval.h"

#include "libicert/error.h"

#include <openssl/evp.h>
#include <string.h>

#define F(name) { #name, offsetof(struct cert_fields, name) }
static const struct {
	const char *name;
	size_t offset;
} fields[CERT_FIELDS_COUNT] = {
	F(country), F(locality), F(serial_number), F(common_name),
	F(email), F(identification), F(given_names), F(surname1), F(surname2), F(address),
	F(telephone), F(city), F(ruc), F(country_name), F(kind), F(container), F(rup), F(profession),
	F(policy_oid), F(years), F(spki_sha256_hex)
};
#undef F

const char **
cert_fields_at(struct cert_fields *f, size_t i)
{
	return (const char **)(void *)((char *)f + fields[i].offset);
}

const char *
cert_fields_get(const struct cert_fields *f, size_t i)
{
	const char *value;

	memcpy(&value, (const char *)f + fields[i].offset, sizeof(value));
	return value;
}

const char *
cert_fields_name(size_t i)
{
	return i < CERT_FIELDS_COUNT ? fields[i].name : NULL;
}

/* The length of the UTF-8 sequence at s (RFC 3629), 0 when it is none. */
static size_t
utf8_one(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3
	    : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t v;

	if (n == 0 || n > len)
		return 0;
	if (n == 1)
		return s[0] == 0 ? 0 : 1;
	v = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3fu);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	return n;
}

/* Text as a certificate may carry it: UTF-8 without a NUL. */
static int
is_text(const uint8_t *s, size_t len)
{
	while (len > 0) {
		size_t n = utf8_one(s, len);

		if (n == 0)
			return 0;
		s += n;
		len -= n;
	}
	return 1;
}

static void
put_prefixed(struct buf *b, const void *data, size_t len)
{
	buf_u32be(b, (uint32_t)len);
	buf_put(b, data, len);
}

int
cert_fields_encode(const struct cert_fields *f, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		const char *value = cert_fields_get(f, i);

		if (value == NULL || !is_text((const uint8_t *)value, strlen(value)))
			return ICERT_E_INVALID;
		if (strlen(value) > CERT_FIELD_MAX)
			return ICERT_E_TOO_LARGE;
		put_prefixed(out, value, strlen(value));
	}
	if (buf_error(out) == 0 && out->len - start > CERT_FIELDS_MAX)
		return ICERT_E_TOO_LARGE;
	return buf_error(out);
}

/* One length-prefixed piece off the front; NULL when it is not whole. */
static const uint8_t *
take_prefixed(const uint8_t **p, size_t *left, size_t *len)
{
	const uint8_t *piece;

	if (*left < 4)
		return NULL;
	*len = get_u32be(*p);
	if (*len > *left - 4)
		return NULL;
	piece = *p + 4;
	*p += 4 + *len;
	*left -= 4 + *len;
	return piece;
}

int
cert_fields_decode(struct cert_fields *f, const uint8_t *p, size_t left, struct buf *store)
{
	size_t offset[CERT_FIELDS_COUNT];

	buf_reset(store);
	if (left > CERT_FIELDS_MAX)
		return ICERT_E_TOO_LARGE;
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++) {
		size_t len;
		const uint8_t *piece = take_prefixed(&p, &left, &len);

		if (piece == NULL || !is_text(piece, len))
			return ICERT_E_MALFORMED;
		if (len > CERT_FIELD_MAX)
			return ICERT_E_TOO_LARGE;
		offset[i] = store->len;
		buf_put(store, piece, len);
		buf_putc(store, 0);
	}
	if (left != 0)
		return ICERT_E_MALFORMED;
	if (buf_error(store) != 0)
		return buf_error(store);
	/* Only now does the store no longer move. */
	for (size_t i = 0; i < CERT_FIELDS_COUNT; i++)
		*cert_fields_at(f, i) = (const char *)store->p + offset[i];
	return 0;
}

int
cert_fields_hash(const struct cert_fields *f, uint8_t out[32])
{
	struct buf b = BUF_INIT;
	int error = cert_fields_encode(f, &b);

	if (error == 0 && EVP_Digest(b.p, b.len, out, NULL, EVP_sha256(), NULL) != 1)
		error = ICERT_E_CRYPTO;
	buf_free(&b);
	return error;
}

static const char approval_label[] = "icert-approval-v1";
static const char key_label[] = "icert-key-v1";

const char *
approval_kind_name(enum approval_kind kind)
{
	switch (kind) {
	case APPROVAL_ACCEPT:
		return "accept";
	case APPROVAL_ISSUE:
		return "issue";
	case APPROVAL_SECOND:
		return "second";
	}
	return NULL;
}

static void
piece(struct statement *s, const void *data, size_t len)
{
	uint8_t *to = s->bytes + s->len;

	to[0] = to[1] = to[2] = 0;
	to[3] = (uint8_t)len;
	memcpy(to + 4, data, len);
	s->len += 4 + (uint32_t)len;
}

static void
piece_time(struct statement *s, int64_t time)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)time >> (56 - 8 * i));
	piece(s, bytes, sizeof(bytes));
}

int
approval_build(const struct approval *a, struct statement *s)
{
	const char *kind = approval_kind_name(a->kind);

	memset(s, 0, sizeof(*s));
	if (kind == NULL || a->time < 0)
		return ICERT_E_INVALID;
	piece(s, approval_label, strlen(approval_label));
	piece(s, kind, strlen(kind));
	piece(s, a->case_id, ID_RAW);
	piece(s, a->fields_hash, 32);
	piece(s, a->person_hash, 32);
	piece_time(s, a->time);
	return 0;
}

int
key_word_build(const struct key_word *w, struct statement *s)
{
	memset(s, 0, sizeof(*s));
	if (w->time < 0)
		return ICERT_E_INVALID;
	piece(s, key_label, strlen(key_label));
	piece(s, w->case_id, ID_RAW);
	piece(s, w->spki_sha256, 32);
	piece_time(s, w->time);
	return 0;
}

/* A cursor over a statement's pieces; bad is sticky. */
struct reading {
	const uint8_t *p;
	size_t left;
	int bad;
};

static const uint8_t *
read_piece(struct reading *r, size_t *len)
{
	const uint8_t *got = r->bad ? NULL : take_prefixed(&r->p, &r->left, len);

	if (got == NULL) {
		r->bad = 1;
		*len = 0;
	}
	return got;
}

static void
read_exact(struct reading *r, void *out, size_t want)
{
	size_t len;
	const uint8_t *got = read_piece(r, &len);

	if (got == NULL || len != want)
		r->bad = 1;
	else
		memcpy(out, got, want);
}

static void
read_label(struct reading *r, const char *label)
{
	size_t len;
	const uint8_t *got = read_piece(r, &len);

	if (got == NULL || len != strlen(label) || memcmp(got, label, len) != 0)
		r->bad = 1;
}

static void
read_time(struct reading *r, int64_t *time)
{
	uint8_t bytes[8] = { 0 };

	read_exact(r, bytes, sizeof(bytes));
	*time = (int64_t)get_u64be(bytes);
	if (*time < 0)
		r->bad = 1;
}

static enum approval_kind
read_kind(struct reading *r)
{
	size_t len;
	const uint8_t *got = read_piece(r, &len);

	for (int k = APPROVAL_ACCEPT; got != NULL && k <= APPROVAL_SECOND; k++) {
		const char *name = approval_kind_name((enum approval_kind)k);

		if (len == strlen(name) && memcmp(got, name, len) == 0)
			return (enum approval_kind)k;
	}
	r->bad = 1;
	return APPROVAL_ACCEPT;
}

int
approval_parse(const struct statement *s, struct approval *a)
{
	struct reading r = { s->bytes, s->len, s->len > STATEMENT_MAX };

	memset(a, 0, sizeof(*a));
	read_label(&r, approval_label);
	a->kind = read_kind(&r);
	read_exact(&r, a->case_id, ID_RAW);
	read_exact(&r, a->fields_hash, 32);
	read_exact(&r, a->person_hash, 32);
	read_time(&r, &a->time);
	return r.bad || r.left != 0 ? ICERT_E_MALFORMED : 0;
}

int
key_word_parse(const struct statement *s, struct key_word *w)
{
	struct reading r = { s->bytes, s->len, s->len > STATEMENT_MAX };

	memset(w, 0, sizeof(*w));
	read_label(&r, key_label);
	read_exact(&r, w->case_id, ID_RAW);
	read_exact(&r, w->spki_sha256, 32);
	read_time(&r, &w->time);
	return r.bad || r.left != 0 ? ICERT_E_MALFORMED : 0;
}

int
statement_sign(struct statement *s, const uint8_t private_key[32])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = STATEMENT_SIGNATURE;
	int ok;

	ok = key != NULL && ctx != NULL && s->len <= STATEMENT_MAX &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, s->sig, &len, s->bytes, s->len) == 1 && len == STATEMENT_SIGNATURE;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : ICERT_E_CRYPTO;
}

int
statement_verify(const struct statement *s, const uint8_t public_key[32])
{
	EVP_PKEY *key;
	EVP_MD_CTX *ctx;
	int error = ICERT_E_CRYPTO;

	if (s->len == 0 || s->len > STATEMENT_MAX)
		return ICERT_E_INVALID;
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
	ctx = EVP_MD_CTX_new();
	if (key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1)
		error = EVP_DigestVerify(ctx, s->sig, STATEMENT_SIGNATURE, s->bytes, s->len) == 1
		    ? 0 : ICERT_E_FORGED;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return error;
}

int
statement_public(const uint8_t private_key[32], uint8_t public_key[32])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, 32);
	size_t len = 32;
	int ok = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1 && len == 32;

	EVP_PKEY_free(key);
	return ok ? 0 : ICERT_E_CRYPTO;
}

void
statement_encode(const struct statement *s, struct buf *out)
{
	buf_put(out, s->bytes, s->len);
	buf_put(out, s->sig, STATEMENT_SIGNATURE);
}

int
statement_decode(struct statement *s, const uint8_t *p, size_t len)
{
	memset(s, 0, sizeof(*s));
	if (len <= STATEMENT_SIGNATURE || len > STATEMENT_MAX + STATEMENT_SIGNATURE)
		return ICERT_E_MALFORMED;
	s->len = (uint32_t)(len - STATEMENT_SIGNATURE);
	memcpy(s->bytes, p, s->len);
	memcpy(s->sig, p + s->len, STATEMENT_SIGNATURE);
	return 0;
}
