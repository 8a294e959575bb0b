// The edge by itself: OCSP and CRL over HTTP as the standards have them, sealed
// sets that are not to be believed, uploads taken apart, limits, the access log.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { multipart } from '../lib/multipart.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';
import * as files from '../lib/files.mjs';
import { Operator } from './walk.mjs';

let icert;
let statusFolder;
let spool;
let certificate;
let chain;
let question;	// an OCSP request for the certificate, DER
let visitor;	// a client with a session

const MALFORMED = '30030a0101';
const TRY_LATER = '30030a0103';
const UNAUTHORIZED = '30030a0106';

/** One plain request to the status server, its path sent as it stands. */
function ask(path, { method = 'GET', headers = {}, body } = {}) {
	const { hostname, port } = new URL(icert.status);
	return new Promise((resolve, reject) => {
		const req = http.request({ hostname, port, path, method, headers }, (res) => {
			const parts = [];
			res.on('data', (part) => parts.push(part));
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts) }));
		});
		req.on('error', reject);
		req.end(body);
	});
}

const post = (body, headers = { 'Content-Type': 'application/ocsp-request' }) => ask('/ocsp', { method: 'POST', headers, body });
const base64 = () => question.toString('base64');
const escaped = () => encodeURIComponent(base64());

function openssl(...args) {
	const result = spawnSync('openssl', args, { encoding: 'utf8' });
	return { code: result.status, text: result.stdout + result.stderr };
}

const ocsp = (file, ...args) => openssl('ocsp', '-issuer', chain, '-CAfile', chain, ...args, '-cert', file, '-url', `${icert.status}/ocsp`).text;

async function metric(name) {
	const text = await (await fetch(`${icert.state}/metrics`)).text();
	return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)[1]);
}

async function issue(...words) {
	const result = await icert.icertctl('issue-test', ...words);
	assert.equal(result.code, 0, result.stdout + result.stderr);
	return result.stdout.split('\n')[0];
}

async function signIn(email) {
	const box = new MailBox(icert.mail);
	const client = new Client({ base: icert.portal });
	const asked = await (await client.visit('/mi-tramite')).form(/entrar/).submit({ email });
	const mail = await box.wait({ to: email });
	await asked.form(/codigo/).submit({ code: mail.code(6) });
	return client;
}

const spooled = () => readdirSync(spool).flatMap((worker) => readdirSync(join(spool, worker)).map((name) => `${worker}/${name}`));
const empty = () => until(() => spooled().length === 0, { what: 'an empty spool' });

before(async () => {
	icert = await startInstance();
	const config = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8');
	statusFolder = /^status = (.*)$/m.exec(config)[1];
	spool = /^spool = (.*)$/m.exec(config)[1];
	chain = join(icert.prefix, 'ca/public/chain.pem');
	certificate = await issue('1710034065', 'Ana', 'Ñandú', 'Páez');
	const file = join(icert.prefix, 'demo/question.der');
	execFileSync('openssl', ['ocsp', '-issuer', chain, '-cert', certificate, '-no_nonce', '-reqout', file], { stdio: 'ignore' });
	question = readFileSync(file);
	visitor = await signIn(`borde.${Date.now()}@correo.example`);
});
after(() => icert?.stop());

