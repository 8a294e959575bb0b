#ifndef ICERT_OPERATE_INSTANCE_H
#define ICERT_OPERATE_INSTANCE_H
/*
 * Where an instance lies.  Everything follows from its prefix: an instance is
 * found again by it, and several stand side by side.
 *
 *   PREFIX            what the administrator names.  When other users cannot
 *                     pass through it (/root is 0700), it is a link to
 *                     /var/lib/icert/<hash>, and the programs run from a copy
 *   PREFIX/etc        configuration, written at every start
 *   PREFIX/demo       sample accounts of a demonstration
 *   PREFIX/log        a log a program
 *   PREFIX/lib        that copy
 *   RUN               sockets: /run/icert-<hash>, else below $XDG_RUNTIME_DIR
 *   SPOOL             uploads in flight: /dev/shm/icert-<hash>/spool
 */
#include "libicert/config.h"
#include "operate/files.h"
#include "operate/tools.h"

#define INSTANCE_PORTS 7	/* port_base … port_base + 6 */

#define INSTANCE_GEO \
	"node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"

struct instance {
	char prefix[FILES_PATH];	/* absolute, as named */
	char data[FILES_PATH];		/* the same, links resolved */
	char run[FILES_PATH];
	char shm[FILES_PATH];
	char spool[FILES_PATH];
	char build[FILES_PATH];		/* bin/, modules/, static/ */
	char share[FILES_PATH];		/* conf/, migrations/, tests/simulators/ */
	/* What the programs' users reach: the build, or the copy of it. */
	char bin[FILES_PATH];		/* programs */
	char web[FILES_PATH];		/* static files that nginx serves */
	char module[FILES_PATH];	/* the nginx module */
	char geo[FILES_PATH];		/* country of an address (MaxMind DB) */
	char simulators[FILES_PATH];	/* *.mjs, with node_modules above it */
	char config_path[FILES_PATH];
	char hash[13];			/* 48 bits of SHA-256 of prefix, hexadecimal */
	int hidden;			/* other users cannot reach the prefix */
	int hidden_build;		/* … or the build */
	int port;			/* 0 while not known */
	int heads_fixed;		/* the file of signed heads only grows (witness.h) */
	struct tools tools;
	struct config config;		/* after instance_configure() or instance_load() */
};

/* Fill in build and share alone: share is the folder above this program that
 * holds conf/icert.conf.in, a source tree or an installation. */
int	instance_find_build(struct instance *i);

/* Fill in all paths; makes nothing.  port stays 0 when there is no instance. */
int	instance_find(struct instance *i, const char *prefix);

/* The path of something in build/, in whichever build has it. */
const char *instance_built(const struct instance *i, const char *what,
	    char out[FILES_PATH]);

/* Is there an instance (was it ever started)? */
int	instance_exists(const struct instance *i);

/* Make the prefix, and remember its port base for ever. */
int	instance_make(struct instance *i, int port_base);

/* Where the programs' users cannot reach the build: copy what they run. */
int	instance_install(struct instance *i);

/* Write out = template with every @NAME@ replaced; an unknown one is an error. */
int	instance_template(const struct instance *i, const char *template,
	    const char *out, mode_t mode);

/* Write PREFIX/etc/icert.conf and load it into i->config. */
int	instance_configure(struct instance *i);

/* Load the configuration of an instance that was started before. */
int	instance_load(struct instance *i);

/* Forget what was loaded. */
void	instance_free(struct instance *i);

#endif
