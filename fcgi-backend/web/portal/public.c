#include "libicert/error.h"
#include "procedure/people/staff.h"
#include "web/portal/portal.h"

/* Pages that anybody may read. */

static int
home(struct request *rq)
{
	struct view_portal_home v = { .signed_in = rq->session.state == SESSION_LIVE };

	return page_send(rq, 200, portal_home, &v);
}

static int
help(struct request *rq)
{
	struct view_portal_help v = { 0 };
	struct view_portal_help_provinces *rows;
	struct province *list;
	size_t n = 32;
	int rv;

	list = arena_array(&rq->arena, struct province, n);
	rows = arena_array(&rq->arena, struct view_portal_help_provinces, n);
	if (list == NULL || rows == NULL)
		return ICERT_E_MEMORY;
	if ((rv = province_list(portal_act(rq), list, &n)) < 0)
		return rv;
	for (size_t i = 0; i < n; i++) {
		rows[i].name = list[i].name;
		rows[i].telephone = list[i].telephone;
		rows[i].hours = list[i].hours;
		rows[i].address = list[i].address;
	}
	v.provinces = rows;
	v.nprovinces = n;
	return page_send(rq, 200, portal_help, &v);
}

static int
privacy(struct request *rq)
{
	struct view_portal_privacy v = { 0 };

	return page_send(rq, 200, portal_privacy, &v);
}

static int
accessibility(struct request *rq)
{
	struct view_portal_accessibility v = { 0 };

	return page_send(rq, 200, portal_accessibility, &v);
}

static int
uses(struct request *rq)
{
	struct view_portal_uses v = { 0 };

	return page_send(rq, 200, portal_uses, &v);
}

static int
downloads(struct request *rq)
{
	struct view_portal_downloads v = { 0 };

	return page_send(rq, 200, portal_downloads, &v);
}

const struct route portal_public_routes[] = {
	{ METHOD_GET, "/", ROLE_PUBLIC, PROVINCE_NONE, 0, home },
	{ METHOD_GET, "/ayuda", ROLE_PUBLIC, PROVINCE_NONE, 0, help },
	{ METHOD_GET, "/donde-sirve", ROLE_PUBLIC, PROVINCE_NONE, 0, uses },
	{ METHOD_GET, "/centro-de-descargas", ROLE_PUBLIC, PROVINCE_NONE, 0, downloads },
	{ METHOD_GET, "/privacidad", ROLE_PUBLIC, PROVINCE_NONE, 0, privacy },
	{ METHOD_GET, "/accesibilidad", ROLE_PUBLIC, PROVINCE_NONE, 0, accessibility },
	{ 0 }
};
