#include <string.h>

#include "crypt/keeper.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/datakey.h"

#define MANY 100

static const struct db_stmt add = { "datakey_add",
	"insert into icert.data_key (id, kind, wrapped, created_at) values ($1, $2, $3, $4)" };
static const struct db_stmt one = { "datakey_one",
	"select wrapped, destroyed_at from icert.data_key where id = $1" };

static enum datakey_kind
kind_of(const char *kind)
{
	if (strcmp(kind, "contact") == 0)
		return DATAKEY_CONTACT;
	return strcmp(kind, "order") == 0 ? DATAKEY_ORDER : DATAKEY_CASE;
}

int
datakey_new(struct act *act, const char *kind, char id[ID_TEXT], uint8_t key[DATAKEY_BYTES])
{
	uint8_t wrapped[KEEPER_WRAPPED];
	int error;

	if (act->keeper == NULL)
		return ICERT_E_UNAVAILABLE;
	if ((error = keeper_datakey_new(act->keeper, kind_of(kind), id, key, wrapped)) != 0)
		return error;
	return DB_QUERY(act->db, &add, NULL, P_TEXT(id), P_TEXT(kind), P_BYTES(wrapped, sizeof wrapped),
	    P_INT(clock_business()));
}

int
datakey_unwrap(struct act *act, const uint8_t *wrapped, size_t n, uint8_t key[DATAKEY_BYTES])
{
	uint8_t in[1][KEEPER_WRAPPED];

	if (act->keeper == NULL)
		return ICERT_E_UNAVAILABLE;
	if (n != KEEPER_WRAPPED)
		return ICERT_E_DESTROYED;
	memcpy(in[0], wrapped, KEEPER_WRAPPED);
	return keeper_datakey_unwrap(act->keeper, 1, in, (uint8_t (*)[DATAKEY_BYTES])(void *)key);
}

int
datakey_open(struct act *act, const char *id, uint8_t key[DATAKEY_BYTES])
{
	struct db_result *r;
	const uint8_t *wrapped;
	size_t n;
	int error, own = !db_in_tx(act->db);

	if (own && (error = act_begin(act)) != 0)
		return error;
	error = own ? DB_QUERY_COMMIT(act->db, &one, &r, P_TEXT(id)) : DB_QUERY(act->db, &one, &r, P_TEXT(id));
	if (error != 0)
		return error;
	if (db_rows(r) == 0)
		error = ICERT_E_NOT_FOUND;
	else if (!db_is_null(r, 0, 1))
		error = ICERT_E_DESTROYED;
	else {
		wrapped = db_bytes(r, 0, 0, &n);
		error = datakey_unwrap(act, wrapped, n, key);
	}
	db_result_free(r);
	return error;
}

int
datakey_unwrap_many(struct act *act, size_t n, const struct datakey_wrapped *wrapped, uint8_t (*keys)[DATAKEY_BYTES])
{
	uint8_t in[MANY][KEEPER_WRAPPED], out[MANY][DATAKEY_BYTES];
	size_t index[MANY], used = 0;
	int error = 0;

	if (n > MANY)
		return ICERT_E_TOO_LARGE;
	if (act->keeper == NULL)
		return ICERT_E_UNAVAILABLE;
	memset(keys, 0, n * DATAKEY_BYTES);
	for (size_t i = 0; i < n; i++)
		if (wrapped[i].n == KEEPER_WRAPPED) {
			memcpy(in[used], wrapped[i].p, KEEPER_WRAPPED);
			index[used++] = i;
		}
	if (used > 0 && (error = keeper_datakey_unwrap(act->keeper, used, in, out)) == ICERT_E_DESTROYED) {
		/* One of them is gone for good: open the others one by one. */
		for (size_t i = 0; i < used; i++)
			if (keeper_datakey_unwrap(act->keeper, 1, &in[i], &out[i]) != 0)
				memset(out[i], 0, DATAKEY_BYTES);
		error = 0;
	}
	for (size_t i = 0; error == 0 && i < used; i++)
		memcpy(keys[index[i]], out[i], DATAKEY_BYTES);
	bytes_wipe(out, sizeof out);
	return error;
}
