// A payment gateway for private instances and tests: an API to open and to
// query a payment, a checkout page of its own, and notifications in the form
// of Standard Webhooks, retried as their senders do.  No money, no cards.
// usage: node gateway.mjs --port N --config FILE [--folder DIR] [--name demo]
// With a folder its payments outlive a restart.
import { createServer } from 'node:http';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';

const options = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean)
	.map((pair) => pair.trim().split(/\s+(.*)/s).slice(0, 2)));
const name = options.name ?? 'demo';
const port = Number(options.port);
const base = `http://127.0.0.1:${port}`;

// The [gateways] section of an icert.conf.
function gatewaySection(file) {
	const values = {};
	let section = '';
	for (const line of readFileSync(file, 'utf8').split('\n')) {
		const heading = /^\s*\[([^\]]+)\]/.exec(line);
		const entry = /^\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
		if (heading) section = heading[1];
		else if (entry && section === 'gateways') values[entry[1]] = entry[2];
	}
	return values;
}

const section = gatewaySection(options.config);
const secret = readFileSync(section[`${name}.secret_file`], 'utf8').trim().split('\n')[0];
const apiKey = readFileSync(section[`${name}.api_key_file`], 'utf8').trim();
const webhook = new Webhook(secret);

const payments = new Map();       // id → payment
const byReference = new Map();    // our caller's reference → id
const file = options.folder && join(options.folder, 'payments.json');
try {
	for (const payment of file ? JSON.parse(readFileSync(file, 'utf8')) : []) {
		payments.set(payment.id, payment);
		byReference.set(payment.reference, payment.id);
	}
} catch (error) {
	if (error.code !== 'ENOENT') throw error;
}

function keep() {
	if (!file) return;
	writeFileSync(`${file}.new`, JSON.stringify([...payments.values()]));
	renameSync(`${file}.new`, file);
}
const newId = (prefix) => `${prefix}_${randomBytes(12).toString('hex')}`;

// Seconds after the first try, as Standard Webhooks senders do it.
const RETRIES = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
let disabled = false;

const described = (payment) => ({
	id: payment.id, reference: payment.reference, status: payment.status, amount: payment.captured ?? payment.amount,
	currency: payment.currency, captures: payment.captures,
});

function post(url, headers, body) {
	const target = new URL(url);
	const local = ['localhost', '127.0.0.1'].includes(target.hostname);
	const send = target.protocol === 'https:' ? requestHttps : requestHttp;
	return new Promise((resolve) => {
		const request = send(target, {
			method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) },
			// a private instance's certificate is signed by nobody we know
			rejectUnauthorized: !local, timeout: 15000,
		}, (response) => {
			response.resume();
			response.on('end', () => resolve({ status: response.statusCode, retryAfter: Number(response.headers['retry-after']) || 0 }));
		});
		request.on('timeout', () => request.destroy(new Error('sin respuesta')));
		request.on('error', (error) => resolve({ status: 0, error: error.code ?? error.message, retryAfter: 0 }));
		request.end(body);
	});
}

// One try of a notification; signed anew, since the timestamp is the try's.
async function deliver(payment, note, attempt) {
	const at = new Date(Date.now() + (note.shift ?? 0) * 1000);
	const signature = note.forged ? `v1,${randomBytes(32).toString('base64')}` : webhook.sign(note.id, at, note.body);
	const answer = await post(payment.notifyUrl, {
		'content-type': 'application/json', 'user-agent': 'simulador-de-pagos',
		'webhook-id': note.id, 'webhook-timestamp': String(Math.floor(at / 1000)), 'webhook-signature': signature,
	}, note.body);
	payment.log.push({ at: new Date().toISOString(), id: note.id, what: note.what, answer: answer.status || answer.error });
	keep();
	if (answer.status === 410) disabled = true;
	if ((answer.status >= 200 && answer.status < 300) || disabled || note.once || attempt + 1 >= RETRIES.length) return;
	const wait = Math.max(RETRIES[attempt + 1] - RETRIES[attempt], answer.retryAfter);
	setTimeout(() => deliver(payment, note, attempt + 1), wait * 1000).unref();
}

function notify(payment, what, extra = {}) {
	const { delay = 0, data = {}, ...rest } = extra;
	const body = JSON.stringify({
		type: `payment.${payment.status}`, timestamp: new Date().toISOString(), data: { ...described(payment), ...data },
	});
	const note = { id: newId('evt'), body, what, ...rest };
	if (delay > 0) setTimeout(() => deliver(payment, note, 0), delay * 1000);
	else deliver(payment, note, 0);
	return note;
}