test('one question by every road is one answer', async () => {
	const answer = await post(question);
	assert.equal(answer.status, 200);
	assert.equal(answer.headers['content-type'], 'application/ocsp-response');
	assert.ok(answer.body.length > 500);
	const roads = {
		'a GET, escaped': `/ocsp/${escaped()}`,
		'a GET as it is': `/ocsp/${base64()}`,
		'slashes more': `/ocsp///${escaped()}`,
		'no padding': `/ocsp/${base64().replace(/=+$/, '')}`,
		'small letters in escapes': `/ocsp/${escaped().replace(/%../g, (x) => x.toLowerCase())}`,
		'a space for a plus': `/ocsp/${base64().replace(/\+/g, '%20')}`,
		'a query behind it': `/ocsp/${escaped()}?x=1`,
	};
	for (const [road, path] of Object.entries(roads)) {
		const other = await ask(path);
		assert.equal(other.status, 200, road);
		assert.deepEqual(other.body, answer.body, road);
	}
	assert.deepEqual((await post(question, {})).body, answer.body, 'no Content-Type');
	assert.deepEqual((await post(question, { 'Content-Type': 'application/ocsp-request', 'Transfer-Encoding': 'chunked' })).body, answer.body, 'chunked');
	assert.match(ocsp(certificate), /: good/);
	assert.match(ocsp(certificate, '-sha256', '-no_nonce'), /: good[^]*Response verify OK/);
});

test('answers may be kept, and say how long', async () => {
	const { headers, body } = await ask(`/ocsp/${escaped()}`);
	assert.equal(headers.etag, `"${createHash('sha256').update(body).digest('hex')}"`);
	const age = Number(/^max-age=(\d+), public, no-transform, must-revalidate$/.exec(headers['cache-control'])[1]);
	assert.ok(age > 0 && age <= 300, `${age}`);
	assert.ok(Date.parse(headers.expires) > Date.now());
	assert.ok(Date.parse(headers['last-modified']) <= Date.now());
	assert.equal(headers.vary, undefined);
	assert.equal(headers['content-encoding'], undefined);

	const status = async (conditions) => {
		const answer = await ask(`/ocsp/${escaped()}`, { headers: conditions });
		if (answer.status === 304) {
			assert.equal(answer.body.length, 0);
			assert.equal(answer.headers.etag, headers.etag);
		}
		return answer.status;
	};
	const later = new Date(Date.parse(headers['last-modified']) + 5000).toUTCString();
	assert.equal(await status({ 'If-None-Match': headers.etag }), 304);
	assert.equal(await status({ 'If-None-Match': `"a", W/${headers.etag}` }), 304);
	assert.equal(await status({ 'If-None-Match': '*' }), 304);
	assert.equal(await status({ 'If-None-Match': '"a"', 'If-Modified-Since': later }), 200, 'the tag decides');
	assert.equal(await status({ 'If-Modified-Since': headers['last-modified'] }), 304);
	assert.equal(await status({ 'If-Modified-Since': later }), 304);
	assert.equal(await status({ 'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' }), 200);
	assert.equal(await status({ 'If-Modified-Since': 'yesterday' }), 200);

	const head = await ask(`/ocsp/${escaped()}`, { method: 'HEAD' });
	assert.equal(head.status, 200);
	assert.equal(Number(head.headers['content-length']), body.length);
	assert.equal(head.body.length, 0);
});

test('what cannot be answered is an OCSP error that nobody keeps', async () => {
	const errors = [
		[MALFORMED, () => ask('/ocsp')],
		[MALFORMED, () => ask('/ocsp/')],
		[MALFORMED, () => ask('/ocsp/AAAA')],
		[MALFORMED, () => ask(`/ocsp/${escaped()}%41%41%41%41`)],
		[MALFORMED, () => post('')],
		[MALFORMED, () => post(Buffer.concat([question, Buffer.from([0])]))],
		[MALFORMED, () => post(question.subarray(0, -1))],
		[MALFORMED, () => post(randomBytes(10240))],
		[MALFORMED, () => post(question, { 'Content-Type': 'application/x-www-form-urlencoded' })],
	];
	for (const [expected, send] of errors) {
		const { status, headers, body } = await send();
		assert.equal(status, 200);
		assert.equal(body.toString('hex'), expected, `${send}`);
		assert.equal(headers['cache-control'], 'no-store');
	}
	const unknown = openssl('ocsp', '-issuer', chain, '-serial', '0x1234567890abcdef', '-url', `${icert.status}/ocsp`).text;
	assert.match(unknown, /unauthorized/);
	const root = join(icert.prefix, 'demo/root.pem');
	execFileSync('openssl', ['x509', '-inform', 'DER', '-in', icert.files.root, '-out', root]);
	assert.match(openssl('ocsp', '-issuer', root, '-serial', '5', '-url', `${icert.status}/ocsp`).text, /unauthorized/, 'an issuer that is none');
	assert.match(ocsp(certificate, '-sha384', '-no_nonce'), /unauthorized/, 'a hash that is not stored');
	assert.match(openssl('ocsp', '-issuer', chain, '-cert', certificate, '-serial', '7', '-url', `${icert.status}/ocsp`).text, /unauthorized/);
});

