// A file certificate is renewed while it is valid: its holder signs the request with
// it, nobody is seen again, and the new one is issued as any other.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import * as pdf from '../lib/pdf.mjs';
import { expect, issued } from './walk.mjs';

const DAY = 86400;

let icert;
let folder;
let who;
let operator;
let old;	// the case that is renewed
let identity;	// its certificate's

const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };
const state = (id) => sql(`select state from icert.application where id = '${id}'`);
const before_end = (days) => icert.moveClock(Number(sql(`select not_after from icert.certificate where application_id = '${old.id}'`))
	- days * DAY - Math.floor(Date.now() / 1000));
const upload = async (file) => (await who.client.visit(`/tramite/${who.id}/renovacion`)).form(/renovacion$/)
	.submit({ file: { filename: 'renovacion.pdf', type: 'application/pdf', data: file } });

const activate = (id) => sql(`set session_replication_role = replica; update icert.application set state = 'active' where id = '${id}';
	update icert.deadline set state = 'void' where application_id = '${id}' and kind in ('contract_due', 'contract_warn')`);

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'icert-renewal-'));
	icert = await startInstance();
	const walked = await issued(icert);
	who = walked.applicant;
	operator = walked.operator;
	old = { id: who.id, number: who.number };
	const envelope = (await who.openEnvelope(walked.code)).html;
	const p12 = await until(async () => { const a = await who.client.get(`/tramite/${old.id}/certificado.p12`); return a.status === 200 && a.body; }, { what: 'the file' });
	writeFileSync(join(folder, 'old.p12'), p12);
	identity = pdf.identityOf(join(folder, 'old.p12'), /id="clave">([^<]+)</.exec(envelope)[1], folder);
	await until(() => state(old.id) === 'contract_sent', { what: 'the contract' });
	// What leads from here to active is not looked at here.
	activate(old.id);
});
after(() => { who?.close(); operator?.close(); rmSync(folder, { recursive: true, force: true }); return icert?.stop(); });

test('before its time a renewal is not sold, and the page says from when it is', async () => {
	assert.doesNotMatch((await who.see()).main, /Renovar mi certificado/);
	assert.match((await who.client.visit(`/tramite/${old.id}/de-nuevo`)).main, /Puede renovarlo desde/);
	const tariff = sql("select id from icert.tariff where kind = 'renewal' and on_sale");
	const form = (await who.client.visit(`/comprar/${tariff}?de=${old.id}`)).form(/comprar/);
	assert.match((await form.submit()).path, /de-nuevo/);
	assert.equal(sql("select count(*) from icert.purchase where kind = 'renewal'"), '0');
});

test('sixty days before its end the mail leads to the renewal; one order a certificate', async () => {
	before_end(59);
	const mail = await who.mail.wait({ to: who.email, subject: /por vencer/ });
	assert.match(mail.text, /renuévelo antes de que venza/);
	const page = await (await who.see()).click(/Renovar mi certificado/);
	assert.match(page.main, /no hace falta otra videoconferencia/);
	const order = expect(await (await page.click(/Continuar/)).form(/comprar/).submit(), 200, 'order');
	who.orderPath = order.path.split('?')[0];
	assert.match((await who.client.visit(`/tramite/${old.id}/de-nuevo`)).main, /Ya hay una renovación/);
});

test('the draft has the data of the certificate that is renewed; accepted, its request comes by mail', async () => {
	await who.pay();
	let page = await who.begin();
	for (const step of ['identidad', 'nombres', 'domicilio', 'telefono', 'ruc', 'votacion'])
		page = expect(await page.form(new RegExp(`${step}$`)).submit(), 200, step);
	expect(await page.form(/privacidad$/).submit({ privacy: 'yes' }), 200, 'privacy');
	await who.documents();
	await who.submit();
	assert.equal(sql(`select kind || ' ' || (origin_id = '${old.id}') from icert.application where id = '${who.id}'`), 'renewal true');
	await operator.find(who.number);
	await operator.take();
	expect(await operator.accept(), 200, 'accept');
	const mail = await who.mail.wait({ to: who.email, subject: /solicitud de renovación/ });
	assert.match(mail.text, /firme el archivo adjunto con su certificado actual/);
	assert.deepEqual(mail.attachmentNames, [`renovacion-${who.number}.pdf`]);
	assert.match((await who.see()).main, /Firme la solicitud de renovación/);
	assert.equal((await operator.see()).forms.filter((f) => /renovacion$/.test(f.action)).length, 0, 'nothing to take yet');
});

