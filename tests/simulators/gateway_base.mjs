// What every simulated payment gateway has in common: payments and what happens to them in the world (paid, refused, disputed,
// given back), a checkout page with a button for each, notifications with their retries, and failures to order.  A gateway's own file
// adds the shapes: its API and its notifications, as its public documentation says.  No money, no cards.
//
//   class Mine extends Gateway {
//     api(request)                  → answer | undefined (404)     { method, path, query, headers, text }; may be async
//     notices(payment, what)        → [{ id, body, headers? }]     headers(note) signs anew at each try
//     back(payment)                 → what is added to the return address, {} nothing
//   }
//   const gateway = await new Mine({ … }).listen(port);
//   await gateway.act(payment, 'aprobar');      as if the payer had pressed that button
//   gateway.mode = 'hold';                      notifications wait in gateway.held; 'lose': never sent; 'send': as usual
//   gateway.fail({ times: 1, status: 500 });    the next answers of its API: status, text, slow (ms), drop; lost: what was asked is done, and nobody
//                                               hears of it; late (ms): done at once, and said later; when(request): only those
import { createServer, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Seconds after the first try, as Standard Webhooks senders do it.
const RETRIES = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
const BODY_MAX = 65536;

export const newId = (prefix) => `${prefix}${randomBytes(12).toString('hex')}`;
export const inCents = (amount) => Math.round(Number(amount) * 100);
export const inUnits = (cents) => (cents / 100).toFixed(2);
export const json = (status, value, headers = {}) => ({ status, headers: { 'content-type': 'application/json', ...headers }, text: JSON.stringify(value) });
const now = () => Math.floor(Date.now() / 1000);
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** One POST to a URL: { status, retryAfter, text }, or { status: 0, error }. */
export function post(url, headers, body) {
	const target = new URL(url);
	const local = ['localhost', '127.0.0.1'].includes(target.hostname);
	const send = target.protocol === 'https:' ? requestHttps : requestHttp;
	return new Promise((resolve) => {
		const request = send(target, {
			method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) },
			// a private instance's certificate is signed by nobody we know
			rejectUnauthorized: !local, timeout: 15000,
		}, (response) => {
			const parts = [];
			response.on('data', (part) => parts.push(part));
			response.on('end', () => resolve({
				status: response.statusCode, retryAfter: Number(response.headers['retry-after']) || 0, text: Buffer.concat(parts).toString('utf8'),
			}));
		});
		request.on('timeout', () => request.destroy(new Error('sin respuesta')));
		request.on('error', (error) => resolve({ status: 0, error: error.code ?? error.message, retryAfter: 0, text: '' }));
		request.end(body);
	});
}

function approve(payment) {
	payment.state = 'approved';
	payment.captures += 1;
	payment.taken = (payment.taken ?? 0) + 1;
	payment.paidAt ??= now();
}

