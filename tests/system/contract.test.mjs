// The contract, from issuance to the applicant's hands: mailed, downloadable,
// encrypted at rest, and known to the page of its QR code.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import * as tools from '../lib/tools.mjs';
import { Applicant, expect, issued } from './walk.mjs';

let icert, folder, walked, applicant;
const kept = {};

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	walked = await issued(icert);
	applicant = walked.applicant;
});
after(async () => {
	applicant?.close();
	walked?.operator.close();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const plain = (text) => text.replace(/\s+/g, ' ');

test('issued becomes "contrato por firmar" by itself, and the PDF is mailed', async () => {
	const page = await until(async () => {
		const p = await applicant.see();
		return /Contrato por firmar/.test(p.heading) && p;
	}, { what: 'the contract' });
	assert.match(page.main, /Descargar el contrato/);
	assert.match(page.main, /Cómo firmarlo/);
	const mail = await applicant.mail.wait({ to: applicant.email, subject: /contrato/ });
	assert.doesNotMatch(mail.subject, /\d/, 'nothing of the case in the subject');
	assert.equal(mail.attachmentNames.length, 1);
	assert.match(mail.attachmentNames[0], /^contrato-C-\d{4}-\d{6}-\d\.pdf$/);
	assert.equal(mail.attachments[0].contentType, 'application/pdf');
	kept.pdf = await mail.attachment();
	kept.number = mail.attachmentNames[0].match(/C-\d{4}-\d{6}-\d/)[0];
	assert.match(mail.text, new RegExp(kept.number));
	const file = await page.click(/Descargar el contrato/);
	assert.equal(file.headers['content-type'], 'application/pdf');
	assert.match(file.headers['content-disposition'], /^attachment/);
	assert.deepEqual(file.body, kept.pdf);
});

test('it says what was agreed: parties, certificate, price, the 120 hours', () => {
	const path = tools.put(folder, 'contrato.pdf', kept.pdf);
	tools.must('qpdf', ['--check', path]);
	assert.match(tools.must('pdfinfo', [path]), /^Tagged: +yes$/m);
	const text = plain(tools.must('pdftotext', ['-layout', path, '-']));
	for (const part of [kept.number, applicant.number, applicant.email, 'ARCHIVO PKCS#12', 'USD', '120 horas', 'Pichincha', `/contrato/${kept.number.toLowerCase()}`])
		assert.ok(text.includes(part), part);
	assert.doesNotMatch(text, /\{[a-z_]+\}/);
});

test('on disk it is encrypted, and no file name says anything', () => {
	const documents = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^documents = (.*)$/m)[1];
	const found = readdirSync(documents, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
	const files = found.length > 0 ? found.map((e) => join(e.parentPath ?? e.path, e.name))
		: execFileSync('find', [documents, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
	assert.ok(files.length > 0);
	for (const file of files) {
		assert.doesNotMatch(file.slice(documents.length), /contrat|pdf/i);
		assert.equal(readFileSync(file).includes('%PDF'), false, file);
	}
});

test('anybody reads on the page of the QR code that it exists, and nothing of the person', async () => {
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	const page = expect(await stranger.visit(`/contrato/${kept.number.toLowerCase()}`), 200);
	assert.match(page.heading, new RegExp(kept.number));
	assert.match(page.main, /Válido/);
	assert.ok(page.main.includes(sha256(kept.pdf)), 'the hash of the file as it was sent');
	for (const secret of [applicant.email, applicant.number, 'MUÑOZ', '1710034065'])
		assert.equal(page.html.toUpperCase().includes(secret.toUpperCase()), false, secret);
	for (const wrong of ['c-2026-999999-0', 'c-1', 'x', `${kept.number.toLowerCase().slice(0, -1)}${(Number(kept.number.at(-1)) + 1) % 10}`])
		assert.equal((await stranger.visit(`/contrato/${wrong}`)).status, 404, wrong);
	assert.equal((await stranger.visit('/firmar-contrato')).status, 200);
	stranger.close();
});

test('another mailbox does not get the file; the desk sees it in the case', async () => {
	const other = new Applicant(icert, { email: 'otra@example.org' });
	await other.signIn();
	assert.equal((await other.client.visit(`/tramite/${applicant.id}/contrato.pdf`)).status, 404);
	other.close();
	assert.match((await walked.operator.see()).main, /Contrato, como se envió/);
});

test('sent once, and again on request but not at once; revoked by the holder the case closes and the public page says so', async () => {
	const known = await applicant.mail.list({ to: applicant.email, subject: /contrato/ });
	assert.equal(known.length, 1, 'sent once');
	const page = await applicant.see();
	assert.equal((await page.form(/correo\/contract$/).submit()).status, 429, 'not within two minutes of the last');
	expect(await applicant.revoke(), 200, 'revoke');
	await until(async () => /revocado/i.test((await applicant.see()).heading), { what: 'the case to close' });
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	assert.match((await stranger.visit(`/contrato/${kept.number.toLowerCase()}`)).main, /Revocado/);
	stranger.close();
});
