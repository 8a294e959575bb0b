#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/head.h"
#include "libicert/error.h"
#include "libicert/sandbox.h"
#include "operate/evidence_check.h"
#include "operate/files.h"
#include "procedure/contract/evidence_verify.h"
#include "views/view.h"

#define FILE_MAX (64u << 20)
#define CHUNK 65536
#define MEMORY ((size_t)1 << 30)

typedef int verify_fn(const void *, size_t, const struct evidence_trust *, evidence_tell *, void *, unsigned *);

static int
load(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	uint8_t *room;
	size_t n;
	int ok;

	if (f == NULL)
		return -1;
	while (out->len <= FILE_MAX && (room = buf_room(out, CHUNK)) != NULL && (n = fread(room, 1, CHUNK, f)) > 0)
		buf_took(out, n);
	ok = !ferror(f) && buf_error(out) == 0 && out->len <= FILE_MAX;
	fclose(f);
	return ok ? 0 : -1;
}

static int
load_root(const char *path, struct buf *out)
{
	struct buf file = BUF_INIT;
	const unsigned char *p;
	unsigned char *der = NULL;
	X509 *x = NULL;
	BIO *bio;
	int n = 0;

	if (load(path, &file) == 0 && file.len > 0) {
		p = file.p;
		if ((x = d2i_X509(NULL, &p, (long)file.len)) == NULL && (bio = BIO_new_mem_buf(file.p, (int)file.len)) != NULL) {
			x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
			BIO_free(bio);
		}
	}
	if (x != NULL && (n = i2d_X509(x, &der)) > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_free(x);
	buf_free(&file);
	return n > 0 ? 0 : -1;
}

static int
load_key(const char *folder, const char *name, uint8_t key[32])
{
	char path[FILES_PATH];
	struct buf file = BUF_INIT;
	int ok = path_join(path, "%s/%s", folder, name) == 0 && load(path, &file) == 0 && file.len == 32;

	if (ok)
		memcpy(key, file.p, 32);
	buf_free(&file);
	return ok ? 0 : -1;
}

/* One line a check; a fault under it. */
static void
tell(void *arg, const char *check, const char *fault, const char *const *facts)
{
	struct buf line = BUF_INIT;
	FILE *out = arg;
	char code[96];

	snprintf(code, sizeof(code), "evidence.%s%s", check, fault != NULL ? ".title" : "");
	if (fault != NULL && catalogue(code) == NULL)
		snprintf(code, sizeof(code), "evidence.title");
	catalogue_put(&line, code, facts);
	fprintf(out, "%s %s\n", fault == NULL ? "✓" : "✗", buf_str(&line));
	if (fault != NULL) {
		buf_reset(&line);
		snprintf(code, sizeof(code), "evidence_fault.%s", fault);
		if (catalogue(code) == NULL)
			snprintf(code, sizeof(code), "contract_fault.%s", fault);
		catalogue_put(&line, code, facts);
		fprintf(out, "  %s\n", buf_str(&line));
	}
	buf_free(&line);
}

/* Whoever made the file can reach nothing from here but the lines that are printed. */
static int
confine(void)
{
	const struct sandbox sandbox = { .memory = MEMORY };
	struct tm tm;
	time_t now = 0;

	/* Opened now, while files can be: the time zone, and OpenSSL's algorithms. */
	tzset();
	localtime_r(&now, &tm);
	OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	return sandbox_enter(&sandbox);
}

static int
check(const char *path, const struct evidence_pins *pins, verify_fn *verify, const char *what, FILE *out)
{
	uint8_t audit[32], keeper[32], keymaker[32];
	struct evidence_trust trust = { .root = NULL };
	struct buf file = BUF_INIT, root = BUF_INIT, line = BUF_INIT;
	char code[64];
	unsigned faults = 0;
	int error;

	if (load(path, &file) != 0) {
		complain("%s cannot be read", path);
		return 2;
	}
	if ((pins->root != NULL && load_root(pins->root, &root) != 0) || (pins->key != NULL && head_public(pins->key, audit) != 0) ||
	    (pins->keys != NULL && (load_key(pins->keys, "keeper.pub", keeper) != 0 ||
	    load_key(pins->keys, "keymaker.pub", keymaker) != 0))) {
		complain("a key or certificate that was named cannot be read");
		error = -1;
	} else {
		trust.root = pins->root != NULL ? &root : NULL;
		trust.audit = pins->key != NULL ? audit : NULL;
		trust.keeper = pins->keys != NULL ? keeper : NULL;
		trust.keymaker = pins->keys != NULL ? keymaker : NULL;
		if ((error = confine()) == 0)
			error = verify(file.p, file.len, &trust, tell, out, &faults);
		if (error != 0)
			complain("%s", icert_err_code(error));
	}
	if (error == 0) {
		snprintf(code, sizeof(code), "%s.%s", what, faults == 0 ? "holds" : "broken");
		catalogue_put(&line, code, NULL);
		fprintf(out, "\n%s\n", buf_str(&line));
	}
	buf_free(&file);
	buf_free(&root);
	buf_free(&line);
	return error != 0 ? 2 : faults == 0 ? 0 : 1;
}

int
evidence_check(const char *path, const struct evidence_pins *pins, FILE *out)
{
	return check(path, pins, evidence_verify, "evidence", out);
}

int
receipt_check(const char *path, const struct evidence_pins *pins, FILE *out)
{
	return check(path, pins, receipt_verify, "receipt", out);
}