// What happens to a payment.  back: the browser then goes to the shop; the words go with the notification.
const acts = {
	aprobar: { label: 'Aprobar el pago', back: true, run: (g, p) => { approve(p); return g.notify(p, 'aprobado'); } },
	rechazar: { label: 'Rechazar', back: true, run: (g, p) => { p.state = 'rejected'; return g.notify(p, 'rechazado'); } },
	pendiente: { label: 'Dejar en revisión', back: true, run: (g, p) => { p.state = 'checking'; return g.notify(p, 'en revisión'); } },
	abandonar: { label: 'Abandonar y volver', back: true, run: () => {} },
	caducar: { label: 'Dejar que caduque', back: true, run: (g, p) => { p.state = 'expired'; return g.notify(p, 'caducado'); } },
	doble: {
		label: 'Pagar dos veces', back: true,
		run: (g, p) => { approve(p); g.notify(p, 'aprobado'); approve(p); return g.notify(p, 'aprobado otra vez', { delay: 1 }); },
	},
	demorado: { label: 'Aprobar, aviso 15 s después', back: true, run: (g, p) => { approve(p); g.notify(p, 'aprobado, con demora', { delay: 15 }); } },
	repetido: {
		label: 'Aprobar, aviso repetido', back: true,
		run: (g, p) => {
			approve(p);
			const notes = g.notify(p, 'aprobado');
			setTimeout(() => notes.forEach((note) => g.deliver(p, { ...note, what: 'el mismo aviso' })), 500);
		},
	},
	callado: { label: 'Aprobar sin avisar', back: true, run: (g, p) => approve(p) },
	'otro-valor': {
		label: 'Aprobar por un centavo menos', back: true,
		run: (g, p) => { p.captured = p.cents - 1; approve(p); return g.notify(p, 'aprobado por otro valor'); },
	},
	'otra-moneda': {
		label: 'Aprobar en otra moneda', back: true,
		run: (g, p) => { p.capturedCurrency = 'EUR'; approve(p); return g.notify(p, 'aprobado en otra moneda'); },
	},
	falsificado: { label: 'Aviso con firma falsa', run: (g, p) => g.notify({ ...p, state: 'approved', captures: 1 }, 'firma falsa', { forged: true, once: true }, p) },
	disputa: {
		label: 'El banco abre una disputa',
		// about what went back too: the bank takes it from the shop a second time
		run: (g, p) => { p.wasBack = p.state === 'refunded'; p.state = 'disputed'; return g.notify(p, 'en disputa'); },
	},
	'disputa-ganada': {
		label: 'La disputa termina a favor del comercio',
		run: (g, p) => { p.state = p.wasBack ? 'refunded' : 'approved'; return g.notify(p, 'disputa ganada'); },
	},
	'disputa-perdida': {
		label: 'La disputa termina a favor de quien pagó',
		run: (g, p) => {
			if (p.wasBack) p.lostAgain = true;
			p.captures = 0;
			p.state = 'refunded';
			return g.notify(p, 'disputa perdida');
		},
	},
	devuelto: { label: 'Devolver todo desde la pasarela', run: (g, p) => { p.captures = 0; p.state = 'refunded'; return g.notify(p, 'devuelto en la pasarela'); } },
	'sin-devolucion': { label: 'No admitir devoluciones', run: (g, p) => { p.noRefunds = true; } },
	admitir: { label: 'Admitir devoluciones', run: (g, p) => { p.noRefunds = false; } },
	antiguo: { label: 'Aviso con fecha de hace una hora', run: (g, p) => g.notify(p, 'fecha antigua', { shift: -3600, once: true }) },
};

function page(title, body) {
	return `<!doctype html>
<html lang="es"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>
body{font:18px/1.5 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#fff}
header{background:#7a3b00;color:#fff;padding:.75rem 1rem;font-weight:700}
main{max-width:40rem;margin:0 auto;padding:1rem}
button{font:inherit;padding:.5rem 1rem;margin:.25rem 0;width:100%;border:2px solid #1d5a36;background:#1d5a36;color:#fff;cursor:pointer}
button.other{background:#fff;color:#1b1b1b;border-color:#595959}
table{border-collapse:collapse;width:100%}td,th{text-align:left;border-bottom:1px solid #999;padding:.25rem;font-size:.9rem}
dt{font-weight:700}dd{margin:0 0 .5rem}</style></head>
<body><header>SIMULADOR DE PAGOS: no cobra dinero ni pide tarjetas</header><main><h1>${escape(title)}</h1>${body}</main></body></html>`;
}

function checkoutPage(payment) {
	const button = ([key, act]) => `<form method="post" action="/pago/${payment.id}/${key}"><button class="${key === 'aprobar' ? 'main' : 'other'}">${escape(act.label)}</button></form>`;
	const rows = payment.log.map((line) => `<tr><td>${line.at}</td><td>${escape(line.what)}</td><td>${escape(line.answer)}</td></tr>`).join('');
	return page('Pagar la orden', `
<dl><dt>Orden</dt><dd>${escape(payment.number)}</dd><dt>Concepto</dt><dd>${escape(payment.description)}</dd>
<dt>Valor</dt><dd>${escape(payment.currency)} ${inUnits(payment.cents)}</dd><dt>Estado</dt><dd>${escape(payment.state)}</dd></dl>
${Object.entries(acts).map(button).join('\n')}
<p><a href="${escape(payment.returnUrl)}">Volver sin hacer nada</a></p>
<h2>Avisos enviados</h2><table><thead><tr><th>Hora (UTC)</th><th>Aviso</th><th>Respuesta</th></tr></thead><tbody>${rows}</tbody></table>`);
}

