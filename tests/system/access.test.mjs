// Every route of portal and desk against docs/access.csv, which is written by
// hand: a wrong table in code cannot pass itself.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../', import.meta.url));
const expected = readFileSync(`${top}docs/access.csv`, 'utf8').trim().split('\n').slice(1);
const STAFF_ONLY = /^(operator|director|finance|national|administrator|auditor)(\+|$)/;

for (const program of ['portal', 'desk']) {
	test(`routes of icert-${program}`, () => {
		const binary = `${top}build/bin/icert-${program}`;
		assert.ok(existsSync(binary), `${binary} is not built`);
		const { status, stdout, stderr } = spawnSync(binary, ['--routes'], { encoding: 'utf8' });
		assert.equal(status, 0, stderr);
		const rows = stdout.trim().split('\n').map((line) => `${program},${line}`).sort();
		assert.deepEqual(rows, expected.filter((line) => line.startsWith(`${program},`)).sort());
	});
}

test('the table itself', () => {
	for (const line of expected) {
		const [program, method, route, roles, province] = line.split(',');
		assert.match(method, /^(GET|POST)$/, line);
		assert.match(province, /^(none|own|case|all)$/, line);
		if (roles === 'public') assert.equal(province, 'none', line);
		else if (program === 'portal') assert.equal(roles, 'applicant', line);
		else assert.match(roles, STAFF_ONLY, line);
		// Whoever edits or reads papers of a case has the case's province to answer for.
		if (program === 'desk' && route.startsWith('/caso/')) assert.equal(province, 'case', line);
		// No documents and no issuing for administrators and finance.
		if (/administrator|finance/.test(roles)) assert.doesNotMatch(route, /^\/caso/, line);
	}
});