test('methods and sizes that HTTP refuses', async () => {
	const put = await ask('/ocsp', { method: 'PUT' });
	assert.equal(put.status, 405);
	assert.equal(put.headers.allow, 'GET, HEAD, POST');
	assert.equal(put.headers['cache-control'], 'no-store');
	assert.ok(await metric('icert_ocsp_causes_total\\{cause="method"\\}') > 0);
	assert.equal((await post(randomBytes(10241))).status, 413);
	assert.equal((await post(randomBytes(10300), { 'Transfer-Encoding': 'chunked' })).status, 413);
	assert.ok(await metric('icert_ocsp_causes_total\\{cause="too_large"\\}') >= 2);
	const crl = await ask('/crl/icert.crl', { method: 'POST', body: 'a' });
	assert.equal(crl.status, 405);
	assert.equal(crl.headers.allow, 'GET, HEAD');
	assert.equal((await ask('/manifest')).status, 404);
});

test('lists and CA certificates with their validators, whole and in part', async () => {
	for (const path of ['/crl/icert.crl', '/crl/raiz.crl', '/ca/emisora.cer', '/ca/raiz.cer']) {
		const { status, headers, body } = await ask(path);
		assert.equal(status, 200, path);
		assert.equal(headers['content-type'], path.startsWith('/crl') ? 'application/pkix-crl' : 'application/pkix-cert');
		assert.equal(headers.etag, `"${createHash('sha256').update(body).digest('hex')}"`);
		assert.match(headers['cache-control'], /^max-age=\d+, public/);
		assert.equal((await ask(path, { headers: { 'If-None-Match': headers.etag } })).status, 304);
		const part = await ask(path, { headers: { Range: 'bytes=4-9' } });
		assert.equal(part.status, 206);
		assert.deepEqual(part.body, body.subarray(4, 10));
		assert.equal(part.headers['content-range'], `bytes 4-9/${body.length}`);
	}
	const { headers, body } = await ask('/crl/icert.crl');
	const file = join(icert.prefix, 'demo/edge.crl');
	writeFileSync(file, body);
	const text = openssl('crl', '-inform', 'DER', '-in', file, '-noout', '-lastupdate', '-nextupdate').text;
	assert.equal(Date.parse(/lastUpdate=(.*)/.exec(text)[1]), Date.parse(headers['last-modified']));
	assert.equal(Date.parse(/nextUpdate=(.*)/.exec(text)[1]), Date.parse(headers.expires));
});

