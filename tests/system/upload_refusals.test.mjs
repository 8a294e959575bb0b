// A refusal leaves at the octet that decides it, while the sender still holds the rest: over HTTP/1.1 with a length, chunked, and HTTP/2.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { UploadEdge } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';

const TOTAL = 8 << 20;	// what each sender promises, and never sends
const config = (port, spool) => `
	icert_upload_spool ${spool};
	icert_upload_type dicom 4449434d offset=60;
	icert_upload_progress_zone 64k;
	client_max_body_size 2g;
	lingering_time 60s;
	lingering_timeout 1s;
	icert_upload_linger_time 300ms;
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		add_header X-Reason $icert_reason always;
		add_header X-Field $icert_field always;
		icert_upload_file_size 64k;
		icert_upload_session $cookie_session;
		icert_upload_progress $arg_id $cookie_session;
		location = /progress { icert_upload_progress_report; }
		location /rules {
			icert_upload on;
			icert_upload_field photo types=jpeg,png min=600x500;
			icert_upload_field request types=csr-der,csr-pem,dicom;
			icert_upload_field paper;
			proxy_pass http://127.0.0.1:${port + 1};
		}
		location /soon { icert_upload on; icert_upload_deadline 300ms; proxy_pass http://127.0.0.1:${port + 1}; }
		location /told { icert_upload on; icert_upload_deadline 300ms; error_page 408 @told; proxy_pass http://127.0.0.1:${port + 1}; }
		location /silent { icert_upload on; client_body_timeout 300ms; proxy_pass http://127.0.0.1:${port + 1}; }
		location /behind { icert_upload on; proxy_pass http://127.0.0.1:${port}/no; }
		location /no { return 400; }
		location @told { icert_upload_discard on; return 408 "$icert_reason\n"; }
		location = /metrics { return 200 "$icert_status_counts"; }
	}`;
const edge = new UploadEdge('refusals', config, { workers: 1 });
const { nginx } = edge;
before(() => edge.start());
after(() => edge.stop());

const part = (name, data) => Buffer.concat([Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\n`), data]);
const png = (w, h) => { const b = Buffer.alloc(100); Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(b); b.writeUInt32BE(w, 16); b.writeUInt32BE(h, 20); return b; };
const dicom = Buffer.alloc(100); dicom.write('DICM', 60);
const MORE = Buffer.alloc(20 << 10);	// of HTTP/2 nginx gathers client_body_buffer_size, or the end, before a filter sees it
const TYPE = 'multipart/form-data; boundary=b';

/** What is sent, and what has to come back before anything else is. */
const CASES = {
	'no session': { cookie: '', data: Buffer.alloc(0), want: [401, 'upload_session', ''] },
	'no field of the form': { data: part('other', Buffer.alloc(0)), want: [400, 'upload_field', 'other'] },
	'no type that is taken': { data: part('photo', Buffer.from('%PDF-')), want: [415, 'upload_type', 'photo'] },
	'no request, but a certificate': { data: part('request', Buffer.from(`-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}`)), want: [415, 'upload_type', 'request'] },
	'a request where none is taken': { data: part('paper', Buffer.from('308201223081cc0201003000', 'hex')), want: [415, 'upload_type', 'paper'] },
	'an added type where it is not taken': { data: part('paper', dicom), want: [415, 'upload_type', 'paper'] },
	'a picture too small': { data: part('photo', png(599, 499).subarray(0, 24)), want: [422, 'upload_small', 'photo'] },
	'a file too long': { data: part('paper', Buffer.concat([Buffer.from('%PDF-'), Buffer.alloc(96 << 10)])), want: [413, 'upload_file_size', 'paper'] },
	'ordinary fields too long': { data: Buffer.from(`--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n${'x'.repeat(9000)}`), want: [413, 'upload_fields', 'note'] },
	'a file too many': { data: Buffer.concat([part('paper', Buffer.from('%PDF-')), Buffer.from('\r\n'), part('paper', Buffer.from('%PDF-'))]), want: [413, 'upload_files', 'paper'] },
	'a file without content': { data: Buffer.concat([part('paper', Buffer.alloc(0)), Buffer.from('\r\n--b\r\n')]), want: [415, 'upload_empty', 'paper'] },
	'no multipart': { data: Buffer.from('--c\r\n'), want: [400, 'upload_malformed', ''] },
};

/** HTTP/1.1 by hand; resolves with the answer as soon as its head is there, the connection still open. */
function http1({ data, cookie = 'session=1', total = TOTAL }, chunked) {
	return new Promise((resolve, reject) => {
		const socket = connect({ port: nginx.port, host: '127.0.0.1', allowHalfOpen: true });
		let text = '';
		socket.on('error', reject).on('data', (octets) => {
			text += octets;
			if (!text.includes('\r\n\r\n')) return;
			const header = (name) => text.match(new RegExp(`^${name}: ?(.*)\r$`, 'mi'))?.[1] ?? '';
			resolve({ socket, got: [Number(text.split(' ')[1]), header('X-Reason'), header('X-Field')], connection: header('Connection') });
		});
		socket.write(`POST /rules HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\nContent-Type: ${TYPE}\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${total}`}\r\n\r\n`);
		if (data.length) socket.write(chunked ? Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]) : data);
	});
}