const html = (status, text) => ({ status, headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }, text });

function read(request) {
	return new Promise((resolve, reject) => {
		const parts = [];
		let size = 0;
		request.on('data', (part) => {
			size += part.length;
			if (size > BODY_MAX) reject(new Error('too large'));
			else parts.push(part);
		});
		request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
		request.on('error', reject);
	});
}

export class Gateway {
	payments = new Map();        // id → payment
	mode = 'send';               // notifications: 'send', 'hold' (into held), 'lose'
	held = [];                   // { payment, note }
	calls = [];                  // what its API was asked: { method, path, query, headers, text, status }
	#disabled = false;
	#faults = [];
	#file;

	/** folder: where payments outlive a restart.  Its own settings (secrets, keys) are the subclass's. */
	constructor({ folder } = {}) {
		this.#file = folder && join(folder, 'payments.json');
		try {
			for (const payment of this.#file ? JSON.parse(readFileSync(this.#file, 'utf8')) : []) this.payments.set(payment.id, payment);
		} catch (error) {
			if (error.code !== 'ENOENT') throw error;
		}
	}

	// ---- of the subclass ----
	api() { return undefined; }
	notices() { return []; }
	headers() { return {}; }
	back() { return {}; }

	/** A payment begins.  id: of the gateway's own form. */
	open({ id, order, number, description, cents, currency, returnUrl, notifyUrl, ...rest }) {
		const payment = {
			...rest, id, order, number, description, cents, currency, returnUrl, notifyUrl, state: 'pending', captures: 0, refunds: {},
			begunAt: now(), log: [],
		};
		this.payments.set(id, payment);
		this.keep();
		return payment;
	}

	/** The newest payment of an order. */
	ofOrder(order) { return [...this.payments.values()].findLast((p) => p.order === order || p.number === order); }

	/**
	 * One capture goes back.  The same key is the same refund.  { id, fresh }, or { refused } with 'nothing', 'not-allowed', 'amount'.
	 */
	giveBack(payment, key, cents) {
		const known = payment.refunds[key];
		if (known) return { id: known, fresh: false };
		if (payment.captures === 0) return { refused: 'nothing' };
		// What a bank holds back is not the merchant's to return.
		if (payment.noRefunds || payment.state === 'disputed') return { refused: 'not-allowed' };
		if (cents !== (payment.captured ?? payment.cents)) return { refused: 'amount' };
		payment.refunds[key] = newId('ref_');
		payment.captures -= 1;
		if (payment.captures === 0) {
			payment.state = 'refunded';
			this.notify(payment, 'devuelto');
		}
		this.keep();
		return { id: payment.refunds[key], fresh: true };
	}

	keep() {
		if (!this.#file) return;
		writeFileSync(`${this.#file}.new`, JSON.stringify([...this.payments.values()]));
		renameSync(`${this.#file}.new`, this.#file);
	}

	// ---- notifications ----

	/** Tells the shop how the payment is.  extra: delay (s), shift (s, of the time that is signed), forged, once.  The notes. */
	notify(payment, what, extra = {}, log = payment) {
		const { delay = 0, ...rest } = extra;
		const notes = this.notices(payment, what).map((note) => ({ ...note, what, ...rest }));
		for (const note of notes) {
			if (this.mode === 'lose') continue;
			if (this.mode === 'hold') this.held.push({ payment: log, note });
			else if (delay > 0) setTimeout(() => this.deliver(log, note), delay * 1000);
			else this.deliver(log, note);
		}
		return notes;
	}

	/** One try, and those after it while it is not taken.  The answer of this one. */
	async deliver(payment, note, attempt = 0) {
		const headers = { 'content-type': 'application/json', 'user-agent': 'simulador-de-pagos', ...this.headers(note) };
		const answer = await post(payment.notifyUrl, headers, note.body);
		payment.log.push({ at: new Date().toISOString(), id: note.id, what: note.what, answer: answer.status || answer.error });
		this.keep();
		if (answer.status === 410) this.#disabled = true;
		const taken = answer.status >= 200 && answer.status < 300;
		if (!taken && !this.#disabled && !note.once && attempt + 1 < RETRIES.length) {
			const wait = Math.max(RETRIES[attempt + 1] - RETRIES[attempt], answer.retryAfter);
			setTimeout(() => this.deliver(payment, note, attempt + 1), wait * 1000).unref();
		}
		return answer;
	}

	/** What happens in the world; the names are those of the buttons. */
	async act(payment, name) {
		if (!Object.hasOwn(acts, name)) throw new Error(`no act ${name}`);
		const done = await acts[name].run(this, payment);
		this.keep();
		return done;
	}

	/** The same notification with another body, signed as if the gateway had written that: change(object) or octets. */
	resign(note, change) {
		if (typeof change !== 'function') return { ...note, body: change };
		const body = JSON.parse(note.body);
		return { ...note, body: JSON.stringify(change(body) ?? body) };
	}

	// ---- failures ----

	/** The next `times` answers of the API (of those that `when` chooses): status, text, headers, slow (ms before), drop, lost, late. */
	fail(fault) { this.#faults.push({ times: 1, ...fault }); }
	wellAgain() { this.#faults = []; }

	async #failure(request, response) {
		const fault = this.#faults.find((f) => f.times > 0 && (!f.when || f.when(request)));
		if (!fault) return false;
		fault.times -= 1;
		request.fault = fault;
		if (fault.slow) await new Promise((resolve) => setTimeout(resolve, fault.slow));
		if (fault.drop) response.socket.destroy();
		else if (fault.status) {
			response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
			response.end(fault.text ?? '{"error":"ordered"}');
		}
		return Boolean(fault.drop || fault.status);
	}

	// ---- server ----

	async #page(request, parts) {
		if (parts.length === 0) {
			return html(200, page('Pagos', `<ul>${[...this.payments.values()].map((p) =>
				`<li><a href="/pago/${p.id}">${escape(p.number)}</a>: ${escape(p.currency)} ${inUnits(p.cents)}, ${escape(p.state)}</li>`).join('')}</ul>`));
		}
		const payment = parts[0] === 'pago' ? this.payments.get(parts[1]) : undefined;
		if (!payment) return html(404, page('No existe', '<p>Ese pago no existe en este simulador.</p>'));
		if (request.method === 'GET' && parts.length === 2) return html(200, checkoutPage(payment));
		if (request.method !== 'POST' || !Object.hasOwn(acts, parts[2])) return html(404, page('No existe', '<p>Esa acción no existe.</p>'));
		this.act(payment, parts[2]).catch((error) => process.stderr.write(`${error.stack}\n`));
		const to = new URL(acts[parts[2]].back ? payment.returnUrl : `${this.base}/pago/${payment.id}`);
		if (acts[parts[2]].back) for (const [name, value] of Object.entries(this.back(payment))) to.searchParams.append(name, value);
		return { status: 303, headers: { location: to.href }, text: '' };
	}

	async #handle(request, response) {
		const url = new URL(request.url, this.base);
		const parts = url.pathname.split('/').filter(Boolean);
		const asked = {
			method: request.method, path: url.pathname, parts, query: Object.fromEntries(url.searchParams), headers: request.headers, text: await read(request),
		};
		let answer;
		if (parts.length === 0 || parts[0] === 'pago') answer = await this.#page(asked, parts);
		else {
			this.calls.push(asked);
			if (await this.#failure(asked, response)) return;
			answer = await this.api(asked) ?? json(404, { error: 'unknown' });
			asked.status = answer.status;
			if (asked.fault?.late) await new Promise((resolve) => setTimeout(resolve, asked.fault.late));
			if (asked.fault?.lost) {
				response.socket.destroy();
				return;
			}
		}
		response.writeHead(answer.status, answer.headers);
		response.end(answer.text);
	}

	async listen(port = 0) {
		const server = createServer((request, response) => {
			this.#handle(request, response).catch((error) => {
				response.writeHead(400, { 'content-type': 'application/json' });
				response.end(JSON.stringify({ error: error.message }));
			});
		});
		await new Promise((resolve, reject) => {
			server.once('error', reject);
			server.listen(port, '127.0.0.1', resolve);
		});
		this.server = server;
		this.base = `http://127.0.0.1:${server.address().port}`;
		return this;
	}

	close() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}
}
