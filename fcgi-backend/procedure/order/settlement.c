#include "procedure/order/settlement.h"

#include <stdio.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "payments/inbox.h"
#include "payments/payment.h"
#include "procedure/order/checkout.h"
#include "procedure/order/inquiry.h"
#include "procedure/order/purchase.h"
#include "procedure/trouble.h"

#define ASK_AT_ONCE 20       /* checkouts asked about in one round */

void
settlement_open(const struct config *config, struct settlement *out)
{
	int i, n;

	memset(out, 0, sizeof(*out));
	n = gateway_names(config, out->names);
	for (i = 0; i < n; i++)
		if (gateway_open(config, out->names[i], GATEWAY_API, &out->gateways[i]) != 0)
			out->gateways[i] = NULL;
	out->n = n;
}

void
settlement_close(struct settlement *settlement)
{
	int i;

	for (i = 0; i < settlement->n; i++)
		gateway_free(settlement->gateways[i]);
	settlement->n = 0;
}

struct gateway *
settlement_gateway(struct settlement *settlement, const char *name)
{
	int i;

	for (i = 0; i < settlement->n; i++)
		if (strcmp(settlement->names[i], name) == 0)
			return settlement->gateways[i];
	return NULL;
}

static int
number_of(const struct settlement *settlement, const char *name)
{
	int i;

	for (i = 0; i < settlement->n && strcmp(settlement->names[i], name) != 0; i++)
		;
	return i;
}

int
settlement_rests(const struct settlement *settlement, const char *name)
{
	int i = number_of(settlement, name);

	return i < settlement->n && clock_mono_ms() < settlement->rests_until[i];
}

void
settlement_heard(struct settlement *settlement, const char *name, int error)
{
	int i = number_of(settlement, name);
	int64_t rest;

	if (i == settlement->n)
		return;
	if (error != ICERT_E_UNAVAILABLE) {
		settlement->unanswered[i] = 0;
		settlement->rests_until[i] = 0;
		return;
	}
	rest = (int64_t)1000 << (settlement->unanswered[i] < 10 ? settlement->unanswered[i]++ : 10);
	settlement->rests_until[i] = clock_mono_ms() + (rest < SETTLEMENT_REST_MS ? rest : SETTLEMENT_REST_MS);
}

#define NAMES (GATEWAYS_MAX * GATEWAY_NAME)

/* Those that rest, or those that can be asked: their names, blanks between. */
static const char *
names_of(const struct settlement *settlement, int resting, char out[NAMES])
{
	size_t len = 0;

	out[0] = '\0';
	for (int k = 0; k < settlement->n; k++)
		if (settlement->gateways[k] != NULL && settlement_rests(settlement, settlement->names[k]) == resting)
			len += (size_t)snprintf(out + len, NAMES - len, "%s%s", len > 0 ? " " : "", settlement->names[k]);
	return out;
}

/* Who acts on the answer keeps the question; of a gateway that rests nothing is asked. */
static int
query(struct settlement *settlement, const char *name, const char *payment, struct gateway_payment *answer, struct inquiry *asked)
{
	struct gateway *gateway = settlement_gateway(settlement, name);
	int error;

	memset(asked, 0, sizeof *asked);
	if (gateway == NULL || settlement_rests(settlement, name))
		return ICERT_E_UNAVAILABLE;
	error = inquiry_query(gateway, name, payment, INQUIRY_CLERK, answer, asked);
	settlement_heard(settlement, name, error);
	return error;
}

/* We ask of ourselves: "still checking" is nothing to tell anybody. */
static int
ask_about(struct act *act, struct settlement *settlement, const struct checkout *c)
{
	struct gateway_payment answer = { .checking = 0 };
	struct inquiry asked;
	enum payment_verdict verdict;
	char order[ID_TEXT];
	int error = query(settlement, c->gateway, c->payment, &answer, &asked), known = error != ICERT_E_NOT_FOUND;

	answer.checking = 0;
	if (error == 0)
		error = purchase_apply(act, c->gateway, &answer, PAYMENT_ASKED, &asked, &verdict, order);
	inquiry_keep(act, &asked);
	/* What the gateway does not know, or knows no more, nobody can pay there. */
	if (c->left && !known)
		return checkout_asked(act, c, 1);
	return error != 0 || !c->left ? error : checkout_asked(act, c, answer.state != GATEWAY_PENDING);
}

int
settlement_ask_one(struct act *act, struct settlement *settlement, const char *name, const char *payment,
    struct gateway_payment *answer, enum payment_verdict *verdict)
{
	struct inquiry asked;
	char order[ID_TEXT];
	int error = query(settlement, name, payment, answer, &asked);

	if (error == 0)
		error = purchase_apply(act, name, answer, PAYMENT_ASKED, &asked, verdict, order);
	inquiry_keep(act, &asked);
	return error;
}

/* A notification may be late, or one of several that come in no order: what counts is how the payment stands now. */
static int
ask_and_apply(struct act *act, struct settlement *settlement, const char *name, const struct gateway_payment *told,
    enum payment_verdict *verdict, char order[ID_TEXT])
{
	struct gateway_payment answer;
	struct inquiry asked;
	int error = query(settlement, name, told->id, &answer, &asked);

	if (error == 0)
		error = purchase_apply(act, name, &answer, PAYMENT_ASKED, &asked, verdict, order);
	/* Whoever has paid need not wait for a gateway that does not answer.  It is asked again all the same, until it does. */
	else if (error == ICERT_E_UNAVAILABLE && told->sure && told->state == GATEWAY_APPROVED &&
	    (error = purchase_apply(act, name, told, PAYMENT_SIGNED, &asked, verdict, order)) == 0)
		error = ICERT_E_UNAVAILABLE;
	inquiry_keep(act, &asked);
	return error;
}

