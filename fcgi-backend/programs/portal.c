#include <string.h>

#include "libicert/log.h"
#include "web/portal/portal.h"

/* icert-portal: public pages and applicants' sessions, FastCGI on descriptor 0. */
int
main(int argc, char *argv[])
{
	static struct config config;
	static struct app app = {
		.name = "portal",
		.cookie = "__Host-icert-portal",
		.same_site = "Lax",
		.routes = portal_routes,
		.start = portal_start,
		.load_session = portal_load_session,
		.session_over = portal_session_over,
		.frame = portal_frame,
		.denied = portal_denied,
		.park = portal_park,
	};

	if (argc == 2 && strcmp(argv[1], "--routes") == 0) {
		route_print(stdout, portal_routes);
		return 0;
	}
	config_start(&config, "icert-portal", argc, argv);
	app.config = &config;
	app.public_url = config_require(&config, "public", "portal_url");
	app.production = strcmp(config_require(&config, "instance", "production"), "yes") == 0;
	return worker_run(&app, (int)config_int(&config, "limits", "portal_workers", 4, 1, 64));
}
