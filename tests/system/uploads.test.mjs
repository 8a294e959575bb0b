// Uploads as an administrator configures them, in an nginx of the test's own: what each field may carry, decided as its octets come,
// and how much the spool takes.  Behind it a server that reads the hand-over.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { UploadEdge, handover } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { multipart } from '../lib/multipart.mjs';
import { Nginx, nginxEnv } from '../lib/nginx.mjs';
import { run } from '../lib/tools.mjs';

const pdf = (octets = 100) => Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(octets - 9, 0x20)]);
const png = (w, h) => { const b = Buffer.alloc(100); Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(b); b.writeUInt32BE(w, 16); b.writeUInt32BE(h, 20); return b; };
const jpeg = (w, h, before = 0) => Buffer.concat([Buffer.from([0xff, 0xd8]),
	...Array.from({ length: before }, () => Buffer.concat([Buffer.from([0xff, 0xe1, 0xff, 0xff]), Buffer.alloc(65533, 0xc0)])),
	Buffer.from([0xff, 0xc0, 0, 11, 8, h >> 8, h & 255, w >> 8, w & 255, 1, 1, 0x11, 0]), Buffer.alloc(50, 1)]);
const file = (name, data) => ({ name, filename: `${name}.bin`, data });

const post = (path, parts, broken) => new Promise((resolve, reject) => {
	const { contentType, body } = multipart(parts, broken);
	const req = http.request(`${nginx.url}${path}`, { method: 'POST', agent: false, headers: { 'Content-Type': contentType, 'Content-Length': body.length } }, (res) => {
		const chunks = [];
		res.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
			const text = Buffer.concat(chunks);
			resolve({ status: res.statusCode, reason: res.headers['x-reason'], field: res.headers['x-field'], records: res.statusCode === 200 ? handover(text) : [] });
		});
	});
	req.on('error', reject);
	req.end(body);
});
const refused = async (status, reason, field, path, parts) => {
	const answer = await post(path, parts);
	assert.deepEqual([answer.status, answer.reason, answer.field], [status, reason, field]);
};
const config = (port, spool) => `
	icert_upload_spool ${spool};
	icert_upload_spool_files 3;
	client_max_body_size 20m;
	client_body_buffer_size 1m;
	server {
		listen 127.0.0.1:${port};
		listen 127.0.0.1:${port + 2} http2;
		add_header X-Reason $icert_reason always;
		add_header X-Field $icert_field always;
		icert_upload_file_size 1m;
		proxy_pass_request_headers on;
		proxy_request_buffering on;
		location /rules {
			icert_upload on;
			icert_upload_field cedula types=pdf,jpeg size=200k required;
			icert_upload_field photo types=jpeg,png min=600x500 count=2;
			icert_upload_field paper_*;
			icert_upload_field note text required;
			proxy_pass http://127.0.0.1:${port + 1};
		}
		location /free { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
	}`;
const edge = new UploadEdge('uploads', config, { workers: 1 });
const { nginx } = edge;

before(() => edge.start());
after(() => edge.stop());

const note = { name: 'note', value: 'x' };

test('what the rules allow arrives with its size, digest, type and measure', async () => {
	const photo = jpeg(700, 600, 2);
	const { status, records: found } = await post('/rules', [note, file('cedula', pdf()), file('photo', photo), file('photo', png(500, 600)), file('paper_7', pdf(300))]);
	assert.equal(status, 507, 'four files, of which the spool takes three');
	const { records: all } = await post('/rules', [note, file('cedula', pdf()), file('photo', photo), file('photo', png(500, 600))]);
	assert.deepEqual(all.map((r) => [r.name, r.value?.toString() ?? r.size, r.width ?? '', r.height ?? '']),
		[['note', 'x', '', ''], ['cedula', 100, 0, 0], ['photo', photo.length, 700, 600], ['photo', 100, 500, 600]]);
	assert.equal(all[2].sha256, createHash('sha256').update(photo).digest('hex'));
	assert.deepEqual(found, []);
});

test('each rule refuses at the octet that breaks it, with its reason and its field', async () => {
	await refused(400, 'upload_field', 'other', '/rules', [note, file('other', pdf())]);
	await refused(400, 'upload_field', 'hidden', '/rules', [note, { name: 'hidden', value: '1' }]);
	await refused(415, 'upload_type', 'cedula', '/rules', [note, file('cedula', png(900, 900))]);
	await refused(413, 'upload_file_size', 'cedula', '/rules', [note, file('cedula', pdf(201 * 1024))]);
	await refused(422, 'upload_small', 'photo', '/rules', [note, file('photo', png(599, 499))]);
	await refused(422, 'upload_small', 'photo', '/rules', [note, file('photo', jpeg(640, 480, 1))]);
	await refused(415, 'upload_type', 'photo', '/rules', [note, file('photo', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xd9]), Buffer.alloc(90)]))]);
	await refused(415, 'upload_type', 'photo', '/rules', [note, file('photo', jpeg(700, 600, 1).subarray(0, 3000))]);
	await refused(413, 'upload_files', 'photo', '/rules', [note, ...Array.from({ length: 3 }, () => file('photo', png(600, 500)))]);
	await refused(400, 'upload_missing', 'cedula', '/rules', [note, file('photo', png(600, 500))]);
	await refused(400, 'upload_missing', 'note', '/rules', [file('cedula', pdf())]);
	await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
});