test('a forged set and an older one are refused, and the one before stays', async () => {
	const manifest = join(statusFolder, 'manifest');
	const old = join(icert.prefix, 'demo/old-manifest');
	const replace = (bytes) => {
		writeFileSync(`${manifest}.test`, bytes);
		renameSync(`${manifest}.test`, manifest);
	};
	copyFileSync(manifest, old);
	const second = await issue('0923456784', 'Luis', 'Mora', '');
	assert.match(ocsp(second), /: good/);
	const epoch = await metric('icert_status_epoch');

	/* The publisher's next beat takes its place: then once more, until the edge has been seen with it. */
	const refused = async (bytes, why) => {
		const count = () => metric(`icert_status_sets_total\\{outcome="${why}"\\}`);
		const counted = await count();
		await until(async () => {
			replace(bytes);
			const ready = await fetch(`${icert.state}/readyz`);
			return ready.status === 503 && await ready.text() === 'status refused\n' && await count() > counted;
		}, { what: `${why} at /readyz`, every: 20 });
		assert.ok(await metric('icert_status_epoch') >= epoch);
		assert.ok(await metric('icert_status_epoch') < 2 ** 60);
		assert.match(ocsp(second), /: good/);
		assert.match(readFileSync(join(icert.prefix, 'log/nginx.log'), 'utf8'), new RegExp(`icert status set refused: ${why}, manifest in `));
	};
	await refused(readFileSync(old), 'rollback');
	const forged = readFileSync(manifest);
	forged.writeBigUInt64LE(1n << 60n, 16);	// the epoch
	await refused(forged, 'forged');
	await until(async () => (await fetch(`${icert.state}/readyz`)).status === 200, { what: 'ready after the next beat' });
	assert.ok(await metric('icert_edge_info{version="[0-9.]+"}') === 1);
});

const target = `/tramite/${'0'.repeat(8)}-0000-4000-8000-000000000000/documento/cedula`;
const send = (parts, broken, headers = {}) => {
	const { contentType, body } = multipart(parts, broken);
	return visitor.post(target, body, { headers: { 'Content-Type': contentType, ...headers } });
};
const filePart = (file, name = 'file') => ({ name, filename: file.filename, type: file.type, data: file.data });

