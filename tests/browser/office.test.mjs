// The national office's pages in Chromium, on a phone and on a desktop:
// revocation by two people, and what stopped the automatic deadlines.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Applicant, issued } from '../system/walk.mjs';
import { Person, closeBrowser } from './walk.mjs';

const shots = process.env.SHOTS;
let icert;
let who;
let waiting;
before(async () => {
	icert = await startInstance();
	who = await issued(icert);
	waiting = new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' });
	await waiting.apply();
});
after(async () => {
	for (const one of [who?.applicant, who?.operator, waiting]) one?.close();
	await closeBrowser();
	await icert?.stop();
});

async function atDesk(login, width) {
	const person = await new Person({ ...icert, portal: icert.desk }, { width, shots }).open();
	const account = icert.staff(login);
	await person.go('/', 'desk-login');
	await person.fill({ user: account.login, password: account.password, code: await icert.totp(login) });
	await person.press('Entrar');
	return person;
}

test('what waits for the office, and a revocation asked and confirmed', async () => {
	const run = /^run = (.*)$/m.exec(readFileSync(`${icert.prefix}/etc/icert.conf`, 'utf8'))[1];
	const sql = (text) => execFileSync('psql', ['-X', '-q', '-At', '-d', `host=${run}/pg dbname=icert user=postgres`, '-c', text], { encoding: 'utf8' }).trim();
	const phone = await atDesk('central', 390);
	const desktop = await atDesk('central.segunda', 1280);
	const at = `/caso/${who.applicant.id}`;
	const look = async (path, name) => { await phone.go(path, name); await desktop.go(path, name); };
	await look(`${at}/revocar`, 'revoke');
	await phone.go(`${at}/revocar`, 'revoke');
	await phone.page.getByLabel('Orden de una autoridad judicial o administrativa').check();
	await phone.page.getByLabel('En qué se funda').fill('Oficio 2026-123 del juzgado tercero');
	await phone.press('Pedir la revocación');
	await look(`${at}/revocar`, 'revoke-asked');
	await look('/revocaciones', 'revocations');
	await look('/plazos', 'clocks-none');
	const today = new Date(Date.now() - 5 * 3600e3).toISOString().slice(0, 10);
	await look(`/totales?mes=${today.slice(0, 7)}`, 'totals');
	await look(`/totales/dia?dia=${today}`, 'totals-day');
	assert.match(await phone.page.content(), /Pago de la orden/);
	sql('update icert.clock_mark set at = at - 3600');
	await until(() => sql('select count(*) from icert.breaker') === '1', { what: 'the breaker' });
	icert.moveClock(31 * 86400);
	await look('/plazos', 'clocks');
	assert.match(await phone.page.content(), new RegExp(waiting.number));
	await desktop.go(`${at}/revocar`, 'revoke-asked');
	await desktop.page.getByLabel('Código de su aplicación').fill(await icert.totp('central.segunda'));
	await desktop.press('Confirmar la revocación');
	assert.match(await desktop.page.content(), /quedó revocado/);
	await phone.close();
	await desktop.close();
});
