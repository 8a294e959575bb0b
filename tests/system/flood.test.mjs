// Pages and payments keep out of each other's way: own workers, sockets and connections in hand; and strangers who knock where
// gateways notify take no place from a gateway that the edge knows.  Nothing here depends on how fast the machine is: whoever is
// flooded stands still meanwhile, so that what reaches it waits for as long as we like.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { until } from '../lib/http.mjs';
import { startInstance } from '../lib/instance.mjs';
import { frozen } from '../lib/processes.mjs';

const STREAMS = 100;         // at a time on one connection; nginx takes 128
const STRANGERS = 100;       // what they may have in hand, as in nginx.conf
const GATEWAY = '127.0.0.1'; // the edge knows it
let icert;
let secret;
let events = 0;
const sessions = [];

/** A connection from an address of the loopback. */
function from(localAddress) {
	const { port } = new URL(icert.portal);
	const session = connect(`https://127.0.0.1:${port}`, { localAddress, ca: icert.ca, servername: 'localhost' });
	session.on('error', () => {});
	sessions.push(session);
	return session;
}

/** One request; its status, 0 when the connection ended. */
function ask(session, path, body = undefined, headers = {}) {
	return new Promise((resolve) => {
		const stream = session.request({
			':method': body === undefined ? 'GET' : 'POST', ':path': path, ':authority': `localhost:${new URL(icert.portal).port}`,
			accept: 'text/html', ...(body !== undefined && { 'content-type': 'application/json' }), ...headers,
		});
		let status = 0;
		stream.on('response', (got) => { status = got[':status']; });
		stream.on('error', () => resolve(0)).on('close', () => resolve(status)).resume();
		stream.end(body);
	});
}

/** A flood from so many addresses, and what has been answered of it. */
function flood(network, addresses, path, body = undefined, headers = {}) {
	const answered = [];
	const all = [];
	for (let i = 1; i <= addresses; i++) {
		const session = from(`${network}.${i}`);
		for (let k = 0; k < STREAMS; k++) all.push(ask(session, path, body, headers).then((status) => { answered.push(status); return status; }));
	}
	return { answered, all };
}

/** n notifications of the gateway at once; the statuses of all. */
function notify(session, n) {
	return Array.from({ length: n }, () => {
		const id = `evt_${process.pid}_${++events}`;
		const at = new Date();
		const text = JSON.stringify({
			type: 'payment.approved', timestamp: at.toISOString(),
			data: { id: 'pay_of_nobody', reference: 'no-order', status: 'approved', amount: '31.05', currency: 'USD', captures: 1 },
		});
		return ask(session, '/avisos/demo', text, {
			'webhook-id': id, 'webhook-timestamp': String(Math.floor(at / 1000)), 'webhook-signature': new Webhook(secret).sign(id, at, text),
		});
	});
}

const forged = { 'webhook-id': 'evt_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': `v1,${'A'.repeat(43)}=` };
const received = () => Number(icert.sql('select count(*) from icert.payment_event'));
const only = (statuses, status) => assert.deepEqual([...new Set(statuses)], [status]);

before(async () => {
	icert = await startInstance();
	const config = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8');
	secret = readFileSync(/^demo\.secret_file = (.*)$/m.exec(config)[1], 'utf8').trim().split('\n')[0];
});
after(async () => {
	for (const session of sessions) session.destroy();
	await icert?.stop();
});

test('while the portal answers nobody, and pages wait as many as may, notifications are taken', async () => {
	const before = received();
	const thaw = await frozen(icert, 'portal');
	const { answered, all } = flood('127.0.1', 12, '/tarifas');
	let waiting;
	try {
		await until(() => answered.length >= 800, { what: 'what is too much for the portal is refused' });
		waiting = all.length - answered.length;
		assert.ok(waiting > 100, `${waiting} wait`);
		assert.ok(answered.every((status) => status >= 429), 'and nobody had a page');
		only(await Promise.all(notify(from(GATEWAY), 60)), 200);
		assert.equal(received(), before + 60);
	} finally {
		await thaw();
	}
	const late = (await Promise.all(all)).filter((status) => status === 200).length;
	assert.ok(late >= waiting / 2, `${late} of ${waiting} had their page after all`);
});

