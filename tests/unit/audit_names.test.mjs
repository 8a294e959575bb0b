// Every act that the programs write into the log has its Spanish name in the catalogue, which pages and receipts show.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const backend = join(top, 'fcgi-backend');
const sources = readdirSync(backend, { withFileTypes: true }).filter((e) => e.isDirectory()).flatMap(({ name }) =>
	[name, ...readdirSync(join(backend, name), { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => `${name}/${e.name}`)])
	.flatMap((dir) => readdirSync(join(backend, dir)).filter((f) => f.endsWith('.c')).map((f) => readFileSync(join(backend, dir, f), 'utf8')));
const catalogue = Object.assign({}, ...readdirSync(join(backend, 'views/catalogue')).filter((f) => f.endsWith('.json'))
	.map((f) => JSON.parse(readFileSync(join(backend, 'views/catalogue', f), 'utf8'))));

const actions = new Set();
for (const text of sources) {
	for (const [call] of text.matchAll(/\b(?:act_audit|act_audit_refused|act_refuse|office_case_done|case_done|audit)\([^;{]*;|\.action = [^,;]*/g))
		for (const [, name] of call.matchAll(/"([a-z_]+\.[a-z_]+)"/g)) actions.add(name);
	const [verdicts] = text.match(/^payment_verdict_name[\s\S]*?^}/m) ?? [''];
	for (const [, name] of verdicts.matchAll(/case PAYMENT_\w+: return "([a-z_]+)"/g)) actions.add(`order.payment_${name}`);
	for (const [, name] of text.matchAll(/\[ACTION_\w+\] = "([a-z_]+)"/g)) actions.add(`application.${name}`);
}

test('acts of the log', () => {
	assert.ok(actions.size > 80, `found ${actions.size}`);
	assert.deepEqual([...actions].filter((name) => !catalogue[`desk.event.${name}`]), []);
});
