#include "audit/head.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libicert/error.h"

#define NOTE_ED25519 0x01       /* signature type of the signed-note format */
#define KEY_HASH 4              /* bytes that name the key in a signature line */
#define SIGNATURE 64            /* bytes of an Ed25519 signature, RFC 8032 */
#define NOTE_MAX 1024           /* longest note we read */
#define DASH "\xe2\x80\x94 "    /* em dash and blank begin a signature line */

struct head_key {
	EVP_PKEY *key;
};

/* Writes the whole file or none: a temporary name, synced, then renamed. */
static int
write_pem(const char *path, mode_t mode, EVP_PKEY *key, int private)
{
	char temporary[512];
	FILE *file = NULL;
	int fd, ok, error = ICERT_E_SYSTEM;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return ICERT_E_INVALID;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd == -1)
		return ICERT_E_SYSTEM;
	if (fchmod(fd, mode) == -1 || (file = fdopen(fd, "w")) == NULL) {
		close(fd);
		goto out;
	}
	ok = private ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) : PEM_write_PUBKEY(file, key);
	if (ok == 1 && fflush(file) == 0 && fsync(fd) == 0)
		error = 0;
	if (fclose(file) != 0)
		error = ICERT_E_SYSTEM;
	if (error == 0 && rename(temporary, path) == -1)
		error = ICERT_E_SYSTEM;
out:
	if (error != 0)
		unlink(temporary);
	return error;
}

int
head_key_open(const char *path, struct head_key **out)
{
	char public[512];
	struct head_key *key;
	FILE *file;
	int error = 0;

	*out = NULL;
	if (snprintf(public, sizeof(public), "%s.pub", path) >= (int)sizeof(public))
		return ICERT_E_INVALID;
	if ((key = calloc(1, sizeof(*key))) == NULL)
		return ICERT_E_MEMORY;
	if ((file = fopen(path, "re")) != NULL) {
		key->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		fclose(file);
		if (key->key == NULL || EVP_PKEY_base_id(key->key) != EVP_PKEY_ED25519)
			error = ICERT_E_CRYPTO;
	} else if (errno != ENOENT) {
		error = ICERT_E_SYSTEM;
	} else if ((key->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")) == NULL) {
		error = ICERT_E_CRYPTO;
	} else {
		error = write_pem(path, 0600, key->key, 1);
	}
	if (error == 0 && access(public, R_OK) == -1)
		error = write_pem(public, 0644, key->key, 0);
	if (error != 0) {
		head_key_free(key);
		return error;
	}
	*out = key;
	return 0;
}

int
head_key_publish(const struct head_key *key, const char *path)
{
	return access(path, R_OK) == 0 ? 0 : write_pem(path, 0644, key->key, 0);
}

void
head_key_free(struct head_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

int
head_public(const char *path, uint8_t pub[32])
{
	char public[512];
	EVP_PKEY *key;
	FILE *file;
	size_t len = 32;
	int ok;

	if (snprintf(public, sizeof(public), "%s.pub", path) >= (int)sizeof(public))
		return ICERT_E_INVALID;
	if ((file = fopen(public, "re")) == NULL)
		return ICERT_E_NOT_FOUND;
	key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
	fclose(file);
	ok = key != NULL && EVP_PKEY_get_raw_public_key(key, pub, &len) == 1 && len == 32;
	EVP_PKEY_free(key);
	return ok ? 0 : ICERT_E_CRYPTO;
}

/* Signed note: SHA-256(name || 0x0a || type || public key), first four bytes. */
static int
key_hash(const char *origin, const uint8_t pub[32], uint8_t out[KEY_HASH])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct buf b = BUF_INIT;
	int ok;

	buf_puts(&b, origin);
	buf_putc(&b, '\n');
	buf_putc(&b, NOTE_ED25519);
	buf_put(&b, pub, 32);
	ok = buf_error(&b) == 0 && EVP_Digest(b.p, b.len, digest, NULL, EVP_sha256(), NULL) == 1;
	buf_free(&b);
	if (ok)
		memcpy(out, digest, KEY_HASH);
	return ok ? 0 : ICERT_E_CRYPTO;
}

/* The origin stands in a line and names a key: no blank, plus or control. */
static int
origin_ok(const char *origin)
{
	const char *p;

	for (p = origin; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == '+' || *p == 0x7f)
			return 0;
	return p != origin && p - origin < HEAD_ORIGIN_MAX;
}

static void
head_text(const struct audit_head *head, struct buf *out)
{
	char root[TREE_HASH * 2];

	EVP_EncodeBlock((unsigned char *)root, head->root, TREE_HASH);
	buf_printf(out, "%s\n%" PRIu64 "\n%s\ntime %" PRId64 "\n", head->origin, head->size, root, head->at);
}

int
head_sign(const struct head_key *key, const struct audit_head *head, struct buf *out)
{
	uint8_t line[KEY_HASH + SIGNATURE], pub[32];
	char base64[(KEY_HASH + SIGNATURE) * 2];
	size_t len = SIGNATURE, pub_len = sizeof(pub);
	struct buf text = BUF_INIT;
	EVP_MD_CTX *ctx = NULL;
	int error = ICERT_E_CRYPTO;

	if (!origin_ok(head->origin))
		return ICERT_E_INVALID;
	head_text(head, &text);
	if ((error = buf_error(&text)) != 0)
		goto out;
	error = ICERT_E_CRYPTO;
	if (EVP_PKEY_get_raw_public_key(key->key, pub, &pub_len) != 1 || key_hash(head->origin, pub, line) != 0)
		goto out;
	if ((ctx = EVP_MD_CTX_new()) == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key) != 1 ||
	    EVP_DigestSign(ctx, line + KEY_HASH, &len, text.p, text.len) != 1)
		goto out;
	EVP_EncodeBlock((unsigned char *)base64, line, sizeof(line));
	buf_put(out, text.p, text.len);
	buf_printf(out, "\n%s%s %s\n", DASH, head->origin, base64);
	error = buf_error(out);
out:
	EVP_MD_CTX_free(ctx);
	buf_free(&text);
	return error;
}

