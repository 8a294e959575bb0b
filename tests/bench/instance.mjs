// A private instance for a figure: configured for measuring, walked as far as the figure needs.
import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';

export async function benchInstance() {
	const icert = await startInstance();
	return icert;
}

/** Runs a figure with an instance of its own, which ends with it. */
export async function withInstance(figure) {
	const icert = await benchInstance();
	try {
		return await figure(icert);
	} finally {
		await icert.stop();
	}
}

/** A program of this folder, as `make bench` has built it. */
export const binary = (name) => fileURLToPath(new URL(`../../build/bench/${name}`, import.meta.url));

/** The same where the instance's own users can read it. */
export function copied(icert, name) {
	const file = join(icert.prefix, 'etc', name);
	copyFileSync(binary(name), file);
	return file;
}

/** Runs one to its end: what it printed. */
export const tool = async (name, args) => (await promisify(execFile)(binary(name), args.map(String), { maxBuffer: 1 << 24 })).stdout;

/** One address asks for everything: a limit that would hold it back is lifted. */
export const lift = (icert, zone) => rewrite(join(icert.prefix, 'etc/nginx.conf'),
	[new RegExp(`icert_limit_zone ${zone} key=(\\S+) rate=\\S+ burst=\\S+`), (_, key) => `icert_limit_zone ${zone} key=${key} rate=1000000/s burst=1000000`]);

/** Changes a file that `up` has written: pairs of [what stands there, what shall]. */
export function rewrite(file, ...changes) {
	let text = readFileSync(file, 'utf8');
	for (const [from, to] of changes) {
		const next = text.replace(from, to);
		if (next === text) throw new Error(`${file} has no ${from}`);
		text = next;
	}
	writeFileSync(file, text);
}

/** The edge reads its configuration anew; resolves when a worker of it answers `path` with 200. */
export async function reloadEdge(icert, path) {
	process.kill(Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8')), 'SIGHUP');
	await until(async () => (await fetch(path)).status === 200, { what: path });
	// Workers of before go when their last connection does.
	await new Promise((resolve) => setTimeout(resolve, 1500));
}

/** The portal's server once more without TLS, which the generators do not speak; its port. */
export async function plainEdge(icert, more = '') {
	const conf = join(icert.prefix, 'etc/nginx.conf');
	const port = icert.portBase + 8;
	const server = readFileSync(conf, 'utf8').match(/\n\t# Portal\.\n\tserver \{\n[\s\S]*?\n\t\}\n/)[0];
	const plain = server.replace(/listen [^;]*ssl http2;/, `listen 127.0.0.1:${port} backlog=1024;`).replace(/\n\s*listen \[::1\][^;]*;/, '')
		.replace('location /avisos/', `${more}location /avisos/`);
	rewrite(conf, [server, () => server + plain]);
	await reloadEdge(icert, `http://127.0.0.1:${port}/tarifas`);
	return port;
}

/** The supervisor starts a program again, with the configuration as it is now. */
export async function restart(icert, name) {
	const of = async () => (await icert.processes()).find((row) => row.name === name);
	const { pid } = await of();
	process.kill(pid, 'SIGKILL');
	await until(async () => { const now = await of(); return now && now.pid !== pid && now.state === 'up'; }, { what: `${name} again`, timeout: 60_000 });
}

/** The process of that name and those it has forked. */
export async function family(icert, program) {
	const { pid } = (await icert.processes()).find((row) => row.name === program);
	return [pid, ...readdirSync('/proc').filter((n) => /^\d+$/.test(n)).filter((n) => {
		try { return readFileSync(`/proc/${n}/stat`, 'latin1').split(') ')[1].split(' ')[1] === String(pid); } catch { return false; }
	}).map(Number)];
}
export const signal = (pids, name) => pids.forEach((pid) => process.kill(pid, name));

const TICKS = 100;	// USER_HZ
// utime, stime, cutime, cstime of proc_pid_stat(5)
const times = (pid) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ').slice(11, 15).map((n) => Number(n) / TICKS);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
/** CPU seconds of these processes so far, those of their ended children included. */
export const cpuSeconds = (pids) => sum(pids.map((pid) => { try { return sum(times(pid)); } catch { return 0; } }));
/** CPU seconds of what this process has started and seen end. */
export const childrenCpu = () => sum(times('self').slice(2));
