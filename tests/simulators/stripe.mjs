// Stripe Checkout as docs.stripe.com/api says: form-encoded sessions, refunds and lists with idempotency keys; events, signed by
// npm `stripe`.
import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { Gateway, json, newId } from './gateway_base.mjs';

const now = () => Math.floor(Date.now() / 1000);
const failed = (status, code) => json(status, { error: { type: 'invalid_request_error', code, message: code } });

export class StripeCheckout extends Gateway {
	#answers = new Map();        // idempotency key → { asked, answer }
	#library = new Stripe('sk_test_simulador');

	/** key: sk_…; secret: whsec_…; notifyUrl: the endpoint of the dashboard. */
	constructor({ key, secret, notifyUrl, ...rest }) {
		super(rest);
		Object.assign(this, { key, secret, notifyUrl });
	}

	#session(payment, expanded) {
		const done = ['approved', 'refunded', 'disputed'].includes(payment.state);
		return {
			id: payment.id, object: 'checkout.session', client_reference_id: payment.order, created: payment.begunAt,
			amount_total: payment.cents, currency: payment.currency.toLowerCase(), mode: 'payment', metadata: { order: payment.order },
			status: done || payment.state === 'checking' || payment.state === 'rejected' ? 'complete' : payment.state === 'expired' ? 'expired' : 'open',
			payment_status: done ? 'paid' : 'unpaid', payment_intent: expanded ? this.#intent(payment) : payment.intent,
			url: done ? null : `${this.base}/pago/${payment.id}`,
		};
	}

	#charge(payment) {
		// A dispute that was lost took the money without a refund.
		const back = payment.state === 'refunded' && payment.disputeEnd !== 'lost';
		const cents = payment.captured ?? payment.cents;
		return {
			id: payment.charge, object: 'charge', amount: cents, amount_refunded: back ? cents : 0, refunded: back,
			disputed: Boolean(payment.dispute), currency: (payment.capturedCurrency ?? payment.currency).toLowerCase(),
			created: payment.paidAt ?? payment.begunAt, payment_intent: payment.intent, status: 'succeeded',
		};
	}

	#intent(payment) {
		const done = ['approved', 'refunded', 'disputed'].includes(payment.state);
		return {
			id: payment.intent, object: 'payment_intent', latest_charge: done ? this.#charge(payment) : null,
			status: done ? 'succeeded' : { checking: 'processing', rejected: 'requires_payment_method' }[payment.state] ?? 'requires_payment_method',
		};
	}

	#dispute(payment) {
		return {
			id: payment.dispute, object: 'dispute', charge: payment.charge, payment_intent: payment.intent, amount: payment.cents,
			currency: payment.currency.toLowerCase(), status: payment.disputeEnd ?? 'needs_response',
		};
	}

	notices(payment, what) {
		const event = (type, object) => ({
			id: newId('evt_'),
			body: JSON.stringify({ id: newId('evt_'), object: 'event', api_version: '2024-06-20', created: now(), type, livemode: false, data: { object } }),
		});
		// What a dispute became is asked with the payment.
		if (payment.state === 'disputed') {
			payment.dispute ??= newId('du_');
			delete payment.disputeEnd;
			return [event('charge.dispute.created', this.#dispute(payment))];
		}
		if (payment.dispute && !payment.disputeEnd) {
			payment.disputeEnd = payment.state === 'refunded' ? 'lost' : 'won';
			return [event('charge.dispute.closed', this.#dispute(payment))];
		}
		if (payment.state === 'refunded') return [event('charge.refunded', this.#charge(payment))];
		const late = payment.wasChecking;
		payment.wasChecking ||= payment.state === 'checking';
		// A card that was refused leaves the session open; a method that takes its time fails later.
		if (payment.state === 'rejected') return [event('checkout.session.async_payment_failed', this.#session(payment))];
		if (payment.state === 'expired') return [event('checkout.session.expired', this.#session(payment))];
		return [event(late ? 'checkout.session.async_payment_succeeded' : 'checkout.session.completed', this.#session(payment))];
	}

	headers(note) {
		const secret = note.forged ? 'whsec_of_somebody_else_0000' : note.secret ?? this.secret;
		const timestamp = now() + (note.shift ?? 0);
		// The library signs texts; what is none is signed here.
		const signature = Buffer.isBuffer(note.body)
			? `t=${timestamp},v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(note.body).digest('hex')}`
			: this.#library.webhooks.generateTestHeaderString({ payload: note.body, secret, timestamp });
		return { 'stripe-signature': signature };
	}

	#create(form) {
		const cents = Number(form.get('line_items[0][price_data][unit_amount]'));
		if (form.get('mode') !== 'payment' || !(cents > 0) || !form.get('success_url') || !form.get('line_items[0][price_data][product_data][name]')) return failed(400, 'parameter_missing');
		const lasts = Number(form.get('expires_at')) - now();
		if (lasts < 1800 || lasts > 86400) return failed(400, 'expires_at');
		const payment = this.open({
			// As long as real ones are.
			id: newId('cs_test_').padEnd(66, 'a1'), order: form.get('client_reference_id'), number: form.get('metadata[number]'), cents,
			description: form.get('line_items[0][price_data][product_data][name]'), currency: form.get('line_items[0][price_data][currency]').toUpperCase(),
			returnUrl: form.get('success_url'), notifyUrl: this.notifyUrl, intent: newId('pi_'), charge: newId('ch_'),
		});
		return json(200, this.#session(payment));
	}

	#refund(form) {
		const payment = [...this.payments.values()].find((p) => p.intent === form.get('payment_intent'));
		if (!payment) return failed(404, 'resource_missing');
		const { id, refused } = this.giveBack(payment, form.get('metadata[refund]'), Number(form.get('amount')));
		if (refused) return failed(400, refused === 'nothing' ? 'charge_already_refunded' : refused);
		return json(200, { id, object: 'refund', status: 'succeeded', payment_intent: payment.intent, amount: Number(form.get('amount')) });
	}

	#list(request, rows) {
		const limit = Number(request.query.limit ?? 10);
		const begin = request.query.starting_after ? rows.findIndex((p) => p.id === request.query.starting_after) + 1 : 0;
		const expanded = request.query['expand[]'] === 'data.payment_intent.latest_charge';
		return json(200, { object: 'list', data: rows.slice(begin, begin + limit).map((p) => this.#session(p, expanded)), has_more: rows.length > begin + limit });
	}

	#answer(request) {
		const [, what, id, more] = request.parts;
		const all = [...this.payments.values()];
		if (what === 'disputes') return json(200, { object: 'list', data: all.filter((p) => p.dispute && p.intent === request.query.payment_intent).map((p) => this.#dispute(p)) });
		if (what === 'refunds' && request.method === 'GET') {
			const payment = all.find((p) => p.intent === request.query.payment_intent);
			return json(200, { object: 'list', data: Object.entries(payment?.refunds ?? {}).map(([key, its]) => ({ id: its, status: 'succeeded', metadata: { refund: key } })) });
		}
		if (what === 'refunds') return this.#refund(new URLSearchParams(request.text));
		if (what !== 'checkout' || id !== 'sessions') return undefined;
		if (request.method === 'POST') return this.#create(new URLSearchParams(request.text));
		if (more) {
			const payment = this.payments.get(more);
			return payment ? json(200, this.#session(payment, request.query['expand[]'] === 'payment_intent.latest_charge')) : failed(404, 'resource_missing');
		}
		if (request.query.payment_intent) return this.#list(request, all.filter((p) => p.intent === request.query.payment_intent));
		return this.#list(request, all.filter((p) => p.begunAt >= Number(request.query['created[gte]']) && p.begunAt < Number(request.query['created[lt]'])));
	}

	api(request) {
		if (request.parts[0] !== 'v1') return undefined;
		if (request.headers.authorization !== `Bearer ${this.key}`) return failed(401, 'api_key');
		const key = request.headers['idempotency-key'];
		const known = this.#answers.get(key);
		if (known && known.asked !== request.text) return failed(400, 'idempotency_key_in_use');
		if (known) return known.answer;
		const answer = this.#answer(request);
		if (key && request.method === 'POST' && answer && answer.status < 500) this.#answers.set(key, { asked: request.text, answer });
		return answer;
	}
}
