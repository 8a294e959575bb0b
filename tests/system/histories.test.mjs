// One random history of payments with a fixed seed (HISTORY_SEED=n is another); tests/soak has as many as one likes.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { histories } from './histories.mjs';
import { steps } from './history_plan.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('orders, notifications, refunds, failures and kills at every step: in the end it is here as it is there', async (t) => {
	const seed = Number(process.env.HISTORY_SEED || 20_261_123);
	const { killed, refunded, transfers, disputed } = await histories({ icert, seed, orders: 4, acts: 10, refunded: 2, transferred: 1, log: (line) => t.diagnostic(line) });
	assert.deepEqual([...killed].sort(), [...steps].sort(), 'each step was reached and killed');
	if (!process.env.HISTORY_SEED) assert.deepEqual([transfers.length, disputed], [1, 1], 'a transfer beside an open page, a dispute after the money went back');
	if (!process.env.HISTORY_SEED) assert.ok(refunded.includes('killed'), `a clerk was killed while it gave money back: ${refunded}`);
});
