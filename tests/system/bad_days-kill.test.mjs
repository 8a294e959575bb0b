// The publisher killed at random points while certificates are issued and revoked and bases are built; `make soak` does it 200 times.
import { after, before, test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { killedAtRandom } from './bad_days.mjs';

const seed = Number(process.env.KILL_SEED ?? Date.now() % 1e9);
let icert;

before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test(`KILL_SEED=${seed}: the publisher is killed at random`, (t) => killedAtRandom(icert, { kills: 20, seed, log: (line) => t.diagnostic(line) }));
