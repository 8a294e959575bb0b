// What uploads cost the edge as it is shipped, by their number: memory of 500 in flight, an honest upload beside 2,000 slow ones, and how much
// of a body that is too long was read when the refusal went out.  All come with a session, from as many addresses as people would.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { until } from '../lib/http.mjs';
import { children } from '../lib/processes.mjs';
import { Applicant } from '../system/walk.mjs';
import { family, plainEdge, withInstance } from './instance.mjs';
import { ROUNDS, interval, median } from './pairs.mjs';

const EACH = 10;		// connections of an address
const TARGET = `/tramite/${'0'.repeat(8)}-0000-4000-8000-000000000000/documento/cedula`;
const HEAD = Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.7\n');
const END = Buffer.from('\r\n--x--\r\n');

const address = (i) => `127.1.${Math.floor(i / EACH / 200)}.${1 + Math.floor(i / EACH) % 200}`;
const headers = ({ cookie, origin }, length) => `POST ${TARGET} HTTP/1.1\r\nHost: ${new URL(origin).host}\r\nOrigin: ${origin}\r\nCookie: ${cookie}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: ${length}\r\n\r\n`;

/** A person with a session: the cookie, and the token of a form. */
async function session(icert) {
	const applicant = new Applicant(icert);
	await applicant.signIn();
	const cookie = applicant.client.jar.header(new URL(TARGET, icert.portal));
	const token = /name="_csrf" value="([^"]+)"/.exec((await applicant.client.visit('/mi-tramite')).html)[1];
	applicant.close();
	return { cookie, token, origin: icert.portal };
}

/** A connection to the portal over TLS, from the i-th of many addresses. */
async function connection(icert, i) {
	const socket = tls.connect({ socket: net.connect({ port: icert.portBase, host: '127.0.0.1', localAddress: address(i) }), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
	socket.on('error', (error) => { socket.failed = error; });
	await once(socket, 'secureConnect');
	socket.once('data', (data) => { socket.said = data.toString('latin1'); });
	return socket;
}

/** n uploads that have begun and sent so many octets of their file; `length` is that of the whole file. */
export async function begin(icert, person, n, octets, length) {
	const sockets = [];
	const part = randomBytes(octets);
	for (let i = 0; i < n; i += 50) {
		sockets.push(...await Promise.all(Array.from({ length: Math.min(50, n - i) }, async (_, k) => {
			const socket = await connection(icert, i + k);
			socket.write(headers(person, HEAD.length + length + END.length));
			socket.write(HEAD);
			await new Promise((resolve) => socket.write(part, resolve));
			return socket;
		})));
	}
	return sockets;
}
export const alive = (sockets) => { const gone = sockets.find((s) => s.said || s.failed || s.destroyed); if (gone) throw new Error(`an upload in flight: ${gone.said ?? gone.failed ?? 'closed'}`); };

const spoolOf = (icert) => /^\s*icert_upload_spool (\S+);/m.exec(readFileSync(join(icert.prefix, 'etc/nginx.conf'), 'utf8'))[1];
const spooled = (spool) => readdirSync(spool).flatMap((worker) => { try { return readdirSync(join(spool, worker)).map((name) => statSync(join(spool, worker, name)).size); } catch { return []; } });
const nginxOf = (icert) => { const master = Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8')); return [master, ...children(master).map(({ pid }) => pid)]; };
/** KB that these processes hold; what they share is counted once. */
const held = (pids) => pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]), 0);

const IN_FLIGHT = 500;
export const uploadMemory = { name: 'upload_memory', unit: 'KB', most: 96,
	run: ({ say }) => withInstance(async (icert) => {
		const person = await session(icert);
		const pids = [...nginxOf(icert), ...await family(icert, 'portal')];
		const spool = spoolOf(icert);
		const idle = held(pids);
		const sockets = await begin(icert, person, IN_FLIGHT, 1_000_000, 1_990_000);
		await until(() => { alive(sockets); const sizes = spooled(spool); return sizes.length === IN_FLIGHT && sizes.every((size) => size > 800_000); }, { what: '500 files' });
		const ours = (held(pids) - idle) / IN_FLIGHT;
		alive(sockets);
		say(1, { ours, 'MB in the spool': spooled(spool).reduce((a, b) => a + b, 0) / 1e6, 'KB idle': idle });
		sockets.forEach((socket) => socket.destroy());
		return { ours };
	}) };