test('one address has so many uploads in hand, and no other is refused for it', async () => {
	const MOST = 50;	// uploads_of_one of nginx.conf
	const headers = { 'content-type': 'multipart/form-data; boundary=b', cookie: '__Host-icert-portal=nobody' };
	const thaw = await frozen(icert, 'portal');	// whether the session holds is asked of it
	let answered, all, others;
	try {
		({ answered, all } = flood('127.0.4', 1, '/orden/x/comprobante', '--b--', headers));
		// The burst of the policy for uploads is 60; of those, as many wait.
		await until(() => answered.length >= STREAMS - MOST, { what: 'what is beyond is refused' });
		assert.equal(answered.length, STREAMS - MOST);
		assert.deepEqual([...new Set(answered)].sort(), [429, 503]);
		const other = from('127.0.5.1');
		others = Array.from({ length: 10 }, () => ask(other, '/orden/x/comprobante', '--b--', headers));
		assert.equal(await Promise.race([...others, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]), 'waits');
	} finally {
		await thaw();
	}
	for (const status of [...await Promise.all(others), ...await Promise.all(all)]) assert.notEqual(status, 0);
	assert.ok((await Promise.all(others)).every((status) => status === 401 || status === 302 || status === 303 || status === 200), `${await Promise.all(others)}`);
});

test('while notifications are not taken, strangers wait few at a time; no page waits, and the gateway is not refused', async () => {
	const before = received();
	const thaw = await frozen(icert, 'webhook');
	const strangers = flood('127.0.2', 5, '/avisos/demo', '{}', forged);
	let known;
	try {
		await until(() => strangers.answered.length >= 5 * STREAMS - STRANGERS, { what: 'strangers beyond what they may have in hand are refused' });
		only(strangers.answered, 503);
		assert.equal(strangers.answered.length, 5 * STREAMS - STRANGERS);
		known = notify(from(GATEWAY), 60);
		const one = from('127.0.3.1');
		for (let i = 0; i < 20; i++) assert.equal(await ask(one, '/tarifas'), 200);
		assert.equal(received(), before, 'nothing is taken yet');
	} finally {
		await thaw();
	}
	only(await Promise.all(known), 200);
	assert.equal(received(), before + 60);
	assert.equal((await Promise.all(strangers.all)).filter((status) => status === 401).length, STRANGERS, 'and those who waited hear that it was forged');
});

test('while strangers knock without end, every notification of the gateway and every page is answered; the audit log is not filled', async () => {
	const rows = () => Number(icert.sql("select count(*) from icert.audit where action = 'payment_event.receive' and outcome = 'refused'"));
	const [before, written] = [received(), rows()];
	const heard = new Map();
	let over = false;
	const knock = async (address) => {
		const session = from(address);
		// One connection takes a thousand requests.
		for (let n = 0; n < 90 && !over; n++) {
			for (const status of await Promise.all(Array.from({ length: 10 }, () => ask(session, '/avisos/demo', '{}', forged)))) heard.set(status, (heard.get(status) ?? 0) + 1);
		}
	};
	const flooding = Promise.all(Array.from({ length: 8 }, (_, i) => knock(`127.0.4.${i + 1}`)));
	const [gateway, person] = [from(GATEWAY), from('127.0.3.2')];
	await until(() => (heard.get(401) ?? 0) > 100, { what: 'strangers are heard' });
	for (let i = 0; i < 20; i++) {
		only(await Promise.all(notify(gateway, 3)), 200);
		assert.equal(await ask(person, '/tarifas'), 200);
	}
	over = true;
	await flooding;
	assert.equal(received(), before + 60);
	assert.ok([...heard.keys()].every((status) => [401, 429, 503].includes(status)), JSON.stringify([...heard]));
	const added = rows() - written;
	assert.ok(added <= 20, `${added} rows for ${heard.get(401)} refusals`);
});
