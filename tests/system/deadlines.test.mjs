// What happens when nobody does anything: the business clock is moved, and
// warnings, reminders, cancelling and the end of a certificate come by themselves.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const HOUR = 3600;
const DAY = 86400;
const OFFICE = 'provincia17@icert.example';

let icert;
let run;
let quiet;	// submitted, then left alone
let busy;	// walked to its certificate
let operator;

// As the database's own superuser.
const sql = (text) => execFileSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d',
	`host=${run}/pg dbname=icert user=postgres`, '-c', text], { encoding: 'utf8' }).trim();

const state = (who) => sql(`select state from icert.application where id = '${who.id}'`);
const became = (who, wanted) => until(() => state(who) === wanted, { what: `state ${wanted}` });
const warnings = (who, count) => who.mail.wait({ to: who.email, subject: /plazo/i, count });
const sent = async (who, subject) => (await who.mail.list({ to: who.email, subject })).length;

before(async () => {
	icert = await startInstance();
	run = /^run = (.*)$/m.exec(readFileSync(`${icert.prefix}/etc/icert.conf`, 'utf8'))[1];
	quiet = new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' });
	busy = new Applicant(icert);
	operator = new Operator(icert);
	await quiet.apply();
	await busy.apply();
	expect(await operator.signIn(), 200, 'desk');
	await operator.find(busy.number);
	await operator.take();
	await operator.accept();
});
after(() => { quiet?.close(); busy?.close(); operator?.close(); return icert?.stop(); });

test('an appointment is recalled a day and an hour before, and not when it has just been made', async () => {
	expect(await operator.agree({ ahead: 49 * HOUR }), 200, 'slot');
	await busy.mail.wait({ to: busy.email, subject: /cita está confirmada/ });
	assert.equal(await sent(busy, /Recordatorio/), 0);
	icert.moveClock(26 * HOUR);
	const mail = await busy.mail.wait({ to: busy.email, subject: /Recordatorio/ });
	assert.match(mail.text, /https:\/\/sala\.example\/abc/);
	assert.match(mail.text, /hora de Ecuador continental/);
	// As an administrator moves it: further by so much, and nothing by what is no time.
	for (const wrong of ['22h', '+', '+22', '+22w', '+22hh', '+99999999d', '+9223372036854775807s']) {
		const said = await icert.icertctl('clock', wrong);
		assert.equal(said.code, 1, wrong);
		assert.match(said.stderr, /\+N with s, m, h or d/, wrong);
	}
	const moved = await icert.icertctl('clock', '+1350m');
	assert.equal(moved.code, 0, moved.stderr);
	const [real, business] = [...moved.stdout.matchAll(/\d{4}-\S+Z/g)].map(([at]) => Date.parse(at) / 1000);
	assert.equal(business - real, 48.5 * HOUR);
	await busy.mail.wait({ to: busy.email, subject: /Recordatorio/, count: 2 });
});

test('an identification a day old goes back to its appointment, and the office is told', async () => {
	expect(await busy.upload('second_cedula', files.cedulaPdf()), 303, 'second cedula');
	await (await busy.see()).form(/consentimiento$/).submit();
	expect(await operator.identify(), 200, 'identify');
	assert.equal(state(busy), 'identified');
	icert.moveClock(72 * HOUR);
	assert.equal(state(busy), 'identified');
	icert.moveClock(73 * HOUR);
	await became(busy, 'scheduled');
	const mail = await until(async () => (await busy.mail.list({ to: OFFICE })).find((m) => /24 horas/.test(m.text)), { what: 'mail to the office' });
	assert.ok(mail.text.includes(busy.number));
	assert.equal(sql(`select count(*) from icert.check_item where application_id = '${busy.id}'`), '0');
	assert.equal(sql(`select reason from icert.audit where case_id = '${busy.id}' and action = 'application.send_back'`), 'stale');
});