function approve(payment) {
	payment.status = 'approved';
	payment.captures += 1;
}

const cents = (amount) => Math.round(Number(amount) * 100);

// What the buttons of the checkout page do; `back` sends the browser to the shop.
const actions = {
	aprobar: { label: 'Aprobar el pago', back: true, run: (p) => { approve(p); notify(p, 'aprobado'); } },
	rechazar: { label: 'Rechazar', back: true, run: (p) => { p.status = 'rejected'; notify(p, 'rechazado'); } },
	pendiente: { label: 'Dejar en revisión', back: true, run: (p) => { p.status = 'checking'; notify(p, 'en revisión'); } },
	abandonar: { label: 'Abandonar y volver', back: true, run: () => {} },
	doble: { label: 'Pagar dos veces', back: true, run: (p) => { approve(p); notify(p, 'aprobado'); approve(p); notify(p, 'aprobado otra vez', { delay: 1 }); } },
	demorado: { label: 'Aprobar, aviso 15 s después', back: true, run: (p) => { approve(p); notify(p, 'aprobado, con demora', { delay: 15 }); } },
	repetido: {
		label: 'Aprobar, aviso repetido', back: true,
		run: (p) => { approve(p); const note = notify(p, 'aprobado'); setTimeout(() => deliver(p, { ...note, what: 'el mismo aviso' }, 0), 500); },
	},
	callado: { label: 'Aprobar sin avisar', back: true, run: (p) => approve(p) },
	'otro-valor': {
		label: 'Aprobar por un centavo menos', back: true,
		run: (p) => { p.captured = ((cents(p.amount) - 1) / 100).toFixed(2); approve(p); notify(p, 'aprobado por otro valor'); },
	},
	falsificado: { label: 'Aviso con firma falsa', run: (p) => notify(p, 'firma falsa', { forged: true, once: true, data: { status: 'approved', captures: 1 } }) },
	disputa: { label: 'El banco abre una disputa', run: (p) => { p.status = 'disputed'; notify(p, 'en disputa'); } },
	'disputa-ganada': { label: 'La disputa termina a favor del comercio', run: (p) => { p.status = 'approved'; notify(p, 'disputa ganada'); } },
	devuelto: { label: 'Devolver todo desde la pasarela', run: (p) => { p.captures = 0; p.status = 'refunded'; notify(p, 'devuelto en la pasarela'); } },
	'sin-devolucion': { label: 'No admitir devoluciones', run: (p) => { p.noRefunds = true; } },
	admitir: { label: 'Admitir devoluciones', run: (p) => { p.noRefunds = false; } },
	antiguo: { label: 'Aviso con fecha de hace una hora', run: (p) => notify(p, 'fecha antigua', { shift: -3600, once: true }) },
};

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

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
	const button = ([key, action]) => `<form method="post" action="/pago/${payment.id}/${key}"><button class="${key === 'aprobar' ? 'main' : 'other'}">${escape(action.label)}</button></form>`;
	const rows = payment.log.map((line) => `<tr><td>${line.at}</td><td>${escape(line.what)}</td><td>${escape(line.answer)}</td></tr>`).join('');
	return page('Pagar la orden', `
<dl><dt>Orden</dt><dd>${escape(payment.number)}</dd><dt>Concepto</dt><dd>${escape(payment.description)}</dd>
<dt>Valor</dt><dd>${escape(payment.currency)} ${escape(payment.amount)}</dd><dt>Estado</dt><dd>${escape(payment.status)}</dd></dl>
${Object.entries(actions).map(button).join('\n')}
<p><a href="${escape(payment.returnUrl)}">Volver sin hacer nada</a></p>
<h2>Avisos enviados</h2><table><thead><tr><th>Hora (UTC)</th><th>Aviso</th><th>Respuesta</th></tr></thead><tbody>${rows}</tbody></table>`);
}

const indexPage = () => page('Pagos', `<ul>${[...payments.values()].map((p) =>
	`<li><a href="/pago/${p.id}">${escape(p.number)}</a>: ${escape(p.currency)} ${escape(p.amount)}, ${escape(p.status)}</li>`).join('')}</ul>`);

