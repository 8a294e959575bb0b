// The configuration of a running instance changed by hand, as an administrator of an installation would, and the programs that
// read it started anew: the supervisor does that when they end.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './http.mjs';

/** Replaces texts ([[old, new], …], each must be there) in a file below etc/. */
export function edit(icert, file, changes) {
	const path = join(icert.prefix, 'etc', file);
	let text = readFileSync(path, 'utf8');
	for (const [from, to] of changes) {
		if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
		text = text.replaceAll(from, to);
	}
	writeFileSync(path, text);
}

/** Ends these programs and waits until each is up again as another process. */
export async function restart(icert, ...names) {
	const before = await icert.processes();
	for (const name of names) process.kill(before.find((p) => p.name === name).pid, 'SIGTERM');
	await until(async () => {
		const now = await icert.processes();
		return names.every((name) => now.some((p) => p.name === name && p.state === 'up' && p.pid !== before.find((b) => b.name === name).pid));
	}, { timeout: 60_000, what: `${names} started anew` });
}