test('where no rule stands any field may carry a file, and a picture is measured all the same', async () => {
	const { records: found } = await post('/free', [{ name: 'any', value: 'thing' }, file('a', png(3, 2)), file('b', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xd9]), Buffer.alloc(90)]))]);
	assert.deepEqual(found.slice(1).map(({ name, width, height }) => [name, width, height]), [['a', 3, 2], ['b', 0, 0]]);
});

/** What nginx says over an HTTP/2 connection without TLS: every frame, as it goes by. */
async function overhear(seen) {
	const relay = createServer((client) => {
		const server = connect(nginx.port + 2, '127.0.0.1');
		let rest = Buffer.alloc(0);
		server.on('data', (data) => {
			rest = Buffer.concat([rest, data]);
			while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
				const end = 9 + rest.readUIntBE(0, 3);
				seen({ type: rest[3], stream: rest.readUInt32BE(5), payload: rest.subarray(9, end) });
				rest = rest.subarray(end);
			}
		});
		client.pipe(server).pipe(client);
		for (const end of [client, server]) end.on('error', () => {}).on('close', () => { client.destroy(); server.destroy(); });
	});
	await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
	return relay;
}

// Chromium asks with a PING, that waits behind the body, when it hears nothing for ten seconds, and gives the connection up ten seconds later.
test('over HTTP/2 whoever sends slowly hears within seconds that it comes, each octet once, and as often as it goes on', async () => {
	const updates = [];
	let sent = 0;
	const relay = await overhear(({ type, stream, payload }) => {
		if (type === 8 && stream === 0 && sent > 0) updates.push({ at: Date.now(), octets: payload.readUInt32BE(0), sent });
	});
	const session = http2.connect(`http://127.0.0.1:${relay.address().port}`);
	// With its settings nginx opens the connection's window.
	await once(session, 'remoteSettings');
	const { contentType, body } = multipart([file('a', pdf(200_000))]);
	const upload = (path) => {
		const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': contentType, 'content-length': body.length }, { endStream: false });
		return { stream, at: 0, status: new Promise((resolve, reject) => stream.on('response', (headers) => resolve(headers[':status'])).on('error', reject).resume()) };
	};
	try {
		const uploads = [upload('/free'), upload('/free')];
		const begun = Date.now();
		await until(() => {
			for (const one of uploads) {
				const piece = body.subarray(one.at, one.at += 500);
				one.stream.write(piece);
				sent += piece.length;
			}
			// Its answers, and what is told of the body, are frames of one kind to nginx.
			session.ping(() => {});
			return updates.length >= 2;
		}, { what: 'two words from nginx', every: 50, timeout: 30_000 });
		const gaps = updates.map(({ at }, n) => at - (n ? updates[n - 1].at : begun));
		assert.ok(Math.max(...gaps) < 9000, String(gaps));
		let given = 0;
		for (const { octets, sent: by } of updates) {
			given += octets;
			assert.ok(octets > 0 && given <= by, `${given} of ${by}`);
		}
		assert.ok(given > updates.at(-1).sent / 3, `${given} of ${updates.at(-1).sent}`);
		for (const one of uploads) one.stream.end(body.subarray(one.at));
		assert.deepEqual(await Promise.all(uploads.map(({ status }) => status)), [200, 200]);
		const third = upload('/free');
		third.stream.end(body);
		assert.equal(await third.status, 200, 'the connection goes on');
		await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
	} finally {
		session.destroy();
		relay.close();
	}
});

test('no more files at once than the spool may hold, and room is kept free', async () => {
	await refused(507, 'upload_spool', 'd', '/free', ['a', 'b', 'c', 'd'].map((name) => file(name, pdf())));
	const { status } = await post('/free', ['a', 'b', 'c'].map((name) => file(name, pdf())));
	assert.equal(status, 200, 'those of before are gone');
	await nginx.reload((port) => config(port, edge.spool).replace('icert_upload_spool_files 3;', 'icert_upload_spool_free 1000000g;'));
	await until(async () => (await post('/free', [file('a', pdf())])).reason === 'upload_spool', { what: 'a spool that is full' });
	await nginx.reload((port) => config(port, edge.spool));
});