function body(request) {
	return new Promise((resolve, reject) => {
		const parts = [];
		let size = 0;
		request.on('data', (part) => {
			size += part.length;
			if (size > 65536) reject(new Error('too large'));
			else parts.push(part);
		});
		request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
		request.on('error', reject);
	});
}

function authorised(request) {
	const given = Buffer.from(request.headers.authorization ?? '');
	const wanted = Buffer.from(`Bearer ${apiKey}`);
	return given.length === wanted.length && timingSafeEqual(given, wanted);
}

const json = (response, status, value) => {
	response.writeHead(status, { 'content-type': 'application/json' });
	response.end(JSON.stringify(value));
};
const html = (response, status, text) => {
	response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
	response.end(text);
};

async function openCheckout(request, response) {
	const given = JSON.parse(await body(request));
	const fields = ['reference', 'number', 'description', 'amount', 'currency', 'return_url', 'notify_url'];
	if (!fields.every((field) => typeof given[field] === 'string') || !/^\d+\.\d\d$/.test(given.amount)) {
		return json(response, 422, { error: 'fields' });
	}
	const known = payments.get(byReference.get(given.reference));
	// The same reference is the same checkout, unless it was refused: then another try begins.
	if (known && !['rejected', 'expired'].includes(known.status)) {
		return json(response, 200, { id: known.id, url: `${base}/pago/${known.id}` });
	}
	const payment = {
		id: newId('pay'), reference: given.reference, number: given.number, description: given.description,
		amount: given.amount, currency: given.currency, returnUrl: given.return_url, notifyUrl: given.notify_url,
		status: 'pending', captures: 0, log: [],
	};
	payments.set(payment.id, payment);
	byReference.set(payment.reference, payment.id);
	keep();
	return json(response, 201, { id: payment.id, url: `${base}/pago/${payment.id}` });
}

// One capture goes back; the same reference is the same refund.
async function refund(request, response, payment) {
	const given = JSON.parse(await body(request));
	if (typeof given.reference !== 'string' || cents(given.amount) !== cents(payment.captured ?? payment.amount) || given.currency !== payment.currency) {
		return json(response, 422, { error: 'fields' });
	}
	payment.refunds ??= {};
	const known = payment.refunds[given.reference];
	if (known) return json(response, 200, { id: known, status: 'refunded' });
	if (payment.captures === 0) return json(response, 409, { error: 'nothing to refund' });
	if (payment.noRefunds) return json(response, 403, { error: 'not allowed' });
	payment.refunds[given.reference] = newId('ref');
	payment.captures -= 1;
	if (payment.captures === 0) {
		payment.status = 'refunded';
		notify(payment, 'devuelto');
	}
	keep();
	return json(response, 201, { id: payment.refunds[given.reference], status: 'refunded' });
}

async function handle(request, response) {
	const { pathname } = new URL(request.url, base);
	const parts = pathname.split('/').filter(Boolean);
	if (parts[0] === 'v1') {
		if (!authorised(request)) return json(response, 401, { error: 'key' });
		if (request.method === 'POST' && parts[1] === 'checkouts' && parts.length === 2) return openCheckout(request, response);
		const payment = payments.get(parts[2]);
		if (request.method === 'GET' && parts[1] === 'payments' && payment) return json(response, 200, described(payment));
		if (request.method === 'POST' && parts[1] === 'payments' && payment && parts[3] === 'refunds') return refund(request, response, payment);
		return json(response, 404, { error: 'unknown' });
	}
	if (parts.length === 0) return html(response, 200, indexPage());
	const payment = parts[0] === 'pago' ? payments.get(parts[1]) : undefined;
	if (!payment) return html(response, 404, page('No existe', '<p>Ese pago no existe en este simulador.</p>'));
	if (request.method === 'GET' && parts.length === 2) return html(response, 200, checkoutPage(payment));
	const action = Object.hasOwn(actions, parts[2]) ? actions[parts[2]] : undefined;
	if (request.method !== 'POST' || !action) return html(response, 404, page('No existe', '<p>Esa acción no existe.</p>'));
	await body(request);
	action.run(payment);
	keep();
	response.writeHead(303, { location: action.back ? payment.returnUrl : `/pago/${payment.id}` });
	return response.end();
}

const server = createServer((request, response) => {
	handle(request, response).catch((error) => json(response, 400, { error: error.message }));
});
server.listen(port, '127.0.0.1', () => process.stdout.write(`gateway simulator on ${base}\n`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