let request;

test('what is not signed with that certificate is refused in words, and can be sent again', async () => {
	request = (await who.client.get(`/tramite/${who.id}/renovacion.pdf`)).body;
	assert.equal(request.subarray(0, 5).toString(), '%PDF-');
	const unsigned = await upload(request);
	assert.match(unsigned.main, /No pudimos aceptar el archivo. La solicitud llegó sin firma/);
	assert.equal(sql('select state from icert.renewal'), 'made');
	const other = await upload(pdf.sign(files.cedulaPdf().data, identity));
	assert.match(other.main, /No pudimos aceptar el archivo/);
	assert.equal(state(who.id), 'accepted');
});

test('signed with it, it is the identification; nobody is seen again', async () => {
	const page = await upload(pdf.sign(request, identity));
	assert.match(page.main, /Su firma es correcta/);
	assert.equal(sql('select state from icert.renewal'), 'signed');
	const done = expect(await operator.press(/renovacion$/), 200, 'taken');
	assert.match(done.main, /se dicta por teléfono/);
	assert.equal(state(who.id), 'identified');
	assert.equal(sql(`select count(*) from icert.envelope where application_id = '${who.id}'`), '1');
	assert.equal(sql(`select reason from icert.audit where case_id = '${who.id}' and action = 'application.identify_signed' and outcome = 'done'`), 'signature');
});

test('it is issued with a key and an envelope of its own; the old one stays valid to its end', async () => {
	assert.doesNotMatch((await who.see()).main, /segunda copia/);
	expect(await who.acceptFields(), 200, 'fields');
	expect(await operator.issue(), 200, 'issue');
	const code = await operator.openingCode();
	await who.openEnvelope(code);
	assert.equal(sql("select count(distinct spki_sha256) from icert.certificate where state = 'good'"), '2');
	await until(() => state(who.id) === 'contract_sent', { what: 'the contract' });
	const renewed = who.id;
	assert.match((await who.client.visit(`/tramite/${old.id}/de-nuevo`)).main, /Ya hay una renovación/);
	// The notices of the old one's end stop.
	activate(renewed);
	const notices = async () => (await who.mail.list({ to: who.email, subject: /por vencer/ })).filter((m) => m.text.includes(old.number)).length;
	assert.equal(await notices(), 1);
	before_end(29);
	await until(() => sql(`select count(*) from icert.deadline where kind = 'certificate_warn' and state = 'waiting' and application_id = '${old.id}'`) === '3', { what: 'the notice' });
	assert.equal(await notices(), 1);
	assert.equal(sql(`select state from icert.certificate where application_id = '${old.id}'`), 'good');
	assert.equal(state(renewed), 'active');
});

test('an active case whose certificate was revoked, or has expired, is told as such: on its page, in the list, at the desk', async () => {
	const renewed = who.id;
	const told = async (id, word, desk) => {
		const page = await who.client.visit(`/tramite/${id}`);
		assert.match(page.heading, word);
		assert.doesNotMatch(page.main, /Puede usar su certificado/);
		assert.match((await operator.client.visit(`/caso/${id}`)).main, desk);
	};
	assert.match((await who.client.visit(`/tramite/${renewed}`)).heading, /Certificado activo/);
	expect(await who.revoke(), 200, 'revoked');
	assert.equal(state(renewed), 'active');
	await told(renewed, /Certificado revocado/, /el certificado fue revocado/);
	before_end(-1);
	await until(() => sql(`select state from icert.certificate where application_id = '${old.id}'`) === 'expired', { what: 'the end' });
	await told(old.id, /Certificado vencido/, /el certificado venció/);
	const list = (await who.client.visit('/mi-tramite')).main;
	assert.match(list, /Certificado revocado\.[^]*Certificado vencido\./);
	assert.doesNotMatch(list, /Certificado activo/);
});
