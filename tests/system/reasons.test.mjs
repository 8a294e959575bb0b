// Every reason to refuse (ngx_http_icert_reason.h), each brought about: its status, the problem that a program is told, the access
// log's line, the error log's, and its count, which goes up by one while no other does.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { UploadEdge } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { Store, authority, entry, manifest, segment } from '../lib/store.mjs';

const table = readFileSync(new URL('../../ngx_icert_module/ngx_http_icert_reason.h', import.meta.url), 'utf8');
const reasons = new Map([...table.matchAll(/X\(\w+, (\d+), "(\w+)"\)/g)].map(([, status, code]) => [code, Number(status)]));
const folder = (name) => join(edge.folder, name);

const config = (port, spool) => {
	const set = (name) => `icert_status_folder ${folder(name)}; icert_status_key ${folder('seal.pub')}; icert_status_high_water ${folder(`${name}.high`)};`;
	const behind = `proxy_pass http://127.0.0.1:${port + 1};`;
	return `
	icert_upload_spool ${spool};
	icert_upload_spool_files 2;
	icert_limit_zone one key=$uri rate=1/h burst=1;
	icert_in_hand_zone hand key=$uri size=64k;
	icert_status_poll 50ms;
	client_max_body_size 8m;
	log_format reasons escape=json '{"reason":"$icert_reason","status":$status,"uri":"$uri"}';
	map $icert_reason $problem { default '{"status":$status,"reason":"$icert_reason"}'; }
	server {
		listen 127.0.0.1:${port};
		access_log ${folder('reasons.log')} reasons;
		icert_upload_session $cookie_session;
		icert_upload_file_size 64k;
		icert_upload_files 4;
		icert_upload_parts 6;
		error_page 400 401 404 408 413 415 422 429 503 507 @problem;
		location @problem { icert_upload_discard on; default_type application/problem+json; return 200 $problem; }
		location /form {
			icert_upload on;
			icert_upload_field paper types=pdf required count=4;
			icert_upload_field photo types=png min=600x500;
			icert_upload_field note text;
			${behind}
		}
		location /soon { icert_upload on; icert_upload_deadline 300ms; ${behind} }
		location /slow { icert_upload on; icert_upload_min_rate 1k; ${behind} }
		location /silent { icert_upload on; client_body_timeout 300ms; ${behind} }
		location /limited { icert_limit one; try_files /none =204; }
		location /held { icert_in_hand hand 1; icert_upload on; ${behind} }
		location /set { ${set('set')} icert_status_file *; }
		location /absent { ${set('empty')} icert_status_file *; }
		location = /metrics { return 200 "$icert_status_counts"; }
	}`;
};
const edge = new UploadEdge('reasons', config, { workers: 1 });
const { nginx } = edge;

