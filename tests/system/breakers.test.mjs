// What stops automatic endings: a jump of the clock, a restore, a burst.  They
// wait until two people of the national office let them go on.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const HOUR = 3600;
const DAY = 86400;
const OFFICE = 'planta.central@icert.example';

let icert;
let run;
let applicant;
let first;
let second;
let offset = 0;

const sql = (text) => execFileSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d',
	`host=${run}/pg dbname=icert user=postgres`, '-c', text], { encoding: 'utf8' }).trim();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const state = (who) => sql(`select state from icert.application where id = '${who.id}'`);
const standing = (cause) => sql(`select count(*) from icert.breaker where cause = '${cause}' and second_by is null`) === '1';
const stands = (cause) => until(() => standing(cause), { what: `breaker ${cause}` });
const later = (seconds) => icert.moveClock(offset += seconds);

// As two people would, but without waiting for their codes.
const released = (cause) => sql(`update icert.breaker set first_by = '${icert.staff('central').id}', first_at = tripped_at,
	second_by = '${icert.staff('central.segunda').id}', second_at = ${Math.floor(Date.now() / 1000) + offset} where cause = '${cause}' and second_by is null`);

async function release(who) {
	const page = await who.client.visit('/plazos');
	return page.form(/liberar$/).submit({ code: await icert.totp(who.account.login) });
}

before(async () => {
	icert = await startInstance();
	run = /^run = (.*)$/m.exec(readFileSync(`${icert.prefix}/etc/icert.conf`, 'utf8'))[1];
	applicant = new Applicant(icert);
	await applicant.apply();
	first = new Operator(icert, 'central');
	second = new Operator(icert, 'central.segunda');
	expect(await first.signIn(), 200, 'desk');
	expect(await second.signIn(), 200, 'desk');
	await until(() => sql('select count(*) from icert.clock_mark') === '1', { what: 'the first mark' });
});
after(() => { applicant?.close(); first?.close(); second?.close(); return icert?.stop(); });

test('the test clock is no jump', async () => {
	assert.match((await first.client.visit('/plazos')).main, /con normalidad/);
	later(HOUR);
	await sleep(2500);
	assert.equal(sql('select count(*) from icert.breaker'), '0');
});

test('real time that jumps against monotonic time stops cancelling; the office is told', async () => {
	sql('update icert.clock_mark set at = at - 3600');
	await stands('clock');
	assert.ok(Math.abs(Number(sql('select amount from icert.breaker')) - 3600) < 60);
	await new MailBox(icert.mail).wait({ to: OFFICE, subject: /se detuvieron/ });
	later(30 * DAY);
	await sleep(3500);
	assert.equal(state(applicant), 'submitted');
	// Warnings harm nobody, and go on.
	await applicant.mail.wait({ to: applicant.email, subject: /Recibimos su solicitud/ });
	const page = await first.client.visit('/plazos');
	assert.match(page.main, /reloj del servidor saltó/);
	assert.ok(page.main.includes(applicant.number));
	assert.match(page.main, /Cancelar a los 30 días/);
});

test('it stands across a restart', async () => {
	await icert.down();
	await icert.up();
	icert.moveClock(offset);
	await sleep(2500);
	assert.ok(standing('clock'));
	assert.equal(state(applicant), 'submitted');
});

test('a wrong code releases nothing; one person alone does not either, nor with two accounts', async () => {
	const page = await first.client.visit('/plazos');
	const wrong = await page.form(/liberar$/).submit({ code: '000000' });
	assert.equal(wrong.status, 422);
	assert.match(wrong.errors.join(), /código/);
	const path = page.form(/liberar$/).action;
	expect(await release(first), 200, 'first release');
	assert.ok(standing('clock'));
	const again = await first.client.visit('/plazos');
	assert.match(again.main, /Primera autorización: Planta Central/);
	assert.equal(again.forms.filter((f) => f.action === path).length, 0, 'no button for the same person');
	const mine = sql(`select encode(person_hash, 'hex') from icert.staff where login = 'central.segunda'`);
	sql(`update icert.staff set person_hash = (select person_hash from icert.staff where login = 'central') where login = 'central.segunda'`);
	assert.equal((await release(second)).status, 403);
	sql(`update icert.staff set person_hash = '\\x${mine}' where login = 'central.segunda'`);
	assert.ok(standing('clock'));
	await sleep(1500);
	assert.equal(state(applicant), 'submitted');
});

test('the second person releases it, and what waited is done', async () => {
	const page = expect(await release(second), 200, 'second release');
	assert.match(page.main, /con normalidad/);
	await until(() => state(applicant) === 'cancelled', { what: 'the cancellation' });
	assert.deepEqual(sql("select action from icert.audit where action like 'breaker.%' and outcome = 'done' order by at_us").split('\n'),
		['breaker.trip', 'breaker.release_first', 'breaker.release']);
});

test('others than the national office do not release', async () => {
	for (const login of ['operador.pichincha', 'auditor']) {
		const other = new Operator(icert, login);
		await other.signIn();
		const page = await other.client.visit('/plazos');
		assert.equal(page.status, login === 'auditor' ? 200 : 403, login);
		assert.equal(page.forms.filter((f) => /liberar$/.test(f.action)).length, 0);
		other.close();
	}
});

test('real time that went back over a boot, or a long absence, stops it too', async () => {
	sql("update icert.clock_mark set boot = 'another', at = at + 3600");
	await stands('clock');
	released('clock');
	sql(`update icert.clock_mark set boot = 'another', at = at - ${2 * DAY}`);
	await stands('clock');
	released('clock');
	sql("update icert.clock_mark set boot = 'another', at = at - 600");
	await sleep(2500);
	assert.ok(!standing('clock'), 'ten minutes over a boot are a restart');
});

test('a restore stops it, and only a restore may be entered from outside', () => {
	sql(`set role icert_admin; insert into icert.breaker (id, cause, tripped_at) values (gen_random_uuid(), 'restore', 0)`);
	assert.ok(standing('restore'));
	assert.throws(() => sql(`set role icert_admin; insert into icert.breaker (id, cause, tripped_at) values (gen_random_uuid(), 'clock', 0)`));
	released('restore');
});

test('beyond the ceiling of an hour the rest waits', async () => {
	const many = [];
	for (const id of ['1714616123', '0923456784', '1801884519']) {
		const one = new Applicant(icert, { id_number: id, ruc: `${id}001` });
		await one.apply();
		many.push(one);
	}
	sql("insert into icert.policy (key, valid_from, number) values ('breaker.ceiling_hour', 1, 2)");
	later(31 * DAY);
	await stands('ceiling');
	await sleep(1500);
	assert.equal(many.filter((one) => state(one) === 'cancelled').length, 2);
	assert.equal(many.filter((one) => state(one) === 'submitted').length, 1);
	released('ceiling');
	await until(() => many.every((one) => state(one) === 'cancelled'), { what: 'the rest' });
	for (const one of many) one.close();
});
