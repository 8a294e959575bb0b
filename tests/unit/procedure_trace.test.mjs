// docs/procedure-trace.md against what it speaks of: every word of the published text stands in it, in the text's order, and every page,
// mail, state and test that it names is there.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const read = (...path) => readFileSync(join(top, ...path), 'utf8');
const files = (folder, end) => readdirSync(join(top, folder)).filter((f) => f.endsWith(end));

const rows = read('docs/procedure-trace.md').split('\n').filter((l) => /^\| \d+ \|/.test(l)).map((line) => {
	const [number, text, page, mail, state, what, tests, ...more] = line.slice(1, -1).split('|').map((cell) => cell.trim());
	assert.deepEqual(more, [], line);
	return { number: Number(number), text, page, mail, state, what, tests };
});
// What is allowed to be missing, and where.
const NOT_YET = [['archivo o remoto (para renovación', /remote; a token's renewal/], ['Los manuales', /its content/], ['renovación de un certificado en contenedor TOKEN', /a token's renewal/]];
const open = (row) => NOT_YET.find(([words]) => row.text.includes(words));
const quoted = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);

/** Words alone: no accents, capitals, punctuation, addresses or numbers of a list. */
const words = (text) => text.replace(/\[[^\]]*\]/g, ' ').replace(/\S*https?:\S+/g, ' ').normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
	.replace(/(^|\s)\d+\.(?=\s)/g, ' ').split(/[^a-z0-9#]+/).filter(Boolean);

test('every word of the published text, in its order', () => {
	const text = words(read('tests/unit/procedure-persona-natural.txt'));
	const trace = words(rows.map((row) => row.text).join(' '));
	assert.ok(text.length > 900, `${text.length} words`);
	for (let n = 0; n < Math.max(text.length, trace.length); n++)
		assert.equal(trace[n], text[n], `after "${text.slice(Math.max(n - 12, 0), n).join(' ')}"`);
	assert.deepEqual(rows.map((row) => row.number), rows.map((_, n) => n + 1));
});

test('pages', () => {
	const routes = (program) => new Set(files(`fcgi-backend/web/${program}`, '.c')
		.flatMap((f) => [...read(`fcgi-backend/web/${program}`, f).matchAll(/METHOD_\w+, "([^"]*)"/g)].map(([, path]) => path)));
	const pages = { P: routes('portal'), D: routes('desk') };
	for (const row of rows) {
		const named = [...row.page.matchAll(/([PD]) `([^`]+)`/g)];
		assert.ok(named.length > 0, `row ${row.number} names no page`);
		assert.equal(named.length, quoted(row.page).length, `row ${row.number}: ${row.page}`);
		for (const [, program, path] of named) assert.ok(pages[program].has(path), `row ${row.number}: no page ${program} ${path}`);
	}
});

test('mails', () => {
	const mails = new Set(files('fcgi-backend/views/mail', '.txt.hbs').map((f) => f.slice(0, -8)));
	const enumerated = read('fcgi-backend/mail/outbox.h');
	for (const row of rows) {
		if (quoted(row.mail).length === 0) assert.ok(row.mail === '–' || (row.mail === 'not yet' && open(row)), `row ${row.number}: ${row.mail}`);
		for (const mail of quoted(row.mail)) {
			assert.ok(mails.has(mail), `row ${row.number}: no mail ${mail}`);
			assert.match(enumerated, new RegExp(`\\bMAIL_${mail.toUpperCase()}\\b`), `row ${row.number}`);
		}
	}
});

test('states, and the ways between them', () => {
	const moves = read('docs/states.csv').trim().split('\n').slice(1).map((l) => l.split(',').slice(1, 3).join(' → '));
	for (const folder of readdirSync(join(top, 'migrations')).filter((f) => /^\d/.test(f)))
		for (const [, from, to] of read('migrations', folder, 'forward.sql').matchAll(/\('purchase', '(\w+)', '(\w+)'/g)) moves.push(`${from} → ${to}`);
	const states = new Set(moves.flatMap((m) => m.split(' → ')));
	assert.ok(states.has('paid') && states.has('active'));
	for (const row of rows) {
		if (quoted(row.state).length === 0) assert.ok(row.state === '–' || (row.state === 'not yet' && open(row)), `row ${row.number}: ${row.state}`);
		for (const way of quoted(row.state)) {
			const steps = way.split(' → ');
			for (const state of steps) assert.ok(states.has(state), `row ${row.number}: no state ${state}`);
			for (let n = 1; n < steps.length; n++) assert.ok(moves.includes(`${steps[n - 1]} → ${steps[n]}`), `row ${row.number}: nothing goes ${steps[n - 1]} → ${steps[n]}`);
		}
	}
});

test('tests', () => {
	for (const row of rows) {
		const named = row.tests.split(', ').filter(Boolean);
		assert.ok(named.length > 0, `row ${row.number} names no test`);
		for (const name of named) {
			const [, folder, base] = /^(system\/|browser\/|unit )(\w+)$/.exec(name) ?? assert.fail(`row ${row.number}: ${name}`);
			const path = folder === 'unit ' ? [`unit/${base}.c`, `unit/${base}.test.mjs`] : [`${folder}${base}.test.mjs`];
			assert.ok(path.some((p) => existsSync(join(top, 'tests', p))), `row ${row.number}: no test ${name}`);
		}
	}
});

test('what is not yet there is what is known not to be there', () => {
	assert.equal(rows.filter(open).length, NOT_YET.length);
	for (const row of rows) {
		const [, missing] = /\*\*Not yet:\*\* (.*)/.exec(row.what) ?? [];
		if (open(row)) assert.match(missing ?? '', open(row)[1], `row ${row.number}`);
		else assert.equal(missing, undefined, `row ${row.number}`);
	}
});