const SLOW = 2000;
const HONEST = 1_900_000;
const SLICE = 1500;		// octets a slow sender sends each PERIOD ms: above the least rate
const PERIOD = 2000;
export const slowSenders = { name: 'slow_senders', unit: 'ms', mostRatio: 1.5,
	run: ({ say }) => withInstance(async (icert) => {
		const person = await session(icert);
		const token = Buffer.from(`--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${person.token}\r\n`);
		const body = Buffer.concat([token, HEAD, randomBytes(HONEST), END]);
		const honest = async () => {
			const began = process.hrtime.bigint();
			const socket = await connection(icert, 5000 * EACH);
			socket.write(headers(person, body.length));
			socket.write(body);
			await until(() => socket.said ?? socket.failed, { what: 'an answer', every: 1 });
			const ms = Number(process.hrtime.bigint() - began) / 1e6;
			socket.destroy();
			// The case is nobody's: the portal has read the hand-over and says so.
			if (!/^HTTP\/1\.1 404\s/.test(socket.said ?? '')) throw new Error(`honest: ${socket.said ?? socket.failed}`);
			return ms;
		};
		const rounds = async () => { const all = []; for (let i = 0; i < ROUNDS; i++) all.push(await honest()); return all; };
		await honest();
		const ratios = [], controls = [], ours = [], reference = [];
		// Alone, beside them, and alone again: the two without are each other's control.
		const before = await rounds();
		const slow = new Worker(new URL('slow.mjs', import.meta.url), { workerData: { icert: { portBase: icert.portBase }, person, senders: SLOW, slice: SLICE, length: 1_990_000, period: PERIOD } });
		const ended = once(slow, 'exit');	// rejects when one of them was turned away
		await once(slow, 'message');
		const beside = await rounds();
		slow.postMessage('end');
		await ended;
		await until(() => spooled(spoolOf(icert)).length === 0, { what: 'an empty spool' });
		const after = await rounds();
		beside.forEach((ms, i) => {
			ours.push(ms);
			reference.push((before[i] + after[i]) / 2);
			ratios.push(2 * ms / (before[i] + after[i]));
			controls.push(before[i] / after[i]);
			say(i + 1, { ours: ms, before: before[i], after: after[i] });
		});
		const summary = (all) => ({ ratio: median(all), ...interval(all) });
		return { ours: median(ours), reference: median(reference), ...summary(ratios), control: summary(controls) };
	}) };

const TOO_LONG = 100_000_000;
const CHUNK = randomBytes(1 << 16);
const chunked = (octets) => Buffer.concat([Buffer.from(`${octets.length.toString(16)}\r\n`), octets, Buffer.from('\r\n')]);
/** Octets that nginx read of the connection until its 413, and from then on until it closed; from what strace says of its calls. */
function readUntilRefused(trace) {
	const sums = new Map();
	for (const line of trace.split('\n')) {
		const [, pid, call, fd, rest] = /^(\d+)\s+(?:[\d.]+ )?(recvfrom|writev|close)\((\d+)(.*)$/.exec(line) ?? [];
		if (!call) continue;
		const key = `${pid} ${fd}`;
		const sum = sums.get(key) ?? sums.set(key, { before: 0, after: 0, refused: false }).get(key);
		const n = Number(/= (\d+)$/.exec(rest)?.[1] ?? 0);
		if (call === 'recvfrom') sum[sum.refused ? 'after' : 'before'] += n;
		else if (call === 'writev' && rest.includes('HTTP/1.1 413')) sum.refused = true;
		else if (call === 'close' && sum.refused) return sum;
		else if (call === 'close') sums.delete(key);
	}
	return [...sums.values()].find((sum) => sum.refused);
}

export const refusalBytes = { name: 'refusal_bytes', unit: 'MB', most: 2.2,
	run: ({ say }) => withInstance(async (icert) => {
		const person = await session(icert);
		const port = await plainEdge(icert);
		const file = join(icert.prefix, 'demo/refusal.strace');
		const workers = children(Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8'))).map(({ pid }) => pid);
		const all = [];
		const piece = chunked(CHUNK);
		for (let round = 1; round <= Math.min(ROUNDS, 5); round++) {
			const strace = spawn('strace', ['-f', '-qq', '-s', '16', '-e', 'trace=recvfrom,writev,close', '-o', file, ...workers.flatMap((pid) => ['-p', String(pid)])], { stdio: 'inherit' });
			const ended = once(strace, 'exit');
			await until(() => workers.every((pid) => /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))), { what: 'strace' });
			const socket = net.connect(port, '127.0.0.1');
			let said, closed = false, broken = false;
			socket.on('data', (data) => { said ??= { text: data.toString('latin1'), at: Date.now() }; });
			socket.on('error', () => { broken = true; }).on('close', () => { closed = true; }).on('end', () => { closed = true; });
			// Without a length, which would be refused unread.
			socket.write(headers(person, TOO_LONG).replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked'));
			socket.write(chunked(HEAD));
			for (let sent = 0; sent < TOO_LONG && !closed && !broken; sent += CHUNK.length) {
				// What goes on after the answer is a browser that has not looked yet.
				if (!socket.write(piece)) await until(() => closed || broken || !socket.writableNeedDrain, { what: 'the edge to take more', every: 1 });
			}
			await until(() => closed || broken, { what: 'the end of the connection' });
			const seconds = (Date.now() - (said?.at ?? 0)) / 1000;
			socket.destroy();
			strace.kill('SIGINT');
			await ended;
			const read = readUntilRefused(readFileSync(file, 'latin1'));
			if (!/^HTTP\/1\.1 413\s/.test(said?.text ?? '') || !read) throw new Error(`not refused: ${said?.text}`);
			if (seconds > 1 && read.after > 1e6) throw new Error(`${read.after} octets more in ${seconds} s`);
			all.push(read.before / 1e6);
			say(round, { ours: read.before / 1e6, 'MB afterwards': read.after / 1e6, 's afterwards': seconds });
		}
		return { ours: median(all) };
	}) };
