// Every form in which a question may come over the wire, and what is no question: paths of a GET, nonces, serials, each
// octet cut and each bit turned.  And the list, which has to agree with the answers.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { goodRows, revokeRows } from '../lib/issuing.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { asker, certId, issuerOf, nonce, padding, read, request, seq } from '../lib/ocsp.mjs';
import { ocsp } from '../lib/status.mjs';
import { must, run } from '../lib/tools.mjs';
import { until } from '../lib/http.mjs';
import { agreement } from './agreement.mjs';

const MALFORMED = 1, UNAUTHORIZED = 6;
let icert, ask, issuer, other;
let good;	// a serial whose question has "//" and "+" in its base64

const question = (serial = good, extensions, options) => request([certId(issuer, serial, options)], extensions);
const post = (body, headers = { 'Content-Type': 'application/ocsp-request' }) => ask('/ocsp', { method: 'POST', headers, body });
const counter = async (label) => Number(new RegExp(`"${label}"} (\\d+)`).exec(await (await fetch(`${icert.state}/metrics`)).text())[1]);

/** One request as these octets; the whole answer. */
const raw = (text) => new Promise((resolve, reject) => {
	const { hostname, port } = new URL(icert.status);
	const parts = [];
	const socket = connect(port, hostname, () => socket.write(text)).on('data', (part) => parts.push(part)).on('error', reject)
		.on('end', () => { const all = Buffer.concat(parts); const at = all.indexOf('\r\n\r\n'); resolve({ head: all.subarray(0, at).toString(), body: all.subarray(at + 4) }); });
});

