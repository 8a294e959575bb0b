// docs/access.csv is written by hand; what the programs declare must be the same, row by row.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const written = readFileSync(join(top, 'docs/access.csv'), 'utf8').trim().split('\n').slice(1).map((line) => line.trim());

for (const program of ['portal', 'desk']) {
	const file = join(top, 'build/bin', `icert-${program}`);
	test(`icert-${program}: its routes are those of docs/access.csv`, { skip: !existsSync(file) }, () => {
		const declared = execFileSync(file, ['--routes'], { encoding: 'utf8' }).trim().split('\n').map((line) => `${program},${line}`);
		const expected = written.filter((line) => line.startsWith(`${program},`));
		assert.deepEqual(declared.sort(), expected.sort());
		assert.equal(new Set(declared.map((line) => line.split(',').slice(0, 3).join())).size, declared.length, 'a route is declared twice');
	});
}
