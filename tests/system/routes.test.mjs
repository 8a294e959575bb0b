// docs/access.csv is written by hand; what the programs declare must be the same, row by row.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../lib/instance.mjs';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const written = readFileSync(join(top, 'docs/access.csv'), 'utf8').trim().split('\n').slice(1).map((line) => line.trim());

for (const program of ['portal', 'desk']) {
	const file = join(build, 'bin', `icert-${program}`);
	test(`icert-${program}: its routes are those of docs/access.csv`, { skip: !existsSync(file) }, () => {
		const declared = execFileSync(file, ['--routes'], { encoding: 'utf8' }).trim().split('\n').map((line) => `${program},${line}`);
		const expected = written.filter((line) => line.startsWith(`${program},`));
		assert.deepEqual(declared.sort(), expected.sort());
		assert.equal(new Set(declared.map((line) => line.split(',').slice(0, 3).join())).size, declared.length, 'a route is declared twice');
	});
}

test('the table itself: staff routes name staff roles, cases name the province, no documents for administrators and finance', () => {
	for (const line of written) {
		const [program, method, route, roles, province] = line.split(',');
		assert.match(method, /^(GET|POST)$/, line);
		assert.match(province, /^(none|own|case|all)$/, line);
		if (roles === 'public') assert.equal(province, 'none', line);
		else if (program === 'portal') assert.equal(roles, 'applicant', line);
		else assert.match(roles, /^((operator|director|finance|national|administrator|auditor)(\+|$))+$/, line);
		if (program === 'desk' && route.startsWith('/caso')) {
			assert.equal(province, 'case', line);
			assert.doesNotMatch(roles, /administrator|finance|director/, line);
		}
	}
});
