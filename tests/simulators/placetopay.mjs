// Placetopay Checkout as docs.placetopay.dev/en/checkout says: POST /api/session, /api/session/<id>, /api/reverse, each with an
// authentication { login, tranKey, nonce, seed }; one notification when a session ends.
import { createHash } from 'node:crypto';
import { Gateway, inCents, json } from './gateway_base.mjs';

const SEED_S = 300;          // older or newer authentications are refused
const words = { pending: 'PENDING', checking: 'PENDING', approved: 'APPROVED', rejected: 'REJECTED', expired: 'REJECTED', refunded: 'APPROVED', disputed: 'APPROVED' };
const date = (at) => new Date(at * 1000).toISOString().replace(/\.\d+Z$/, '+00:00');
const sha = (algorithm, ...parts) => parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest();

export class Placetopay extends Gateway {
	#next = 1000 + Math.floor(Math.random() * 1e6);

	/** login, secretKey: of the site; secret: what signs notifications (the same key); notifyUrl: typed in its administration; hash: 'sha1' or 'sha256'. */
	constructor({ login, secretKey, secret = secretKey, notifyUrl, hash = 'sha256', ...rest }) {
		super(rest);
		Object.assign(this, { login, secretKey, secret, notifyUrl, hash });
	}

	#status(payment) {
		return {
			status: words[payment.state], reason: { pending: 'PC', checking: 'PT', expired: 'EX', rejected: '05' }[payment.state] ?? '00',
			message: 'simulador', date: date(payment.changedAt ?? payment.begunAt),
		};
	}

	sign(body, secret = this.secret, hash = this.hash) {
		const made = sha(hash, String(body.requestId), body.status.status, body.status.date, secret).toString('hex');
		return hash === 'sha256' ? `sha256:${made}` : made;
	}

	notices(payment) {
		// Only the end of a session is told.
		if (['pending', 'checking'].includes(payment.state)) return [];
		payment.changedAt = Math.max((payment.changedAt ?? 0) + 1, Math.floor(Date.now() / 1000));
		const body = { status: this.#status(payment), requestId: Number(payment.id), reference: payment.order };
		return [{ id: `${payment.id}-${payment.changedAt}`, body: JSON.stringify({ ...body, signature: this.sign(body) }) }];
	}

	async deliver(payment, note, attempt) {
		if (!note.forged) return super.deliver(payment, note, attempt);
		return super.deliver(payment, { ...this.resign({ ...note, secret: 'de otra persona' }, (body) => body), forged: false }, attempt);
	}

	resign(note, change) {
		const changed = super.resign(note, change);
		if (typeof change !== 'function') return changed;
		const body = JSON.parse(changed.body);
		return { ...changed, body: JSON.stringify({ ...body, signature: this.sign(body, note.secret) }) };
	}

	#authentic(auth) {
		if (!auth || auth.login !== this.login) return false;
		const nonce = Buffer.from(String(auth.nonce), 'base64');
		return sha('sha256', nonce, String(auth.seed), this.secretKey).toString('base64') === auth.tranKey &&
			Math.abs(Date.parse(auth.seed) - Date.now()) < SEED_S * 1000 && nonce.length > 0;
	}

	#transactions(payment) {
		const amount = { currency: payment.capturedCurrency ?? payment.currency, total: (payment.captured ?? payment.cents) / 100 };
		const one = (status, n, refunded) => ({
			status: { status, reason: '00', message: 'simulador', date: date(payment.paidAt ?? payment.begunAt) },
			internalReference: Number(payment.id) * 10 + n, reference: payment.order, paymentMethod: 'visa', paymentMethodName: 'Visa',
			amount: { from: amount, to: amount, factor: 1 }, authorization: '000000', receipt: '1', franchise: 'ID_VS', refunded, processorFields: [],
		});
		const done = Object.keys(payment.refunds).length;
		const list = Array.from({ length: payment.captures }, (_, n) => one('APPROVED', n, false));
		if (payment.state === 'refunded') list.push(one('APPROVED', 9, true));
		else for (let n = 0; n < done; n++) list.push(one('APPROVED', 5 + n, true));
		if (payment.state === 'checking') list.push(one('PENDING', 1, false));
		if (payment.state === 'rejected') list.push(one('REJECTED', 1, false));
		return list;
	}

	#session(payment) {
		return {
			requestId: Number(payment.id), status: this.#status(payment),
			request: {
				locale: 'es_EC', payment: { reference: payment.order, description: payment.description, amount: { currency: payment.currency, total: payment.cents / 100 }, allowPartial: false },
				returnUrl: payment.returnUrl, expiration: payment.expiration,
			},
			payment: this.#transactions(payment), subscription: null,
		};
	}

	#create(given) {
		const { payment, returnUrl, ipAddress, userAgent, expiration } = given;
		if (!payment?.reference || payment.reference.length > 32 || !payment.description || !returnUrl || !ipAddress || !userAgent ||
			!(payment.amount?.total > 0) || !/^[A-Z]{3}$/.test(payment.amount.currency) || !(Date.parse(expiration) >= Date.now() + 290_000)) {
			return json(400, { status: { status: 'FAILED', reason: 'BR', message: 'datos', date: date(Date.now() / 1000) } });
		}
		const opened = this.open({
			id: String(this.#next++), order: payment.reference, number: payment.reference, description: payment.description,
			cents: inCents(payment.amount.total), currency: payment.amount.currency, returnUrl, notifyUrl: this.notifyUrl, expiration,
		});
		return json(200, {
			status: { status: 'OK', reason: 'PC', message: 'creada', date: date(opened.begunAt) }, requestId: Number(opened.id), processUrl: `${this.base}/pago/${opened.id}`,
		});
	}

	#reverse(reference) {
		const payment = this.payments.get(String(Math.floor(reference / 10)));
		const status = (word) => ({ status: { status: word, reason: word === 'APPROVED' ? '00' : 'XX', message: 'simulador', date: date(Date.now() / 1000) } });
		if (!payment) return json(404, status('FAILED'));
		const { refused } = this.giveBack(payment, `reverse-${reference}`, payment.captured ?? payment.cents);
		return refused ? json(200, status('REJECTED')) : json(200, status('APPROVED'));
	}

	api(request) {
		if (request.method !== 'POST' || request.parts[0] !== 'api') return undefined;
		const given = JSON.parse(request.text);
		if (!this.#authentic(given.auth)) return json(401, { status: { status: 'FAILED', reason: 401, message: 'autenticación', date: date(Date.now() / 1000) } });
		if (request.parts[1] === 'reverse') return this.#reverse(given.internalReference);
		if (request.parts[1] !== 'session') return undefined;
		if (!request.parts[2]) return this.#create(given);
		const payment = this.payments.get(request.parts[2]);
		return payment && json(200, this.#session(payment));
	}
}