/** A refusal for a program: its problem without what is of this request alone. */
async function problemOf({ status, headers, body }) {
	assert.equal(headers['content-type'], 'application/problem+json');
	assert.equal(headers['cache-control'], 'no-store');
	const { reference, ...problem } = JSON.parse(body);
	assert.match(reference, /^[0-9a-f]{32}$/);
	assert.equal(problem.status, status);
	/* The same code as in the log, which has its line when the connection is done with. */
	const line = await until(() => logged().find(({ request }) => request === reference), { what: 'a line in the log' });
	assert.equal(line.status, status);
	return { ...problem, logged: line.reason };
}
const logged = () => readFileSync(join(icert.prefix, 'log/access.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));

test('a program that asks for JSON is refused in the words of RFC 9457', async () => {
	const { status, headers, body } = await send([filePart({ filename: 'a.exe', data: Buffer.from('MZ'.padEnd(400)) }, 'ünusual')], {}, { Accept: 'application/json' });
	assert.deepEqual(await problemOf({ status, headers, body }), { type: 'about:blank', title: 'Unsupported Media Type', status: 415, reason: 'upload_type', field: '%C3%BCnusual', logged: 'upload_type' });
	const page = await send([filePart({ filename: 'a.exe', data: Buffer.from('MZ'.padEnd(400)) })]);
	assert.match(page.headers['content-type'], /^text\/html/);
});

test('a program without a session, or with one that is over, is told so', async () => {
	const { contentType, body } = multipart([filePart(files.cedulaPdf())]);
	const stranger = () => new Client({ base: icert.portal });
	const headers = { 'Content-Type': contentType, Accept: 'application/problem+json' };
	const problem = { type: 'about:blank', title: 'Unauthorized', status: 401, field: '' };
	assert.deepEqual(await problemOf(await stranger().post(target, body, { headers })), { ...problem, reason: 'upload_session', logged: 'upload_session' });
	/* The program's word, not the module's. */
	const over = await stranger().post(target, body, { headers: { ...headers, Cookie: '__Host-icert-portal=2a7f' } });
	assert.deepEqual(await problemOf(over), { ...problem, reason: 'session', logged: '' });
	assert.deepEqual(spooled(), []);
});

test('a program is told by JSON too that there is no place for it', async () => {
	const { contentType, body } = multipart([filePart(files.cedulaPdf())]);
	/* The same person from another address: what an address may send in a minute the other tests need. */
	const localAddress = '127.0.0.9';
	const elsewhere = new Client({ base: icert.portal, localAddress });
	elsewhere.jar = visitor.jar;
	const agent = new https.Agent({ maxSockets: Infinity, rejectUnauthorized: false, localAddress });
	const headers = { 'Content-Type': contentType, Cookie: visitor.jar.header(new URL(icert.portal)) };
	/* One address has 50 uploads in hand; none of these ends. */
	const open = Array.from({ length: 50 }, () => {
		const request = https.request(`${icert.portal}${target}`, { agent, method: 'POST', headers: { ...headers, 'Content-Length': body.length } });
		request.on('error', () => {});
		request.write(body.subarray(0, 1000));
		return request;
	});
	await until(() => spooled().length === 50, { what: 'fifty in hand' });
	const post = (more) => elsewhere.post(target, body, { headers: { 'Content-Type': contentType, ...more } });
	const answer = await post({ Accept: 'application/json' });
	assert.deepEqual(await problemOf(answer), { type: 'about:blank', title: 'Service Unavailable', status: 503, reason: 'in_hand', field: '', logged: 'in_hand' });
	assert.equal(answer.headers['retry-after'], '10');
	const page = await post({});
	assert.equal(page.status, 503);
	assert.match(page.headers['content-type'], /^text\/html/);
	for (const request of open) request.destroy();
	agent.destroy();
	await empty();
});

test('a file without a session is refused before it is read', async () => {
	const stranger = new Client({ base: icert.portal });
	const { contentType, body } = multipart([filePart(files.pdfOfSize(files.LIMIT))]);
	const page = await stranger.post(target, body, { headers: { 'Content-Type': contentType } });
	assert.ok([303, 401, 403].includes(page.status), `${page.status}`);
	assert.deepEqual(spooled(), []);
});

test('what the edge refuses has its status, and leaves nothing behind', async () => {
	const good = filePart(files.cedulaPdf());
	const cases = [
		[413, 'a file of 2 MB and one octet', [filePart(files.tooLarge())]],
		[415, 'an empty file', [filePart(files.empty())]],
		[415, 'a renamed program', [filePart(files.renamedExe())]],
		[415, 'text called PDF', [filePart(files.textAsPdf())]],
		[413, '21 files', Array.from({ length: 21 }, () => ({ name: 'file', filename: 'a.pdf', data: Buffer.from('%PDF-1.4 ') }))],
		[413, '41 parts', Array.from({ length: 41 }, (_, n) => ({ name: `f${n}`, value: '' }))],
		[413, 'fields of 9 kB', [{ name: 'a', value: 'x'.repeat(9000) }, good]],
		[413, 'file names of 9 kB', Array.from({ length: 20 }, () => ({ name: 'file', filename: `${'x'.repeat(480)}.pdf`, data: Buffer.from('%PDF-1.4 ') }))],
		[400, 'no closing delimiter', [good], { close: false }],
		[400, 'octets behind the end', [good], { after: 'x' }],
		[400, 'octets before the first delimiter', [good], { before: 'x\r\n' }],
		[400, 'lines that end with LF', [good], { newline: '\n' }],
		[400, 'another boundary than the header says', [good], { announced: 'other' }],
		[400, 'filename*', [{ raw: 'Content-Disposition: form-data; name="file"; filename*=UTF-8\'\'a.pdf\r\n\r\n%PDF-' }]],
		[400, 'two names', [{ raw: 'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nx' }]],
	];
	for (const [status, title, parts, broken] of cases) {
		const page = await send(parts, broken);
		assert.equal(page.status, status, title);
		await empty();
	}
	assert.equal((await send([good], {}, { 'Content-Type': 'multipart/form-data' })).status, 400, 'no boundary');
});

test('a good file reaches the program and is gone after', async () => {
	// Of nobody's case and without its token: the program refuses it, having read it.
	for (const file of [files.cedulaPdf(), files.pdfOfSize(files.LIMIT)]) {
		const page = await send([{ name: 'a', value: 'Ñ' }, filePart(file)]);
		assert.ok([403, 404].includes(page.status), `${page.status}`);
		await empty();
	}
});

/** Sends so many octets of a file in a body without a length or an end, and waits: the status of the answer. */
function stream(octets) {
	const url = new URL(target, icert.portal);
	const head = Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4\r\n');
	const send = (out) => { out.write(head); out.write(Buffer.alloc(octets, 0x20)); };
	const headers = { cookie: visitor.jar.header(url), 'content-type': 'multipart/form-data; boundary=x' };

	const one = () => new Promise((resolve, reject) => {
		let answer;
		const req = https.request(url, { method: 'POST', headers, rejectUnauthorized: false, agent: false }, (res) => {
			answer = res.statusCode;
			res.resume();
			res.on('close', () => resolve(answer));
		});
		req.on('error', (error) => (answer ? undefined : reject(error)));
		send(req);
	});
	const two = () => new Promise((resolve, reject) => {
		const session = http2.connect(icert.portal, { rejectUnauthorized: false });
		let answer;
		const req = session.request({ ':method': 'POST', ':path': target, ...headers }, { endStream: false });
		req.on('response', (h) => { answer = h[':status']; });
		req.on('error', (error) => (answer ? undefined : reject(error)));
		req.resume();
		req.on('end', () => { session.destroy(); resolve(answer); });
		send(req);
	});
	return { one, two };
}

test('too much is stopped on its way, without a length and over HTTP/2 too', async () => {
	// A little more than a file may have: the answer comes without the rest being awaited.
	for (const [name, go] of Object.entries(stream(files.LIMIT + 1024 * 1024))) {
		assert.equal(await go(), 413, name);
		await empty();
	}
});

test('portal and desk say to the browser that sends, and to nobody else, how far it is', async () => {
	const operator = new Operator(icert);
	assert.equal((await operator.signIn()).status, 200);
	for (const [site, client, other] of [[icert.portal, visitor, new Client({ base: icert.portal })], [icert.desk, operator.client, visitor]]) {
		const id = randomBytes(16).toString('hex');
		const asked = (who, base = site) => who.get(`${base}/envio?envio=${id}`);
		const url = new URL(`${target}?envio=${id}`, site);
		const req = https.request(url, {
			method: 'POST', rejectUnauthorized: false, agent: false,
			headers: { cookie: client.jar.header(url), 'content-type': 'multipart/form-data; boundary=x', 'content-length': '500000' },
		});
		req.on('error', () => { /* ended below */ });
		req.write(`--x\r\nContent-Disposition: form-data; name="file"; filename="cedula.pdf"\r\n\r\n%PDF-1.4\r\n${' '.repeat(50_000)}`);
		const answer = await until(async () => {
			const page = await asked(client);
			return page.status === 200 && page.json.received > 50_000 && page;
		}, { what: 'what came', every: 20 });
		const { received, ...rest } = answer.json;
		assert.ok(received < 51_000);
		assert.deepEqual(rest, { state: 'receiving', size: 500000 });
		assert.equal(answer.headers['cache-control'], 'no-store');
		assert.match(answer.headers['ratelimit-policy'], /^"progress"/);
		assert.equal((await asked(other)).status, 404);
		assert.deepEqual((await asked(client, site === icert.portal ? icert.desk : icert.portal)).json, { state: 'unknown' });
		req.destroy();
		await until(async () => (await asked(client)).json.state === 'aborted', { what: 'its end', every: 20 });
	}
	await operator.close();
	await empty();
});

test('a worker that is killed leaves nothing in the spool', async () => {
	const url = new URL(target, icert.portal);
	const before = readdirSync(spool);
	const req = https.request(url, {
		method: 'POST', rejectUnauthorized: false, agent: false,
		headers: { cookie: visitor.jar.header(url), 'content-type': 'multipart/form-data; boundary=x', 'content-length': '500000' },
	});
	req.on('error', () => { /* its worker is killed */ });
	req.write('--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4\r\n');
	const [file] = await until(() => spooled().length > 0 && spooled(), { what: 'a file in the spool' });
	const worker = file.split('/')[0];
	assert.ok(before.includes(worker));
	process.kill(Number(worker), 'SIGKILL');
	await until(() => !existsSync(join(spool, worker)), { what: 'the sweep' });
	assert.deepEqual(spooled(), []);
	req.destroy();
	await until(async () => (await ask('/crl/icert.crl')).status === 200, { what: 'the next worker' });
});

test('too many pages to one address wait, and are told how long', async () => {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 8, rejectUnauthorized: false });
	const once = () => new Promise((resolve, reject) => {
		const req = https.request(`${icert.portal}/nada`, { agent, headers: { Accept: 'application/json' } }, (res) => {
			const parts = [];
			res.on('data', (part) => parts.push(part));
			res.on('end', () => resolve({ statusCode: res.statusCode, headers: res.headers, body: Buffer.concat(parts) }));
		});
		req.on('error', reject);
		req.end();
	});
	const answers = await Promise.all(Array.from({ length: 800 }, once));
	agent.destroy();
	const refused = answers.filter((res) => res.statusCode === 429);
	assert.ok(refused.length > 0 && refused.length <= 600, `${refused.length} of 800`);
	for (const { headers } of refused) {
		assert.ok(Number(headers['retry-after']) >= 1);
		assert.equal(headers['content-type'], 'application/problem+json');
		assert.match(headers.ratelimit, /^"page";r=0;t=\d+$/);
		assert.equal(headers['ratelimit-policy'], '"page";q=200;w=4');
	}
	const [{ headers, body }] = refused;
	assert.deepEqual(await problemOf({ status: 429, headers, body }), { type: 'about:blank', title: 'Too Many Requests', status: 429, reason: 'limit', field: '', logged: 'limit' });
	const passed = answers.find((res) => res.statusCode !== 429);
	assert.match(passed.headers.ratelimit, /^"page";r=\d+;t=\d+$/);
});

