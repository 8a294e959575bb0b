#include "keys/keeper_delivery.h"

#include "libicert/error.h"
#include "libicert/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Delivery keys, and what becomes of all that lies in delivery/. */

#define KEY_VERSION 1
#define KEY_LEN (1 + 8 + 32)		/* version, time of making, key */

void
delivery_name(char out[RECORD_NAME], const uint8_t case_id[16], const char *label)
{
	char id[ID_TEXT];

	id_text(case_id, id);
	snprintf(out, RECORD_NAME, "%s.%s", id, label);
}

int
delivery_id(const uint8_t case_id[16], const char *label, uint8_t out[16])
{
	uint8_t hash[32];
	char name[RECORD_NAME];

	delivery_name(name, case_id, label);
	if (EVP_Digest(name, strlen(name), hash, NULL, EVP_sha256(), NULL) != 1)
		return ICERT_E_CRYPTO;
	memcpy(out, hash, 16);
	return 0;
}

static int
label_known(const char *label)
{
	return strcmp(label, DELIVERY_PRIVATE) == 0 || strcmp(label, DELIVERY_PKCS12) == 0 ||
	    strcmp(label, DELIVERY_ENVELOPE) == 0;
}

int
delivery_ended(const struct keeper *k, const uint8_t case_id[16], const char *label)
{
	uint8_t id[16];
	int error = delivery_id(case_id, label, id);

	if (error == 0 && id_list_has(&k->destroyed, DESTROYED_SPENT, id))
		error = ICERT_E_CODE_SPENT;
	if (error == 0 && id_list_has(&k->destroyed, DESTROYED_DELIVERY, id))
		error = ICERT_E_DESTROYED;
	return error;
}

int
delivery_key_read(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32], int64_t *made_at)
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = delivery_ended(k, case_id, label);

	delivery_name(name, case_id, label);
	if (error == 0)
		error = record_read(k, k->delivery_fd, name, &b);
	if (error == 0 && (b.len != KEY_LEN || b.p[0] != KEY_VERSION))
		error = ICERT_E_MALFORMED;
	if (error == 0) {
		if (made_at != NULL)
			*made_at = (int64_t)get_u64le(b.p + 1);
		if (key != NULL)
			memcpy(key, b.p + 9, 32);
	}
	buf_free(&b);
	return error;
}

static int
key_make(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32])
{
	char name[RECORD_NAME];
	struct buf b = BUF_INIT;
	int error = bytes_random(key, 32);

	delivery_name(name, case_id, label);
	buf_putc(&b, KEY_VERSION);
	buf_u64le(&b, (uint64_t)k->now());
	buf_put(&b, key, 32);
	if (error == 0)
		error = buf_error(&b);
	if (error == 0)
		error = record_write(k, k->delivery_fd, name, b.p, b.len);
	buf_free(&b);
	return error;
}

int
delivery_key(const struct keeper *k, const uint8_t case_id[16], const char *label, uint8_t key[32])
{
	int error = delivery_key_read(k, case_id, label, key, NULL);

	return error == ICERT_E_NOT_FOUND ? key_make(k, case_id, label, key) : error;
}

int
delivery_destroy(struct keeper *k, const uint8_t case_id[16], const char *label, char kind)
{
	char name[RECORD_NAME];
	uint8_t id[16];
	int error = delivery_id(case_id, label, id);

	if (error == 0)
		error = id_list_add(&k->destroyed, kind, id);
	delivery_name(name, case_id, label);
	if (error == 0)
		error = record_unlink(k, k->delivery_fd, name);
	if (error == 0 && strcmp(label, DELIVERY_ENVELOPE) == 0) {
		delivery_name(name, case_id, CODE_LABEL);
		error = record_unlink(k, k->delivery_fd, name);
	}
	return error;
}

static int
read_label(const struct message *m, char label[17])
{
	int error = message_string(m, TAG_LABEL, label, 17);

	return error == 0 && !label_known(label) ? ICERT_E_INVALID : error;
}