/* The next line of the note without its newline; 0 at the end or when too long. */
static int
next_line(const char **p, const char *end, char *line, size_t size)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));
	size_t n;

	if (nl == NULL || (n = (size_t)(nl - *p)) >= size)
		return 0;
	memcpy(line, *p, n);
	line[n] = '\0';
	*p = nl + 1;
	return strlen(line) == n;
}

/* Base64 of exactly n bytes, in the one form that encoding gives: unused bits are zero. */
static int
decode(const char *text, uint8_t *out, size_t n)
{
	uint8_t room[128];
	char again[sizeof(room) * 2];
	size_t len = strlen(text);

	if (len != (n + 2) / 3 * 4 || len / 4 * 3 > sizeof(room))
		return 0;
	if (EVP_DecodeBlock(room, (const unsigned char *)text, (int)len) < (int)n)
		return 0;
	EVP_EncodeBlock((unsigned char *)again, room, (int)n);
	if (strcmp(again, text) != 0)
		return 0;
	memcpy(out, room, n);
	return 1;
}

/* Decimal without sign, blank or leading zero. */
static int
number(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	const char *p;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0') || strlen(text) > 18)
		return 0;
	for (p = text; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	*out = value;
	return *p == '\0';
}

static int
signature_holds(const char *text, size_t len, const char *origin, const uint8_t pub[32], const uint8_t *signature)
{
	uint8_t hash[KEY_HASH];
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = key != NULL && ctx != NULL && key_hash(origin, pub, hash) == 0 &&
	    memcmp(hash, signature, KEY_HASH) == 0 && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, signature + KEY_HASH, SIGNATURE, (const uint8_t *)text, len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

int
head_parse(const char *text, size_t len, const uint8_t *pub, struct audit_head *head, size_t *used)
{
	const char *p = text, *end = text + (len < NOTE_MAX ? len : NOTE_MAX), *body_end;
	uint8_t signature[KEY_HASH + SIGNATURE];
	char line[NOTE_MAX];
	size_t prefix;
	uint64_t at;

	memset(head, 0, sizeof(*head));
	if (!next_line(&p, end, head->origin, sizeof(head->origin)) || !origin_ok(head->origin) ||
	    !next_line(&p, end, line, sizeof(line)) || !number(line, &head->size) ||
	    !next_line(&p, end, line, sizeof(line)) || !decode(line, head->root, TREE_HASH) ||
	    !next_line(&p, end, line, sizeof(line)) || strncmp(line, "time ", 5) != 0 || !number(line + 5, &at))
		return ICERT_E_MALFORMED;
	head->at = (int64_t)at;
	body_end = p;
	if (!next_line(&p, end, line, sizeof(line)) || line[0] != '\0' || !next_line(&p, end, line, sizeof(line)))
		return ICERT_E_MALFORMED;
	prefix = strlen(DASH) + strlen(head->origin) + 1;
	if (strlen(line) <= prefix || strncmp(line, DASH, strlen(DASH)) != 0 ||
	    strncmp(line + strlen(DASH), head->origin, strlen(head->origin)) != 0 || line[prefix - 1] != ' ' ||
	    !decode(line + prefix, signature, sizeof(signature)))
		return ICERT_E_MALFORMED;
	if (pub != NULL && !signature_holds(text, (size_t)(body_end - text), head->origin, pub, signature))
		return ICERT_E_FORGED;
	*used = (size_t)(p - text);
	return 0;
}
