#ifndef ICERT_OPERATE_POSTGRES_H
#define ICERT_OPERATE_POSTGRES_H
#include "operate/instance.h"
#include "operate/supervisor.h"

/* The instance's own PostgreSQL: Unix socket only, peer authentication. */

/* A new cluster if there is none, and its configuration as of now; 0 or -1. */
int	postgres_prepare(const struct instance *i);

/* The postmaster, to be supervised.  0, or -1 with nothing in the unit. */
int	postgres_unit(const struct instance *i, struct unit *u);

/* The database and its roles (conf/roles.sql), once; the server answers. */
int	postgres_bootstrap(const struct instance *i);

/*
 * psql as the caller (mapped to role by peer authentication) in the database
 * icert, with these arguments, NULL-terminated, stopping at the first error.
 * With output, what it printed is returned malloc'd.  0, or -1 after psql told
 * why on stderr.
 */
int	postgres_psql(const struct instance *i, const char *role, const char *dbname,
	    const char *const *args, char **output);

#endif
