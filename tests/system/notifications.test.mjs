// Payment notifications at the edge: signed here with the npm package
// standardwebhooks, an implementation that is not ours.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { startInstance } from '../lib/instance.mjs';

let icert;
let secret;
let events = 0;

const body = (data = {}) => JSON.stringify({
	type: 'payment.approved', timestamp: new Date().toISOString(),
	data: { id: 'pay_of_nobody', reference: 'no-order', status: 'approved', amount: '31.05', currency: 'USD', captures: 1, ...data },
});

// Signs as a gateway does; what is given replaces the header or the body.
function notice({ id = `evt_${process.pid}_${++events}`, at = new Date(), text = body(), key = secret, ...headers } = {}) {
	return {
		text,
		headers: {
			'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at / 1000)),
			'webhook-signature': new Webhook(key).sign(id, at, text), ...headers,
		},
	};
}

function send({ text, headers }, { method = 'POST', gateway = 'demo' } = {}) {
	return new Promise((resolve, reject) => {
		const req = request(`${icert.portal}/avisos/${gateway}`, { method, headers, ca: icert.ca }, (res) => {
			const parts = [];
			res.on('data', (part) => parts.push(part));
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString() }));
		});
		req.on('error', reject);
		req.end(text);
	});
}

async function refused(note, status, code, options) {
	const answer = await send(note, options);
	assert.equal(answer.status, status, answer.text);
	assert.match(answer.headers['content-type'], /^application\/json/);
	assert.deepEqual(JSON.parse(answer.text), { error: code });
}

before(async () => {
	icert = await startInstance();
	const config = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8');
	secret = readFileSync(/^demo\.secret_file = (.*)$/m.exec(config)[1], 'utf8').trim().split('\n')[0];
});
after(() => icert?.stop());

test('a signed notification is stored and answered 200', async () => {
	const answer = await send(notice());
	assert.equal(answer.status, 200, answer.text);
});

test('the same id again is answered 200 and changes nothing', async () => {
	const note = notice({ id: `evt_${process.pid}_twice` });
	assert.equal((await send(note)).status, 200);
	assert.equal((await send(note)).status, 200);
	assert.equal((await send(notice({ id: `evt_${process.pid}_twice`, text: body({ amount: '1.00' }) }))).status, 200);
});

test('one good signature among several is enough', async () => {
	const note = notice();
	const good = note.headers['webhook-signature'];
	const wrong = `v1,${Buffer.alloc(32).toString('base64')}`;
	note.headers['webhook-signature'] = `v1a,xyz ${wrong} ${good}`;
	assert.equal((await send(note)).status, 200);
});

test('a wrong, missing or foreign signature is 401', async () => {
	const other = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
	await refused(notice({ key: other }), 401, 'forged');
	await refused(notice({ 'webhook-signature': '' }), 401, 'forged');
	await refused(notice({ 'webhook-signature': 'v1,' }), 401, 'forged');
	const { 'webhook-id': _, ...headers } = notice().headers;
	await refused({ text: body(), headers }, 401, 'forged');
	const changed = notice();
	await refused({ ...changed, text: changed.text.replace('31.05', '31.06') }, 401, 'forged');
	const later = notice();
	later.headers['webhook-timestamp'] = String(Number(later.headers['webhook-timestamp']) + 1);
	await refused(later, 401, 'forged');
	// the right key over the body alone, without id and timestamp
	const bare = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(body()).digest('base64');
	await refused(notice({ 'webhook-signature': `v1,${bare}` }), 401, 'forged');
});

test('an old or future timestamp, well signed, is 400', async () => {
	await refused(notice({ at: new Date(Date.now() - 3_600_000) }), 400, 'stale');
	await refused(notice({ at: new Date(Date.now() + 3_600_000) }), 400, 'stale');
});

test('a body above 64 KB is 413, well signed or not', async () => {
	await refused(notice({ text: JSON.stringify({ type: 'payment.x', data: 'x'.repeat(70_000) }) }), 413, 'too-large');
	await refused({ text: 'x'.repeat(300_000), headers: {} }, 413, 'too-large');
});

test('an unknown gateway is 404, another method 405', async () => {
	await refused(notice(), 404, 'not-found', { gateway: 'nadie' });
	await refused({ text: undefined, headers: {} }, 405, 'method', { method: 'GET' });
});

test('a signed body that is no payment is taken, and never applied', async () => {
	assert.equal((await send(notice({ text: 'not json at all' }))).status, 200);
	assert.equal((await send(notice({ text: '{"type":"payment.approved","data":{"id":"../x","status":"approved"}}' }))).status, 200);
});

test('the secret does not stand in any log', () => {
	assert.ok(!icert.logs(10_000).includes(secret.slice(6)));
});