/** An upload that has begun: what it has in the spool, the rest of it, and what is answered. */
async function begun(path, octets) {
	const { contentType, body } = multipart([file('a', pdf(octets))]);
	const req = http.request(`${nginx.url}${path}`, { method: 'POST', agent: false, headers: { 'Content-Type': contentType, 'Content-Length': body.length } });
	const answer = new Promise((resolve) => req.on('response', (res) => resolve([res.resume().statusCode, res.headers['x-reason']])).on('error', (error) => resolve([0, error.code])));
	req.write(body.subarray(0, octets / 2));
	const there = await Promise.race([answer, until(() => edge.spooled()[0], { what: 'its file' })]);
	return { there, answer, rest: () => req.end(body.subarray(octets / 2)), leave: () => req.destroy() };
}

/** Until who leaves has left: it still answers those who come, as before, and it has no successor. */
const alone = () => until(() => nginx.pids().length === 1, { what: 'one worker' });

test('a file that has begun ends where the room does', async () => {
	const filler = `${edge.spool}.filler`, room = () => { const { bavail, bsize } = statfsSync(edge.spool); return bavail * bsize; };
	try {
		for (;;) {
			// Whoever else is on this machine takes room too, and gives it back.
			const free = room() - (16 << 20);
			await nginx.reload((port) => config(port, edge.spool).replace('icert_upload_spool_files 3;', `icert_upload_spool_free ${free};`));
			await alone();
			const one = await begun('/free', 900_000);
			if (typeof one.there !== 'string') continue;
			while (room() > free - (4 << 20)) appendFileSync(filler, Buffer.alloc(1 << 20, 1));
			one.rest();
			const answer = await one.answer, full = room() < free;
			rmSync(filler);
			if (!full && answer[0] === 200) continue;
			assert.deepEqual(answer, [507, 'upload_spool']);
			break;
		}
		await until(() => edge.spooled().length === 0, { what: 'an empty spool' });
	} finally {
		rmSync(filler, { force: true });
		await nginx.reload((port) => config(port, edge.spool));
	}
});

test('what a killed worker was receiving is gone before its successor answers anybody', async () => {
	await alone();
	for (let n = 0; n < 3; n++) {
		const one = await begun('/free', 900_000), worker = readdirSync(edge.spool).find((name) => existsSync(join(edge.spool, name, one.there)));
		process.kill(Number(worker), 'SIGKILL');
		assert.equal((await one.answer)[0], 0, 'nobody answers any more');
		// Whoever waited at the socket meanwhile is answered first: nothing may be left of the other by then.
		const next = await until(() => post('/free', [{ name: 'a', value: 'b' }]), { what: 'the successor', every: 1 });
		const left = existsSync(join(edge.spool, worker));
		assert.equal(next.status, 200);
		assert.equal(left, false);
		assert.deepEqual(edge.spooled(), []);
	}
});

test('the example of the module\'s README does what it says', async () => {
	const readme = readFileSync(new URL('../../ngx_icert_module/README.md', import.meta.url), 'utf8');
	const example = /```nginx\n([^]*?)```/.exec(readme)[1];
	const places = (port) => [['listen 8080', `listen 127.0.0.1:${port}`], ['/dev/shm/spool', edge.spool], ['/var/lib/GeoIP', edge.folder], ['/run/app.sock', join(edge.folder, 'app.sock')]];
	const other = new Nginx(join(edge.folder, 'example'), (port) => places(port).reduce((text, [from, to]) => {
		assert.ok(text.includes(from), from);
		return text.replace(from, to);
	}, example), { workers: 1 });
	await other.start();
	try {
		const send = async (parts) => {
			const { contentType, body } = multipart(parts);
			const answer = await fetch(other.url, { method: 'POST', headers: { 'Content-Type': contentType }, body });
			return [answer.status, await answer.text(), answer.headers.get('ratelimit-policy')];
		};
		assert.deepEqual(await send([file('cedula', png(600, 600))]), [415, 'upload_type cedula\n', '"page";q=40;w=4']);
		assert.deepEqual(await send([file('cedula', pdf(3 << 20))]), [413, 'http_413 \n', null], 'by its length, before the limits');
		assert.deepEqual(await send([{ name: 'cedula', value: 'x' }]), [400, 'upload_missing cedula\n', '"page";q=40;w=4']);
		const [status] = await send([file('cedula', pdf())]);
		assert.equal(status, 502, 'taken, and nobody is behind');
	} finally { await other.stop(); }
});

