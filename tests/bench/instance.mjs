// A private instance for a figure: configured for measuring, walked as far as the figure needs.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';

export async function benchInstance() {
	const icert = await startInstance();
	return icert;
}

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