for (const chunked of [false, true]) {
	test(`HTTP/1.1 ${chunked ? 'chunked' : 'with a length'}: each refusal comes before the rest is asked for, and the connection is closed in order`, async () => {
		await Promise.all(Object.entries(CASES).map(async ([name, sent]) => {
			const { socket, got, connection } = await http1(sent, chunked);
			assert.deepEqual(got, sent.want, name);
			assert.equal(connection, 'close', name);
			if (socket.readableEnded === false) await new Promise((resolve) => socket.once('end', resolve));
			socket.destroy();
		}));
		await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
	});
}

const gone = (socket) => new Promise((resolve) => { socket.removeAllListeners('error'); socket.on('error', resolve).on('close', resolve); });

test('who goes on sending after the answer, octet by octet, is read for a moment, then cut off', async () => {
	const { socket, got } = await http1(CASES['no field of the form'], false);
	assert.equal(got[1], 'upload_field');
	const end = gone(socket);
	const sender = setInterval(() => socket.writable && socket.write(Buffer.alloc(1000)), 50);	// never as much as was promised
	// nginx by itself would read for a minute.
	try { await until(async () => Promise.race([end.then(() => true), new Promise((resolve) => setTimeout(resolve, 20, false))]), { what: 'the end of the connection', timeout: 20_000 }); } finally {
		clearInterval(sender);
		socket.destroy();
	}
});

for (const chunked of [false, true]) {
	test(`who sends as fast as it can after the answer is read a megabyte, ${chunked ? 'chunked' : 'with a length'}`, async () => {
		const { socket, got } = await http1({ ...CASES['no field of the form'], total: 1 << 30 }, chunked);
		assert.equal(got[1], 'upload_field');
		const end = gone(socket);
		const octets = Buffer.alloc(1 << 16);
		let more = true;
		end.then(() => { more = false; });
		while (more) if (!socket.write(octets)) await Promise.race([end, new Promise((resolve) => socket.once('drain', resolve))]);
		// Beside the megabyte, what the kernels hold of a connection.
		const taken = socket.bytesWritten - socket.writableLength;
		assert.ok(taken < 1e6 + 12e6, `${taken} octets`);
	});
}

for (const [path, want] of [['/soon', /<center><h1>408 Request Time-out/], ['/told', /^upload_deadline\n$/]]) {
	test(`a body that takes too long is answered: ${path}`, async () => {
		const socket = connect(nginx.port, '127.0.0.1');
		let text = '';
		socket.on('data', (octets) => { text += octets; }).on('error', () => {});
		const head = part('photo', png(700, 600));
		socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nCookie: session=1\r\nContent-Type: ${TYPE}\r\nContent-Length: ${TOTAL}\r\n\r\n`);
		socket.write(head);
		await new Promise((resolve) => socket.once('end', resolve));
		assert.match(text, /^HTTP\/1\.1 408 /);
		assert.match(text, /^X-Reason: upload_deadline\r$/m);
		assert.match(text.split('\r\n\r\n')[1], want);
		socket.destroy();
		await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
	});
}

test('HTTP/2: a body that takes too long is answered, and its stream alone ends', async () => {
	const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`);
	try {
		const stream = session.request({ ':method': 'POST', ':path': '/told', cookie: 'session=1', 'content-type': TYPE }, { endStream: false });
		stream.write(Buffer.concat([part('photo', png(700, 600)), MORE]));
		const answer = await new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject));
		assert.deepEqual([answer[':status'], answer['x-reason']], [408, 'upload_deadline']);
		stream.resume();
		await new Promise((resolve) => stream.on('close', resolve));
		assert.equal(session.closed, false);
	} finally { session.destroy(); }
	await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
});

