/* LISTEN and NOTIFY. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "store/db_private.h"

int
db_listen(struct db *db, const char *channel)
{
	char sql[80];
	int error;

	if (channel[strspn(channel, "abcdefghijklmnopqrstuvwxyz_")] != '\0' || strlen(channel) > 60)
		return ICERT_E_INVALID;
	db->error = 0;
	db->detail[0] = '\0';
	if ((error = db_connected(db)) != 0)
		return error;
	snprintf(sql, sizeof sql, "listen %s", channel);
	if ((error = db_plain(db, PENDING_BEGIN, sql)) != 0)
		return error;
	return db_drain(db);
}

int
db_notify(struct db *db, const char *channel, const char *payload)
{
	static const struct db_stmt notify = { "db_notify", "select pg_notify($1, $2)" };

	return DB_SEND(db, &notify, P_TEXT(channel), P_TEXT(payload));
}

int
db_wait(struct db *db, int ms, char *channel, size_t size)
{
	int64_t until = clock_mono_ms() + ms;

	for (;;) {
		struct pollfd pfd = { .events = POLLIN };
		PGnotify *n;
		int64_t left;

		if (db->conn == NULL)
			return ICERT_E_UNAVAILABLE;
		if (PQconsumeInput(db->conn) != 1)
			return db_lost(db, ICERT_E_UNAVAILABLE);
		if ((n = PQnotifies(db->conn)) != NULL) {
			snprintf(channel, size, "%s", n->relname);
			PQfreemem(n);
			return 1;
		}
		left = until - clock_mono_ms();
		if (left <= 0)
			return 0;
		pfd.fd = PQsocket(db->conn);
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return db_lost(db, ICERT_E_UNAVAILABLE);
		if (pfd.revents == 0 && errno == EINTR)
			return 0;
	}
}
