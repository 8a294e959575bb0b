// Bad days at full length: 200 kills of the publisher, 100,000 revocations at once, a million certificates taken up again, yesterday
// brought back in each of its forms.
import { after, before, test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { killedAtRandom, massRevocation, resumed, yesterday } from '../system/bad_days.mjs';

const seed = Number(process.env.KILL_SEED ?? Date.now() % 1e9);
let icert;

before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('killed in the middle of a base of a million', (t) => resumed(icert, { certificates: 1_000_000, log: (line) => t.diagnostic(line) }));
test('100,000 are revoked at once', (t) => massRevocation(icert, { from: 1_000_001, n: 100_000, timeout: 900_000, log: (line) => t.diagnostic(line) }));
test('yesterday: the database alone', () => yesterday(icert, { folder: false, from: 1_200_000 }));
test('yesterday: database and published set', () => yesterday(icert, { folder: true, from: 1_200_010 }));

test(`KILL_SEED=${seed}: the publisher is killed 200 times`, async (t) => {
	const other = await startInstance();
	try {
		await killedAtRandom(other, { kills: 200, seed, longest: 1500, log: (line) => t.diagnostic(line) });
	} finally {
		await other.stop();
	}
});
