// An upload that ends at every stage but the last: its sender goes, in order or by a reset, of HTTP/2 its stream or its connection; the worker
// is killed; nginx reloads; who is asked behind dies before or amid the answer.  Nothing is left: no file, no descriptor, and the
// places in the spool, as many as the next upload needs, are free again.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { UploadEdge, handover } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { opened, signal } from '../lib/processes.mjs';

const FILES = 2;
const edge = new UploadEdge('aborts', (port, spool) => `
	icert_upload_spool ${spool};
	icert_upload_spool_files ${FILES};
	client_body_buffer_size 16k;
	lingering_timeout 1s;
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		location /rules {
			icert_upload on;
			icert_upload_field note text;
			icert_upload_field paper types=pdf count=${FILES};
			proxy_buffering off;
			proxy_pass http://127.0.0.1:${port + 1};
		}
		location = /here { return 200 "here\\n"; }
	}`, { workers: 1 });
const { nginx } = edge;

/** Requests that are being asked behind: each answers, or dies, when it is told to. */
let asked = [];
let fresh;
before(async () => {
	await edge.start();
	edge.behind.removeAllListeners('request').on('request', (req, res) => {
		const chunks = [];
		req.on('data', (chunk) => chunks.push(chunk)).on('error', () => {}).on('end', () => {
			const one = { body: Buffer.concat(chunks), answer: () => res.end(one.body), half: () => { res.writeHead(200, { 'Content-Length': 100 }); res.write('half'); }, die: () => res.destroy(), over: false };
			res.on('close', () => { one.over = true; });
			if (holding) asked.push(one); else one.answer();
		});
	});
	await good('a first one');
	fresh = descriptors();
});
after(() => edge.stop());

let holding = false;
const worker = () => nginx.pids()[0];
const descriptors = () => { const { socket: _, ...others } = opened(worker()); return JSON.stringify(others); };

const pdf = (n) => Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(n, 'x')]);
const head = (name, file) => `\r\n--b\r\nContent-Disposition: form-data; name="${name}"${file ? '; filename="f.pdf"' : ''}\r\n\r\n`;
/** The body piece by piece; a stage is the middle of one. [what, octets, files that are in the spool by then]. */
const PIECES = [
	['the first boundary', '--b', 0],
	['the head of a field', '\r\nContent-Disposition: form-data; name="note"\r\n\r\n', 0],
	['a field', 'a word that somebody typed', 0],
	['the head of a file', head('paper', true), 0],
	['the first octets of a file', '%PDF-1.', 0],
	['a file', pdf(200_000), 1],
	['the boundary between files', '\r\n--b', 1],
	['the head of the second file', head('paper', true).slice(5), 1],
	['the second file', pdf(100_000), 2],
	['the last boundary', '\r\n--b--\r\n', 2],
].map(([what, octets, files]) => [what, Buffer.from(octets), files]);
const BODY = Buffer.concat(PIECES.map(([, octets]) => octets));
const TYPE = 'multipart/form-data; boundary=b';
const HEAD = Buffer.from(`POST /rules HTTP/1.1\r\nHost: a\r\nContent-Type: ${TYPE}\r\nContent-Length: ${BODY.length}\r\n\r\n`);
/** The same as one chunk. */
const CHUNKED = Buffer.from(`POST /rules HTTP/1.1\r\nHost: a\r\nContent-Type: ${TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n`);
let at = 0;
const STAGES = [{ what: 'the head of the request', head: HEAD.length >> 1, octets: 0, files: 0 },
	...PIECES.map(([what, octets, files]) => { at += octets.length; return { what, head: HEAD.length, octets: at - (octets.length + 1 >> 1), files }; })];

/** Opens a connection that has sent as much as a stage is; `said` grows. */
async function sent({ head: n, octets }, chunked) {
	const socket = connect({ port: nginx.port, host: '127.0.0.1', allowHalfOpen: true });
	const one = { socket, said: Buffer.alloc(0), ended: new Promise((resolve) => socket.on('end', resolve).on('close', resolve)) };
	socket.on('error', () => {}).on('data', (chunk) => { one.said = Buffer.concat([one.said, chunk]); });
	const first = chunked ? CHUNKED.subarray(0, n < HEAD.length ? n : undefined) : HEAD.subarray(0, n);
	await new Promise((resolve) => socket.write(Buffer.concat([first, BODY.subarray(0, octets)]), resolve));
	return one;
}
const rest = ({ head: n, octets }) => Buffer.concat([HEAD.subarray(n), BODY.subarray(octets)]);
const arrived = (files, what) => until(() => edge.spooled().length === files, { what: `${what}: ${files} files in the spool`, every: 10 });

