#ifndef ICERT_WEB_OBSERVED_H
#define ICERT_WEB_OBSERVED_H
/*
 * What was asked to be mended, as pages of both sides show it.
 */
#include "procedure/application/application.h"
#include "web/request.h"

struct observed {
	struct observation	o;
	const char		*kind;	/* the catalogue's word is kind and label: "document.", "label." */
	const char		*label;	/* of the document or the form's field */
};

/* Those of the newest round, in the request's arena.  0 or an error of application_observations(). */
int observed_read(struct request *, struct act *, const char *application, struct observed **list, size_t *n);

#endif
