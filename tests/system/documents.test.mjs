// Files of cases on the disk: what a program that was killed left without a row goes, the rest stays.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import { Applicant, expect } from './walk.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('a file stored before a kill -9 and never named by a row is swept; named and young ones are not', async () => {
	const who = new Applicant(icert);
	await who.order();
	await who.pay();
	await who.begin();
	expect(await who.upload('cedula', files.cedulaPdf()), 303, 'cedula');
	who.close();
	const root = join(icert.prefix, 'documents');
	const [shelf] = readdirSync(root);
	const [named] = readdirSync(join(root, shelf));
	const beside = (end = '') => join(root, shelf, `${shelf}${randomUUID().slice(2)}${end}`);
	const [orphan, torn, young] = [beside(), beside('.part'), beside()];
	for (const path of [orphan, torn, young]) copyFileSync(join(root, shelf, named), path);
	const old = new Date(Date.now() - 2 * 3600_000);
	for (const path of [orphan, torn, join(root, shelf, named)]) utimesSync(path, old, old);
	await icert.down();
	await icert.up();
	await until(() => !existsSync(orphan) && !existsSync(torn), { what: 'the sweep' });
	assert.deepEqual(readdirSync(join(root, shelf)).sort(), [named, young.split('/').at(-1)].sort());
});