test('a configuration that cannot be is refused with the name of what is wrong', () => {
	for (const [line, words] of [
		['icert_upload_field a types=pdf,exe;', 'invalid parameter "types=pdf,exe"'],
		['icert_upload_field a size=0;', 'invalid parameter "size=0"'],
		['icert_upload_field a min=600;', 'invalid parameter "min=600"'],
		['icert_upload_field a count=21;', 'invalid parameter "count=21"'],
		['icert_upload_field a often;', 'invalid parameter "often"'],
		['icert_upload_field a text types=pdf;', 'text has no types'],
		['icert_upload_field a text count=2;', 'text has no types, size, count or min'],
		['icert_upload_field a types=pdf; icert_upload_field a text; icert_upload_field a* types=pdf; icert_upload_field a types=png;', 'icert_upload_field "a" stands twice'],
		['server { location /p { icert_upload_progress_report; } }', 'icert_upload_progress_report needs icert_upload_progress'],
		['icert_upload_progress $arg_id $cookie_a;', 'needs icert_upload_progress_zone'],
		['icert_upload_progress_zone 4k;', 'invalid zone size "4k"'],
		['icert_upload_types pdf exe;', 'unknown type "exe"'],
		['icert_upload_type jpeg ffd8;', 'type "jpeg" is there already'],
		['icert_upload_type zip 504g;', '"504g" is not hexadecimal'],
		['icert_upload_type zip 504;', '"504" is not hexadecimal'],
		['icert_upload_type zip 504b offset=63;', '"504b" is not hexadecimal of octets among the first 64'],
		['icert_upload_type zip 504b offset=x;', 'invalid parameter "offset=x"'],
		['icert_upload_spool_files 0;', 'icert_upload_spool_files cannot be 0'],
		['icert_upload_spool_free many;', 'invalid value: "many"'],
		['icert_upload_file_size 2x;', 'invalid value: "2x"'],
		['icert_upload_files -1;', 'invalid number: "-1"'],
		['icert_upload_deadline soon;', 'invalid value: "soon"'],
		['icert_upload_min_rate fast;', 'invalid value: "fast"'],
		['icert_upload_linger_time 1y1;', 'invalid value: "1y1"'],
		['icert_upload_spool_on_disk perhaps;', 'invalid value "perhaps"'],
		['icert_status_poll often;', 'invalid value: "often"'],
		['icert_status_stale_soft 5x;', 'invalid value: "5x"'],
		['icert_status_max_age -3;', 'invalid value: "-3"'],
		['icert_status_verify_limit all;', 'invalid value: "all"'],
		['icert_limit_status 200;', 'invalid value: "200"'],
	]) {
		const other = new Nginx(join(edge.folder, 'bad'), () => line);
		mkdirSync(other.folder, { recursive: true });
		other.configure();
		const { status, stderr } = run('nginx', ['-t', '-e', 'stderr', '-p', other.folder, '-c', other.config], { env: nginxEnv() });
		assert.notEqual(status, 0, line);
		assert.ok(stderr.includes(words), `${line}: ${stderr}`);
		assert.match(stderr, /in \S+nginx\.conf:\d+/, `${line}: where it stands`);
	}
});

test('uploads beside a body that is not waited for, or without a spool, are refused at start with the line of icert_upload', () => {
	const spool = `icert_upload_spool ${edge.spool};`;
	const off = (word) => `location /taken {\n\ticert_upload on;\n\t${word}_request_buffering off;\n}`;
	for (const [http, words] of [
		[`${spool}\nserver {\n${off('fastcgi')}\n}`, 'fastcgi_request_buffering and proxy_request_buffering on'],
		[`${spool}\nserver {\n${off('proxy')}\n}`, 'fastcgi_request_buffering and proxy_request_buffering on'],
		[`${spool}\nfastcgi_request_buffering off;\nserver {\nlocation / { }\nlocation /in {\nicert_upload on;\nlocation /in/below { fastcgi_request_buffering on; }\n}\n}`, 'fastcgi_request_buffering and proxy_request_buffering on'],
		[`${spool}\nserver {\nlocation /in {\nicert_upload on;\nlocation /in/below { proxy_request_buffering off; }\n}\n}`, 'fastcgi_request_buffering and proxy_request_buffering on'],
		['server {\nlocation / {\nicert_upload on;\n}\n}', 'icert_upload_spool'],
		[`${spool}\nfastcgi_request_buffering off;\nserver {\nlocation / { }\nlocation /taken { icert_upload on; fastcgi_request_buffering on; }\n}`],
	]) {
		const other = new Nginx(join(edge.folder, 'beside'), () => http);
		mkdirSync(other.folder, { recursive: true });
		other.configure();
		const { status, stderr } = run('nginx', ['-t', '-e', 'stderr', '-p', other.folder, '-c', other.config], { env: nginxEnv() });
		assert.equal(status === 0, words === undefined, `${http}\n${stderr}`);
		if (words === undefined) continue;
		const line = 1 + readFileSync(other.config, 'utf8').split('\n').findIndex((text) => /^\s*icert_upload on;/.test(text));
		assert.ok(stderr.includes(`icert_upload in ${other.config}:${line} needs ${words}`), `${http}\n${stderr}`);
	}
});
