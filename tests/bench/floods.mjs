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
import { ROUNDS, median, pairs } from './pairs.mjs';

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

/** n uploads that have begun and sent so many octets of their file; `length` is that of the whole file, `first` the first one's number. */
export async function begin(icert, person, n, octets, length, first = 0) {
	const sockets = [];
	const part = randomBytes(octets);
	for (let i = 0; i < n; i += 50) {
		sockets.push(...await Promise.all(Array.from({ length: Math.min(50, n - i) }, async (_, k) => {
			const socket = await connection(icert, first + i + k);
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
const HONEST_EACH = 5;	// uploads of a run, whose median counts
export const slowSenders = { name: 'slow_senders', unit: 'ms', mostRatio: 1.5,
	run: ({ say }) => withInstance(async (icert) => {
		const person = await session(icert);
		const token = Buffer.from(`--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${person.token}\r\n`);
		const body = Buffer.concat([token, HEAD, randomBytes(HONEST), END]);
		let from = 5000;	// an address of its own each time: a limit counts what one sends
		const honest = async () => {
			const began = process.hrtime.bigint();
			const socket = await connection(icert, from++ * EACH);
			socket.write(headers(person, body.length));
			socket.write(body);
			await until(() => socket.said ?? socket.failed, { what: 'an answer', every: 1 });
			const ms = Number(process.hrtime.bigint() - began) / 1e6;
			socket.destroy();
			// The case is nobody's: the portal has read the hand-over and says so.
			if (!/^HTTP\/1\.1 404\s/.test(socket.said ?? '')) throw new Error(`honest: ${socket.said ?? socket.failed}`);
			return ms;
		};
		const several = async () => { const all = []; for (let i = 0; i < HONEST_EACH; i++) all.push(await honest()); return median(all); };
		let round = 0;
		const beside = async () => {
			const slow = new Worker(new URL('slow.mjs', import.meta.url), { workerData: { icert: { portBase: icert.portBase }, person, first: SLOW * (round++ % 12), senders: SLOW, slice: SLICE, length: 1_990_000, period: PERIOD } });
			const ended = once(slow, 'exit');	// rejects when one of them was turned away
			await once(slow, 'message');
			const ms = await several();
			slow.postMessage('end');
			await ended;
			await until(() => spooled(spoolOf(icert)).length === 0, { what: 'an empty spool' });
			return ms;
		};
		return pairs({ ours: beside, reference: several, say });
	}) };

const TOO_LONG = 100_000_000;
const CHUNK = randomBytes(1 << 16);
const chunked = (octets) => Buffer.concat([Buffer.from(`${octets.length.toString(16)}\r\n`), octets, Buffer.from('\r\n')]);
// What stands in no line of conf/ (ngx_icert_module/README.md).
const LINGER_SIZE = 1 << 20;
const LINGER_MS = 1000;
// nginx looks at its clock once a turn of its loop, and a turn reads what has come: that late it may notice, strace beside it.
const TURN_MS = 50;
/**
 * What nginx did with the connection that it answered 413, from what strace says of a worker's calls: octets read until then, and from then on
 * until it closed; ms from the answer to the last octet, and to the end.  strace counts what nginx has read, so that nothing is to be allowed for
 * what waits in the kernel.
 */
function readUntilRefused(trace) {
	const sums = new Map();
	for (const line of trace.split('\n')) {
		const [, at, call, fd, rest] = /^([\d.]+) (recvfrom|writev|close)\((\d+)(.*)$/.exec(line) ?? [];
		if (!call) continue;
		const sum = sums.get(fd) ?? sums.set(fd, { before: 0, after: 0 }).get(fd);
		const n = Number(/= (\d+)$/.exec(rest)?.[1] ?? 0);
		const ms = sum.refused === undefined ? undefined : (Number(at) - sum.refused) * 1000;
		if (call === 'recvfrom' && ms === undefined) sum.before += n;
		else if (call === 'recvfrom' && n > 0) Object.assign(sum, { after: sum.after + n, last: ms });
		else if (call === 'writev' && rest.includes('HTTP/1.1 413')) sum.refused = Number(at);
		else if (call === 'close' && ms !== undefined) return { ...sum, closed: ms };
		else if (call === 'close') sums.delete(fd);
	}
	return undefined;
}

const STEADY_FROM = 1_800_000;	// of the 2 MB that a file may have
const STEADY = 1 << 13;		// octets each STEADY_MS: not the size is reached then, but the time
const STEADY_MS = 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Sends a body that is too long for as long as it can: as fast as it is taken, or, near the limit, a piece now and then. */
async function tooLong(port, person, steady) {
	// nginx says its last word and reads on: only when it closes nothing more can be sent.
	const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
	const at = { closed: false };
	socket.on('data', (data) => { at.said ??= data.toString('latin1'); });
	for (const end of ['error', 'close']) socket.on(end, () => { at.closed = true; });
	// Without a length, which would be refused unread.
	socket.write(headers(person, TOO_LONG).replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked'));
	socket.write(chunked(HEAD));
	const octets = steady ? CHUNK.subarray(0, STEADY) : CHUNK, piece = chunked(octets);
	for (let sent = 0; sent < TOO_LONG && !at.closed; sent += octets.length) {
		// What goes on after the answer is a browser that has not looked yet.
		if (!socket.write(piece)) await until(() => at.closed || !socket.writableNeedDrain, { what: 'the edge to take more', every: 1 });
		if (steady && sent > STEADY_FROM) await sleep(STEADY_MS);
	}
	await until(() => at.closed, { what: 'the end of the connection' });
	const taken = socket.bytesWritten - socket.writableLength;
	socket.destroy();
	return { said: at.said, taken };
}

export const refusalBytes = { name: 'refusal_bytes', unit: 'MB', most: 2.2,
	run: ({ say }) => withInstance(async (icert) => {
		const person = await session(icert);
		const port = await plainEdge(icert);
		const workers = children(Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8'))).map(({ pid }) => pid);
		const all = [];
		for (let round = 1; round <= 2 * Math.min(ROUNDS, 5); round++) {
			const steady = round % 2 === 0;
			const file = join(icert.prefix, `demo/refusal-${round}`);
			const strace = spawn('strace', ['-ff', '-qq', '-ttt', '-s', '16', '-e', 'trace=recvfrom,writev,close', '-o', file, ...workers.flatMap((pid) => ['-p', String(pid)])], { stdio: 'inherit' });
			const ended = once(strace, 'exit');
			await until(() => workers.every((pid) => /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))), { what: 'strace' });
			const { said, taken } = await tooLong(port, person, steady);
			await sleep(100);	// the close is written down
			strace.kill('SIGINT');
			await ended;
			const read = workers.map((pid) => readUntilRefused(readFileSync(`${file}.${pid}`, 'latin1'))).find(Boolean);
			if (!/^HTTP\/1\.1 413\s/.test(said ?? '') || !read) throw new Error(`not refused: ${said}`);
			say(round, { ours: read.before / 1e6, 'KB afterwards': read.after / 1e3, 'ms to the last octet': read.last, 'ms to the end': read.closed, 'KB left in the kernel': (taken - read.before - read.after) / 1e3 });
			// Whichever comes first: neither may be passed.
			if (read.after > LINGER_SIZE) throw new Error(`${read.after} octets were read after the answer`);
			if (read.last > LINGER_MS + TURN_MS) throw new Error(`octets were read until ${read.last} ms after the answer`);
			all.push(read.before / 1e6);
		}
		return { ours: median(all) };
	}) };