before(async () => {
	const { publicKey, privateKey } = generateKeyPairSync('ed25519');
	writeFileSync(folder('seal.pub'), publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
	mkdirSync(folder('empty'));
	const store = new Store(folder('set')), bytes = segment({ epoch: 1, issuers: [authority(edge.folder, 'ca')], records: [] });
	store.put('base', bytes);
	store.put('manifest', manifest({ epoch: 1, entries: [entry('segment', 'base', 'base', bytes, { nextUpdate: Math.floor(Date.now() / 1000) + 3600 })] }, privateKey));
	await edge.start();
});
after(() => edge.stop());

const part = (name, data, file = 'f') => `--b\r\nContent-Disposition: form-data; name="${name}"${file && `; filename="${file}"`}\r\n\r\n${data}\r\n`;
const END = '--b--\r\n', PDF = '%PDF-1.7\n';
const small = () => { const b = Buffer.alloc(40); Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(b); b.writeUInt32BE(599, 16); b.writeUInt32BE(499, 20); return b.toString('latin1'); };

/** A request as it stands; what is answered, { status, problem }, or undefined when nginx closes without a word. */
function ask(path, body = '', { length = body.length, session = 'a', head = `Content-Length: ${length}\r\n`, method = 'POST' } = {}) {
	const socket = connect(nginx.port, '127.0.0.1');
	socket.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: session=${session}\r\nContent-Type: multipart/form-data; boundary=b\r\n${head}\r\n`);
	socket.write(Buffer.from(body, 'latin1'));
	let text = '';
	const answer = new Promise((resolve) => socket.on('data', (octets) => { text += octets; }).on('error', () => {}).on('close', () => {
		const [headers, said] = text.split('\r\n\r\n');
		resolve(text === '' ? undefined : { status: Number(headers.split(' ')[1]), problem: said });
	}));
	return { socket, answer };
}
const form = (body, options) => ask('/form', body, options).answer;
const get = (path) => ask(path, '', { method: 'GET', head: '' }).answer;

/** How each comes about.  One whose sender says nothing more promises what it never sends. */
const MORE = { length: 4 << 20 };
const provoke = {
	upload_session: () => form('', { session: '', ...MORE }),
	upload_malformed: () => form('--c\r\n', MORE),
	upload_truncated: () => form(part('paper', PDF)),
	upload_field: () => form(part('other', PDF), MORE),
	upload_missing: () => form(part('note', 'x', '') + END),
	upload_deadline: () => ask('/soon', part('a', PDF), MORE).answer,
	upload_slow: () => ask('/slow', part('a', PDF), MORE).answer,
	upload_file_size: () => form(part('paper', PDF + ' '.repeat(70_000)), MORE),
	upload_files: () => form(part('photo', small().replace('\x02\x57', '\x03\x57').replace('\x01\xf3', '\x02\xf3')) + part('photo', small()), MORE),
	upload_parts: () => form(part('note', '', '').repeat(7), MORE),
	upload_fields: () => form(part('note', 'x'.repeat(9000), ''), MORE),
	upload_type: () => form(part('paper', 'MZ'.padEnd(400)), MORE),
	upload_empty: () => form(part('paper', '') + END, MORE),
	upload_small: () => form(part('photo', small()), MORE),
	upload_spool: () => form(part('paper', PDF).repeat(3), MORE),
	http_400: () => form('no chunk\r\n', { head: 'Transfer-Encoding: chunked\r\n' }),
	http_408: () => ask('/silent', '', MORE).answer,
	http_413: () => form('', { length: 9 << 20 }),
	limit: async () => { assert.equal((await get('/limited')).status, 204); return get('/limited'); },
	in_hand: async () => {
		const { socket, answer } = ask('/held', part('a', PDF), MORE);
		await until(() => edge.spooled().length > 0, { what: 'one in hand' });
		const next = await ask('/held', '', MORE).answer;
		socket.destroy();
		await answer;
		return next;
	},
	status_file: async () => { await until(async () => (await counts()).get('taken') > 0, { what: 'the set' }); return get('/set/no.crl'); },
	status_absent: () => get('/absent/any.crl'),
};
/** nginx closes these without a word. */
const silent = new Set(['http_408']);

async function counts() {
	const text = await (await fetch(`${nginx.url}/metrics`, { headers: { connection: 'close' } })).text();
	const taken = Number(/^icert_status_sets_total\{outcome="taken"\} (\d+)$/m.exec(text)[1]);
	return new Map([...[...text.matchAll(/^icert_refusals_total\{reason="(\w+)"\} (\d+)$/gm)].map(([, code, n]) => [code, Number(n)]), ['taken', taken]]);
}
const logged = (code) => readFileSync(folder('reasons.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter(({ reason }) => reason === code);
const told = (code) => nginx.logged().split('\n').filter((line) => new RegExp(`icert refused: ${code}\\b`).test(line)).length;

test('the metric and this test have every reason of the table, and no other', async () => {
	assert.deepEqual(Object.keys(provoke), [...reasons.keys()]);
	assert.deepEqual([...(await counts()).keys()].filter((code) => code !== 'taken'), [...reasons.keys()]);
});

for (const [code, status] of reasons)
	test(`${code}: ${status}, told, logged and counted once`, async () => {
		await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
		const was = await counts(), lines = told(code);
		const answer = await provoke[code]();
		if (silent.has(code)) assert.equal(answer, undefined);
		else assert.deepEqual([answer.status, JSON.parse(answer.problem)], [status, { status, reason: code }]);
		await until(() => logged(code).length > 0, { what: 'its line' });
		assert.deepEqual(logged(code).map((line) => line.status), [status]);
		assert.equal(told(code), lines + 1);
		const now = await counts();
		for (const [other, n] of was) if (other !== 'taken') assert.equal(now.get(other) - n, Number(other === code), other);
	});
