#ifndef ICERT_OPERATE_PROGRAMS_H
#define ICERT_OPERATE_PROGRAMS_H
#include "operate/supervisor.h"

/*
 * Which programs an instance runs, in the order in which they start.
 * programs_keys(): those that hold a key or parse strangers' files, needed
 * before anything is enrolled.  programs_rest(): those that use the database.
 * A program that was not built is an error.  0 or -1.
 */
int	programs_keys(struct supervisor *s);
int	programs_rest(struct supervisor *s);

/* The edge: nginx with the module.  0 or -1. */
int	programs_edge(struct supervisor *s);

/* Redis; the mail catcher and the gateway simulator. */
int	programs_cache(struct supervisor *s);
int	programs_simulators(struct supervisor *s);

/* The HTTP status that an address answers with, 0 when nobody does (within a
 * second; a self-made certificate is accepted, redirects are not followed). */
long	http_status(const char *url);

#endif
