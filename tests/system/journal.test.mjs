// The signer's journal cut back to an earlier line, which links as it did: noticed by what was witnessed of it elsewhere.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';

let icert, path, whole;
const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };
const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const log = () => readFileSync(join(icert.prefix, 'log/publisher.log'), 'utf8');
const witnessed = () => sql("select sequence || ' ' || encode(hash, 'hex') from icert.journal_witness where issuer = 1 order by sequence desc limit 1").split(' ');
const pid = async () => (await icert.processes()).find((p) => p.name === 'signer' && p.state === 'up')?.pid;

before(async () => {
	icert = await startInstance();
	path = join(icert.prefix, 'signer/journal');
});
after(() => icert?.stop());

/** The signer is killed with another journal in its place, and started again by the supervisor. */
async function startAgain(change) {
	const former = await pid();
	change();
	process.kill(former, 'SIGKILL');
	await until(async () => { const now = await pid(); return now && now !== former; }, { what: 'the signer' });
}

test('how far it goes is witnessed, in a row and in the log whose heads leave the host', async () => {
	const [sequence, hash] = await until(() => { const w = witnessed(); return Number(w[0]) === lines().length && w; }, { what: 'the witness' });
	const last = lines().at(-1);
	assert.ok(last.endsWith(hash));
	assert.equal(createHash('sha256').update(last.slice(0, -64)).digest('hex'), hash);
	assert.equal(sql(`select count(*) from icert.audit where action = 'signer.journal' and outcome = 'done' and detail::json->>'hash' = '${hash}' and detail::json->>'sequence' = '${sequence}'`), '1');
	await until(() => sql(`select count(*) from icert.audit a where action = 'signer.journal' and detail like '%${hash}%' and leaf < (select max(size) from icert.audit_head)`) === '1', { what: 'a signed head over it' });
});

test('cut back and grown again: the signer starts, and the publisher says it', async () => {
	whole = readFileSync(path);
	const kept = lines().slice(0, -1);
	await startAgain(() => truncateSync(path, Buffer.byteLength(`${kept.join('\n')}\n`)));
	// Its start has written a line: as many as before, and the last one is another.
	assert.equal(lines().length, kept.length + 1);
	await until(() => /"journal_cut"/.test(log()), { what: 'the alarm', timeout: 90_000 });
	assert.equal(sql("select count(*) from icert.audit where action = 'signer.journal' and outcome = 'refused' and reason = 'journal-cut'"), '1');
	const office = new MailBox(icert.mail);
	const mail = await office.wait({ subject: /registro del firmador/ });
	assert.match(mail.text, /No borre ni reinicie nada/);
	assert.equal(sql("select count(*) from icert.audit where action = 'signer.told' and actor = 'icert-clerk'"), '1');
	assert.equal(witnessed()[0], String(whole.toString().split('\n').length - 1), 'what was witnessed stays');
});

test('whole again, it is witnessed on', async () => {
	await startAgain(() => writeFileSync(path, whole));
	await until(() => /"publish_recovered".*journal/.test(log()) && Number(witnessed()[0]) >= whole.toString().split('\n').length, { what: 'the witness', timeout: 90_000 });
});
