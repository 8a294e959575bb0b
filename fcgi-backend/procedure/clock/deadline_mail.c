/* What the handlers of deadlines mail: the case's key is opened for it, and wiped. */
#include <string.h>

#include "libicert/buf.h"
#include "libicert/error.h"
#include "procedure/datakey.h"
#include "procedure/clock/deadline_hand.h"
#include "procedure/certificate/revocation_row.h"

/* A held case with its key open. */
struct opened {
	struct mailing m;
	uint8_t key[DATAKEY_BYTES];
};

static int
open_held(struct act *act, const char *application, const struct held *held, struct opened *o)
{
	o->m = (struct mailing){
		.application = application, .contact = held->contact, .number = held->number, .province = held->province,
		.key_id = held->key, .key = o->key,
	};
	return datakey_open(act, held->key, o->key);
}

int
deadline_mail(struct act *act, const char *application, const struct held *held, enum mail_template template,
    const struct outbox_variable *variables, size_t n, const char *dedup)
{
	struct opened o;
	int error;

	if ((error = open_held(act, application, held, &o)) == 0)
		error = mailing_contact(act, &o.m, template, variables, n, dedup, NULL);
	bytes_wipe(o.key, sizeof(o.key));
	return error;
}

int
deadline_mail_staff(struct act *act, const char *application, const struct held *held, const char *queue,
    const char *dedup)
{
	struct opened o;
	int error;

	if ((error = open_held(act, application, held, &o)) == 0)
		error = mailing_staff(act, &o.m, queue, dedup);
	bytes_wipe(o.key, sizeof(o.key));
	return error;
}

int
deadline_revoked(struct act *act, const char *application, const struct held *held, const char *certificate,
    const char *serial, const char *reason, int64_t at)
{
	struct opened o;
	int error;

	if ((error = open_held(act, application, held, &o)) == 0)
		error = revocation_tell(act, &o.m, certificate, reason, serial, at);
	bytes_wipe(o.key, sizeof(o.key));
	return error;
}

int
deadline_tell_moved(struct act *act, const char *application, const char *clock, const char *cause, const char *dedup)
{
	struct deadline_clock contract = { .due_at = 0 };
	char until[MAILING_MOMENT];
	struct held held;
	int64_t due;
	int error;

	if ((error = deadline_hold(act, application, &held)) != 0)
		return error;
	error = deadline_clock(act, application, &contract);
	if (error != 0 && error != ICERT_E_NOT_FOUND)
		return error;
	due = strcmp(clock, "contract") == 0 ? contract.due_at : held.closes_at;
	if (held.state == 0 || due == 0)
		return 0;
	return deadline_mail(act, application, &held, MAIL_CLOCK_MOVED, (const struct outbox_variable[]){
	    { "clock", clock }, { "cause", cause }, { "until", mailing_moment(due, until) } }, 3, dedup);
}
