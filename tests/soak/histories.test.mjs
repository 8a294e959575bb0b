// Random histories of payments, each with an instance and a seed of its own: HISTORIES=n of them; HISTORY_SEED=n repeats one.
import { test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { histories } from '../system/histories.mjs';

const rounds = process.env.HISTORY_SEED ? 1 : Number(process.env.HISTORIES ?? 10);
const first = Number(process.env.HISTORY_SEED ?? Date.now() % 1e9);

for (let i = 0; i < rounds; i++) {
	const seed = first + i;
	test(`a history of payments, HISTORY_SEED=${seed}`, async (t) => {
		const icert = await startInstance();
		try {
			await histories({ icert, seed, orders: 20, acts: 200, refunded: 16, transferred: 6, log: (line) => t.diagnostic(line) });
		} finally {
			await icert.stop();
		}
	});
}
