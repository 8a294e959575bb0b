#include <openssl/err.h>
#include <openssl/x509.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "procedure/people/authority.h"

static const char *
list_of(const struct act *act)
{
	const char *path = act->config != NULL ? config_get(act->config, "contract", "director_authorities") : NULL;

	return path != NULL && path[0] != '\0' ? path : NULL;
}

int
authority_listed(const struct act *act)
{
	return list_of(act) != NULL;
}

/* From the certificate upwards to whatever of the list signed it: a CA in it is trusted as it stands. */
static int
leads(X509_STORE *store, X509 *x)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error = ICERT_E_MEMORY;

	if (ctx != NULL && X509_STORE_CTX_init(ctx, store, x, NULL) == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_time(param, (time_t)clock_real());
		X509_VERIFY_PARAM_set_auth_level(param, 2);
		error = X509_verify_cert(ctx) == 1 ? 0 : ICERT_E_FORGED;
	}
	X509_STORE_CTX_free(ctx);
	return error;
}

int
authority_check(const struct act *act, const void *der, size_t len)
{
	const char *path = list_of(act);
	const unsigned char *p = der;
	X509_STORE *store;
	X509 *x;
	int error;

	if (path == NULL)
		return 0;
	if ((x = d2i_X509(NULL, &p, (long)len)) == NULL)
		return ICERT_E_MALFORMED;
	if ((store = X509_STORE_new()) == NULL)
		error = ICERT_E_MEMORY;
	else if (X509_STORE_load_file(store, path) != 1) {
		log_error("authorities_unread", "[contract] director_authorities: %s", path);
		error = ICERT_E_CONFIG;
	} else
		error = leads(store, x);
	X509_STORE_free(store);
	X509_free(x);
	ERR_clear_error();
	return error;
}
