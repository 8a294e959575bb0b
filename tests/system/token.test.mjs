// A certificate in a token, from the tariff to the contract: the key is made in
// SoftHSM2, its request is the only thing that comes out, and the certificate goes back in.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import * as pdf from '../lib/pdf.mjs';
import * as tools from '../lib/tools.mjs';
import { Token, fingerprint, pem } from '../lib/token.mjs';
import { Applicant, Director, Operator, expect, identifiedForToken } from './walk.mjs';

const grouped = (hex) => hex.match(/.{4}/g).join(' ');
const address = 'Dirección Provincial, Quito';

let icert, token, folder, applicant, operator, other;
const kept = {};

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	token = new Token();
	operator = new Operator(icert);
	expect(await operator.signIn(), 200, 'desk');
});
after(async () => {
	for (const one of [applicant, operator, other, token]) one?.close();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const bring = async (text) => (await operator.see('/token')).form(/token$/).submit({ request: text });

test('the tariff sells a token, with an appointment at the office', async () => {
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	const page = expect(await stranger.visit('/tarifas'), 200);
	assert.match(page.main, /Con una cita en la oficina de su provincia/);
	stranger.close();
	applicant = await identifiedForToken(icert, operator);
	for (const subject of [/Recibimos su solicitud/, /solicitud fue aceptada/])
		assert.match((await applicant.mail.wait({ to: applicant.email, subject })).text, /cita en la oficina/);
	const slot = await applicant.mail.wait({ to: applicant.email, subject: /cita está confirmada/ });
	assert.ok(slot.text.includes(address), slot.text);
	assert.doesNotMatch(slot.text, /videoconferencia|cámara/);
	const calendar = (await slot.attachment(/ics$/)).toString().replace(/\r\n /g, '');
	assert.match(calendar, /LOCATION:Dirección Provincial\\, Quito/);
	assert.doesNotMatch(calendar, /^URL:/m);
});

test('a token is handed over at the office alone', async () => {
	const second = new Applicant(icert, { id_number: '0923456784', ruc: '0923456784001' });
	second.product = 'Token Consejo de la Judicatura</h2>';
	await second.apply();
	const path = operator.path;
	await operator.find(second.number);
	await operator.take();
	await operator.accept();
	const page = await operator.see('/cita');
	assert.ok(page.main.includes(address));
	assert.doesNotMatch(page.html, /name="meeting"/);
	/* Also for whoever writes the form themselves. */
	const forced = await page.form(/cita$/).submit(operator.slotFields({ mode: 'video' }), { button: 'agreed' });
	assert.equal(forced.status, 422, 'a video conference for a token');
	assert.match(forced.errors.join(' '), /en la oficina/);
	expect(await operator.propose({ mode: 'in_person', meeting: '' }), 200, 'propose');
	const proposed = await second.mail.wait({ to: second.email, subject: /proponemos una hora/ });
	assert.ok(proposed.text.includes(address));
	assert.ok((await second.see()).main.includes(address), 'on their page');
	await (await second.see()).form(/cita\//).submit();
	const calendar = (await second.client.get(`/tramite/${second.id}/cita.ics`)).body.toString().replace(/\r\n /g, '');
	assert.match(calendar, /LOCATION:Dirección Provincial\\, Quito/);
	operator.path = path;
	second.close();
});

test('nothing is accepted or issued before there is a key', async () => {
	const page = await operator.see('/emitir');
	assert.match(page.path, /\/token/);
	assert.match((await operator.see()).main, /Registrar la clave del token/);
	assert.match((await applicant.see()).main, /crea con usted la clave.*Quién actúa ahora El operador/);
	const accept = await applicant.client.visit(`/tramite/${applicant.id}/aceptar`);
	assert.match(accept.main, /Todavía falta la clave/);
	assert.equal(accept.forms.some((f) => /aceptar$/.test(f.action)), false);
});

test('what is no request, or not of a fit key, or not of its holder, is refused with what to do', async () => {
	kept.key = token.makeKey();
	kept.spki = token.spki(kept.key);
	const good = token.csr(kept.key);
	const sha1 = Buffer.from('300d06092a864886f70d0101050500', 'hex');
	const cut = pem(good.subarray(0, good.length - 9));
	const small = token.makeKey('rsa:1024');
	const ec = token.makeKey('EC:prime256v1');
	for (const [text, words] of [
		['', /Pegue el pedido/],
		['hola', /no es un pedido/],
		[cut, /no es un pedido/],
		[pem(good).replace('BEGIN CERTIFICATE REQUEST', 'BEGIN CERTIFICATE'), /no es un pedido/],
		[pem(token.csr(small)), /2048, 3072 o 4096/],
		[pem(token.csr(kept.key, { spki: token.spki(ec) })), /debe ser RSA/],
		[pem(token.csr(kept.key, { mechanism: 'SHA1-RSA-PKCS', algorithm: sha1 })), /firmado con SHA-256/],
		[pem(token.csr(kept.key, { spki: token.spki(token.makeKey()) })), /no está firmado con su propia clave/],
	]) {
		const page = await bring(text);
		expect(page, 422, String(words));
		assert.match(page.errors.join(' '), words);
	}
	const exponent = tools.must('openssl', ['req', '-new', '-newkey', 'rsa:2048', '-pkeyopt', 'rsa_keygen_pubexp:3', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=X']);
	assert.match((await bring(exponent)).errors.join(' '), /65537/);
	assert.match((await operator.see('/emitir')).path, /\/token/, 'none of them is the key');
});

test('the key is registered; both people see the same fingerprint', async () => {
	/* A second thought is possible: the first key stays behind. */
	kept.first = token.makeKey();
	expect(await bring(pem(token.csr(kept.first))), 200);
	const page = expect(await bring(pem(token.csr(kept.key, { name: 'OTRA PERSONA' }))), 200);
	assert.match(page.path, /\/emitir/);
	const shown = grouped(fingerprint(kept.spki));
	assert.ok(page.main.includes(shown), 'at the desk');
	assert.ok((await applicant.client.visit(`/tramite/${applicant.id}/aceptar`)).main.includes(shown), 'on their own page');
	expect(await applicant.acceptFields(), 200, 'accept');
	/* Another key than the one accepted: accepted again. */
	expect(await bring(pem(token.csr(kept.first))), 200);
	assert.match((await operator.see('/emitir')).main, /todavía no acepta/);
	expect(await bring(pem(token.csr(kept.key))), 200);
	assert.match((await operator.see('/emitir')).main, /aceptó estos datos/);
});

test('issued without a file: certificate at the desk, on the page and by mail', async () => {
	expect(await operator.issue(), 200, 'issue');
	kept.code = await operator.openingCode();
	const page = await until(async () => {
		const p = await operator.see('/emitido');
		return /Descargar el certificado/.test(p.main) && p;
	}, { what: 'the certificate at the desk' });
	kept.cer = (await page.click(/\(\.cer\)/)).body;
	const chain = (await page.click(/\(\.pem\)/)).body.toString();
	assert.equal(chain.match(/BEGIN CERTIFICATE/g).length, 3);
	const own = await applicant.see();
	assert.doesNotMatch(own.main, /PKCS#12/);
	assert.deepEqual((await own.click(/\(\.cer\)/)).body, kept.cer);
	assert.equal((await applicant.client.visit(`/tramite/${applicant.id}/certificado.p12`)).status >= 400, true);
	const mail = await applicant.mail.wait({ to: applicant.email, subject: /certificado de su token/ });
	assert.deepEqual(mail.attachmentNames, [`certificado-${applicant.number}.cer`, `certificado-${applicant.number}-cadena.pem`]);
	assert.deepEqual(await mail.attachment(/cer$/), kept.cer);
	assert.equal((await applicant.mail.list({ to: applicant.email, subject: /archivo adjunto/ })).length, 0);

	const cert = tools.certificateToPem(folder, 'holder.pem', kept.cer);
	const text = tools.must('openssl', ['x509', '-in', cert, '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus']);
	assert.match(text, /Subject: C=EC,L=QUITO,serialNumber=1710034065,CN=JOSÉ MARÍA MUÑOZ PEÑAFIEL/);
	assert.match(text, /Policy: 1\.3\.6\.1\.4\.1\.43745\.1\.2\.1\.1\.1\.1/);
	assert.ok(text.includes('1.3.6.1.4.1.43745.1.3.51::TOKEN'));
	assert.doesNotMatch(text, /OTRA PERSONA/);
	assert.deepEqual(execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'],
		{ input: tools.must('openssl', ['x509', '-in', cert, '-noout', '-pubkey']) }), kept.spki);
	const ca = join(icert.prefix, 'ca/public/chain.pem');
	tools.must('openssl', ['verify', '-CAfile', ca, cert]);
	token.store(kept.key, kept.cer);
	assert.match(token.objects(), /Certificate Object/);
	assert.equal(icert.psql(`select string_agg(label, ',') from icert.delivery`).text.trim(), 'envelope', 'no private key, no PKCS#12');
});

test('the key serves nobody else, whatever name is in the request', async () => {
	other = await identifiedForToken(icert, operator, { id_number: '1714616123', given_names: 'Eva', surname1: 'Rota', surname2: '', ruc: '1714616123001' });
	for (const id of [kept.key, kept.first]) {
		const page = await bring(pem(token.csr(id)));
		expect(page, 422, 'used key');
		assert.match(page.errors.join(' '), /ya pertenece a otro/);
	}
	/* Were the row of who brought it gone: the certificate, of whatever province, has it still. */
	icert.sql(`set session_replication_role = replica; delete from icert.token_request where application_id = '${applicant.id}'`);
	assert.match((await bring(pem(token.csr(kept.key)))).errors.join(' '), /ya pertenece a otro/);
	assert.equal(icert.psql(`select count(*) from icert.audit where action = 'token.request' and outcome = 'refused' and reason = 'exists'`).text.trim(), '3');
});

test('programs killed while a token is issued cost a step, and nothing else', async () => {
	kept.long = token.makeKey('rsa:3072');
	expect(await bring(pem(token.csr(kept.long))), 200, 'a key of their own, longer');
	expect(await other.acceptFields(), 200, 'accept');
	let done = false;
	const killer = (async () => {
		for (const name of ['issuer', 'signer', 'keymaker', 'issuer', 'keeper', 'issuer']) {
			const pid = (await icert.processes()).find((row) => row.name === name)?.pid;
			if (pid > 0 && !done) {
				try { process.kill(pid, 'SIGKILL'); } catch { /* it was just being restarted */ }
			}
			await new Promise((resolve) => setTimeout(resolve, 60));
		}
	})();
	await operator.issue();
	await killer;
	done = true;
	if (/\/emitir/.test((await operator.see('/emitir')).path)) expect(await operator.issue(), 200, 'issue, pressed again');
	await operator.openingCode();
	const page = await operator.see('/emitido');
	const cert = tools.certificateToPem(folder, 'other.pem', (await page.click(/\(\.cer\)/)).body);
	assert.match(tools.must('openssl', ['x509', '-in', cert, '-noout', '-text']), /Public-Key: \(3072 bit\)/);
	assert.equal(icert.psql(`select count(*) from icert.certificate where application_id = '${other.id}'`).text.trim(), '1');
	const journal = readFileSync(join(icert.prefix, 'signer/journal'), 'utf8');
	assert.equal(journal.match(/^\d+ \d+ certificate /gm).length, 2, 'one line a certificate');
});

test('the contract is signed in the token, countersigned and filed; signed by another key it is not', async () => {
	const contract = await applicant.contract();
	const text = tools.must('pdftotext', ['-layout', tools.put(folder, 'contrato.pdf', contract), '-']);
	assert.match(text, /TOKEN/);
	const signed = (key) => pdf.sign(contract, null, { pades: true, cms: (covered) => token.cms(key, covered, kept.cer) });
	assert.match(expect(await applicant.sendContract(signed(kept.first)), 200).main, /No pudimos aceptar/);
	const good = signed(kept.key);
	assert.match(tools.must('pdfsig', ['-nocert', tools.put(folder, 'firmado.pdf', good)]), /Signature is Valid/);
	assert.match(expect(await applicant.sendContract(good), 200).main, /Su firma es correcta/);
	const director = new Director(icert);
	expect(await director.signIn(), 200, 'director');
	await director.open(applicant.number);
	expect(await director.sendSigned(pdf.sign(good, director.identity(folder), { pades: true })), 200);
	director.close();
	await until(async () => /activo/i.test((await applicant.see()).heading), { what: 'active' });
	const evidence = expect(await applicant.client.visit(`/tramite/${applicant.id}/evidencia.zip`), 200, 'evidence').body;
	const verified = await icert.icertctl('evidence', 'verify', tools.put(folder, 'evidencia.zip', evidence));
	assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});

test('the envelope outlives the contract: it holds a revocation code alone, and it revokes', async () => {
	assert.match((await applicant.see()).main, /Abrir el sobre de credenciales/);
	const opened = expect(await applicant.openEnvelope(kept.code), 200, 'envelope');
	assert.doesNotMatch(opened.main, /Clave del archivo/);
	const code = opened.main.match(/[2-9A-HJ-NP-Z]{4}(?:-[2-9A-HJ-NP-Z]{4}){3}/)[0];
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	const form = (await stranger.visit('/revocar')).form(/revocar/);
	expect(await form.submit({ code, reason: 'lost_access' }), 200, 'revoke by code');
	stranger.close();
	await until(() => icert.psql(`select state from icert.certificate where application_id = '${applicant.id}'`).text.trim() === 'revoked',
		{ what: 'the revocation' });
});
