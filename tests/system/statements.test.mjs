// The database accepts every statement that a program may ever send, also those that a test path seldom meets.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { statements } from '../lib/statements.mjs';

let icert;
const all = statements();

before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('names are unique and fit PostgreSQL', () => {
	const seen = new Map();
	for (const { name, sql, file } of all) {
		assert.ok(name.length > 0 && name.length < 64, name);
		if (seen.has(name)) assert.equal(seen.get(name), sql, `${name} is two statements, one of them in ${file}`);
		seen.set(name, sql);
	}
	assert.ok(seen.size > 300, `${seen.size} found`);
});

test('each is accepted by the schema as it is', () => {
	const faults = [];
	// What cannot be prepared in SQL is done: temporary tables are there for those that follow; settings and transactions end with each.
	const one = (sql, n) => /^(set|create temp)/i.test(sql) ? `${sql.replace(/on commit drop/i, '')};` : /^(begin|commit)/i.test(sql) ? `begin; ${sql}; rollback;` : `prepare s${n} as ${sql};\ndeallocate s${n};`;
	const script = all.map(({ sql }, n) => `\\echo #${n}\n${one(sql, n)}`).join('\n');
	const output = icert.script(script);
	let at = -1;
	for (const line of output.split('\n')) {
		const mark = /^#(\d+)$/.exec(line);
		if (mark) at = Number(mark[1]);
		else if (/ERROR:/.test(line) && !/prepared statement "s\d+" does not exist/.test(line) && at >= 0) faults.push(`${all[at].file}: ${all[at].name}: ${line.replace(/^.*ERROR:\s*/, '')}`);
	}
	assert.equal(at, all.length - 1, 'all were tried');
	assert.deepEqual([...new Set(faults)], []);
});
