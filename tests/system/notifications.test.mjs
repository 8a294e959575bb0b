// Payment notifications at the edge: signed here with the npm package
// standardwebhooks, an implementation that is not ours.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { until } from '../lib/http.mjs';
import { startInstance } from '../lib/instance.mjs';
import { children, signal, units } from '../lib/processes.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';

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

function send({ text, pieces, headers }, { method = 'POST', gateway = 'demo' } = {}) {
	return new Promise((resolve, reject) => {
		const req = request(`${icert.portal}/avisos/${gateway}`, { method, headers, ca: icert.ca }, (res) => {
			const parts = [];
			res.on('data', (part) => parts.push(part));
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString() }));
		});
		req.on('error', reject);
		for (const piece of pieces ?? []) req.write(piece);
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

test('a body that comes in chunks, without its length, is taken by the octets that came', async () => {
	const { text, headers } = notice();
	const whole = Buffer.from(text);
	const pieces = [whole.subarray(0, 1), whole.subarray(1, 90), whole.subarray(90)];
	const before = Number(icert.sql('select count(*) from icert.payment_event'));
	assert.equal((await send({ headers, pieces })).status, 200);
	assert.equal((await send({ headers: notice({ text }).headers, pieces: [...pieces, ' '] })).status, 401);
	assert.equal(Number(icert.sql('select count(*) from icert.payment_event')), before + 1);
	await refused({ headers, pieces: Array(70).fill('x'.repeat(1000)) }, 413, 'too-large');
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
	assert.equal((await send(notice({ text: '{"type":"payment.approved","data":{"id":"../x","status":"approved"}}' }))).status, 200);
});

test('what nobody could ever apply is 400, and not stored', async () => {
	const before = icert.sql('select count(*) from icert.payment_event');
	const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
	for (const text of ['not json at all', '', '[]', '"x"', `{"type":"payment.approved","data":${deep}}`, '{"a":1,"a":2}', '{"a":1} x', '{"a":"\\ud800"}']) {
		await refused(notice({ text }), 400, 'malformed');
	}
	// The signature is over octets, whatever they are.
	const octets = Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xff, 0xfe, 0xc0, 0xaf]), Buffer.from('"}')]);
	const at = Math.floor(Date.now() / 1000);
	const mac = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`evt_octets.${at}.`).update(octets).digest('base64');
	await refused({ text: octets, headers: { 'webhook-id': 'evt_octets', 'webhook-timestamp': String(at), 'webhook-signature': `v1,${mac}` } }, 400, 'malformed');
	assert.equal(icert.sql('select count(*) from icert.payment_event'), before);
});

test('a megabyte is 413, and what is too large is read by nobody', async () => {
	await refused(notice({ text: `{"x":"${'a'.repeat(1_000_000)}"}` }), 413, 'too-large');
});

test('the clerk writes that it came, once, when it takes it', async () => {
	const note = notice({ id: `evt_${process.pid}_audited` });
	const rows = () => Number(icert.sql("select count(*) from icert.audit where action = 'payment_event.receive' and outcome = 'done'"));
	await until(() => icert.sql('select count(*) from icert.payment_event where tries = 0') === '0', { what: 'all of before were taken' });
	const before = rows();
	assert.equal((await send(note)).status, 200);
	assert.equal((await send(note)).status, 200);
	await until(() => icert.sql('select count(*) from icert.payment_event where tries = 0') === '0', { what: 'it was taken' });
	assert.equal(rows(), before + 1);
});

test('from other addresses than the gateway has said: 403, before anything is read', async () => {
	edit(icert, 'icert.conf', [['; demo.addresses = 127.0.0.1/32', 'demo.addresses = 198.51.100.0/25, 2001:db8::/33']]);
	await restart(icert, 'webhook');
	await refused(notice(), 403, 'denied');
	edit(icert, 'icert.conf', [['demo.addresses = 198.51.100.0/25, 2001:db8::/33', 'demo.addresses = 198.51.100.0/25 127.0.0.0/31']]);
	await restart(icert, 'webhook');
	assert.equal((await send(notice())).status, 200);
});

