// Where a request comes from: in the access log, and in the audit row of a
// log-in.  The instance gets a database of its own that knows the loopback.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { writeCountries } from '../lib/mmdb.mjs';
import { Operator } from './walk.mjs';

let icert;

before(async () => {
	icert = await startInstance();
	await icert.down();
	writeCountries(join(icert.prefix, 'etc/country.mmdb'), [['127.0.0.0/8', 'EC'], ['::1/128', 'PE']]);
	await icert.up();
});
after(() => icert?.stop());

test('the access log names the country, and no address', async () => {
	await (await fetch(`${icert.status}/ca/raiz.cer`)).arrayBuffer();
	const line = await until(() => readFileSync(join(icert.prefix, 'log/access.log'), 'utf8').trim().split('\n')
		.map((text) => JSON.parse(text)).findLast((entry) => entry.country === 'EC'), { what: 'a line from EC' });
	assert.equal(line.net, '127.0.0.0/24');
});

test('the audit row of a log-in names the country', async () => {
	const page = await new Operator(icert, 'auditor').signIn();
	assert.equal(page.status, 200);
	const rows = icert.sql("select country from icert.audit where action like '%login%' or action like '%log_in%'").split('\n');
	assert.ok(rows.length > 0 && rows.every((country) => ['EC', 'PE'].includes(country)), `countries: ${rows}`);
});
