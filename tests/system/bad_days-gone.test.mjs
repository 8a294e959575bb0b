// Bad days that take their time: the database gone for longer than an answer lives, a clock that was wrong, yesterday brought back;
// with some thousands of certificates, all of which are signed again each time.
import { after, before, test } from 'node:test';
import { startInstance } from '../lib/instance.mjs';
import { addCertificates, published } from '../bench/certificates.mjs';
import { steppedClock, withoutDatabase, yesterday } from './bad_days.mjs';

let icert;

before(async () => {
	icert = await startInstance();
	addCertificates(icert, 1, 5000);
	await published(icert);
});
after(() => icert?.stop());

test('PostgreSQL is gone for longer than an answer lives: all of them are signed again', () => withoutDatabase(icert, 90_040));
test('the clock stood a day ahead and is right again', () => steppedClock(icert, 86_400, 90_050));
test('the clock stood a day behind and is right again', () => steppedClock(icert, -86_400, 90_060));
test('yesterday: database and published set are brought back', () => yesterday(icert, { folder: true, from: 90_010 }));