before(async () => {
	icert = await startInstance();
	ask = asker(icert.status);
	issuer = issuerOf(readFileSync(icert.files.issuer));
	do good = `01${randomBytes(15).toString('hex')}`;
	while (!/\/\/.*\+|\+.*\/\//.test(question().toString('base64')) || question().length % 3 === 0);
	icert.sql(goodRows([good]));
	await until(() => /: good/.test(ocsp(icert, good)), { what: 'good' });
	other = await new Nginx(join(icert.folder, 'other'), (port) => `
		icert_status_folder ${join(icert.prefix, 'status')};
		icert_status_key ${join(icert.prefix, 'pins/manifest.pub')};
		server {
			listen 127.0.0.1:${port} http2; listen 127.0.0.1:${port + 1};
			location /ocsp/ { icert_ocsp on; }
			location /ignore/ { icert_ocsp on; icert_ocsp_live @live nonce=ignore; }
			location /tight/ { icert_ocsp on; icert_ocsp_live @live rate=1; }
			location @live { fastcgi_pass_request_body off; fastcgi_pass_request_headers off; fastcgi_param ICERT_OCSP_REQUEST $icert_ocsp_request; fastcgi_pass unix:${join(icert.run, 'ocsp.fcgi')}; }
			location / { return 404; }
		}`, { workers: 1 }).start();
});
after(async () => {
	try { await other?.stop(); } finally { await icert?.stop(); }
});

test('every way to write the path of a GET gives the answer that a POST gets', async () => {
	const { body } = await post(question());
	assert.equal(read(body).state, 'good');
	const base64 = question().toString('base64');
	const escaped = encodeURIComponent(base64);
	const right = {
		'as it is, with // and +': `/ocsp/${base64}`,
		'%2F%2F': `/ocsp/${escaped}`,
		'%2f in small letters': `/ocsp/${escaped.replace(/%../g, (x) => x.toLowerCase())}`,
		'only slashes escaped': `/ocsp/${base64.replaceAll('/', '%2F')}`,
		'only plus escaped': `/ocsp/${base64.replaceAll('+', '%2B')}`,
		'a space for a plus': `/ocsp/${base64.replaceAll('+', '%20')}`,
		'no padding': `/ocsp/${base64.replace(/=+$/, '')}`,
		'no padding, escaped': `/ocsp/${encodeURIComponent(base64.replace(/=+$/, ''))}`,
		'every character escaped': `/ocsp/${[...base64].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')}`,
		'an address that ends with a slash': `/ocsp//${escaped}`,
		'two of them': `/ocsp///${base64}`,
		'a slash too many before the path': `//ocsp/${escaped}`,
		'a query': `/ocsp/${escaped}?a=b/../c`,
	};
	for (const [what, path] of Object.entries(right)) {
		const answer = await ask(path);
		assert.equal(answer.status, 200, what);
		assert.ok(answer.body.equals(body), what);
		assert.match(answer.headers.etag, new RegExp(createHash('sha256').update(body).digest('hex')));
	}
	const { host } = new URL(icert.status);
	for (const line of [`GET http://${host}/ocsp/${escaped} HTTP/1.1`, `GET http://${host}/ocsp/${base64} HTTP/1.1`, `GET /ocsp/${escaped} HTTP/1.0`, `get /ocsp/x HTTP/1.1`]) {
		const answer = await raw(`${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
		if (line.startsWith('get')) assert.match(answer.head, / 400 /, line);
		else assert.ok(answer.body.equals(body), line);
	}
	assert.ok(await counter('no_padding') >= 2);
});

test('a path that is none of these is malformedRequest, or HTTP\'s own refusal, and never an answer', async () => {
	const base64 = question().toString('base64');
	const escaped = encodeURIComponent(base64);
	const at = base64.indexOf('//');
	for (const path of [
		`/ocsp/${base64.slice(0, at)}%2F..%2F${base64.slice(at)}`, `/ocsp/${base64.slice(0, at)}/../${base64.slice(at)}`, `/ocsp/../ocsp/${escaped}`, `/ocsp/%2e%2e/ocsp/${escaped}`,
		`/ocsp/x/%2F..%2F${escaped}`, `/ocsp/./${escaped}`, `/ocsp/${escaped.replaceAll('%2F', '%252F')}`, `/ocsp/${base64.replaceAll('/', '_').replaceAll('+', '-')}`, `/ocsp/${base64}=`,
		`/ocsp/${base64}====`, `/ocsp/=${base64}`, `/ocsp/${base64.slice(0, 9)}=${base64.slice(9)}`, `/ocsp/${base64}A`, `/ocsp/${base64}%00`, `/ocsp/${base64}%0a`, `/ocsp/%2F${base64}`, `/ocsp%2F${base64}`,
		`/ocsp/${base64.slice(0, -4)}`, `/ocsp/${base64}/`, `/ocsp/${base64}#x`, '/ocsp/%', '/ocsp/%4', '/ocsp/%zz', '/ocsp/M', '/ocsp/MA', '/ocsp/', '/ocsp',
	]) {
		const { status, headers, body } = await ask(path);
		if (status === 200) {
			assert.equal(read(body).status, MALFORMED, path);
			assert.equal(headers['cache-control'], 'no-store', path);
		} else assert.ok([400, 404].includes(status), `${path}: ${status}`);
	}
	for (const path of ['/ocsp/%2F..%2F..%2F..%2Fetc/passwd', '/ocsp/../manifest', '/ocsp/..%2f..%2f..%2fmanifest']) assert.ok([400, 404].includes((await ask(path)).status), path);
});

test('a GET of 255 characters and of more', async () => {
	const lengths = new Map();
	for (let n = 40; n < 140; n++) {
		const text = question(good, [padding(n)]).toString('base64');
		lengths.set(text.length, text);
	}
	for (const n of [300, 1000, 3000, 5500]) lengths.set(n, question(good, [padding(n)]).toString('base64'));
	assert.ok([...lengths.keys()].some((n) => n < 255) && [...lengths.keys()].some((n) => n > 255 && n < 270));
	for (const [n, text] of lengths) {
		const { status, body } = await ask(`/ocsp/${text}`);
		assert.equal(status, 200, `${n}`);
		assert.equal(read(body).state, 'good', `${n}`);
	}
	assert.equal((await ask(`/ocsp/${question(good, [padding(9000)]).toString('base64')}`)).status, 414);
	assert.equal(read((await post(question(good, [padding(9000)]))).body).state, 'good');
	assert.equal((await post(question(good, [padding(10_300)]))).status, 413);
});

test('HTTP/2: GET, HEAD and POST, // and %2F%2F too', async () => {
	const { body } = await post(question());
	const base64 = question().toString('base64');
	const session = http2.connect(`http://127.0.0.1:${other.port}`);
	const send = (headers, data) => new Promise((resolve, reject) => {
		const stream = session.request(headers);
		const parts = [];
		let fields;
		stream.on('response', (h) => { fields = h; }).on('data', (part) => parts.push(part)).on('error', reject)
			.on('end', () => resolve({ headers: fields, body: Buffer.concat(parts) }));
		stream.end(data);
	});
	try {
		for (const path of [`/ocsp/${base64}`, `/ocsp/${encodeURIComponent(base64)}`, `/ocsp//${base64}`]) {
			const answer = await send({ ':path': path });
			assert.equal(answer.headers[':status'], 200);
			assert.ok(answer.body.equals(body), path);
			assert.equal((await send({ ':path': path, 'if-none-match': answer.headers.etag })).headers[':status'], 304);
			const head = await send({ ':path': path, ':method': 'HEAD' });
			assert.equal(Number(head.headers['content-length']), body.length);
			assert.equal(head.body.length, 0);
		}
		const posted = await send({ ':path': '/ocsp/', ':method': 'POST', 'content-type': 'application/ocsp-request' }, question());
		assert.ok(posted.body.equals(body));
		assert.equal((await send({ ':path': '/ocsp/', ':method': 'POST' }, randomBytes(20_000))).headers[':status'], 413);
		assert.equal((await send({ ':path': '/ocsp/', ':method': 'DELETE' })).headers.allow, 'GET, HEAD, POST');
		assert.equal(other.asked().filter((line) => / 413 /.test(line)).length, 1);
	} finally {
		session.close();
	}
});

test('nonces of every length, wrapped and bare', async () => {
	for (const bare of [false, true])
		for (const n of [0, 1, 15, 16, 32, 33, 128, 129]) {
			const asked = nonce(n, { bare });
			const { headers, body } = await post(question(good, [asked]));
			const answer = read(body);
			const what = `${n} octets${bare ? ', bare' : ''}`;
			if (n === 0 || n > 128) { assert.equal(answer.status, MALFORMED, what); continue; }
			assert.equal(answer.state, 'good', what);
			if (n < 16 || n > 32) {
				assert.equal(answer.nonce, undefined, what);
				assert.match(headers['cache-control'], /public/);
			} else {
				assert.ok(asked.subarray(-answer.nonce.length).equals(answer.nonce), what);
				assert.equal(answer.nonce.length, bare ? n : n + 2);
				assert.equal(headers['cache-control'], 'max-age=0, must-revalidate');
			}
		}
});

test('serials that no certificate has', async () => {
	const status = async (hex) => read((await post(question(Buffer.from(hex, 'hex')))).body).status;
	const long = (n) => `11${'22'.repeat(n - 1)}`;
	for (const hex of ['', '00', '0000', '80', 'ff', '0011', `00${good}`, long(21), `00${long(20)}`, `0080${'22'.repeat(20)}`]) assert.equal(await status(hex), MALFORMED, hex);
	for (const hex of ['01', '7f', '0080', long(20), `00ff${'22'.repeat(19)}`]) assert.equal(await status(hex), UNAUTHORIZED, hex);
	assert.equal(await status(good), 0);
});

test('hashes, issuers and CertIDs', async () => {
	const ids = (n) => request(Array.from({ length: n }, () => certId(issuer, good)));
	for (const hash of ['sha1', 'sha256'])
		for (const parameters of [true, false]) {
			const { id, state } = read((await post(question(good, [], { hash, parameters }))).body);
			assert.equal(state, 'good');
			assert.ok(id.equals(certId(issuer, good, { hash })), 'answered with the hash that was asked with');
		}
	assert.equal(read((await post(ids(20))).body).count, 20);
	assert.equal(read((await post(ids(21))).body).status, MALFORMED);
	assert.equal(read((await post(request([]))).body).status, MALFORMED);
	assert.equal(read((await post(request([certId({ ...issuer, key: Buffer.from('x') }, good)]))).body).status, UNAUTHORIZED);
	assert.equal(read((await post(request([certId({ ...issuer, name: seq() }, good)]))).body).status, UNAUTHORIZED);
});

test('policies of a location: nonces that are ignored, and a budget for live answers', async () => {
	const to = asker(`http://127.0.0.1:${other.port + 1}`);
	const path = (where, n) => `${where}${encodeURIComponent(question(good, [nonce(n)]).toString('base64'))}`;
	const ignored = await to(path('/ignore/', 32));
	assert.equal(read(ignored.body).state, 'good');
	assert.equal(read(ignored.body).nonce, undefined);
	assert.match(ignored.headers['cache-control'], /public/);
	/* One a second: what is asked beyond it gets what is stored, and never an error. */
	const answers = await Promise.all(Array.from({ length: 30 }, () => to(path('/tight/', 32))));
	for (const { status, body } of answers) assert.deepEqual([status, read(body).state], [200, 'good']);
	const live = answers.filter(({ body }) => read(body).nonce).length;
	assert.ok(live >= 1 && live < 20, `${live} live answers`);
});

test('who asks, and how the question is signed, is passed over', async () => {
	const file = (name) => join(icert.folder, name);
	const issuerFile = file('issuer.pem');
	must('openssl', ['x509', '-inform', 'DER', '-in', icert.files.issuer, '-out', issuerFile]);
	must('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('who.key'), '-out', file('who.pem'), '-subj', '/CN=who']);
	run('openssl', ['ocsp', '-issuer', issuerFile, '-serial', `0x${good}`, '-no_nonce', '-signer', file('who.pem'), '-signkey', file('who.key'), '-reqout', file('signed.der')]);
	const signed = readFileSync(file('signed.der'));
	assert.ok(signed.length > question().length + 200);
	assert.ok((await post(signed)).body.equals((await post(question())).body));
	signed[signed.length - 5] ^= 1;
	assert.equal(read((await post(signed)).body).state, 'good', 'a wrong signature is passed over too');
});

test('each octet cut and each bit turned: never a wrong "good", and nothing dies', async () => {
	const pids = other.pids().length;
	/* The instance limits POST, as it should; the edge beside it does not. */
	const unlimited = asker(`http://127.0.0.1:${other.port + 1}`);
	const headers = { 'Content-Type': 'application/ocsp-request' };
	for (const [extensions, way] of [[[], 'GET'], [[], 'POST'], [[nonce(16)], 'GET']]) {
		const right = question(good, extensions), id = certId(issuer, good);
		const from = right.indexOf(id);
		const send = (body) => (way === 'GET' ? ask(`/ocsp/${encodeURIComponent(body.toString('base64'))}`) : unlimited('/ocsp/', { method: 'POST', headers, body }));
		const jobs = [];
		for (let n = 0; n < right.length; n++) jobs.push(async () => {
			const { status, body } = await send(right.subarray(0, n));
			assert.equal(status, 200);
			assert.equal(read(body).status, MALFORMED, `cut to ${n}`);
		});
		for (let bit = 0; bit < right.length * 8; bit++) jobs.push(async () => {
			const turned = Buffer.from(right);
			turned[bit >> 3] ^= 1 << (bit & 7);
			const { status, body } = await send(turned);
			const answer = read(body);
			assert.equal(status, 200);
			if (answer.status !== 0) return;
			assert.ok(bit >> 3 < from || bit >> 3 >= from + id.length, `bit ${bit} of the CertID is another, and the answer is ${answer.state}`);
			assert.ok(answer.count === 1 && answer.id.equals(id));
		});
		await Promise.all(Array.from({ length: 8 }, async () => { for (let job = jobs.pop(); job; job = jobs.pop()) await job(); }));
	}
	assert.equal(other.pids().length, pids);
	assert.doesNotMatch(readFileSync(join(icert.prefix, 'log/nginx.log'), 'utf8'), /exited on signal/);
	assert.equal(read((await post(question())).body).state, 'good');
});

test('after a certificate\'s own end: its status as it was, with the archive cutoff at its CA\'s beginning, stored and live', async () => {
	const [valid, lost] = [1, 2].map(() => `01${randomBytes(15).toString('hex')}`);
	icert.sql(goodRows([valid, lost]).replace(/notify icert_status/, `update icert.certificate set not_before = not_before - 90000, not_after = not_before - 3600
		where serial in ('\\x${valid}', '\\x${lost}'); $&`));
	await until(() => /: good/.test(ocsp(icert, lost)), { what: 'good' });
	icert.sql(revokeRows([lost]));
	await until(() => /: revoked/.test(ocsp(icert, lost)), { what: 'revoked' });
	const begun = must('openssl', ['x509', '-inform', 'DER', '-in', icert.files.issuer, '-noout', '-startdate']).trim().split('=')[1];
	const cutoff = /Archive Cutoff: *\n? *(.+)/;
	for (const [serial, verdict] of [[valid, 'good'], [lost, 'revoked'], [good, 'good']])
		for (const args of [['-no_nonce'], ['-nonce']]) {
			const answer = ocsp(icert, serial, '-resp_text', ...args);
			assert.match(answer, /Response verify OK/);
			assert.match(answer, new RegExp(`: ${verdict}$`, 'm'));
			assert.equal(Date.parse(answer.match(cutoff)?.[1]), serial === good ? NaN : Date.parse(begun), answer);
		}
});

test('answers and list agree while certificates come and go', async () => {
	await agreement({ icert, issuer, rounds: 3, seed: 4711 });
});
