// Three hundred uploads of every kind, with workers killed and a reload in between; tests/soak has ten thousand.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mixedUploads } from './mixed_uploads.mjs';

test('of good, refused, aborted and killed uploads nothing is left: no file, no descriptor, no slot', async (t) => {
	const seed = Number(process.env.UPLOADS_SEED ?? Date.now() % 1e9);
	const { seen, lost, killed } = await mixedUploads({ count: 300, seed });
	t.diagnostic(`seed ${seed}; ${JSON.stringify(seen)}; ${lost} lost to ${killed} kills`);
	for (const [kind, n] of Object.entries(seen)) assert.ok(n > 0, `none of kind ${kind}`);
	assert.ok(killed > 0);
});
