#include "keys/keymaker.h"

#include "keys/keymaker_job.h"
#include "keys/folder.h"
#include "libicert/approval.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RSA-2048 now and then takes a few seconds on a slow machine. */
#define MAKE_SECONDS 25
#define PACK_SECONDS 25
#define JOB_CPU 20

static int
read_word(int folder, uint8_t key[32])
{
	struct buf b = BUF_INIT;
	int error = folder_read(folder, "word.key", &b);

	if (error == 0 && b.len != 32)
		error = ICERT_E_MALFORMED;
	if (error == 0)
		memcpy(key, b.p, 32);
	buf_free(&b);
	return error;
}

int
keymaker_init(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint8_t public_key[32];
	uint8_t key[32];
	int error;

	if (fd < 0)
		return ICERT_E_SYSTEM;
	error = read_word(fd, key);
	if (error == ICERT_E_NOT_FOUND) {
		error = bytes_random(key, sizeof(key));
		if (error == 0)
			error = folder_write(fd, "word.key", key, sizeof(key), 0600);
	}
	if (error == 0)
		error = statement_public(key, public_key);
	if (error == 0)
		error = folder_write(fd, "public.key", public_key, sizeof(public_key), 0644);
	bytes_wipe(key, sizeof(key));
	close(fd);
	return error;
}

int
keymaker_open(struct keymaker **out, const char *folder, int iterations)
{
	struct keymaker *k = calloc(1, sizeof(*k));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	*out = NULL;
	if (k == NULL || fd < 0) {
		free(k);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? (errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM) : ICERT_E_MEMORY;
	}
	k->now = clock_real;
	k->iterations = iterations;
	error = read_word(fd, k->word_key);
	close(fd);
	/* The library reads its configuration now, before rights are dropped. */
	if (error == 0)
		error = statement_public(k->word_key, k->word_public);
	if (error != 0) {
		keymaker_close(k);
		return error;
	}
	*out = k;
	return 0;
}

void
keymaker_close(struct keymaker *k)
{
	if (k == NULL)
		return;
	bytes_wipe(k, sizeof(*k));
	free(k);
}

void
keymaker_set_clock(struct keymaker *k, int64_t (*now)(void))
{
	k->now = now;
}

/* A job's child gives up our key, every file and the right to fork. */
static int
enter_job(void *ctx)
{
	struct keymaker *k = ctx;
	struct sandbox sandbox = { .cpu_seconds = JOB_CPU };

	bytes_wipe(k->word_key, sizeof(k->word_key));
	return sandbox_enter(&sandbox);
}

/* The child's key becomes the keymaker's word. */
static int
give_word(void *ctx, const struct serve_request *q, const struct message *answer, struct serve_reply *r)
{
	struct keymaker *k = ctx;
	const struct message_field *sealed = message_get(answer, TAG_SEALED, 0);
	const struct message_field *spki = message_get(answer, TAG_SPKI, 0);
	struct key_word word = { .time = k->now() };
	struct statement s;
	struct buf b = BUF_INIT;
	int error;

	memcpy(word.case_id, message_get(q->message, TAG_CASE, 0)->p, ID_RAW);
	if (EVP_Digest(spki->p, spki->len, word.spki_sha256, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	error = key_word_build(&word, &s);
	if (error == 0)
		error = statement_sign(&s, k->word_key);
	if (error == 0) {
		statement_encode(&s, &b);
		message_put(&r->body, TAG_SEALED, sealed->p, sealed->len);
		message_put(&r->body, TAG_SPKI, spki->p, spki->len);
		message_put(&r->body, TAG_WORD, b.p, b.len);
	}
	buf_free(&b);
	return error;
}

static const struct message_rule made[] = {
	{ TAG_SEALED, 1, 1, 1, PKCS12_MAX },
	{ TAG_SPKI, 1, 1, 1, SPKI_MAX },
	{ 0, 0, 0, 0, 0 }
};

static const struct serve_op ops[] = {
	{
		.op = OP_KEY_MAKE, .sockets = "keymaker-issuer", .handler = keymaker_on_make,
		.forked = 1, .seconds = MAKE_SECONDS, .enter = enter_job, .child_reply = made, .finish = give_word
	},
	{
		.op = OP_KEY_PACK, .sockets = "keymaker-issuer", .handler = keymaker_on_pack,
		.forked = 1, .seconds = PACK_SECONDS, .enter = enter_job
	},
	{
		.op = OP_KEY_ENVELOPE, .sockets = "keymaker-issuer", .handler = keymaker_on_envelope,
		.forked = 1, .seconds = PACK_SECONDS, .enter = enter_job
	}
};

void
keymaker_serve(struct keymaker *k, struct serve *serve)
{
	memset(serve, 0, sizeof(*serve));
	serve->ops = ops;
	serve->n = sizeof(ops) / sizeof(ops[0]);
	serve->ctx = k;
}
