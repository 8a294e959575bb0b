#ifndef ICERT_PROCEDURE_SUBSTITUTE_H
#define ICERT_PROCEDURE_SUBSTITUTE_H
/*
 * Who signs contracts for a province's director between two moments.  Named by that director or the national office;
 * icert-clerk gives the role when it begins and takes it when it ends, which ends their sessions too.
 */
#include <stddef.h>
#include <stdint.h>

#include "libicert/id.h"
#include "procedure/act.h"

struct substitute {
	char	id[ID_TEXT], staff[ID_TEXT];
	char	name[128], named_by[128];
	int	province;
	char	province_name[64];
	int64_t	from_at, to_at;		/* business clock */
	char	state[8];		/* named, active, over */
	int	may_end;		/* by the caller */
};

/* Those the caller may see, newest first.  *n: room, then filled. */
int	substitute_list(struct act *, struct substitute *rows, size_t *n);

/*
 * ICERT_E_INVALID: it ends before it begins, or in the past; ICERT_E_DENIED: not the caller's province, or themselves;
 * ICERT_E_EXISTS: that person signs for the province already; ICERT_E_NOT_FOUND: no such enabled account.
 */
int	substitute_name(struct act *, const char *login, int province, int64_t from_at, int64_t to_at);

/* Ends it now. */
int	substitute_end(struct act *, const char *id);

/* The clerk: begins what has begun and ends what is over. */
int	substitute_run(struct act *, size_t *done);

#endif
