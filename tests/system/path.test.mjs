// The published path from the tariff to a certificate that the country's
// verifiers call good, and to its revocation: an applicant, the gateway and an
// operator over HTTPS, with real files, read back with tools that are not ours.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { elements, visibleText } from '../lib/html.mjs';
import * as files from '../lib/files.mjs';
import * as tools from '../lib/tools.mjs';
import { Applicant, Operator, expect, issued } from './walk.mjs';

const ARC = '1.3.6.1.4.1.43745.1';
const PKCS12_POLICY = `${ARC}.2.1.1.2.1`;

let icert, folder, chain;
let applicant, operator;	// the case that the tests below walk together
const kept = {};		// what an earlier step left for a later one

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	const pem = (name, path) => tools.must('openssl', ['x509', '-inform', 'DER', '-in', path, '-out', join(folder, name)]);
	pem('issuer.pem', icert.files.issuer);
	pem('root.pem', icert.files.root);
	chain = tools.put(folder, 'chain.pem', tools.must('cat', [join(folder, 'issuer.pem'), join(folder, 'root.pem')]));
	applicant = new Applicant(icert);
	operator = new Operator(icert);
});
after(async () => {
	applicant?.close();
	operator?.close();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const mailed = (subject, more = {}) => applicant.mail.wait({ to: applicant.email, subject, ...more });

/** The texts of the elements that carry keys. */
const keysOf = (page) => [...page.html.matchAll(/<(\w+)[^>]*class="[^"]*icert-key[^"]*"[^>]*>([\s\S]*?)<\/\1>/g)].map((m) => visibleText(m[2]));

async function edge(path) {
	const answer = await fetch(icert.status + path);
	assert.equal(answer.status, 200, path);
	return Buffer.from(await answer.arrayBuffer());
}

async function lists() {
	const pem = async (path) => tools.must('openssl', ['crl', '-inform', 'DER'], { input: await edge(path) });
	return tools.put(folder, 'lists.pem', await pem('/crl/icert.crl') + await pem('/crl/raiz.crl'));
}

const status = (certificate, digest) => tools.ocsp({ url: `${icert.status}/ocsp`, certificate, issuer: join(folder, 'issuer.pem'), chain, digest }).output;

test('before paying: prices, comparison, what is needed, the 120 hours', async () => {
	const page = await applicant.client.visit('/tarifas');
	for (const words of [/PKCS#12/, /Token/, /120 horas/, /cédula de ciudadanía, o de su pasaporte/, /votación/, /servicio básico/])
		assert.match(page.main, words);
	// On a phone the details stand below the buttons: the way to them stands above.
	assert.match(page.html, /href="#requisitos"[^]*Comprar[^]*id="requisitos"/);
});

test('pay: mailbox proved, order, checkout, signed notification', async () => {
	await applicant.order();
	await mailed(/orden de pago/);
	await applicant.pay();
	await mailed(/Recibimos su pago/);
});

test('apply: form, three documents through the edge, submitted and mailed', async () => {
	await applicant.begin();
	await applicant.answer();
	await applicant.documents();
	const page = await applicant.submit();
	assert.match(page.heading, /enviada/);
	assert.match((await mailed(/Recibimos su solicitud/)).text, new RegExp(applicant.number));
	const office = await applicant.mail.wait({ to: 'provincia17@icert.example' });
	assert.match(office.subject, /Trabajo nuevo/);
});

test('the operator of the province takes the case and reads its papers, without EXIF', async () => {
	expect(await operator.signIn(), 200);
	const page = await operator.find(applicant.number, 'por-tomar');
	assert.equal(page.heading, 'JOSÉ MARÍA MUÑOZ PEÑAFIEL');
	expect(await operator.take(), 200);
	const viewer = await (await operator.see()).click(/votación/);
	assert.match(viewer.main, /10 de Agosto/i);
	const image = await operator.client.get(elements(viewer.html, 'img')[0].attributes.src);
	assert.equal(image.headers['content-type'], 'image/jpeg');
	assert.match(image.headers['content-security-policy'], /sandbox/);
	assert.ok(tools.jpegSize(image.body).width > 600);
	assert.equal(image.body.includes(Buffer.from('Exif')), false, 'EXIF and GPS are gone');
	const saved = await viewer.click('Descargar');
	assert.match(saved.headers['content-disposition'], /^attachment/);
	assert.doesNotMatch(saved.headers['content-disposition'], /MU|1710034065/);
	const first = await (await operator.see()).click(/^Cédula/);
	assert.match(first.main, /Documento (siguiente|anterior)/);
	const beside = await first.click(/Documento (siguiente|anterior)/);
	assert.notEqual(beside.heading, first.heading, 'the viewer goes on to the next document');
	assert.match((await operator.see()).html, /href="tel:\+?\d+"/, 'a telephone can be called');
	const pdf = await first.click('Descargar');
	assert.match(tools.run('pdftotext', ['-', '-'], { input: pdf.body }).stdout, /CEDULA DE CIUDADANIA/);
	assert.match((await operator.see()).html, /Documento leído/);
});

test('a correction is asked, mailed and mended; only what was named can change', async () => {
	const asked = await operator.observe({ 'document.utility': 'La planilla no se lee: cargue otra fotografía.', 'form.address': 'Escriba la dirección como está en la planilla.' });
	expect(asked, 200);
	const mail = await mailed(/corregir/);
	assert.doesNotMatch(mail.subject, /MUÑOZ|planilla/);
	assert.match(mail.text, /Dirección: Escriba la dirección/, 'the mail names what each is about');
	assert.match(mail.text, /Planilla de un servicio básico: La planilla no se lee/);
	const page = await applicant.see();
	assert.match(page.main, /cargue otra fotografía/);
	const early = await operator.press(/admitir$/).catch((error) => error);
	assert.match(String(early.message ?? early.main), /no form/, 'nothing to accept while it is being mended');
	expect(await applicant.upload('utility', files.billPng()), 303);
	const home = await applicant.client.visit(page.link(/Dirección/));
	assert.match(home.main, /Escriba la dirección como está en la planilla/, 'what was asked stands where it is mended');
	const refused = await home.form(/domicilio/).submit({ address: 'Av. 10 de Agosto N24-121 y Colón', city: 'Guayaquil' });
	assert.match(refused.main, /no está entre lo que el operador pidió/);
	expect(await home.form(/domicilio/).submit({ address: 'Av. 10 de Agosto N24-121 y Colón' }), 200);
	expect(await (await applicant.see()).form(/corregido/).submit(), 200);
	expect(await operator.accept(), 200);
	await mailed(/fue aceptada/);
});

test('a call is noted, an hour proposed and confirmed, its .ics mailed', async () => {
	const noted = await (await operator.see('/contacto')).form(/contacto$/).submit({ channel: 'telephone', outcome: 'reached', note: 'Prefiere la tarde.' });
	assert.match(noted.main, /Prefiere la tarde/);
	expect(await operator.propose(), 200);
	await mailed(/Le proponemos una hora/);
	assert.match((await applicant.client.visit('/mi-tramite')).main, /confirme la hora que le propone/);
	expect(await (await applicant.see()).form(/cita/).submit(), 200);
	const mail = await mailed(/cita está confirmada/);
	const ics = (await mail.attachment(/\.ics$/)).toString('utf8').replace(/\r?\n /g, '');
	for (const line of [/^BEGIN:VCALENDAR\r?\n/, /\nBEGIN:VEVENT\r?\n/, /\nDTSTART:\d{8}T\d{6}Z\r?\n/, /\nURL:https:\/\/sala\.example\/abc/])
		assert.match(ics, line);
	assert.doesNotMatch(ics, /MUÑOZ|1710034065/);
});

test('identification: nobody without second cédula, photograph, ticks, envelope and consent', async () => {
	assert.match((await operator.see('/identificacion')).main, /Falta:/);
	expect(await applicant.upload('second_cedula', files.cedulaPdf()), 303);
	const consent = (await applicant.see()).form(/consentimiento$/);
	for (const page of await Promise.all([consent.send(), consent.send()])) expect(page, 303, 'pressed twice at the same moment');
	const done = await operator.identify(files.photoPng());
	assert.match(done.path, /\/emitir/);
	assert.match(done.main, /todavía no acepta/);
	assert.equal(done.forms.some((f) => /emitir$/.test(f.action)), false, 'no button before the applicant has accepted');
});

test('the applicant accepts the exact fields, and the operator issues with a fresh code', async () => {
	const shown = await applicant.client.visit(`/tramite/${applicant.id}/aceptar`);
	for (const words of ['JOSÉ MARÍA MUÑOZ PEÑAFIEL', '1710034065001', 'AV. 10 DE AGOSTO N24-121 Y COLÓN', '+593991234567', PKCS12_POLICY])
		assert.ok(shown.main.includes(words), words);
	expect(await applicant.acceptFields(), 200);
	const page = await operator.see('/emitir');
	const wrong = await page.form(/emitir$/).submit({ code: '000000' });
	assert.equal(wrong.status, 422);
	assert.equal(wrong.errors.length, 1);
	const begun = expect(await operator.issue(), 200);
	assert.match(begun.path, /emitido/);
	const twice = await page.form(/emitir$/).submit({ code: '000000' });
	assert.match(twice.path, /emitido/, 'the button pressed twice leads to the same certificate');
	kept.code = await operator.openingCode();
	assert.match(kept.code, /^\d{8}$/);
	assert.equal(await operator.openingCode(), kept.code, 'asked again within the minute, as by a page loaded twice');
});

test('PKCS#12 and envelope are mailed once the status is good at the edge', async () => {
	const mail = await mailed(/archivo adjunto/);
	const file = await mail.attachment(/\.p12$/);
	const page = await until(async () => {
		const p = await applicant.see();
		return p.links.some((l) => /\.p12$/.test(l.href)) && p;
	}, { what: 'the download' });
	assert.match(page.main, /Firme el contrato/);
	const saved = await page.click(/Descargar/);
	assert.deepEqual(saved.body, file);
	assert.match(saved.headers['content-disposition'], /attachment/);
	kept.p12 = tools.put(folder, 'firma.p12', file);
	const envelope = await mailed(/Sobre de Credenciales/);
	assert.equal(new URL(envelope.link()).origin, icert.portal);
	assert.deepEqual(envelope.attachmentNames, []);
	assert.doesNotMatch(mail.subject + envelope.subject, /MUÑOZ|1710034065/);
});

test('the envelope opens once, with the spoken code, in the applicant\'s own session', async () => {
	const wrong = await applicant.openEnvelope(kept.code === '12345678' ? '87654321' : '12345678');
	assert.equal(wrong.status, 422);
	assert.equal(wrong.errors.length, 1);
	const open = expect(await applicant.openEnvelope(kept.code), 200);
	[kept.password, kept.revocation] = keysOf(open).filter((k) => k.length >= 8 && !/^\d{10}$/.test(k));
	assert.ok(kept.password?.length >= 16, open.main);
	const again = await (await operator.see('/emitido')).form(/codigo$/).submit();
	assert.equal(again.status, 409, 'a code that has been used is told to nobody');
	assert.match(again.errors[0], /ya se mostró/);
	// Another browser of the same mailbox: opened already.
	const other = new Client({ base: icert.portal, ca: icert.ca });
	const elsewhere = Object.assign(Object.create(Object.getPrototypeOf(applicant)), applicant, { client: other });
	await elsewhere.signIn();
	const refused = await elsewhere.openEnvelope(kept.code).catch((error) => error);
	assert.doesNotMatch(refused.html ?? '', new RegExp(kept.password));
	other.close();
});

test('openssl and keytool open the PKCS#12: one key, three certificates', () => {
	const { key, certificates } = tools.openPkcs12(kept.p12, kept.password);
	assert.match(key, /BEGIN PRIVATE KEY/);
	assert.equal(certificates.length, 3);
	kept.certificate = tools.put(folder, 'certificate.pem', certificates[0]);
	const keyFile = tools.put(folder, 'key.pem', key);
	assert.equal(tools.must('openssl', ['pkey', '-in', keyFile, '-pubout']), tools.must('openssl', ['x509', '-in', kept.certificate, '-noout', '-pubkey']));
	assert.match(tools.must('openssl', ['pkey', '-in', keyFile, '-noout', '-text']), /Private-Key: \(2048 bit/);
	const listed = tools.keytool(['-list', '-v', '-storetype', 'PKCS12', '-keystore', kept.p12, '-storepass', kept.password]);
	assert.equal(listed.status, 0, listed.output);
	assert.match(listed.stdout, /contains 1 entry/);
	assert.match(listed.stdout, /Certificate chain length: 3/);
	const wrong = tools.keytool(['-list', '-storetype', 'PKCS12', '-keystore', kept.p12, '-storepass', 'otra-clave']);
	assert.notEqual(wrong.status, 0);
});

test('subject, validity, key usage, policy, OCSP and CRL as openssl reads them', () => {
	const read = (...args) => tools.must('openssl', ['x509', '-in', kept.certificate, '-noout', ...args]);
	assert.equal(read('-subject', '-nameopt', 'utf8,sep_comma_plus').trim(), 'subject=C=EC,L=QUITO,serialNumber=1710034065,CN=JOSÉ MARÍA MUÑOZ PEÑAFIEL');
	assert.match(read('-issuer', '-nameopt', 'utf8,sep_comma_plus'), /O=CONSEJO DE LA JUDICATURA/);
	const text = read('-text');
	assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Non Repudiation\s/);
	assert.match(text, /X509v3 Extended Key Usage:\s+TLS Web Client Authentication, E-mail Protection\s/);
	assert.match(text, new RegExp(`Policy: ${PKCS12_POLICY.replaceAll('.', '\\.')}\\s`));
	assert.equal(text.match(/Policy: /g).length, 1);
	assert.match(text, /Signature Algorithm: sha256WithRSAEncryption/);
	assert.match(text, new RegExp(`Authority Information Access:\\s+OCSP - URI:${icert.status}/ocsp`));
	assert.match(text, new RegExp(`URI:${icert.status}/crl/icert\\.crl`));
	const [from, to] = ['-startdate', '-enddate'].map((a) => new Date(read(a).split('=')[1]));
	assert.equal(to.getUTCFullYear() - from.getUTCFullYear(), 2);
	assert.match(read('-serial'), /serial=[0-9A-F]{30,32}/);
});

test('every otherName of subjectAltName, with Ñ and accents', () => {
	const { email, names } = tools.subjectAltName(kept.certificate);
	const text = (oid) => names.get(`${ARC}.3.${oid}`);
	assert.equal(email, applicant.email);
	assert.deepEqual(Object.fromEntries([1, 2, 3, 4, 7, 8, 9, 11, 12, 50, 51, 52, 53].map((n) => [n, text(n)])), {
		1: '1710034065', 2: 'JOSÉ MARÍA', 3: 'MUÑOZ', 4: 'PEÑAFIEL', 7: 'AV. 10 DE AGOSTO N24-121 Y COLÓN', 8: '+593991234567', 9: 'QUITO',
		11: '1710034065001', 12: 'ECUADOR', 50: 'PERSONA NATURAL', 51: 'ARCHIVO PKCS#12', 52: '', 53: '',
	});
	assert.equal(names.size, 13);
});

test('openssl ocsp: good, by SHA-1 and SHA-256; openssl verify with both lists', async () => {
	for (const digest of ['sha1', 'sha256']) {
		assert.match(status(kept.certificate, digest), /: good\n/);
		assert.match(status(kept.certificate, digest), /Response verify OK/);
	}
	const verify = tools.run('openssl', ['verify', '-x509_strict', '-crl_check_all', '-CAfile', chain, '-CRLfile', await lists(), kept.certificate]);
	assert.equal(verify.status, 0, verify.output);
});

test('a signature made with the key in hand verifies under the chain', () => {
	const text = tools.put(folder, 'factura.xml', '<factura>Peñafiel</factura>');
	const [key, signed] = [join(folder, 'key.pem'), join(folder, 'factura.p7s')];
	tools.must('openssl', ['cms', '-sign', '-binary', '-in', text, '-signer', kept.certificate, '-inkey', key, '-certfile', join(folder, 'issuer.pem'), '-outform', 'DER', '-out', signed]);
	const verify = tools.run('openssl', ['cms', '-verify', '-binary', '-inform', 'DER', '-in', signed, '-content', text, '-CAfile', chain, '-purpose', 'any', '-out', '/dev/null']);
	assert.equal(verify.status, 0, verify.output);
});

test('revoked by the holder: seen in OCSP at once, in the list within a minute, mailed', async () => {
	const buttons = await Promise.all([applicant.revocation('not_needed'), applicant.revocation('not_needed')]);
	const both = await Promise.all(buttons.map((press) => press()));
	for (const page of both) expect(page, 200, 'pressed twice at the same moment');
	await until(() => /: revoked/.test(status(kept.certificate, 'sha1')), { what: 'revoked in OCSP' });
	await until(async () => /certificate revoked/.test(tools.run('openssl', ['verify', '-crl_check_all', '-CAfile', chain, '-CRLfile', await lists(), kept.certificate]).output),
		{ timeout: 60_000, every: 1000, what: 'revoked in the list' });
	await mailed(/fue revocado/);
	assert.match((await applicant.see()).heading, /revocado/i);
	assert.match((await operator.see()).main, /Revocado/);
});

test('a passport, a single surname and no RUC; revoked by the code of the envelope, with no session', async () => {
	const second = await issued(icert, {
		id_kind: 'passport', id_number: 'AB123456', given_names: 'Ñusta Ángela', surname1: 'Öztürk', surname2: '', invoices: 'no', ruc: '',
		city: 'Ibarra', province: '17',
	});
	const { applicant: person } = second;
	const file = tools.put(folder, 'second.p12', await (await person.mail.wait({ to: person.email, subject: /archivo adjunto/ })).attachment(/\.p12$/));
	const [password, revocation] = keysOf(expect(await person.openEnvelope(second.code), 200)).filter((k) => k.length >= 8 && !/^\d{10}$/.test(k));
	const certificate = tools.put(folder, 'second.pem', tools.openPkcs12(file, password).certificates[0]);
	const { names } = tools.subjectAltName(certificate);
	const text = (oid) => names.get(`${ARC}.3.${oid}`);
	assert.equal(text(2), 'ÑUSTA ÁNGELA');
	assert.equal(text(3), 'ÖZTÜRK');
	assert.equal(text(4), '');
	assert.equal(names.has(`${ARC}.3.11`), false);
	assert.equal(tools.must('openssl', ['x509', '-in', certificate, '-noout', '-subject', '-nameopt', 'utf8,sep_comma_plus']).trim(),
		'subject=C=EC,L=IBARRA,serialNumber=AB123456,CN=ÑUSTA ÁNGELA ÖZTÜRK');
	assert.match(status(certificate, 'sha256'), /: good/);
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	const form = (await stranger.visit('/revocar')).form(/revocar/);
	const wrong = await form.submit({ code: 'AAAA-BBBB-CCCC-DDDD', reason: 'key_compromise' });
	assert.equal(wrong.status, 422);
	expect(await form.submit({ code: revocation, reason: 'key_compromise' }), 200);
	await until(() => /: revoked/.test(status(certificate, 'sha256')), { what: 'revoked in OCSP' });
	stranger.close();
	person.close();
	second.operator.close();
});

test('the log holds every step of the case, and its tree verifies', async () => {
	const auditor = new Operator(icert, 'auditor');
	expect(await auditor.signIn(), 200);
	const page = await auditor.client.visit(operator.path);
	for (const words of ['Solicitud enviada', 'Corrección pedida', 'Hora acordada', 'Identidad comprobada', 'Datos exactos aceptados', 'Emisión ordenada', 'Certificado emitido', 'Certificado revocado'])
		assert.ok(page.html.includes(words), words);
	assert.equal(page.forms.some((f) => f.method === 'post' && f.action.startsWith('/caso')), false, 'the auditor changes nothing');
	const log = await auditor.client.visit('/registro');
	assert.match(log.main, /Emisión ordenada/);
	// Whoever asked for it, by name or reference: never only the program that did it.
	const acts = elements(log.html, 'tr').map((row) => visibleText(row.inner));
	const by = (action) => acts.filter((text) => text.includes(action)).join('\n');
	assert.match(by('Identidad comprobada'), /Personal Operadora de Pichincha/);
	assert.match(by('Datos exactos aceptados'), /Solicitante [0-9a-f]{8}/);
	assert.doesNotMatch(log.main, /icert-(portal|desk)/);
	const verify = await until(async () => {
		const result = await icert.icertctl('audit', 'verify');
		return result.code === 0 && result;
	}, { what: 'audit verify' });
	assert.equal(verify.code, 0);
	auditor.close();
});
