// Payphone as docs.payphone.app says: POST /api/button/Prepare, a form that the payer pays in, POST /api/button/V2/Confirm within five
// minutes (or the money goes back), GET /api/Sale/client/<reference>, POST /api/Reverse, and an unsigned notification of approved payments.
import { createHmac } from 'node:crypto';
import { Gateway, json } from './gateway_base.mjs';

const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const refusal = (status, errorCode, message) => json(status, { message, errorCode });

export class Payphone extends Gateway {
	windowMs = 300_000;          // from the payment until it goes back unconfirmed
	#next = 33_000_000 + Math.floor(Math.random() * 1e6);

	/** token, storeId: of the application; secret: the key that the house makes its references with; notifyUrl: typed in its administration. */
	constructor({ token, storeId, secret, notifyUrl, ...rest }) {
		super(rest);
		Object.assign(this, { token, storeId, secret, notifyUrl });
	}

	/** The reference as somebody with another key would have made it. */
	coded(reference, secret) {
		const mac = createHmac('sha256', secret).update(reference.slice(0, 10)).digest().readUInt32BE(0) >>> 7;
		return reference.slice(0, 10) + [20, 15, 10, 5, 0].map((shift) => digits[(mac >>> shift) & 31]).join('');
	}

	notices(payment) {
		if (payment.state !== 'approved') return [];
		const body = {
			Amount: payment.captured ?? payment.cents, AuthorizationCode: `W${payment.transaction}`, ClientTransactionId: payment.id, StatusCode: 3,
			TransactionStatus: 'Approved', StoreId: this.storeId, CardType: 'Credit', Currency: payment.capturedCurrency ?? payment.currency,
			Reference: payment.number, TransactionId: payment.transaction,
		};
		return [{ id: payment.id, body: JSON.stringify(body) }];
	}

	resign(note, change) {
		const changed = super.resign(note, change);
		if (typeof change !== 'function' || !note.secret) return changed;
		const body = JSON.parse(changed.body);
		return { ...changed, body: JSON.stringify({ ...body, ClientTransactionId: this.coded(body.ClientTransactionId, note.secret) }) };
	}

	async deliver(payment, note, attempt) {
		if (!note.forged) return super.deliver(payment, note, attempt);
		return super.deliver(payment, { ...this.resign({ ...note, secret: 'de otra persona, y no de nadie' }, (body) => body), forged: false }, attempt);
	}

	back(payment) { return { id: payment.transaction ?? 0, clientTransactionId: payment.id }; }

	async act(payment, name) {
		payment.transaction ??= this.#next++;
		await super.act(payment, name);
		if (payment.state === 'approved') payment.paidMs ??= Date.now();
	}

	#prepare(given) {
		const { amount, amountWithTax, amountWithoutTax, tax, service, tip, clientTransactionId, storeId, reference, currency, responseUrl, cancellationUrl } = given;
		if (storeId !== this.storeId) return refusal(400, 100, 'La tienda no existe.');
		if (![amount, amountWithTax, amountWithoutTax, tax, service, tip].every((n) => Number.isInteger(n) && n >= 0) || amount === 0 ||
			amount !== amountWithTax + amountWithoutTax + tax + service + tip || !responseUrl || !cancellationUrl || !reference || !currency ||
			typeof clientTransactionId !== 'string' || clientTransactionId.length > 15) return refusal(400, 800, 'Datos no válidos.');
		const known = this.payments.get(clientTransactionId);
		if (known?.transaction) return refusal(400, 801, 'El identificador ya fue usado.');
		if (!known) {
			this.open({
				id: clientTransactionId, order: given.optionalParameter1, number: reference, description: reference, cents: amount, currency,
				returnUrl: responseUrl, notifyUrl: this.notifyUrl,
			});
		}
		const url = `${this.base}/pago/${clientTransactionId}`;
		return json(200, { paymentId: clientTransactionId, payWithPayPhone: url, payWithCard: url });
	}

	/** Nobody confirmed in time: the money went back. */
	#late(payment) {
		if (payment.state !== 'approved' || payment.confirmed || Date.now() < payment.paidMs + this.windowMs) return;
		payment.state = 'rejected';
		payment.captures = 0;
	}

	#sale(payment) {
		const [statusCode, transactionStatus] = payment.state === 'approved' ? (payment.confirmed ? [3, 'Approved'] : [1, 'Pending'])
			: payment.state === 'refunded' ? [2, 'Reversed'] : ['rejected', 'expired'].includes(payment.state) ? [2, 'Canceled'] : [1, 'Pending'];
		return {
			statusCode, transactionStatus, clientTransactionId: payment.id, transactionId: payment.transaction, amount: payment.captured ?? payment.cents,
			currency: payment.capturedCurrency ?? payment.currency, storeName: 'Simulador', storeId: this.storeId, optionalParameter1: payment.order,
			optionalParameter2: null, reference: payment.number, authorizationCode: statusCode === 3 ? `W${payment.transaction}` : null, messageCode: 0,
		};
	}

	#confirm({ id, clientTxId }) {
		const payment = this.payments.get(clientTxId);
		if (!payment?.transaction || payment.transaction !== id) return refusal(404, 20, 'La transacción no existe, verifique que el identificador enviado sea correcto.');
		this.#late(payment);
		if (payment.state === 'approved') payment.confirmed = true;
		this.keep();
		return json(200, this.#sale(payment));
	}

	#reverse({ id }) {
		const payment = [...this.payments.values()].find((p) => p.transaction === id);
		const { refused } = payment?.confirmed ? this.giveBack(payment, `reverse-${id}`, payment.captured ?? payment.cents) : { refused: 'nothing' };
		return refused ? refusal(400, 20, 'No se puede reversar.') : json(200, true);
	}

	api(request) {
		if (request.headers.authorization !== `Bearer ${this.token}`) return refusal(401, 802, 'Token no válido.');
		if (request.method === 'GET' && request.path.startsWith('/api/Sale/client/')) {
			const payment = this.payments.get(request.parts[3]);
			if (!payment?.transaction) return refusal(404, 20, 'La transacción no existe, verifique que el identificador enviado sea correcto.');
			this.#late(payment);
			return json(200, [this.#sale(payment)]);
		}
		if (request.method !== 'POST') return undefined;
		const given = JSON.parse(request.text);
		if (request.path === '/api/button/Prepare') return this.#prepare(given);
		if (request.path === '/api/button/V2/Confirm') return this.#confirm(given);
		if (request.path === '/api/Reverse') return this.#reverse(given);
		return undefined;
	}
}
