// One random history of payments with a fixed seed; tests/soak has as many as one likes.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { histories } from './histories.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('orders, notifications, failures and kills at every step: in the end it is here as it is there', async () => {
	const { killed } = await histories({ icert, seed: 20_261_123, orders: 4, acts: 12 });
	assert.deepEqual([...killed].sort(), ['applying', 'asking', 'marking', 'storing', 'taking'], 'each step was reached and killed');
});
