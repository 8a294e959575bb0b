#include "crypt/keeper.h"
#include "libicert/clock.h"
#include "procedure/certificate/delivery.h"
#include "procedure/certificate/envelope.h"

static const struct db_stmt blank = { "delivery_blank",
	"update icert.delivery set sealed = null, destroyed_at = $2 where certificate_id = $1 and destroyed_at is null" };

int
delivery_destroy(struct act *act, const char *certificate, const char *application, const char *reason)
{
	static const char *const labels[] = { DELIVERY_PRIVATE, DELIVERY_PKCS12, DELIVERY_ENVELOPE };
	int error;

	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
		if ((error = keeper_delivery_destroy(act->keeper, application, labels[i])) != 0)
			return error;
	if ((error = DB_QUERY(act->db, &blank, NULL, P_TEXT(certificate), P_INT(clock_business()))) != 0)
		return error;
	/* Nothing is locked any more: the clock that stood for it runs on. */
	if ((error = envelope_over(act, application)) != 0)
		return error;
	return act_audit(act, "certificate.destroy_delivery", "certificate", certificate, application, 0, reason, NULL);
}
