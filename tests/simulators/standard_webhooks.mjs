// A gateway with notifications in the form of Standard Webhooks, signed by npm `standardwebhooks`, and the API that the adapter of that
// name speaks.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { Gateway, inCents, inUnits, json, newId } from './gateway_base.mjs';

const PAGE = 100;

const described = (payment) => ({
	id: payment.id, reference: payment.order, status: payment.state, amount: inUnits(payment.captured ?? payment.cents),
	currency: payment.capturedCurrency ?? payment.currency, captures: payment.captures,
	at: new Date((payment.paidAt ?? payment.begunAt) * 1000).toISOString(),
	// more than was paid: given back, and lost to its bank after that
	// returned in part, in the gateway's own administration
	...(payment.part && { refunded: inUnits(payment.part) }),
	...(payment.lostAgain && { refunded: inUnits((payment.taken + 1) * (payment.captured ?? payment.cents)) }),
});

export class StandardWebhooks extends Gateway {
	/** secret: whsec_…; key: bearer token of its API. */
	constructor({ secret, key, ...rest }) {
		super(rest);
		this.key = key;
		this.secret = secret;
	}

	notices(payment) {
		return [{
			id: newId('evt_'), body: JSON.stringify({ type: `payment.${payment.state}`, timestamp: new Date().toISOString(), data: described(payment) }),
		}];
	}

	// Signed anew at each try, since the timestamp is the try's.
	headers(note) {
		const at = new Date(Date.now() + (note.shift ?? 0) * 1000);
		const secret = note.secret ?? this.secret;
		// The library signs texts; what is none is signed here.
		const sign = () => (Buffer.isBuffer(note.body)
			? `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${note.id}.${Math.floor(at / 1000)}.`).update(note.body).digest('base64')}`
			: new Webhook(secret).sign(note.id, at, note.body));
		return {
			'webhook-id': note.id, 'webhook-timestamp': String(Math.floor(at / 1000)),
			'webhook-signature': note.forged ? `v1,${randomBytes(32).toString('base64')}` : sign(),
		};
	}

	#authorised(request) {
		const given = Buffer.from(request.headers.authorization ?? '');
		const wanted = Buffer.from(`Bearer ${this.key}`);
		return given.length === wanted.length && timingSafeEqual(given, wanted);
	}

	#checkout(given) {
		const fields = ['reference', 'number', 'description', 'amount', 'currency', 'return_url', 'notify_url'];
		if (!fields.every((field) => typeof given[field] === 'string') || !/^\d+\.\d\d$/.test(given.amount)) return json(422, { error: 'fields' });
		const known = this.ofOrder(given.reference);
		const answer = (payment) => ({ id: payment.id, url: `${this.base}/pago/${payment.id}` });
		// The same reference is the same checkout, unless it was refused: then another try begins.
		if (known && !['rejected', 'expired'].includes(known.state)) return json(200, answer(known));
		return json(201, answer(this.open({
			id: newId('pay_'), order: given.reference, number: given.number, description: given.description, cents: inCents(given.amount),
			currency: given.currency, returnUrl: given.return_url, notifyUrl: given.notify_url,
		})));
	}

	#refund(payment, given) {
		if (typeof given.reference !== 'string' || given.currency !== (payment.capturedCurrency ?? payment.currency)) return json(422, { error: 'fields' });
		const { id, fresh, refused } = this.giveBack(payment, given.reference, inCents(given.amount));
		if (refused) return json({ nothing: 409, 'not-allowed': 403, amount: 422 }[refused], { error: refused });
		return json(fresh ? 201 : 200, { id, status: 'refunded' });
	}

	#list({ from, to, cursor }) {
		const all = [...this.payments.values()].filter((p) => [p.begunAt, p.paidAt ?? p.begunAt].some((at) => at >= Number(from) && at < Number(to)));
		const begin = cursor ? all.findIndex((p) => p.id === cursor) : 0;
		if (begin < 0) return json(422, { error: 'cursor' });
		return json(200, { data: all.slice(begin, begin + PAGE).map(described), next: all[begin + PAGE]?.id ?? null });
	}

	api(request) {
		const [version, what, id, more] = request.parts;
		if (version !== 'v1') return undefined;
		if (!this.#authorised(request)) return json(401, { error: 'key' });
		if (request.method === 'POST' && what === 'checkouts' && !id) return this.#checkout(JSON.parse(request.text));
		if (request.method === 'GET' && what === 'payments' && !id) return this.#list(request.query);
		const payment = what === 'payments' ? this.payments.get(id) : undefined;
		if (payment && request.method === 'GET' && !more) return json(200, described(payment));
		if (payment && request.method === 'POST' && more === 'refunds') return this.#refund(payment, JSON.parse(request.text));
		return undefined;
	}
}
