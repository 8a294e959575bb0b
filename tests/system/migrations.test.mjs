// Every migration can be taken back, and done again: what an administrator does when an upgrade was a mistake (migrations/README.md).
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';

const top = new URL('../../migrations/', import.meta.url);
const names = readdirSync(top).filter((name) => /^\d{4}-/.test(name)).sort();
let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

/** The schema as text, each statement a line, sorted: what was added again stands elsewhere. */
function schema() {
	const { status, stdout, stderr } = spawnSync('pg_dump', ['-h', join(icert.run, 'pg'), '-U', 'postgres', '-s', '-n', 'icert', 'icert'], { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
	// A column that was dropped and added stands last in its table.
	return stdout.split('\n').filter((line) => line && !/^(--|\\)/.test(line)).map((line) => line.trim().replace(/,$/, '')).sort();
}
const applied = () => icert.sql('select count(*) from icert.migration');
const run = (name, way) => {
	const { ok, error } = icert.psql(`begin; set local session authorization icert_migrate; ${readFileSync(new URL(`${name}/${way}.sql`, top), 'utf8')}; commit`);
	assert.ok(ok, `${name}/${way}.sql: ${error}`);
};

test('the README has a line for each, in their order', () => {
	const lines = readFileSync(new URL('README.md', top), 'utf8').matchAll(/^\| (\d{4}-[a-z-]+) \| \S/gm);
	assert.deepEqual([...lines].map((line) => line[1]), names);
});

test('all migrations back to an empty database, one by one, and forward again: the same schema', () => {
	const before_ = schema();
	assert.equal(applied(), String(names.length));
	for (const name of [...names].reverse()) run(name, 'back');
	assert.equal(schema().filter((line) => /^CREATE TABLE/.test(line)).length, 1, 'the list of migrations alone is left');
	for (const name of names) run(name, 'forward');
	const now = schema();
	assert.deepEqual(now.filter((line) => !before_.includes(line)), []);
	assert.deepEqual(before_.filter((line) => !now.includes(line)), []);
});
