// Nuvei in Ecuador (Paymentez) as developers.paymentez.com says: POST /linktopay/init_order/, GET /v2/transaction/<id>,
// POST /v2/transaction/refund/, each with an Auth-Token of seconds, and notifications with a stoken; and POST /linktopay/check_order/.
import { createHash } from 'node:crypto';
import { Gateway, inCents, inUnits, json } from './gateway_base.mjs';

const TOKEN_S = 15;          // older or newer tokens are refused
// status and status_detail of a transaction
const words = { pending: [0, 0], checking: [0, 1], approved: [1, 3], rejected: [4, 9], refunded: [1, 7], part: [1, 34], disputed: [1, 8] };
const error = (status, type) => json(status, { error: { type, help: '', description: type } });

export class Nuvei extends Gateway {
	#next = 500_000 + Math.floor(Math.random() * 1e6);
	#told = 0;                   // when the last notification was written, ms

	/** code, key: of the server application; secret: what signs notifications (the same key); notifyUrl: typed in its administration. */
	constructor({ code, key, secret = key, notifyUrl, ...rest }) {
		super(rest);
		Object.assign(this, { code, key, secret, notifyUrl });
	}

	/** Every card that was tried is a transaction; every payment of a link that is paid twice, too.  'parte': its console gave back a part. */
	async act(payment, name) {
		if (name === 'parte') {
			payment.part = true;
			this.keep();
			return;
		}
		const captures = payment.captures;
		const try_ = () => { payment.tries.push(`CB-${this.#next++}`); };
		if (['rechazar', 'pendiente', 'aprobar', 'callado', 'otro-valor', 'otra-moneda', 'demorado', 'repetido', 'doble', 'falsificado'].includes(name)) try_();
		await super.act(payment, name);
		if (payment.captures > captures + 1) try_();
		this.keep();
	}

	sign({ transaction, user }, secret = this.secret) {
		return createHash('md5').update(`${transaction.id}_${transaction.application_code}_${user.id}_${secret}`).digest('hex');
	}

	#detail(payment, id) {
		if (payment.tries.indexOf(id) < payment.tries.length - Math.max(payment.captures, 1)) return words.rejected;
		return words[payment.part && payment.state === 'approved' ? 'part' : payment.state] ?? words.pending;
	}

	notices(payment) {
		if (['pending', 'expired'].includes(payment.state) || payment.tries.length === 0) return [];
		const id = payment.tries.at(-1);
		const [status, detail] = this.#detail(payment, id);
		// Nothing else tells a dispute that was won from the payment itself.
		this.#told = Math.max(Date.now(), this.#told + 1);
		const date = new Date(this.#told).toISOString();
		const body = {
			transaction: {
				status: String(status), order_description: payment.description, authorization_code: '113310', status_detail: String(detail), date, message: 'x', id,
				dev_reference: payment.reference, carrier_code: '6', amount: inUnits(payment.captured ?? payment.cents), paid_date: date, installments: '1',
				ltp_id: payment.id, application_code: this.code, terminal_code: '12345',
			},
			user: { id: payment.order, email: payment.email }, card: { bin: '411111', type: 'vi', number: '1111', origin: 'Paymentez' },
		};
		body.transaction.stoken = this.sign(body);
		return [{ id: `${id}-${detail}-${date}`, body: JSON.stringify(body) }];
	}

	resign(note, change) {
		const changed = super.resign(note, change);
		if (typeof change !== 'function') return changed;
		const body = JSON.parse(changed.body);
		body.transaction.stoken = this.sign(body, note.secret);
		return { ...changed, body: JSON.stringify(body) };
	}

	async deliver(payment, note, attempt) {
		if (!note.forged) return super.deliver(payment, note, attempt);
		return super.deliver(payment, { ...this.resign({ ...note, secret: 'de otra persona' }, (body) => body), forged: false }, attempt);
	}

	#authentic(token) {
		const [code, at, hash] = Buffer.from(String(token), 'base64').toString().split(';');
		return code === this.code && Math.abs(Number(at) - Date.now() / 1000) < TOKEN_S && hash === createHash('sha256').update(this.key + at).digest('hex');
	}

	#create({ user, order, configuration }) {
		if (!user?.id || !user.email || !user.name || !user.last_name || !order?.dev_reference || !order.description || !(order.amount > 0) ||
			order.installments_type !== 0 || inCents(order.taxable_amount) * order.tax_percentage > inCents(order.vat) * 100 + 50 ||
			!(configuration?.expiration_time > 0) || !configuration.success_url || configuration.partial_payment) return error(400, 'Invalid');
		const id = `ltp${(this.#next++).toString(36)}`;
		this.open({
			id, order: user.id, number: user.last_name, description: order.description, cents: inCents(order.amount), currency: order.currency, email: user.email,
			reference: order.dev_reference, returnUrl: configuration.success_url, notifyUrl: this.notifyUrl, tries: [],
		});
		return json(200, { success: true, detail: '', data: { user, order: { ...order, id }, configuration, payment: { payment_url: `${this.base}/pago/${id}`, payment_qr: '' } } });
	}

	#transaction(id) {
		const payment = [...this.payments.values()].find((p) => p.tries?.includes(id));
		if (!payment) return error(404, 'Carrier not found');
		const [status, detail] = this.#detail(payment, id);
		return json(200, {
			transaction: {
				status: ['pending', 'success', 'cancelled', '', 'failure'][status], current_status: 'X', status_detail: detail, id, dev_reference: payment.reference,
				amount: (payment.captured ?? payment.cents) / 100, ...(payment.capturedCurrency && { currency: payment.capturedCurrency }), authorization_code: '113310',
			},
			card: { bin: '411111', type: 'vi' },
		});
	}

	#refund(id) {
		const payment = [...this.payments.values()].find((p) => p.tries?.includes(id));
		if (!payment) return error(404, 'Transaction not found');
		const { refused } = this.giveBack(payment, `refund-${id}`, payment.captured ?? payment.cents);
		return json(200, refused ? { status: 'failure', detail: 'Invalid Status' } : { status: 'success', detail: 'Completed' });
	}

	api(request) {
		if (!this.#authentic(request.headers['auth-token'])) return error(401, 'Invalid Token');
		if (request.method === 'GET' && request.path.startsWith('/v2/transaction/')) return this.#transaction(request.parts[2]);
		if (request.method !== 'POST') return undefined;
		const given = JSON.parse(request.text);
		if (request.path === '/linktopay/init_order/') return this.#create(given);
		if (request.path === '/v2/transaction/refund/') return this.#refund(given.transaction?.id);
		if (request.path !== '/linktopay/check_order/') return undefined;
		const payment = this.payments.get(given.order_id);
		return payment && json(200, { success: true, data: { order: { id: payment.id }, transactions: payment.tries.map((id) => ({ id })) } });
	}
}
