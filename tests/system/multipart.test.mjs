// The multipart corpus (tests/multipart) over the wire: in one piece with its length, in chunks, over HTTP/2, cut at random.  The
// same verdict each time and the same hand-over, and the group "requests" octet by octet as somebody sends it who means harm.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { UploadEdge, handover } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { cases } from '../lib/multipart_cases.mjs';
import { random } from '../lib/processes.mjs';

const seed = Number(process.env.MULTIPART_SEED ?? Date.now() % 1e9);
const pick = random(seed);
const all = cases();

const edge = new UploadEdge('multipart', (port, spool) => `
	icert_upload_spool ${spool};
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		add_header X-Reason $icert_reason always;
		proxy_set_header X-Upload $icert_upload;
		location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
	}`, { workers: 1 });
const { nginx } = edge;

before(() => edge.start());
after(() => edge.stop());

/** The body in pieces of random length. */
function* cut(body) {
	for (let at = 0, n; at < body.length; at += n) {
		n = 1 + Math.floor(pick() * (pick() < 0.2 ? 200 : 20));
		yield body.subarray(at, at + n);
	}
}

const whole = (stream) => new Promise((resolve, reject) => {
	const chunks = [];
	stream.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks))).on('error', reject);
});

/** Over HTTP/1.1; in chunks when pieces are given. */
const http1 = (one, pieces) => new Promise((resolve, reject) => {
	const headers = { 'Content-Type': one.type, ...(pieces ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': one.body.length }) };
	const req = http.request(`${nginx.url}/`, { method: 'POST', agent: false, headers }, async (res) => {
		resolve({ status: res.statusCode, reason: res.headers['x-reason'], taken: res.headers['x-taken'], body: await whole(res) });
	}).on('error', reject);
	for (const piece of pieces ?? [one.body]) req.write(piece);
	req.end();
});

/** One connection for all: a refusal ends its stream and no other. */
const over2 = (session) => (one) => new Promise((resolve, reject) => {
	const req = session.request({ ':method': 'POST', ':path': '/', 'content-type': one.type });
	req.on('response', async (headers) => {
		resolve({ status: headers[':status'], reason: headers['x-reason'], taken: headers['x-taken'], body: await whole(req) });
	}).on('error', reject);
	for (const piece of cut(one.body)) req.write(piece);
	req.end();
});

/** What the hand-over has to say, by the events of the case. */
const wanted = ({ parts }) => parts.filter(({ filename, data }) => filename === undefined || data.length > 0).map(({ name, filename, clean, data }) => filename === undefined
	? { name: name.toString(), value: data.toString('latin1') }
	: { name: name.toString(), file: clean.toString(), size: data.length, sha256: createHash('sha256').update(data).digest('hex'), type: 1, width: 0, height: 0 });
const handed = (bytes) => handover(bytes).map(({ spool: where, value, ...rest }) => {
	if (rest.sha256) assert.match(where, /^\d+\/[0-9a-f]{32}$/);
	return value ? { ...rest, value: value.toString('latin1') } : rest;
});

function check(one, answer, how) {
	const where = `${one.name} ${how} (MULTIPART_SEED=${seed})`;
	assert.deepEqual([answer.status, answer.reason || undefined], [one.status, one.reason], where);
	if (answer.status !== 200) return;
	assert.equal(answer.taken, one.passed ? '' : '1', where);
	if (one.passed) assert.ok(answer.body.equals(one.body), where);
	else assert.deepEqual(handed(answer.body), wanted(one), where);
}

/** Some at a time; every case is tried, and what went wrong is told together. */
async function each(list, task, side = 8) {
	const wrong = [], queue = [...list];
	await Promise.all(Array.from({ length: side }, async () => {
		for (let one = queue.shift(); one; one = queue.shift()) {
			try { await task(one); } catch (error) { wrong.push(`${one.name}: ${error.message}`); }
		}
	}));
	assert.equal(wrong.length, 0, wrong.join('\n\n'));
}

const bodies = all.filter(({ body }) => body);
test('with Content-Length', () => each(bodies, async (one) => check(one, await http1(one), 'with its length')));
test('in chunks', () => each(bodies, async (one) => check(one, await http1(one, [...cut(one.body)]), 'in chunks')));
test('over HTTP/2', async () => {
	const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`);
	session.on('error', () => {});
	try {
		const send = over2(session);
		await each(bodies, async (one) => check(one, await send(one), 'over HTTP/2'));
		assert.ok(!session.closed && !session.destroyed, 'the connection outlives every refusal');
	} finally { session.close(); }
});

/** Sends the octets and reads until nginx closes. */
const send = (octets) => new Promise((resolve, reject) => {
	const socket = connect(nginx.port, '127.0.0.1', () => socket.write(octets));
	whole(socket).then(resolve, reject);
});

test('whole requests that say two things at once', async () => {
	const requests = all.filter(({ request }) => request);
	assert.ok(requests.length >= 20);
	await each(requests, async (one) => {
		const hits = edge.behind.hits;
		const text = (await send(one.request)).toString('latin1');
		assert.equal(text.match(/^HTTP\/1\.[01] \d/gm)?.length, 1, `${one.name}: one answer\n${text}`);
		const [, status] = text.match(/^HTTP\/1\.[01] (\d+)/);
		const head = text.slice(0, text.indexOf('\r\n\r\n'));
		const body = Buffer.from(text.slice(head.length + 4), 'latin1');
		check(one, { status: Number(status), reason: head.match(/^X-Reason: (.*)$/im)?.[1], taken: head.match(/^X-Taken: (.*)$/im)?.[1], body }, 'as it is');
		assert.equal(edge.behind.hits - hits, one.requests, `${one.name}: requests that reach the program behind`);
	}, 1);
});

test('nothing stays in the spool', () => until(() => edge.spooled().length === 0, { what: 'an empty spool' }));
