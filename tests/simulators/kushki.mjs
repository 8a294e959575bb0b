// Kushki as docs.kushki.com/ec says: smart links, transactions of the analytics list, refunds that are begun and done later, and
// notifications with X-Kushki-Signature.
import { createHmac, randomInt } from 'node:crypto';
import { Gateway, json } from './gateway_base.mjs';

const REFUND_MS = 300;       // from asking until the list has it

export class Kushki extends Gateway {
	/** publicId, privateId: the merchant's; secret: of its notifications; unit: what X-Kushki-Id is in, 's' or 'ms'. */
	constructor({ publicId, privateId, secret, unit = 'ms', ...rest }) {
		super(rest);
		Object.assign(this, { publicId, privateId, secret, unit });
		this.asked = new Map();      // idempotency key → answer
	}

	#ticket(payment, n) { return `${payment.ticket}${n}`; }

	#amount(payment) {
		const cents = payment.captured ?? payment.cents;
		return { subtotalIva: 0, subtotalIva0: cents / 100, iva: 0, ice: 0, currency: payment.capturedCurrency ?? payment.currency };
	}

	notices(payment) {
		const base = {
			amount: this.#amount(payment), metadata: payment.metadata, smartLink: payment.id, publicMerchantId: this.publicId, transactionType: 'SALE',
			merchantId: '20000000100000000000', paymentMethod: 'creditCard', created: Date.now(), id: `${payment.id}-${randomInt(1e9)}`,
		};
		if (payment.state === 'approved') return [{ id: base.id, body: JSON.stringify({ ...base, ticketNumber: this.#ticket(payment, payment.captures - 1), status: 'approvedTransaction' }) }];
		if (payment.state === 'rejected') return [{ id: base.id, body: JSON.stringify({ ...base, code: 'K322', status: 'declinedTransaction' }) }];
		if (payment.state === 'refunded') {
			return [{
				id: base.id,
				body: JSON.stringify({
					ticket_number: `9${payment.ticket}`, sale_ticket_number: this.#ticket(payment, 0), transaction_type: 'REFUND', transaction_status: 'APPROVAL',
					amount: this.#amount(payment), metadata: payment.metadata, created: Date.now(), currency_code: payment.currency,
				}),
			}];
		}
		return [];
	}

	// The time is signed, so each try has its own.
	headers(note) {
		const ms = Date.now() + (note.shift ?? 0) * 1000;
		const id = String(this.unit === 's' ? Math.floor(ms / 1000) : ms);
		const secret = note.forged ? 'de otra persona' : note.secret ?? this.secret;
		return { 'x-kushki-key': this.publicId, 'x-kushki-id': id, 'x-kushki-signature': createHmac('sha256', secret).update(note.body).update(`.${id}`).digest('hex') };
	}

	#create(given) {
		const { paymentConfig, generalConfig, metadata, webhooks, publicMerchantId, merchantName } = given;
		const { subtotalIva, subtotalIva0, iva, currency } = paymentConfig?.amount ?? {};
		if (publicMerchantId !== this.publicId || !merchantName || ![subtotalIva, subtotalIva0, iva].every((n) => n >= 0) || generalConfig?.executionLimit !== 1 ||
			!(generalConfig.expirationDate > Date.now()) || !webhooks?.[0]?.urls?.[0]) return json(400, { code: 'K001', message: 'Cuerpo de la petición inválido.' });
		const id = `nL_${randomInt(1e9).toString(36)}`;
		this.open({
			id, order: metadata.order, number: generalConfig.description, description: generalConfig.productName, currency,
			cents: Math.round((subtotalIva + subtotalIva0 + iva) * 100), returnUrl: generalConfig.redirectURL, notifyUrl: webhooks[0].urls[0],
			metadata, ticket: `67${randomInt(1e12)}`,
		});
		return json(201, { smartLinkUrl: `${this.base}/pago/${id}` });
	}

	#transactions(payment) {
		const row = (type, n, at) => ({
			ticket_number: type === 'SALE' ? this.#ticket(payment, n) : `9${payment.ticket}${n}`, transaction_id: `${payment.id}-${type}-${n}`, transaction_type: type,
			transaction_status: 'APPROVAL', approved_transaction_amount: (payment.captured ?? payment.cents) / 100, amount: this.#amount(payment),
			currency_code: payment.capturedCurrency ?? payment.currency, created: at * 1000, metadata: payment.metadata, sale_ticket_number: this.#ticket(payment, n),
		});
		const list = [];
		const sold = payment.paidAt === undefined ? 0 : Math.max(payment.captures, 1);
		for (let n = 0; n < sold; n++) list.push(row('SALE', n, payment.paidAt));
		if (payment.state === 'refunded') list.push(row('REFUND', 0, payment.paidAt));
		if (payment.state === 'rejected') list.push({ ...row('SALE', 0, payment.begunAt), transaction_status: 'DECLINED', ticket_number: '' });
		return list;
	}

	#list({ from, to, limit, offset }) {
		const at = (text) => Date.parse(`${text}Z`);
		const rows = [...this.payments.values()].flatMap((p) => this.#transactions(p)).filter((t) => t.created >= at(from) && t.created < at(to));
		return json(200, { data: rows.slice(Number(offset), Number(offset) + Number(limit)), total: rows.length });
	}

	#refund(ticket, key) {
		const payment = [...this.payments.values()].find((p) => p.captures > 0 && ticket === this.#ticket(p, 0));
		if (!payment) return json(404, { code: 'K004', message: 'Id de transacción no válido.' });
		if (payment.noRefunds) return json(400, { code: 'K028', message: 'No permitido.' });
		setTimeout(() => this.giveBack(payment, key, payment.captured ?? payment.cents), REFUND_MS);
		return json(201, { ticketNumber: `9${payment.ticket}`, transactionReference: key });
	}

	api(request) {
		if (request.headers['private-merchant-id'] !== this.privateId) return json(403, { code: 'K004', message: 'ID de comercio no válido.' });
		const key = request.headers['idempotency-key'];
		if (key && this.asked.has(key)) return this.asked.get(key);
		let answer;
		if (request.method === 'POST' && request.path === '/smartlink/v2/smart-link') answer = this.#create(JSON.parse(request.text));
		if (request.method === 'GET' && request.path === '/analytics/v1/transactions-list') answer = this.#list(request.query);
		if (request.method === 'DELETE' && request.parts[1] === 'refund') answer = this.#refund(request.parts[2], key);
		if (key && answer?.status < 300) this.asked.set(key, answer);
		return answer;
	}
}
