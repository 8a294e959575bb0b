// Uploads of every kind at once: good, refused for each reason, broken off at a random octet, with nobody behind, over HTTP/1.1, in
// chunks and over HTTP/2, while workers are killed and nginx reloads.  Afterwards nothing of them may be left.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { UploadEdge, handover } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { multipart } from '../lib/multipart.mjs';
import { opened, random, signal } from '../lib/processes.mjs';

const config = (port, spool) => `
	icert_upload_spool ${spool};
	icert_limit_zone people key=$http_x_person rate=1000/s burst=100000 size=256k;
	icert_limit_zone greedy key=$http_x_person rate=1/h burst=1 size=256k;
	client_max_body_size 2m;
	client_body_buffer_size 256k;
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		add_header X-Reason $icert_reason always;
		icert_upload_file_size 64k;
		icert_upload_files 3;
		icert_upload_parts 8;
		icert_upload_field_size 4k;
		icert_limit people;
		location /rules {
			icert_upload on;
			icert_upload_field cedula types=pdf size=32k required;
			icert_upload_field photo types=png min=600x500 count=2;
			icert_upload_field note text required;
			proxy_pass http://127.0.0.1:${port + 1};
		}
		location /free { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
		location /soon { icert_upload on; icert_upload_deadline 300ms; proxy_pass http://127.0.0.1:${port + 1}; }
		location /nobody { icert_upload on; proxy_pass http://127.0.0.1:${port + 3}; }
		location /greedy { icert_limit greedy; icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
		location = /counts { icert_limit off; default_type text/plain; return 200 $icert_limit_counts; }
	}`;

const pdf = (octets) => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(octets)]);
const png = (w, h) => { const b = Buffer.alloc(400); Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(b); b.writeUInt32BE(w, 16); b.writeUInt32BE(h, 20); return b; };
const file = (name, data) => ({ name, filename: `${name}.bin`, data });
const note = { name: 'note', value: 'x' };
const many = (n, make) => Array.from({ length: n }, (_, i) => make(i));

/** What is sent, and what must come of it: [path, status, reason, parts, how to break it]. */
const KINDS = {
	good: (n) => ['/rules', 200, undefined, [note, file('cedula', pdf(n % 32_000)), file('photo', png(600, 500))]],
	free: (n) => ['/free', 200, undefined, [{ name: 'a', value: 'b' }, file('f', pdf(n)), file('g', pdf(1 + n / 9))]],
	field: (n) => ['/rules', 400, 'upload_field', [note, file('cedula', pdf(100)), file('other', pdf(n))]],
	missing: (n) => ['/rules', 400, 'upload_missing', [note, file('photo', png(600, 500))]],
	size: (n) => ['/rules', 413, 'upload_file_size', [note, file('cedula', pdf(33_000 + n))]],
	files: (n) => ['/free', 413, 'upload_files', many(4, (i) => file(`f${i}`, pdf(n / 4)))],
	count: (n) => ['/rules', 413, 'upload_files', [note, file('cedula', pdf(n % 32_000)), ...many(3, () => file('photo', png(600, 500)))]],
	parts: (n) => ['/free', 413, 'upload_parts', [file('f', pdf(n)), ...many(8, (i) => ({ name: `a${i}`, value: '1' }))]],
	fields: (n) => ['/free', 413, 'upload_fields', [file('f', pdf(n)), { name: 'a', value: 'x'.repeat(5000) }]],
	type: (n) => ['/free', 415, 'upload_type', [file('f', pdf(n)), file('g', Buffer.from('MZ no document'))]],
	empty: (n) => ['/free', 415, 'upload_empty', [file('f', pdf(n)), file('g', Buffer.alloc(0))]],
	small: (n) => ['/rules', 422, 'upload_small', [note, file('cedula', pdf(n % 32_000)), file('photo', png(599, 499))]],
	malformed: (n) => ['/free', 400, 'upload_malformed', [file('f', pdf(n)), { raw: 'Content-Disposition: attachment\r\n\r\n' }]],
	truncated: (n) => ['/free', 400, 'upload_truncated', [file('f', pdf(n))], { close: false }],
	body: () => ['/free', 413, 'http_413', [file('f', pdf(2_100_000))]],
	nobody: (n) => ['/nobody', 502, undefined, [file('f', pdf(n))]],
	greedy: (n) => ['/greedy', 429, 'limit', [file('f', pdf(n))]],
	deadline: (n) => ['/soon', 408, 'upload_deadline', [file('f', pdf(n + 100))]],
	aborted: (n) => ['/free', 'gone', undefined, [file('f', pdf(n)), file('g', pdf(n))]],
};
/** People who ask, one address of the zone each: so many slots may be in use in the end, and no more. */
const PEOPLE = 40;

