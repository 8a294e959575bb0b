#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "operate/demo.h"
#include "operate/demo_signer.h"
#include "operate/postgres.h"
#include "operate/staff_account.h"

#define DEMO_ROLE "icert_admin"
#define DEMO_STAFF_MAX 64

static int
demo_is_sql(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".sql") == 0;
}

/* A mark tells that a file was run. */
static int
demo_sql(const struct instance *i, const char *folder, const char *name)
{
	char path[FILES_PATH], mark[FILES_PATH];

	if (path_join(path, "%s/%s/%s", i->share, folder, name) != 0 ||
	    path_join(mark, "%s/demo/%s.done", i->data, name) != 0)
		return -1;
	if (file_exists(mark))
		return 0;
	if (postgres_psql(i, DEMO_ROLE, "icert", (const char *[]){ "-1", "-f", path, NULL }, NULL) != 0)
		return complain("%s was not entered", name);
	return file_write(mark, "", 0, geteuid(), getegid(), 0644);
}

static int
demo_rows(const struct instance *i)
{
	char path[FILES_PATH];
	struct dirent **list;
	int n, k, rc;

	/* What an installation begins with too, then the samples. */
	if ((rc = demo_sql(i, "conf", "first.sql")) != 0 || path_join(path, "%s/conf/demo", i->share) != 0)
		return -1;
	if ((n = scandir(path, &list, demo_is_sql, alphasort)) < 0)
		return errno == ENOENT ? 0 : complain("%s: %s", path, strerror(errno));
	for (k = 0; k < n; k++) {
		if (rc == 0)
			rc = demo_sql(i, "conf/demo", list[k]->d_name);
		free(list[k]);
	}
	free(list);
	return rc;
}

/* A valid cedula that belongs to nobody in the samples: 172999NNN and its check digit. */
static void
demo_cedula(int n, char out[11])
{
	int k, digit, sum = 0;

	snprintf(out, 11, "172999%03d", n % 1000);
	for (k = 0; k < 9; k++) {
		digit = (out[k] - '0') * (k % 2 == 0 ? 2 : 1);
		sum += digit > 9 ? digit - 9 : digit;
	}
	out[9] = (char)('0' + (10 - sum % 10) % 10);
	out[10] = '\0';
}

/* One member of staff: enrolled, described in account, and the UPDATE appended to sql. */
static int
demo_person(const struct instance *i, struct keyclient *keeper, json_t *account, int n, const char *password, struct buf *sql)
{
	const char *id = json_string_value(json_object_get(account, "id"));
	const char *login = json_string_value(json_object_get(account, "login"));
	struct staff_account a;
	char cedula[11], hex[65];

	demo_cedula(n, cedula);
	if (staff_enrol(keeper, id, login, cedula, password, &a) != 0)
		return -1;
	bytes_to_hex(hex, a.person, sizeof(a.person));
	buf_printf(sql, "update icert.staff set password = '%s', person_hash = decode('%s', 'hex') "
	    "where id = '%s';\n", a.hash, hex, id);
	json_object_set_new(account, "cedula", json_string(cedula));
	json_object_set_new(account, "totp_secret", json_string(a.secret));
	json_object_set_new(account, "otpauth", json_string(a.otpauth));
	return demo_signer(i, account, password, sql);
}

static int
demo_enrol(const struct instance *i, json_t *staff, const char *password)
{
	struct keyclient keeper;
	struct buf sql = BUF_INIT;
	json_t *account;
	size_t n;
	int rc = 0;

	keyclient_init(&keeper, config_require(&i->config, "sockets", "keeper-admin"));
	json_array_foreach(staff, n, account)
		if (rc == 0)
			rc = demo_person(i, &keeper, account, (int)n, password, &sql);
	keyclient_close(&keeper);
	if (rc == 0 && buf_error(&sql) == 0)
		rc = postgres_psql(i, DEMO_ROLE, "icert",
		    (const char *[]){ "-1", "-c", buf_str(&sql), NULL }, NULL);
	buf_free(&sql);
	return rc;
}

/* Those of the samples who cannot log in yet; the caller drops the reference. */
static json_t *
demo_staff(const struct instance *i)
{
	static const char query[] =
	    "select coalesce(json_agg(json_build_object('id', s.id, 'login', s.login, 'name', s.name,"
	    " 'email', s.email, 'roles', (select json_agg(concat_ws(' ', r.role, r.province))"
	    " from icert.staff_role r where r.staff_id = s.id)) order by s.id), '[]')"
	    " from icert.staff s where s.password = ''";
	char *text;
	json_t *staff;

	if (postgres_psql(i, DEMO_ROLE, "icert", (const char *[]){ "-Atc", query, NULL }, &text) != 0)
		return NULL;
	staff = json_loads(text, 0, NULL);
	free(text);
	if (staff == NULL || json_array_size(staff) > DEMO_STAFF_MAX) {
		json_decref(staff);
		complain("the sample staff cannot be read");
		return NULL;
	}
	return staff;
}

int
demo_seed(const struct instance *i)
{
	char path[FILES_PATH], password[STAFF_PASSWORD];
	json_t *staff, *all;
	char *text = NULL;
	int rc;

	if (path_join(path, "%s/demo/staff.json", i->data) != 0)
		return -1;
	if (file_exists(path))
		return 0;
	if (demo_rows(i) != 0 || (staff = demo_staff(i)) == NULL)
		return -1;
	staff_password(password);
	rc = demo_enrol(i, staff, password);
	all = json_pack("{s:s, s:o}", "password", password, "staff", staff);
	if (rc == 0 && (all == NULL || (text = json_dumps(all, JSON_INDENT(2))) == NULL))
		rc = complain("no memory");
	/* Written last: without it, everything above is done again. */
	if (rc == 0)
		rc = file_write(path, text, strlen(text), geteuid(), getegid(), 0600);
	free(text);
	json_decref(all);
	return rc;
}

void
demo_print(const struct instance *i)
{
	char path[FILES_PATH], exe[FILES_PATH], roles[128];
	json_t *all, *account, *role;
	size_t n, k;

	if (path_join(path, "%s/demo/staff.json", i->data) != 0 ||
	    path_join(exe, "%s/bin/icertctl", i->build) != 0 || !file_exists(path) ||
	    (all = json_load_file(path, 0, NULL)) == NULL)
		return;
	printf("\n  sample staff (desk), password of all: %s\n",
	    json_string_value(json_object_get(all, "password")));
	json_array_foreach(json_object_get(all, "staff"), n, account) {
		roles[0] = '\0';
		json_array_foreach(json_object_get(account, "roles"), k, role) {
			strncat(roles, k > 0 ? ", " : "", sizeof(roles) - strlen(roles) - 1);
			/* "operator 17": the number is the province's. */
			size_t at = strlen(roles);
			const char *text = json_string_value(role), *space = strchr(text, ' ');

			snprintf(roles + at, sizeof(roles) - at, "%.*s%s%s",
			    space != NULL ? (int)(space - text) : (int)strlen(text), text,
			    space != NULL ? " of province" : "", space != NULL ? space : "");
		}
		printf("    %-20s %s\n", json_string_value(json_object_get(account, "login")), roles);
	}
	printf("  what directors and operators sign contracts with: %s/demo/NAME.p12, same password\n", i->data);
	printf("  a TOTP code for one of them: %s totp NAME --prefix %s\n", exe, i->prefix);
	json_decref(all);
}
