// The contract's pages in Chromium, on a phone and on a desktop: the applicant returns it, is told what is wrong, and
// the director signs, sends back, names a substitute.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as pdf from '../lib/pdf.mjs';
import * as tools from '../lib/tools.mjs';
import { signal, units } from '../lib/processes.mjs';
import { Director, holder, issued } from '../system/walk.mjs';
import { Person, closeBrowser } from './walk.mjs';

const shots = process.env.SHOTS;
let icert, folder, who, identity, contract;
before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	who = await issued(icert);
	identity = await holder(who.applicant, who.code, folder);
	contract = await who.applicant.contract();
});
after(async () => {
	for (const one of [who?.applicant, who?.operator]) one?.close();
	await closeBrowser();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const put = (name, bytes) => { const path = join(folder, name); writeFileSync(path, bytes); return path; };

async function atPortal(width) {
	const person = await new Person(icert, { width, shots }).open();
	person.email = who.applicant.email;
	person.seen.add('code');	// seen elsewhere
	await person.go('/entrar');
	await person.signIn();
	return person;
}

async function atDesk(login, width) {
	const person = await new Person({ ...icert, portal: icert.desk }, { width, shots }).open();
	const account = icert.staff(login);
	await person.go('/');
	await person.fill({ user: account.login, password: account.password, code: await icert.totp(login) });
	await person.press('Entrar');
	return person;
}

const text = (person) => person.page.locator('main').innerText();

test('the applicant returns the contract: refused in words, waiting, signed', async () => {
	const phone = await atPortal(380);
	const desktop = await atPortal(1280);
	const look = async (path, name) => { await phone.go(path, name); await desktop.go(path, name); };
	const at = `/tramite/${who.applicant.id}`;
	const send = async (person, path, name) => {
		await person.page.locator('input[type=file]').setInputFiles(path);
		await person.press('Subir el contrato', name);
	};
	await look(at, 'case-contract');
	await look(`${at}/contrato`, 'return');
	await phone.press('Subir el contrato', 'return-missing');
	await send(phone, put('sin-firma.pdf', contract), 'return-refused');
	assert.match(await text(phone), /llegó sin firma/);
	await look(at, 'case-refused');
	await desktop.go(`${at}/contrato`, 'return-refused');
	signal(units(icert).get('checker').pid, 'SIGSTOP');
	try {
		await send(desktop, put('firmado.pdf', pdf.sign(contract, identity, { pades: true, visible: [300, 60, 500, 110] })), 'return-waiting');
		assert.match(await text(desktop), /plazo está detenido/);
		await look(at, 'case-waiting');
		await phone.go(`${at}/contrato`, 'return-waiting');
	} finally {
		signal(units(icert).get('checker').pid, 'SIGCONT');
	}
	await until(async () => /Su firma es correcta/.test(await text(phone)), { what: 'the waiting page to show the word by itself' });
	await look(`${at}/contrato`, 'return-signed');
	await look(at, 'case-signed');
	await phone.close();
	await desktop.close();
});

test('the director signs or sends back; the operator, the substitutes and the certificates of staff', async () => {
	const phone = await atDesk('director.pichincha', 380);
	const desktop = await atDesk('director.pichincha', 1280);
	const look = async (path, name) => { await phone.go(path, name); await desktop.go(path, name); };
	await look('/contratos', 'contracts');
	await phone.press(who.applicant.number, 'countersign');
	const at = new URL(phone.page.url()).pathname;
	await desktop.go(at, 'countersign');
	await desktop.page.locator('input[type=file]').setInputFiles(join(folder, 'firmado.pdf'));
	await desktop.press('Subir el contrato firmado', 'countersign-refused');
	assert.match(await text(desktop), /solo la firma del titular/);
	await phone.go(at);
	await phone.press('Devolver el contrato', 'send-back-missing');
	await look('/contratos/sustitutos', 'substitutes');
	await phone.page.getByLabel('Usuario de quien firma').fill('operador.guayas');
	await phone.page.getByLabel('Desde el día').fill('2026-12-01');
	await phone.page.getByLabel('Hasta el día').fill('2099-12-01');
	await phone.press('Nombrar');
	await look('/contratos/sustitutos', 'substitutes-named');
	const helper = new Director(icert);	// for the key on the account alone
	const [one] = [helper.identity(folder)];
	helper.close();
	await desktop.go(at);
	await desktop.page.locator('input[type=file]').setInputFiles(put('dos.pdf', pdf.sign(pdf.sign(contract, identity), one)));
	await desktop.press('Subir el contrato firmado');
	assert.match(await text(desktop), /no comienza con el contrato/);
	const signed = await who.applicant.client.get(`/tramite/${who.applicant.id}/contrato-firmado.pdf`);
	await desktop.page.locator('input[type=file]').setInputFiles(put('dos.pdf', pdf.sign(signed.body, one, { visible: [60, 60, 260, 110] })));
	await desktop.press('Subir el contrato firmado', 'countersigned');
	assert.match(await text(desktop), /Las dos firmas son correctas/);
	await until(async () => /activo/i.test((await who.applicant.see()).heading), { what: 'filing' });
	const operator = await atDesk('operador.pichincha', 1280);
	await operator.go(`/caso/${who.applicant.id}`, 'case-active');
	await operator.go(`/caso/${who.applicant.id}/contrato`, 'case-copies');
	const admin = await atDesk('administrador', 1280);
	await admin.go('/personal/certificados', 'signers');
	await admin.press('Pedir el registro', 'signers-missing');
	for (const person of [phone, desktop, operator, admin]) await person.close();
	const applicant = await atPortal(380);
	await applicant.go(`/tramite/${who.applicant.id}`, 'case-active-portal');
	await applicant.go(`/tramite/${who.applicant.id}/contrato`, 'return-complete');
	await applicant.close();
});
