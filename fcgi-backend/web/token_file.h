#ifndef WEB_TOKEN_FILE_H
#define WEB_TOKEN_FILE_H

#include "procedure/application/application.h"
#include "web/request.h"

/*
 * Answers with the certificate of a token's case: as it is written into the
 * token (.cer), or as PEM with the authority's chain.  ICERT_E_NOT_FOUND for
 * another container, ICERT_E_STATE before its status is published.
 */
int token_file(struct request *, struct act *, const struct application *, bool chain);

#endif
