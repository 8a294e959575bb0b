#ifndef TESTS_KEEPER_SERVER_H
#define TESTS_KEEPER_SERVER_H
/* A keeper with a folder of its own, asked by its own clients over its own sockets. */
#include "crypt/keeper.h"
#include "key_server.h"
#include "keys/keeper.h"

#include <liboath/oath.h>
#include <sys/stat.h>

#define START 1795600000
#define CEDULA "1710034065"

static const char *const names[] = { "keeper-portal", "keeper-desk", "keeper-issuer", "keeper-clerk", "keeper-admin" };

static struct key_server server;
static struct keeper *keeper;
static struct serve serve;
static struct keyclient portal, desk, issuer, clerk, admin;
static struct keyclient *const clients[] = { &portal, &desk, &issuer, &clerk, &admin };
static uint8_t keeper_key[32];

static void
start(void)
{
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/keeper", server.folder);
	assert_int_equal(keeper_open(&keeper, folder, 30), 0);
	keeper_set_clock(keeper, test_clock);
	keeper_public(keeper, keeper_key);
	keeper_serve(keeper, &serve);
	serve.tick_ms = 20;
	run_server(&server, &serve);
	for (size_t i = 0; i < 5; i++)
		keyclient_init(clients[i], server.path[i]);
	assert_int_equal(keyclient_ping(&admin), 0);	/* it is up, and takes a signal as it should */
}

static void
stop(void)
{
	for (size_t i = 0; i < 5; i++)
		keyclient_close(clients[i]);
	assert_int_equal(stop_server(&server), 0);
	keeper_close(keeper);
}

static int
setup(void **state)
{
	char folder[96];

	(void)state;
	test_clock_start(START);
	bind_server(&server, names, 5);
	snprintf(folder, sizeof(folder), "%s/keeper", server.folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(keeper_init(folder), 0);
	start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stop();
	remove_server(&server);
	return 0;
}

static inline void
code_for(const uint8_t seed[TOTP_SEED], int64_t at, char code[TOTP_DIGITS + 1])
{
	assert_int_equal(oath_hotp_generate((const char *)seed, TOTP_SEED, (uint64_t)at / 30, TOTP_DIGITS, false,
	    OATH_HOTP_DYNAMIC_TRUNCATION, code), OATH_OK);
}

#endif
