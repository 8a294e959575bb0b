/*
 * icert-desk: the staff's pages.  It reaches the database as a role that sees the
 * caller's provinces and no more, the keeper and the checker by sockets of their
 * own, and the encrypted files; it cannot issue: a code that the keeper checks,
 * the applicant's acceptance and the signer stand between.
 */
#include <string.h>

#include "libicert/config.h"
#include "web/desk/desk.h"

int
main(int argc, char *argv[])
{
	static struct config config;
	static struct app app = {
		.name = "desk",
		.cookie = "__Host-icert-desk",
		.same_site = "Strict",
		.routes = desk_routes,
		.once = true,
		.start = desk_start,
		.load_session = desk_load_session,
		.frame = desk_frame,
		.denied = desk_denied,
	};

	if (argc == 2 && strcmp(argv[1], "--routes") == 0) {
		route_print(stdout, desk_routes);
		return 0;
	}
	config_start(&config, "icert-desk", argc, argv);
	app.config = &config;
	app.public_url = config_require(&config, "public", "desk_url");
	app.production = strcmp(config_require(&config, "instance", "production"), "yes") == 0;
	return worker_run(&app, (int)config_int(&config, "limits", "desk_workers", 3, 1, 64));
}
