// Ten thousand uploads of every kind (SOAK_UPLOADS=n), forty workers killed and twenty reloads; UPLOADS_SEED=n repeats one.
import { test } from 'node:test';
import { mixedUploads } from '../system/mixed_uploads.mjs';

test('of ten thousand uploads nothing is left', async (t) => {
	const seed = Number(process.env.UPLOADS_SEED ?? Date.now() % 1e9);
	const { seen, lost, killed } = await mixedUploads({ count: Number(process.env.SOAK_UPLOADS ?? 10_000), seed });
	t.diagnostic(`seed ${seed}; ${JSON.stringify(seen)}; ${lost} lost to ${killed} kills`);
});