const read = (stream, resolve, reject, status, headers) => {
	const chunks = [];
	stream.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
		.on('end', () => resolve({ status, reason: headers['x-reason'] || undefined, body: Buffer.concat(chunks) }));
};

function over1({ port, path, body, contentType, person, chunked }) {
	return new Promise((resolve, reject) => {
		const headers = { 'Content-Type': contentType, 'X-Person': person, ...(chunked ? {} : { 'Content-Length': body.length }) };
		const req = http.request({ port, path, method: 'POST', agent: false, headers }, (res) => read(res, resolve, reject, res.statusCode, res.headers)).on('error', reject);
		for (let at = 0; chunked && at < body.length; at += 8000) req.write(body.subarray(at, at + 8000));
		req.end(chunked ? undefined : body);
	});
}

function over2({ port, path, body, contentType, person }) {
	return new Promise((resolve, reject) => {
		const session = http2.connect(`http://127.0.0.1:${port + 2}`).on('error', reject);
		const req = session.request({ ':method': 'POST', ':path': path, 'content-type': contentType, 'x-person': person }).on('error', reject)
			.on('response', (headers) => read(req, resolve, reject, headers[':status'], headers)).on('close', () => { session.close(); reject(new Error('closed')); });
		req.end(body);
	});
}

/** Sends part of a request; 'gone' when we go, 'closed' when nginx does without a word; else its answer. */
function part({ port, path, body, contentType, person, sent, stay }) {
	return new Promise((resolve, reject) => {
		const head = Buffer.from(`POST ${path} HTTP/1.1\r\nHost: x\r\nX-Person: ${person}\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`);
		const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([head, body]).subarray(0, sent(head.length, body.length)), () => {
			if (!stay) { socket.destroy(); resolve({ status: 'gone' }); }
		}));
		let said = '';
		socket.on('data', (text) => {
			said += text;
			if (!said.includes('\r\n\r\n')) return;
			resolve({ status: Number(said.slice(9, 12)), reason: said.match(/^X-Reason: (.*)\r$/m)?.[1] });
			socket.destroy();
		}).on('error', reject).on('close', () => resolve({ status: 'closed' }));
	});
}

/**
 * `count` uploads, sixteen at a time.  Returns how many there were of each kind and how many a kill took with it; throws when a verdict
 * is another than it must be, or when files, descriptors or slots are left.
 */
