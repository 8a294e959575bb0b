#include "keys/keeper_record.h"

#include "libicert/clock.h"
#include "libicert/error.h"

#include <errno.h>
#include <fcntl.h>
#include <liboath/oath.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[16] = { 'i', 'c', 'e', 'r', 't', '-', 'k', 'e', 'e', 'p', 'e', 'r', '-', 'v', '1', '\n' };
#define MASTER_LEN (sizeof(magic) + 4 * 32)

#define PURGE_MS 60000
#define DAY 86400

static int
make_folder(int dir, const char *name)
{
	if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
		return ICERT_E_SYSTEM;
	return 0;
}

static int
master_make(int dir)
{
	static const char *const traces[] = { "destroyed", "totp", "delivery", "public.key" };
	uint8_t master[MASTER_LEN];
	int error;

	/* Keys that are lost are restored, never silently replaced: all that they guard would be lost too. */
	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++)
		if (faccessat(dir, traces[i], F_OK, 0) == 0)
			return ICERT_E_CONFLICT;
	memcpy(master, magic, sizeof(magic));
	error = bytes_random(master + sizeof(magic), sizeof(master) - sizeof(magic));
	if (error == 0)
		error = folder_write(dir, "master", master, sizeof(master), 0600);
	bytes_wipe(master, sizeof(master));
	return error;
}

static int
master_load(struct keeper *k)
{
	struct buf b = BUF_INIT;
	int error = folder_read(k->dir_fd, "master", &b);

	if (error == 0 && (b.len != MASTER_LEN || memcmp(b.p, magic, sizeof(magic)) != 0))
		error = ICERT_E_MALFORMED;
	if (error == 0) {
		const uint8_t *p = b.p + sizeof(magic);

		memcpy(k->wrap_key, p, 32);
		memcpy(k->lookup_key, p + 32, 32);
		memcpy(k->approval_key, p + 64, 32);
		memcpy(k->record_key, p + 96, 32);
		error = statement_public(k->approval_key, k->approval_public);
	}
	buf_free(&b);
	return error;
}

int
keeper_init(const char *folder)
{
	struct keeper k = { .dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	int error;

	if (k.dir_fd < 0)
		return ICERT_E_SYSTEM;
	error = faccessat(k.dir_fd, "master", F_OK, 0) == 0 ? 0 : master_make(k.dir_fd);
	if (error == 0)
		error = master_load(&k);
	if (error == 0)
		error = make_folder(k.dir_fd, "totp");
	if (error == 0)
		error = make_folder(k.dir_fd, "delivery");
	if (error == 0)
		error = folder_write(k.dir_fd, "public.key", k.approval_public, 32, 0644);
	close(k.dir_fd);
	bytes_wipe(&k, sizeof(k));
	return error;
}

static int
open_folders(struct keeper *k, const char *folder)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	k->dir_fd = open(folder, flags);
	if (k->dir_fd < 0)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	k->totp_fd = openat(k->dir_fd, "totp", flags);
	k->delivery_fd = openat(k->dir_fd, "delivery", flags);
	if (k->totp_fd < 0 || k->delivery_fd < 0)
		return errno == ENOENT ? ICERT_E_NOT_FOUND : ICERT_E_SYSTEM;
	return 0;
}

