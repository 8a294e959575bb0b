// Files of cases on the disk: what a program that was killed left without a row goes, the rest stays.  They come from a spool on the
// same file system or on another.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, realpathSync, statSync, statfsSync, utimesSync } from 'node:fs';
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

const TMPFS = 0x1021994;	// statfs(2)
const spoolOf = () => /^\s*icert_upload_spool (\S+);/m.exec(readFileSync(join(icert.prefix, 'etc/nginx.conf'), 'utf8'))[1];
const inSpool = (spool) => readdirSync(spool, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

for (const [where, options] of [['the disk of the documents', ['--spool-on-disk']], ['tmpfs', []]])
	test(`a file is taken from a spool on ${where}`, async (t) => {
		await icert.down();
		await icert.up(...options);
		const spool = spoolOf(), documents = join(icert.prefix, 'documents');
		assert.equal(spool.startsWith(`${realpathSync(icert.prefix)}/`), options.length > 0, spool);
		const across = statSync(spool).dev !== statSync(documents).dev;
		if (options.length) assert.equal(across, false, 'one file system for both');
		else assert.equal(statfsSync(spool).type, TMPFS);
		if (options.length ? statfsSync(spool).type === TMPFS : !across) t.diagnostic('not checked here: the folder of temporary files is a tmpfs too');
		const stored = () => Number(icert.sql('select count(*) from icert.document'));
		const before = stored();
		const who = new Applicant(icert);
		await who.order();
		await who.pay();
		await who.begin();
		const cedula = files.cedulaPdf();
		expect(await who.upload('cedula', cedula), 303, 'cedula');
		const wrong = await who.upload('voting', { filename: 'votacion.pdf', type: 'application/pdf', data: Buffer.from('%PDF-1.7\nno es') });
		assert.notEqual(wrong.status, 303, 'what is refused leaves nothing either');
		who.close();
		assert.equal(stored(), before + 1);
		const [file, digest] = icert.sql("select file, encode(original_sha256, 'hex') from icert.document order by created_at desc, id desc limit 1").split('|');
		assert.equal(digest, createHash('sha256').update(cedula.data).digest('hex'));
		const here = readdirSync(documents, { recursive: true, withFileTypes: true }).filter((entry) => entry.name.startsWith(file));
		assert.deepEqual(here.map(({ name }) => name), [file]);
		await until(() => inSpool(spool).length === 0, { what: 'an empty spool' });
	});