test('the log names a network, a country and a reason, and no address', async () => {
	const lines = readFileSync(join(icert.prefix, 'log/access.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
	assert.ok(lines.length > 100);
	for (const line of lines) {
		assert.match(line.net, /^(127\.0\.0\.0\/24|::\/48)$/);
		assert.equal(line.country, 'unknown');
	}
	const reasons = new Set(lines.map((line) => line.reason));
	for (const reason of ['upload_file_size', 'upload_type', 'upload_empty', 'upload_files', 'upload_parts', 'upload_fields',
		'upload_malformed', 'upload_truncated', 'limit'])
		assert.ok(reasons.has(reason), `${reason}: ${[...reasons]}`);
});

test('what is wrong with the spool stands in the log, without who met it', async () => {
	edit(icert, 'nginx.conf', [['icert_upload_spool_files 4000;', 'icert_upload_spool_files 4000; icert_upload_spool_free 1000000g;']]);
	await restart(icert, 'nginx');
	const page = await send([filePart(files.cedulaPdf())]);
	assert.equal(page.status, 507);
	const said = readFileSync(join(icert.prefix, 'log/nginx.log'), 'utf8').split('\n').filter((line) => line.includes('the spool has less room than what is kept free'));
	assert.equal(said.length, 1);
	assert.doesNotMatch(said[0], /client|127\.0|tramite/);
	edit(icert, 'nginx.conf', [[' icert_upload_spool_free 1000000g;', '']]);
	await restart(icert, 'nginx');
	assert.notEqual((await send([filePart(files.cedulaPdf())])).status, 507);
});