int
delivery_put_key(struct serve_reply *r, uint8_t key[32], int error)
{
	if (error == 0)
		message_put(&r->body, TAG_KEY, key, 32);
	bytes_wipe(key, 32);
	return error;
}

int
keeper_on_delivery_new(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	uint8_t key[32];
	int error = read_label(q->message, label);

	/* The envelope's key is made with its opening code, by its own operation. */
	if (error == 0 && strcmp(label, DELIVERY_ENVELOPE) == 0)
		error = ICERT_E_INVALID;
	if (error == 0)
		error = delivery_key(ctx, message_get(q->message, TAG_CASE, 0)->p, label, key);
	return delivery_put_key(r, key, error);
}

int
keeper_on_delivery_get(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	uint8_t key[32];
	int error = read_label(q->message, label);

	if (error == 0 && strcmp(q->socket, "keeper-issuer") != 0 && strcmp(label, DELIVERY_PKCS12) != 0)
		error = ICERT_E_DENIED;
	if (error == 0)
		error = delivery_key_read(ctx, message_get(q->message, TAG_CASE, 0)->p, label, key, NULL);
	return delivery_put_key(r, key, error);
}

int
keeper_on_delivery_destroy(void *ctx, const struct serve_request *q, struct serve_reply *r)
{
	char label[17];
	int error = read_label(q->message, label);

	(void)r;
	if (error == 0)
		error = delivery_destroy(ctx, message_get(q->message, TAG_CASE, 0)->p, label, DESTROYED_DELIVERY);
	return error;
}

/* A new record that a crash kept from its name: nobody writes while this process looks. */
static int
is_torn(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".new") == 0;
}

/* The case and label that a name stands for.  0 for a name that is none of ours. */
static int
read_name(const char *name, uint8_t case_id[16], const char **label)
{
	char id[ID_TEXT];

	if (strlen(name) <= ID_TEXT || name[ID_TEXT - 1] != '.')
		return 0;
	memcpy(id, name, ID_TEXT - 1);
	id[ID_TEXT - 1] = 0;
	*label = name + ID_TEXT;
	return id_raw(id, case_id) == 0 && (strcmp(*label, CODE_LABEL) == 0 || label_known(*label));
}

static int
is_due(const struct keeper *k, const uint8_t case_id[16], const char *label)
{
	int64_t made_at = 0;

	if (strcmp(label, CODE_LABEL) == 0)
		return envelope_due(k, case_id);
	return delivery_key_read(k, case_id, label, NULL, &made_at) == 0 && k->now() - made_at >= k->delivery_seconds;
}

static void
purge_one(struct keeper *k, const char *name)
{
	uint8_t case_id[16];
	const char *label;
	int error = 0;
	int ended;

	if (is_torn(name))
		error = record_unlink(k, k->delivery_fd, name);
	else if (read_name(name, case_id, &label)) {
		if (strcmp(label, CODE_LABEL) == 0)
			ended = delivery_ended(k, case_id, DELIVERY_ENVELOPE);
		else
			ended = delivery_ended(k, case_id, label);
		/* In the list and still here: a crash between the two, or a copy that came back. */
		if (ended == ICERT_E_DESTROYED || ended == ICERT_E_CODE_SPENT)
			error = record_unlink(k, k->delivery_fd, name);
		else if (is_due(k, case_id, label))
			error = delivery_destroy(k, case_id, strcmp(label, CODE_LABEL) == 0 ? DELIVERY_ENVELOPE : label, DESTROYED_DELIVERY);
	}
	if (error != 0)
		log_error("delivery_not_destroyed", "%s", icert_err_code(error));
}

void
keeper_purge(void *ctx)
{
	struct keeper *k = ctx;
	int fd = openat(k->delivery_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		log_error("delivery_unreadable", "the folder of delivery keys cannot be read");
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		purge_one(k, entry->d_name);
	closedir(dir);
}
