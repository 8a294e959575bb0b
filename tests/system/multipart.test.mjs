// The multipart corpus (tests/multipart) over the wire: with its length, in chunks and over HTTP/2, each body whole, cut at random and
// octet by octet.  The same verdict each time and the same hand-over; the group "requests" as it is, whole requests that mean harm.
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
	icert_upload_min_rate 0;	# octet by octet on a busy machine
	icert_upload_deadline 10m;
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		add_header X-Reason $icert_reason always;
		add_header X-Detail $icert_detail always;
		proxy_set_header X-Upload $icert_upload;
		location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
		location /octets { icert_upload on; client_body_buffer_size 1; proxy_pass http://127.0.0.1:${port + 1}; }
	}`, { workers: 1 });
const { nginx } = edge;

before(() => edge.start());
after(() => edge.stop());

const SMALL = 2 << 10;	// octets of a body that is sent one by one
const PLACES = 300;	// where a larger one is cut

/** The body in pieces: whole, of random length, or of one octet each (a large one at so many places). */
const cuts = {
	whole: (body) => [body],
	random: function* random(body) {
		for (let at = 0, n; at < body.length; at += n) {
			n = 1 + Math.floor(pick() * (pick() < 0.2 ? 200 : 20));
			yield body.subarray(at, at + n);
		}
	},
	octets: function* octets(body) {
		const places = body.length <= SMALL ? Array.from(body, (_, at) => at + 1)
			: [...Array.from({ length: PLACES }, () => Math.floor(pick() * body.length)).sort((a, b) => a - b), body.length];
		let from = 0;
		for (const to of places) {
			if (to > from) yield body.subarray(from, to);
			from = to;
		}
	},
};

const whole = (stream) => new Promise((resolve, reject) => {
	const chunks = [];
	stream.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks))).on('error', reject);
});

/** A piece a write: the next when the one before has left, and none once there is an answer. */
async function feed(req, pieces) {
	let answered = false;
	const answer = new Promise((resolve) => { req.once('response', resolve).once('close', resolve); }).then(() => { answered = true; });
	for (const piece of pieces) {
		if (answered) break;
		await Promise.race([new Promise((resolve) => { req.write(piece, resolve); }), answer]);
	}
	req.end();
}

/** Over HTTP/1.1, with its length or in chunks; `path` as configured above. */
const over1 = (chunked) => (path, one, pieces) => new Promise((resolve, reject) => {
	const headers = { 'Content-Type': one.type, ...(chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': one.body.length }) };
	let answered = false;
	const req = http.request(`${nginx.url}${path}`, { method: 'POST', agent: false, headers }, async (res) => {
		answered = true;
		try {
			resolve({ status: res.statusCode, reason: res.headers['x-reason'], detail: res.headers['x-detail'], taken: res.headers['x-taken'], body: await whole(res) });
		} catch (error) { reject(error); }
		req.destroy();
	}).on('error', (error) => { if (!answered) reject(error); });
	req.setNoDelay(true);
	feed(req, pieces).catch(reject);
});

/** One connection for all: a refusal ends its stream and no other. */
const over2 = (session) => (path, one, pieces) => new Promise((resolve, reject) => {
	const req = session.request({ ':method': 'POST', ':path': path, 'content-type': one.type });
	req.on('response', async (headers) => {
		resolve({ status: headers[':status'], reason: headers['x-reason'], detail: headers['x-detail'], taken: headers['x-taken'], body: await whole(req) });
	}).on('error', reject);
	feed(req, pieces).catch(reject);
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
	if (one.reason === 'upload_malformed' && (one.body || one.refused)) assert.equal(answer.detail, one.refused, where);
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
			try { await task(one); } catch (error) { wrong.push(`${(one[0] ?? one).name}: ${error.message}`); }
		}
	}));
	assert.equal(wrong.length, 0, wrong.join('\n\n'));
}

const bodies = all.filter(({ body }) => body);
/**
 * Every body, cut in every way; octet by octet also where nginx reads no more than one at a time (client_body_buffer_size): elsewhere the
 * kernel, and over HTTP/2 nginx, may put together again what came apart.
 */
const fed = (send, how) => each(bodies.flatMap((one) => [['/', 'whole'], ['/', 'random'], ['/', 'octets'], ['/octets', 'octets']].map((way) => [one, ...way])),
	async ([one, path, cut]) => check(one, await send(path, one, cuts[cut](one.body)), `${how}, ${cut} to ${path}`), 16);
test('with Content-Length', () => fed(over1(false), 'with its length'));
test('in chunks', () => fed(over1(true), 'in chunks'));
test('over HTTP/2', async () => {
	const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`);
	session.on('error', () => {});
	try {
		await fed(over2(session), 'over HTTP/2');
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
		const header = (name) => head.match(new RegExp(`^${name}: (.*)$`, 'im'))?.[1];
		const body = Buffer.from(text.slice(head.length + 4), 'latin1');
		check(one, { status: Number(status), reason: header('X-Reason'), detail: header('X-Detail'), taken: header('X-Taken'), body }, 'as it is');
		assert.equal(edge.behind.hits - hits, one.requests, `${one.name}: requests that reach the program behind`);
	}, 1);
});

test('nothing stays in the spool', () => until(() => edge.spooled().length === 0, { what: 'an empty spool' }));