test('HTTP/2: the answer resets its stream alone, and the others of the connection go on', async () => {
	const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`);
	const open = (cookie = 'session=1') => {
		const stream = session.request({ ':method': 'POST', ':path': '/rules', cookie, 'content-type': TYPE }, { endStream: false });
		stream.answer = new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject));
		stream.closing = new Promise((resolve) => stream.on('close', resolve));
		stream.resume();
		return stream;
	};
	try {
		const other = open();
		other.write(part('photo', Buffer.concat([png(700, 600), MORE])));
		for (const [name, sent] of Object.entries(CASES)) {
			const stream = open(sent.cookie);
			if (sent.data.length) stream.write(Buffer.concat([sent.data, MORE]));
			const answer = await stream.answer;
			assert.deepEqual([answer[':status'], answer['x-reason'], answer['x-field'] ?? ''], sent.want, name);
			await stream.closing;
			assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR, name);
		}
		assert.equal(edge.spooled().length, 1, 'the file of the one that is still being sent');
		other.end('\r\n--b--\r\n');
		assert.equal((await other.answer)[':status'], 200);
		assert.equal(session.closed, false);
	} finally { session.destroy(); }
	await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
});

test('the owner of an upload sees how far it has come and how it ended, and nobody else does', async () => {
	const asked = async (id, session = 'mine') => {
		const res = await fetch(`${nginx.url}/progress?id=${id}`, { headers: { cookie: `session=${session}` } });
		assert.equal(res.headers.get('cache-control'), 'no-store');
		return { status: res.status, ...await res.json() };
	};
	const send = (id, length) => {
		const socket = connect(nginx.port, '127.0.0.1').on('error', () => {}).resume();
		socket.write(`POST /rules?id=${id} HTTP/1.1\r\nHost: a\r\nCookie: session=mine\r\nContent-Type: ${TYPE}\r\nContent-Length: ${length}\r\n\r\n`);
		return socket;
	};
	const ends = async (id, want) => { await until(async () => (await asked(id)).state !== 'receiving', { what: 'its end', every: 20 }); assert.deepEqual(await asked(id), want); };
	const [taken, small, left] = ['a', 'b', 'c'].map((letter) => letter.repeat(32));
	const begun = part('photo', png(700, 600));
	const end = Buffer.from('\r\n--b--\r\n');
	const socket = send(taken, begun.length + end.length);
	socket.write(begun);
	await until(async () => (await asked(taken)).received === begun.length, { what: 'what came', every: 20 });
	assert.deepEqual(await asked(taken), { status: 200, state: 'receiving', received: begun.length, size: begun.length + end.length });
	assert.deepEqual(await asked(taken, 'another'), { status: 404, state: 'unknown' }, 'another session');
	assert.deepEqual(await asked('short'), { status: 404, state: 'unknown' });
	socket.write(end);
	await ends(taken, { status: 200, state: 'received', received: begun.length + end.length, size: begun.length + end.length });
	const refused = part('photo', png(599, 499));
	send(small, TOTAL).write(refused);
	await until(async () => (await asked(small)).status === 200, { what: 'its beginning', every: 20 });
	await ends(small, { status: 200, state: 'refused', received: refused.length, size: TOTAL, reason: 'upload_small' });
	const aborted = send(left, TOTAL);
	aborted.write(begun);
	await until(async () => (await asked(left)).received === begun.length, { what: 'what came', every: 20 });
	aborted.destroy();
	await ends(left, { status: 200, state: 'aborted', received: begun.length, size: TOTAL });
	await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
	socket.destroy();
});

test('requests and added types arrive where they are taken; each refusal is counted by its reason', async () => {
	const session = http2.connect(`http://127.0.0.1:${nginx.port + 2}`);
	try {
		for (const [data, type] of [[Buffer.from('308201223081cc0201003000', 'hex'), 4], [Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\n'), 5], [dicom, 16]]) {
			const stream = session.request({ ':method': 'POST', ':path': '/rules', cookie: 'session=1', 'content-type': TYPE });
			stream.end(Buffer.concat([part('request', data), Buffer.from('\r\n--b--\r\n')]));
			const chunks = [];
			for await (const chunk of stream) chunks.push(chunk);
			assert.equal(Buffer.concat(chunks).at(-9 - 9), type, 'the type stands before width, height and the end');
		}
	} finally { session.destroy(); }
	const counted = await (await fetch(`${nginx.url}/metrics`)).text();
	const wanted = {};
	for (const { want } of Object.values(CASES)) wanted[want[1]] = (wanted[want[1]] ?? 0) + 3;
	wanted.upload_field += 3;	// of who went on sending
	wanted.upload_deadline = 3;	// of who took too long
	wanted.upload_small++;	// of who asked how far it had come
	for (const [reason, n] of Object.entries(wanted))
		assert.match(counted, new RegExp(`^icert_refusals_total\\{reason="${reason}"\\} ${n}$`, 'm'));
	assert.match(counted, /^icert_refusals_total\{reason="upload_spool"\} 0$/m, 'what never was is 0');
});

test('what nginx itself refuses is counted too: too large, chunks that are none, silence; what the program behind says is not', async () => {
	const one = (head) => new Promise((resolve) => {
		const socket = connect(nginx.port, '127.0.0.1');
		let text = '';
		socket.on('data', (octets) => { text += octets; }).on('error', () => {}).on('close', () => resolve(text.slice(9, 12)));
		socket.write(`POST ${head}`);
	});
	const begin = (path) => `${path} HTTP/1.1\r\nHost: a\r\nCookie: session=1\r\nContent-Type: ${TYPE}\r\n`;
	assert.equal(await one(`${begin('/rules')}Content-Length: ${3 * 2 ** 30}\r\n\r\n`), '413');
	assert.equal(await one(`${begin('/rules')}Transfer-Encoding: chunked\r\n\r\nno chunk\r\n`), '400');
	assert.equal(await one(`${begin('/silent')}Content-Length: 100\r\n\r\n`), '', 'nginx closes without a word');
	assert.equal(await one(`${begin('/behind').replace(TYPE, 'text/plain')}Content-Length: 1\r\nConnection: close\r\n\r\nx`), '400', 'of whoever is behind');
	const counted = await (await fetch(`${nginx.url}/metrics`)).text();
	for (const reason of ['http_400', 'http_408', 'http_413']) assert.match(counted, new RegExp(`^icert_refusals_total\\{reason="${reason}"\\} 1$`, 'm'));
});

test('what a killed worker was receiving has ended for who asks', async () => {
	const asked = async () => (await (await fetch(`${nginx.url}/progress?id=${'d'.repeat(32)}`, { headers: { cookie: 'session=mine', connection: 'close' } })).json()).state;
	const socket = connect(nginx.port, '127.0.0.1').on('error', () => {}).resume();
	socket.write(`POST /rules?id=${'d'.repeat(32)} HTTP/1.1\r\nHost: a\r\nCookie: session=mine\r\nContent-Type: ${TYPE}\r\nContent-Length: ${TOTAL}\r\n\r\n`);
	await until(async () => await asked() === 'receiving', { what: 'its beginning', every: 20 });
	const [victim] = nginx.pids();
	process.kill(victim, 'SIGKILL');
	await until(() => nginx.pids().length === 1 && nginx.pids()[0] !== victim, { what: 'a successor', every: 20 });
	assert.equal(await asked(), 'aborted');
	socket.destroy();
});
