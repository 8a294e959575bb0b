#ifndef ICERT_PROCEDURE_STAFF_H
#define ICERT_PROCEDURE_STAFF_H
/*
 * People of the desk and the places they work for.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

struct province {
	int	id;			/* 1 … 24; 25 the national office ("Planta Central") */
	char	name[64];
	char	telephone[64];
	char	hours[128];
	char	address[160];
	int	galapagos;		/* an hour behind: both hours are shown */
};
#define PROVINCE_NATIONAL 25

int	province_list(struct act *, struct province *rows, size_t *n);
int	province_get(struct act *, int id, struct province *);

struct staff {
	char	id[ID_TEXT];
	char	name[128];
	unsigned roles;
};
/* Operators who may be given cases of a province. */
int	staff_operators(struct act *, int province, struct staff *rows, size_t *n);

/* Everybody who works here, one row a role; for the administrator.  *n: room, then filled. */
struct staff_post {
	char	id[ID_TEXT];
	char	login[48], name[128], email[160];
	char	role[16];		/* as stored: "operator", …; "" none */
	char	province[64];		/* name, "" none */
	int	enabled;
};
int	staff_posts(struct act *, struct staff_post *rows, size_t *n);

/*
 * A fresh code of the caller's second factor, used up by this.  Outside a
 * transaction.  ICERT_E_INVALID when it has not six digits; else as keeper_totp_verify().
 */
int	staff_factor(struct act *, const char *code);

/* Provinces of the caller.  *n: room, then filled. */
int	staff_provinces(struct act *, int *provinces, size_t *n);

#endif