export async function mixedUploads({ count, seed, kills = Math.ceil(count / 250), reloads = Math.ceil(count / 500) }) {
	const pick = random(seed);
	const upto = (n) => Math.floor(pick() * n);
	const edge = await new UploadEdge('mixed', config).start();
	const { nginx } = edge;
	const names = Object.keys(KINDS), seen = Object.fromEntries(names.map((name) => [name, 0]));
	const acts = new Map([...many(kills, () => 'kill'), ...many(reloads, () => 'reload')].map((act) => [1 + upto(count - 1), act]));
	const leaving = new Set();
	let begun = 0, killed = 0, lost = 0, acting = Promise.resolve();

	const opens = (one) => one['anon_inode:[eventpoll]'] && one[`${edge.spool}/PID`];
	await until(() => opens(opened(nginx.pids()[0])), { what: 'a worker that has opened what it needs', every: 50 });
	const fresh = JSON.stringify(opened(nginx.pids()[0]));

	const kill = async () => {
		// One that is to have a successor: not one of before a reload.
		const before = nginx.pids().filter((pid) => !leaving.has(pid));
		const pid = before[upto(before.length)];
		killed++;
		signal(pid, 'SIGKILL');
		await until(() => nginx.pids().some((one) => !before.includes(one) && !leaving.has(one)), { what: 'a successor', every: 20 });
		await until(() => !readdirSync(edge.spool).includes(String(pid)), { timeout: 5000, what: 'the folder of a killed worker to go', every: 20 });
	};
	const reload = async () => { for (const pid of await nginx.reload()) leaving.add(pid); };
	const one = async () => {
		const name = begun < names.length ? names[begun] : names[upto(names.length)];
		const [path, status, reason, parts, broken] = KINDS[name](1 + upto(30_000));
		const upload = { port: nginx.port, path, person: `p${upto(PEOPLE)}`, ...multipart(parts, broken) };
		const kills0 = killed;
		let answer;
		try {
			if (name === 'aborted') answer = await part({ ...upload, sent: (head, body) => 1 + upto(head + body - 1) });
			else if (name === 'deadline') answer = await part({ ...upload, stay: true, sent: (head, body) => head + upto(body) });
			else if (name === 'body') answer = await over1(upload);	// without a length the file's own size is reached first
			else answer = await [over1, (u) => over1({ ...u, chunked: true }), over2][upto(3)](upload);
		} catch (error) {
			if (killed === kills0) throw new Error(`${name}, seed ${seed}: ${error.message}`, { cause: error });
			lost++;
			return;
		}
		seen[name]++;
		// A burst of one: the first of each person passes.
		if (name === 'greedy' && answer.status === 200) return;
		// What a kill closes has no answer either.
		if (answer.status === 'closed' && status !== 'closed' && killed > kills0) { lost++; return; }
		assert.deepEqual([answer.status, status === 502 ? undefined : answer.reason], [status, reason], `${name}, seed ${seed}`);
		if (status === 200) {
			assert.deepEqual(handover(answer.body).filter((r) => r.sha256).map((r) => r.sha256),
				parts.filter((p) => p.data).map((p) => createHash('sha256').update(p.data).digest('hex')), `${name}, seed ${seed}`);
		}
	};
	try {
		await Promise.all(many(16, async () => {
			while (begun < count) {
				const act = acts.get(begun);
				if (act) acting = acting.then(() => act === 'kill' ? kill() : reload());
				const doing = one();
				begun++;
				await doing;
			}
		}));
		await acting;
		await until(() => nginx.pids().length === 2, { what: 'the workers of before a reload to go', timeout: 20_000 })
			.catch((error) => { throw new Error(`${error.message}, seed ${seed}: ${nginx.pids().map((pid) => `${pid} ${leaving.has(pid) ? 'leaving' : ''} ${JSON.stringify(opened(pid))}`)}\n${nginx.logged().split('\n').slice(-40).join('\n')}`); });
		await until(() => edge.spooled().length === 0, { what: 'an empty spool', timeout: 10_000 });
		assert.deepEqual(readdirSync(edge.spool).sort(), nginx.pids().map(String).sort(), 'a folder for each worker, and no other');

		const counts = await new Promise((resolve, reject) => http.get(`${nginx.url}/counts`, { agent: false }, (res) => read(res, ({ body }) => resolve(String(body)), reject, 200, {})));
		for (const zone of ['people', 'greedy']) {
			const used = Number(counts.match(new RegExp(`icert_limit_keys{policy="${zone}"} (\\d+)`))[1]);
			assert.ok(used > 0 && used <= PEOPLE, `${zone}: ${used} slots for ${PEOPLE} people`);
			assert.match(counts, new RegExp(`icert_limit_evicted_total{policy="${zone}"} 0`));
		}

		let now;
		await until(() => {
			now = nginx.pids().map(opened);
			return now.every((one) => JSON.stringify(one) === fresh);
		}, { what: `idle workers with the descriptors of a new one, ${fresh}`, timeout: 15_000 }).catch((error) => { throw new Error(`${error.message}, and not ${JSON.stringify(now)}`); });
		return { seen, lost, killed };
	} finally {
		await edge.stop();
	}
}
