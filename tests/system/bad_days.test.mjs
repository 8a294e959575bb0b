// Bad days in short: the publisher killed in the middle of a base, many revoked at once, while one of the others is gone.
// bad_days-gone has those in which a thing is gone for long or comes back as it was; tests/soak has the long forms.
import { after, before, test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { hanging, massRevocation, resumed, without } from './bad_days.mjs';

let icert;

before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('killed in the middle of a base it goes on where it was', (t) => resumed(icert, { certificates: 80_000, log: (line) => t.diagnostic(line) }));
test('more are revoked at once than a round signs', (t) => massRevocation(icert, { from: 80_001, n: 6000, log: (line) => t.diagnostic(line) }));
test('Redis is gone: a revocation is public all the same', () => without(icert, 'redis', 90_000));
test('the signer is gone: OCSP says revoked, the list follows', () => without(icert, 'signer', 90_001));
test('the status signer is gone: what is revoked is not good any more', () => without(icert, 'status-signer', 90_002, { revokedMeanwhile: false }));
test('the status signer hangs, and the round with it: what is revoked meanwhile is stopped', () => hanging(icert, 90_003));