int
keeper_open(struct keeper **out, const char *folder, int delivery_days)
{
	struct keeper *k = calloc(1, sizeof(*k));
	uint8_t warm[32];
	int error;

	*out = NULL;
	if (k == NULL)
		return ICERT_E_MEMORY;
	k->dir_fd = k->totp_fd = k->delivery_fd = k->destroyed.fd = -1;
	k->now = clock_real;
	k->delivery_seconds = (int64_t)delivery_days * DAY;
	error = open_folders(k, folder);
	if (error == 0)
		error = master_load(k);
	if (error == 0)
		error = id_list_open(&k->destroyed, k->dir_fd, "destroyed");
	/* What the libraries read or load when first used, they do now, before rights are dropped. */
	if (error == 0 && oath_init() != OATH_OK)
		error = ICERT_E_CRYPTO;
	if (error == 0)
		error = keeper_hash(k, "warm", "", warm);
	if (error != 0) {
		keeper_close(k);
		return error;
	}
	keeper_purge(k);
	*out = k;
	return 0;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
keeper_close(struct keeper *k)
{
	if (k == NULL)
		return;
	close_fd(k->dir_fd);
	close_fd(k->totp_fd);
	close_fd(k->delivery_fd);
	id_list_close(&k->destroyed);
	bytes_wipe(k, sizeof(*k));
	free(k);
}

size_t
keeper_fds(const struct keeper *k, int fds[4])
{
	fds[0] = k->dir_fd;
	fds[1] = k->totp_fd;
	fds[2] = k->delivery_fd;
	fds[3] = k->destroyed.fd;
	return 4;
}

void
keeper_public(const struct keeper *k, uint8_t out[32])
{
	memcpy(out, k->approval_public, 32);
}

void
keeper_set_clock(struct keeper *k, int64_t (*now)(void))
{
	k->now = now;
}

#define PORTAL "keeper-portal"
#define DESK "keeper-desk"
#define ISSUER "keeper-issuer"
#define CLERK "keeper-clerk"
#define ADMIN "keeper-admin"

/* Who may ask for what.  Kinds and labels are narrowed further where they are handled. */
static const struct serve_op ops[] = {
	{ .op = OP_DATAKEY_NEW, .sockets = PORTAL " " DESK " " CLERK " " ADMIN, .handler = keeper_on_datakey_new },
	{ .op = OP_DATAKEY_UNWRAP, .sockets = PORTAL " " DESK " " ISSUER " " CLERK, .handler = keeper_on_datakey_unwrap },
	{ .op = OP_DATAKEY_DESTROY, .sockets = CLERK " " ADMIN, .handler = keeper_on_datakey_destroy },
	{ .op = OP_LOOKUP, .sockets = PORTAL " " DESK " " ISSUER " " CLERK " " ADMIN, .handler = keeper_on_lookup },
	{ .op = OP_TOTP_VERIFY, .sockets = DESK, .handler = keeper_on_totp_verify },
	{ .op = OP_TOTP_ENROL, .sockets = ADMIN, .handler = keeper_on_totp_enrol },
	{ .op = OP_TOTP_LAST, .sockets = ADMIN, .handler = keeper_on_totp_last },
	{ .op = OP_STAFF_PASSPORT, .sockets = ADMIN, .handler = keeper_on_staff_passport },
	{ .op = OP_TOTP_FORGET, .sockets = ADMIN, .handler = keeper_on_totp_forget },
	{ .op = OP_ACCEPT, .sockets = PORTAL, .handler = keeper_on_accept },
	{ .op = OP_APPROVE, .sockets = DESK, .handler = keeper_on_approve },
	{ .op = OP_DELIVERY_NEW, .sockets = ISSUER, .handler = keeper_on_delivery_new },
	{ .op = OP_DELIVERY_GET, .sockets = ISSUER " " CLERK " " PORTAL, .handler = keeper_on_delivery_get },
	{ .op = OP_DELIVERY_DESTROY, .sockets = ISSUER " " CLERK, .handler = keeper_on_delivery_destroy },
	{ .op = OP_ENVELOPE_NEW, .sockets = ISSUER, .handler = keeper_on_envelope_new },
	{ .op = OP_OPENING_CODE_TAKE, .sockets = DESK, .handler = keeper_on_opening_code_take },
	{ .op = OP_OPENING_CODE_TOLD, .sockets = DESK, .handler = keeper_on_opening_code_told },
	{ .op = OP_ENVELOPE_OPEN, .sockets = PORTAL, .handler = keeper_on_envelope_open },
	{ .op = OP_ENVELOPE_RENEW, .sockets = DESK, .handler = keeper_on_envelope_renew },
	{ .op = OP_ENVELOPE_DONE, .sockets = PORTAL, .handler = keeper_on_envelope_done }
};

void
keeper_serve(struct keeper *k, struct serve *serve)
{
	memset(serve, 0, sizeof(*serve));
	serve->ops = ops;
	serve->n = sizeof(ops) / sizeof(ops[0]);
	serve->ctx = k;
	serve->tick = keeper_purge;
	serve->tick_ms = PURGE_MS;
}
