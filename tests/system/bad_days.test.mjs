// Bad days in short: the publisher killed in the middle of a base, many revoked at once, one thing after the
// other gone while somebody revokes, yesterday brought back.  tests/soak has the long forms.
import { after, before, test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { hanging, massRevocation, resumed, steppedClock, without, withoutDatabase, yesterday } from './bad_days.mjs';

let icert;

before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('killed in the middle of a base it goes on where it was', (t) => resumed(icert, { certificates: 80_000, log: (line) => t.diagnostic(line) }));
test('more are revoked at once than a round signs', (t) => massRevocation(icert, { from: 80_001, n: 6000, log: (line) => t.diagnostic(line) }));
test('Redis is gone: a revocation is public all the same', () => without(icert, 'redis', 90_000));
test('the signer is gone: OCSP says revoked, the list follows', () => without(icert, 'signer', 90_001));
test('the status signer is gone: what is revoked is not good any more', () => without(icert, 'status-signer', 90_002, { revokedMeanwhile: false }));
test('the status signer hangs, and the round with it: what is revoked meanwhile is stopped', () => hanging(icert, 90_003));
test('PostgreSQL is gone for longer than an answer lives: all of them are signed again', () => withoutDatabase(icert, 90_040));
test('the clock stood a day ahead and is right again', () => steppedClock(icert, 86_400, 90_050));
test('the clock stood a day behind and is right again', () => steppedClock(icert, -86_400, 90_060));
test('yesterday: database and published set are brought back', () => yesterday(icert, { folder: true, from: 90_010 }));