static int
apply_event(struct act *act, struct settlement *settlement, struct inbox_event *event)
{
	struct gateway *gateway = settlement_gateway(settlement, event->gateway);
	enum payment_verdict verdict = PAYMENT_NOTHING;
	struct gateway_payment payment;
	char order[ID_TEXT] = "";
	int error;

	if (gateway == NULL)
		return ICERT_E_UNAVAILABLE;
	error = gateway_read(gateway, event->body.p, event->body.len, &payment);
	if (error == ICERT_E_MALFORMED)
		return inbox_done(act->db, event, "unreadable", NULL, clock_real());
	if (error != 0)
		return error;
	error = ask_and_apply(act, settlement, event->gateway, &payment, &verdict, order);
	/* The gateway itself knows no such payment: its notification was about nothing. */
	if (error == ICERT_E_NOT_FOUND)
		return inbox_done(act->db, event, payment_verdict_name(PAYMENT_STRANGE), NULL, clock_real());
	if (error == 0 && verdict == PAYMENT_QUERY)
		return ICERT_E_UNAVAILABLE;
	return error != 0 ? error :
	    inbox_done(act->db, event, payment_verdict_name(verdict), order[0] != '\0' ? order : NULL, clock_real());
}

int
settlement_apply(struct act *act, struct settlement *settlement, size_t most, size_t *done)
{
	struct inbox_event event;
	char resting[NAMES];
	size_t i;
	int error = 0;

	*done = 0;
	for (i = 0; i < most; i++) {
		/* A try while nobody can be asked would only put the next one further away. */
		error = inbox_take(act->db, act->keeper, clock_real(), names_of(settlement, 1, resting), &event);
		if (error == ICERT_E_FORGED || error == ICERT_E_DESTROYED)
			continue;
		if (error != 0)
			break;
		error = apply_event(act, settlement, &event);
		if (error != 0)
			log_warn("payment_not_applied", "gateway %s, try %d: %s", event.gateway, event.tries,
			    icert_err_code(error));
		else
			(*done)++;
		inbox_event_free(&event);
		/* It waits for its next try; the others need not. */
		error = 0;
	}
	return error == ICERT_E_NOT_FOUND ? 0 : error;
}

static int
replay_event(struct act *act, struct settlement *settlement, struct inbox_event *event)
{
	struct gateway *gateway = settlement_gateway(settlement, event->gateway);
	enum payment_verdict verdict = PAYMENT_NOTHING;
	struct gateway_payment payment, answer;
	struct inquiry asked = { .asker = NULL };
	char order[ID_TEXT] = "";
	int error;

	if (gateway == NULL)
		error = ICERT_E_UNAVAILABLE;
	else if ((error = gateway_read(gateway, event->body.p, event->body.len, &payment)) == ICERT_E_MALFORMED)
		return inbox_replay_done(act->db, event, "unreadable", NULL, clock_real());
	else if (error == 0 && (error = query(settlement, event->gateway, payment.id, &answer, &asked)) == 0)
		error = event->rehearsal ? purchase_foresee(act, event->gateway, &answer, PAYMENT_ASKED, &verdict, order) :
		    purchase_apply(act, event->gateway, &answer, PAYMENT_ASKED, &asked, &verdict, order);
	inquiry_keep(act, &asked);
	if (error == ICERT_E_NOT_FOUND) {
		verdict = PAYMENT_STRANGE;
		error = 0;
	}
	if (error != 0 && event->rehearsal)
		return inbox_replay_done(act->db, event, icert_err_code(error), NULL, clock_real());
	return error != 0 ? error : inbox_replay_done(act->db, event, payment_verdict_name(verdict), order[0] != '\0' ? order : NULL, clock_real());
}

int
settlement_replay(struct act *act, struct settlement *settlement, size_t most)
{
	struct inbox_event event;
	size_t i;
	int error;

	for (i = 0; i < most; i++) {
		error = inbox_replay_take(act->db, act->keeper, clock_real(), &event);
		if (error == ICERT_E_FORGED || error == ICERT_E_DESTROYED)
			continue;
		if (error != 0)
			return error == ICERT_E_NOT_FOUND ? 0 : error;
		if ((error = replay_event(act, settlement, &event)) != 0)
			log_warn("payment_not_replayed", "gateway %s, try %d: %s", event.gateway, event.tries, icert_err_code(error));
		inbox_event_free(&event);
	}
	return 0;
}

int
settlement_ask(struct act *act, struct settlement *settlement, int64_t first, int64_t most, size_t *asked)
{
	static struct checkout rows[ASK_AT_ONCE];
	char gateways[NAMES];
	size_t i, n = ASK_AT_ONCE;
	int error;

	*asked = 0;
	/* Those of a gateway that rests, or that this house has no more, would take the place of the others. */
	if ((error = checkout_unsure(act, first, most, names_of(settlement, 0, gateways), rows, &n)) != 0)
		return error;
	for (i = 0; i < n; i++) {
		int refused;

		if (settlement_gateway(settlement, rows[i].gateway) == NULL || settlement_rests(settlement, rows[i].gateway))
			continue;
		trouble_begin("ask", rows[i].order);
		refused = ask_about(act, settlement, &rows[i]);
		db_rollback(act->db);
		/* One that the gateway gives no answer about rests; the others are asked meanwhile. */
		if (refused != 0)
			error = trouble_note(act, "ask", rows[i].order, rows[i].gateway, refused);
		else {
			error = trouble_over(act, "ask", rows[i].order);
			(*asked)++;
		}
		trouble_end();
		if (error != 0)
			return error;
	}
	return 0;
}
