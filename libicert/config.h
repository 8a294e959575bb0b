#ifndef ICERT_CONFIG_H
#define ICERT_CONFIG_H
/*
 * The configuration of an instance: one INI file (PREFIX/etc/icert.conf, read
 * with libinih), the same for every program and readable by all of them, so it
 * holds names, paths and limits and never a secret.  conf/icert.conf.in lists
 * every section and key.
 */
#include <stddef.h>

struct config_entry {
	char *section;
	char *key;
	char *value;
};

struct config {
	struct config_entry *entries;
	size_t n;
	char *path;		/* the file that was read */
};

/*
 * Read the file at path into c (which need not be initialised).  Returns 0;
 * or -1 when the file cannot be read or has a line that is not INI, after
 * logging which (code config_unreadable, config_syntax); c is then empty.
 * The caller frees c with config_free().
 */
int		config_load(struct config *c, const char *path);
void		config_free(struct config *c);

/* The value, owned by c; NULL when absent.  An empty value is "". */
const char	*config_get(const struct config *c, const char *section,
		    const char *key);

/*
 * For the start of a program: the value, owned by c.  When it is absent or
 * empty the program ends with status 78 (EX_CONFIG) and a log line that names
 * file, section and key (code config_missing).
 */
const char	*config_require(const struct config *c, const char *section,
		    const char *key);

/*
 * A decimal number between min and max; fallback when absent or empty.  Any
 * other text ends the program as config_require() does (code config_number).
 */
long		 config_int(const struct config *c, const char *section,
		    const char *key, long fallback, long min, long max);

/*
 * The libpq connection string of a program's own role: [database] conninfo,
 * then "user=" the value of the key in [database] that is named as the program
 * without its prefix ("portal", "desk", "webhook", "issuer", "clerk",
 * "publisher", "admin", "migrate"), then application_name.  Returns 0, or -1
 * when a value is absent or out is too small.
 */
int		 config_conninfo(const struct config *c, const char *program,
		    char *out, size_t size);

/*
 * What every program does with its arguments: takes "--config FILE" (and
 * nothing else), opens the log under the name program, loads the file and
 * opens the clock.  Ends the program with a message when something is wrong.
 */
void		 config_start(struct config *c, const char *program, int argc,
		    char *argv[]);

#endif