test('it can be identified again and issued', async () => {
	await operator.tickAll();
	expect(await (await operator.see('/identificacion')).form(/hecha$/).submit(), 200, 'identify');
	expect(await busy.acceptFields(), 200, 'fields');
	expect(await operator.issue(), 200, 'issue');
	await operator.openingCode();
	// What the contract's own clock does is not looked at here.
	sql("update icert.deadline set state = 'void' where kind in ('contract_warn', 'contract_due')");
});

test('the 30 days warn at 15, 25 and 29; the office hears of the last ones', async () => {
	icert.moveClock(15 * DAY + HOUR);
	assert.match((await warnings(quiet, 1)).text, /Faltan 15 días/);
	assert.equal((await quiet.mail.list({ to: OFFICE })).filter((m) => /30 días/.test(m.text)).length, 0);
	icert.moveClock(25 * DAY + HOUR);
	assert.match((await warnings(quiet, 2)).text, /Faltan 5 días/);
	icert.moveClock(29 * DAY + HOUR);
	const last = await warnings(quiet, 3);
	assert.match(last.text, /Falta un día/);
	assert.match(last.text, /oficina de su provincia/);
	assert.doesNotMatch(last.subject, new RegExp(quiet.data.surname1));
	const office = (await quiet.mail.list({ to: OFFICE })).filter((m) => /30 días/.test(m.text));
	assert.equal(office.length, 2);
	assert.ok(office[0].text.includes(quiet.number));
	assert.equal(await sent(busy, /plazo/i), 0, 'what was issued is not warned');
});

test('after 30 days it is cancelled, said by mail and on the page; the issued case is not', async () => {
	icert.moveClock(30 * DAY - HOUR);
	await new Promise((resolve) => setTimeout(resolve, 2500));
	assert.equal(state(quiet), 'submitted', 'not an hour early');
	icert.moveClock(30 * DAY + HOUR);
	await became(quiet, 'cancelled');
	assert.match((await quiet.mail.wait({ to: quiet.email, subject: /cancelado/ })).text, /30 días calendario/);
	assert.match((await quiet.see()).main, /[Cc]ancelad/);
	assert.match(state(busy), /^(issued|contract_sent)$/);
	assert.equal(sql(`select count(*) from icert.audit where case_id = '${quiet.id}' and action = 'application.cancel' and outcome = 'done'`), '1');
});

test('of several warnings that are late, one is sent', async () => {
	const late = new Applicant(icert, { id_number: '0923456784', ruc: '0923456784001' });
	await late.apply();
	icert.moveClock(57 * DAY);
	await warnings(late, 1);
	await until(() => sql(`select count(*) from icert.deadline where application_id = '${late.id}' and kind = 'application_warn' and state = 'waiting'`) === '1',
		{ what: 'the late warnings' });
	assert.match((await warnings(late, 1)).text, /Faltan [34] días/);
	assert.equal(await sent(late, /plazo/i), 1);
	late.close();
});

test('the end of a certificate is announced at 60, 30, 15, 7 and 1 days; then it is expired', async () => {
	const end = Number(sql(`select not_after from icert.certificate where application_id = '${busy.id}'`));
	const at = (before) => icert.moveClock(end - before - Math.floor(Date.now() / 1000));
	let count = 0;
	at(61 * DAY);
	for (const days of [60, 30, 15, 7, 1]) {
		at(days * DAY - 60);
		const mail = await busy.mail.wait({ to: busy.email, subject: /por vencer/, count: ++count });
		assert.match(mail.text, days === 1 ? /Falta un día/ : new RegExp(`Faltan ${days} días`));
	}
	assert.equal(sql(`select state from icert.certificate where application_id = '${busy.id}'`), 'good');
	at(-60);
	await until(() => sql(`select state from icert.certificate where application_id = '${busy.id}'`) === 'expired', { what: 'the end' });
	assert.equal(await sent(busy, /por vencer/), 5);
	assert.equal(sql('select count(*) from icert.trouble'), '0', 'no handler failed');
	assert.equal(sql("select count(*) from icert.deadline where state = 'waiting' and tries > 0"), '0', 'none had to wait');
});
