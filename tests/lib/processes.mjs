// The processes of one instance, found by what its supervisor says and by /proc;
// signals go to those and to no other.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './http.mjs';

/** The supervisor's table, read without a program: Map(name → { pid, state, restarts }). */
export function units(icert) {
	return new Map(readFileSync(join(icert.run, 'state'), 'utf8').trim().split('\n').map((line) => {
		const [name, pid, state, restarts] = line.split(' ');
		return [name, { pid: Number(pid), state, restarts: Number(restarts) }];
	}));
}

/** Children of a process: [{ pid, title }]. */
export function children(pid) {
	return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
		try {
			const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
			if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) !== pid) return [];
			return [{ pid: Number(name), title: readFileSync(`/proc/${name}/cmdline`, 'utf8').replace(/\0/g, ' ').trim() }];
		} catch {
			return [];	// gone meanwhile
		}
	});
}

export function signal(pid, name) {
	try {
		process.kill(pid, name);
		return true;
	} catch (error) {
		if (error.code === 'ESRCH') return false;
		throw error;
	}
}

/** Every unit up, and what nginx shows agrees. */
export function allUp(icert, timeout = 60_000) {
	return until(() => [...units(icert).values()].every((u) => u.state === 'up'), { timeout, what: 'all processes up' });
}

/** A generator of numbers in [0, 1) that gives the same for the same seed (mulberry32). */
export function random(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

/** What a process has open, by kind: { kind: count }. */
export function opened(pid) {
	const kinds = {};
	for (const fd of readdirSync(`/proc/${pid}/fd`)) {
		let to;
		try { to = readlinkSync(`/proc/${pid}/fd/${fd}`); } catch { continue; }
		const kind = to.replace(/^(socket|pipe):.*/, '$1').replaceAll(String(pid), 'PID').replace(/ \(deleted\)$/, '');
		kinds[kind] = (kinds[kind] ?? 0) + 1;
	}
	return Object.fromEntries(Object.entries(kinds).sort());
}

/** Everything that a unit consists of. */
function family(pid) { return [pid, ...children(pid).map((c) => c.pid)]; }

/**
 * Kills a unit for good: its supervisor is held still, so that nobody starts it again.
 * Returns what brings it back and waits until all is up.
 */
export function down(icert, name) {
	const { pid } = units(icert).get(name);
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const supervisor = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
	signal(supervisor, 'SIGSTOP');
	for (const one of family(pid)) signal(one, 'SIGKILL');
	return async () => {
		signal(supervisor, 'SIGCONT');
		await until(() => units(icert).get(name).pid !== pid, { what: `${name} started again` });
		await allUp(icert);
	};
}

/** A unit that is there and does nothing. */
export function frozen(icert, name) {
	const all = family(units(icert).get(name).pid);
	for (const one of all) signal(one, 'SIGSTOP');
	return async () => {
		for (const one of all) signal(one, 'SIGCONT');
		await allUp(icert);
	};
}