async function good(what) {
	const answer = await fetch(`${nginx.url}/rules`, { method: 'POST', headers: { 'content-type': TYPE, connection: 'close' }, body: BODY });
	assert.equal(answer.status, 200, what);
	assert.equal(handover(Buffer.from(await answer.arrayBuffer())).length, 1 + FILES, what);
}
async function nothing(what) {
	await until(() => edge.spooled().length === 0, { what: `${what}: an empty spool`, every: 10 });
	await good(`${what}: the next one has all places`);
	await until(() => descriptors() === fresh, { what: `${what}: ${fresh}`, every: 10 }).catch((error) => { throw new Error(`${error.message}, not ${descriptors()}`); });
}

for (const [how, go] of [['goes', (socket) => socket.end()], ['resets the connection', (socket) => socket.resetAndDestroy()]]) {
	for (const chunked of [false, true]) {
		test(`whoever sends ${how}, ${chunked ? 'chunked' : 'with a length'}`, async () => {
			for (const stage of STAGES) {
				const one = await sent(stage, chunked);
				await arrived(stage.files, stage.what);
				go(one.socket);
				await nothing(stage.what);
				one.socket.destroy();
			}
		});
	}
}

test('HTTP/2: the stream is reset, or the connection closed', async () => {
	for (const { what, octets, files } of STAGES.slice(1)) {
		for (const whole of [false, true]) {
			const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`).on('error', () => {});
			const stream = session.request({ ':method': 'POST', ':path': '/rules', 'content-type': TYPE, 'content-length': BODY.length }, { endStream: false }).on('error', () => {});
			await new Promise((resolve) => stream.write(BODY.subarray(0, octets), resolve));
			// nginx gathers a buffer before a filter sees it: so many are there, or one less.
			await until(() => edge.spooled().length <= files, { what });
			if (whole) session.destroy(); else stream.close(http2.constants.NGHTTP2_CANCEL);
			await nothing(`${what}, ${whole ? 'connection' : 'stream'}`);
			session.destroy();
		}
	}
});

test('the worker is killed: its successor has nothing of it', async () => {
	for (const stage of STAGES.filter(({ files }) => files > 0)) {
		const one = await sent(stage);
		await arrived(stage.files, stage.what);
		const victim = worker();
		signal(victim, 'SIGKILL');
		await one.ended;
		await until(() => nginx.pids().length === 1 && worker() !== victim, { what: `${stage.what}: a successor`, every: 10 });
		await nothing(stage.what);
		one.socket.destroy();
	}
});

test('nginx reloads: what was under way is taken to its end, and then nothing is left', async () => {
	for (const stage of STAGES.filter(({ files, octets }) => files > 0 || octets === 0)) {
		const one = await sent(stage);
		await arrived(stage.files, stage.what);
		const before_ = await nginx.reload();
		one.socket.write(rest(stage));
		await until(() => one.said.includes('\r\n\r\n') || one.socket.closed, { what: `${stage.what}: an answer`, every: 10 });
		// Of a request whose head is not whole yet the old worker knows nothing: it may close.
		if (stage.octets > 0) assert.match(one.said.toString('latin1'), /^HTTP\/1\.1 200 /, stage.what);
		one.socket.destroy();
		await until(() => nginx.pids().every((pid) => !before_.includes(pid)), { what: `${stage.what}: the former worker to go`, every: 10 });
		await nothing(stage.what);
	}
});

test('while the program behind is asked, or answers: its sender goes, it dies, nginx reloads, the worker is killed', async () => {
	const whole = { what: 'whole', head: HEAD.length, octets: BODY.length };
	const ENDS = {
		'its sender goes': ({ socket }) => socket.resetAndDestroy(),
		'the program dies': (_, behind) => behind.die(),
		'nginx reloads, and it answers': async (_, behind) => { await nginx.reload(); behind.answer(); },
		'the worker is killed': async () => {
			const victim = worker();
			signal(victim, 'SIGKILL');
			await until(() => nginx.pids().length === 1 && worker() !== victim, { what: 'a successor', every: 10 });
		},
	};
	for (const half of [false, true]) {
		for (const [what, end] of Object.entries(ENDS)) {
			if (half && what.includes('it answers')) continue;
			holding = true;
			const one = await sent(whole);
			const behind = await until(() => asked.shift(), { what: 'to be asked', every: 10 });
			holding = false;
			if (half) {
				behind.half();
				await until(() => one.said.includes('half'), { what: 'half an answer', every: 10 });
			}
			assert.equal(edge.spooled().length, FILES, `${what}: the files are there as long as they may be taken`);
			await end(one, behind);
			if (what === 'the program dies' && !half) await until(() => /^HTTP\/1\.1 502 /.test(one.said.toString('latin1')), { what: 'an answer', every: 10 });
			await until(() => nginx.pids().length === 1, { what: 'one worker', every: 10 });
			await nothing(`${what}${half ? ', amid the answer' : ''}`);
			one.socket.destroy();
		}
	}
});