test('what has been kept as long as policy says can be read by nobody', async () => {
	const key = icert.sql("select id from icert.data_key where kind = 'payments-month'");
	const all = Number(icert.sql(`select count(*) from icert.payment_event where key_id = '${key}' and body <> ''`));
	assert.ok(all > 0);
	// More than are emptied at a time.
	icert.sql(`insert into icert.payment_event (gateway, event_id, body, received_at, key_id, applied_at, verdict) select 'demo', 'evt_month_' || n, 'x', 1, '${key}', 1, 'strange' from generate_series(1, 4500) n`);
	icert.sql(`update icert.data_key set label = '2020-01' where id = '${key}'`);
	// The policy of today: two whole months.  One box is as old as that, another a month older.
	const now = new Date();
	const [kept, over] = [2, 3].map((months) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1)).toISOString().slice(0, 7));
	for (const label of [kept, over])
		icert.sql(`insert into icert.data_key (id, kind, wrapped, label, created_at) select gen_random_uuid(), kind, wrapped, '${label}', created_at from icert.data_key where id = '${key}'`);
	icert.sql(`insert into icert.policy (key, valid_from, number) values ('payment_event.months', ${Math.floor(now / 1000) - 1}, 2)`);
	await restart(icert, 'clerk');
	await until(() => icert.sql(`select wrapped = '' and destroyed_at is not null from icert.data_key where id = '${key}'`) === 't', { what: 'the key is gone' });
	assert.equal(icert.sql("select count(*) from icert.audit where action = 'payment_box.destroy' and subject = '2020-01'"), '1');
	assert.equal(icert.sql(`select count(*) || ' ' || count(*) filter (where body <> '') from icert.payment_event where key_id = '${key}'`), `${all + 4500} 0`, 'the rows stay, what they said is gone');
	// What an earlier version left behind goes with the migration, and nothing of months that can be read.
	const open = icert.sql("select id from icert.data_key where kind = 'payments-month' and destroyed_at is null order by label limit 1");
	icert.sql(`delete from icert.payment_event where event_id in ('evt_month_2', 'evt_month_3');
		insert into icert.payment_event (gateway, event_id, body, received_at, key_id, applied_at, verdict) values ('demo', 'evt_month_2', 'x', 1, '${key}', 1, 'strange'), ('demo', 'evt_month_3', 'x', 1, '${open}', 1, 'strange')`);
	icert.sql(`begin; set local session authorization icert_migrate; ${readFileSync(new URL('../../migrations/0078-events-emptied/forward.sql', import.meta.url), 'utf8')}; commit`);
	assert.equal(icert.sql("select string_agg(event_id, ' ') from icert.payment_event where event_id like 'evt_month_%' and body <> ''"), 'evt_month_3');
	icert.sql("delete from icert.payment_event where event_id like 'evt_month_%'");
	assert.equal(icert.sql(`select string_agg(label || ' ' || (destroyed_at is null and wrapped <> ''), ', ' order by label) from icert.data_key where kind = 'payments-month' and label in ('${kept}', '${over}')`),
		`${over} false, ${kept} true`);
	icert.sql(`delete from icert.data_key where label = '${kept}'`);
	assert.equal(icert.sql("select count(*) from icert.data_key where kind = 'payments-month' and destroyed_at is null"), '1');
	await restart(icert, 'webhook');
	const id = `evt_${process.pid}_next_month`;
	assert.equal((await send(notice({ id }))).status, 200);
	await until(() => icert.sql(`select verdict from icert.payment_event where event_id = '${id}'`) === 'strange', { what: 'the next box is read' });
	const { code, stdout } = await icert.icertctl('payments', 'replay', '--dry-run', '--event', `evt_${process.pid}_twice`);
	assert.equal(code, 0, stdout);
	assert.match(stdout, /destroyed/);
});

test('the secret does not stand in any log', () => {
	assert.ok(!icert.logs(10_000).includes(secret.slice(6)));
});

test('what was answered 200 is on the disk: PostgreSQL killed right after it', async () => {
	// Whoever else would write the log of transactions out stands still: the commit of the notification alone has to.
	const clerk = units(icert).get('clerk').pid;
	const clerks = [clerk, ...children(clerk).map((one) => one.pid)];
	for (const pid of clerks) signal(pid, 'SIGSTOP');
	try {
		const server = units(icert).get('postgres').pid;
		const writer = children(server).filter((one) => /walwriter/.test(one.title));
		assert.equal(writer.length, 1, 'one writer of the log');
		signal(writer[0].pid, 'SIGSTOP');
		const id = `evt_${process.pid}_disk`;
		const answer = await send(notice({ id }));
		for (const pid of [server, ...children(server).map((one) => one.pid)]) signal(pid, 'SIGKILL');
		assert.equal(answer.status, 200, answer.text);
		const stored = `select count(*) from icert.payment_event where event_id = '${id}'`;
		const count = () => { try { return icert.sql(stored); } catch { return ''; } };
		await until(() => /^\d+$/.test(count()), { what: 'PostgreSQL is back' });
		assert.equal(count(), '1');
	} finally {
		for (const pid of clerks) signal(pid, 'SIGCONT');
	}
});

test('a notification that drips is told so and holds its place no longer; a form is no notification', async () => {
	edit(icert, 'nginx.conf', [['icert_upload_deadline 15s;', 'icert_upload_deadline 1s;']]);
	await restart(icert, 'nginx');
	const status = (headers, text) => new Promise((resolve, reject) => {
		const req = request(`${icert.portal}/avisos/demo`, { method: 'POST', headers, ca: icert.ca, agent: false }, (res) => { resolve(res.statusCode); req.destroy(); });
		req.on('error', reject);
		req.write(text);
	});
	const { headers } = notice();
	assert.equal(await status({ ...headers, 'content-length': 1000 }, '{'), 408);
	assert.equal(await status({ 'content-type': 'multipart/form-data; boundary=b', 'content-length': 1000 }, '--b'), 401);
	assert.match(await (await fetch(`${icert.state}/metrics`)).text(), /^icert_refusals_total\{reason="upload_deadline"\} 1$/m);
	assert.equal((await send(notice())).status, 200);
});
