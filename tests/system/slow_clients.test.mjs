// Slow headers, bodies and readers beside an honest visitor; the long form is in tests/soak.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { slowClients } from './slow_clients.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('who is slow on purpose is cut at the configured time, and others are served meanwhile', async (t) => {
	const { answered, ...took } = await slowClients(icert, { connections: 150 });
	t.diagnostic(`${answered} pages for others meanwhile; ${JSON.stringify(took)}`);
	assert.ok(answered >= 10, `${answered} pages`);
});
