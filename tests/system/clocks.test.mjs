// The 120 hours of the contract: reminders, revocation at their end, and what moves
// or stops them.  The business clock is moved; status is read with openssl.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { revokedEverywhere } from '../lib/status.mjs';
import { issued } from './walk.mjs';

const HOUR = 3600;
const OFFICE = 'provincia17@icert.example';

let icert;
let late;	// does nothing after issuance

const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };
const state = (who) => sql(`select state from icert.application where id = '${who.id}'`);
const reminders = (who) => who.mail.list({ to: who.email, subject: /Falta firmar/ });
const due = (who) => Number(sql(`select due_at from icert.deadline where application_id = '${who.id}' and kind = 'contract_due' and state = 'waiting'`));
/** Business time becomes so many hours after this case's issuance. */
const at = (who, hours) => icert.moveClock(Number(sql(`select issued_at from icert.certificate where application_id = '${who.id}'`))
	+ Math.round(hours * HOUR) - Math.floor(Date.now() / 1000));
const sentContract = (who) => until(() => state(who) === 'contract_sent'
	&& sql(`select count(accepted_at) from icert.contract where application_id = '${who.id}'`) === '1', { what: 'the contract', timeout: 60_000 });
/** As a person would be: nothing that the clerk has not looked at yet. */
const settled = () => until(() => sql(`select count(*) from icert.deadline where state = 'waiting' and stopped_at is null and kind in ('contract_due', 'contract_warn')
	and due_at <= ${Math.floor(Date.now() / 1000) + icert.offset}`) === '0', { what: 'what is due' });

before(async () => {
	icert = await startInstance();
	const move = icert.moveClock.bind(icert);
	icert.moveClock = (seconds) => { icert.offset = seconds; return move(seconds); };
	icert.offset = 0;
	late = await issued(icert);
	await sentContract(late.applicant);
});
after(() => { for (const one of [late?.applicant, late?.operator]) one?.close(); return icert?.stop(); });

test('reminders at 24, 72 and 108 hours, each with what is left; the office hears of the last', async () => {
	const who = late.applicant;
	let count = 0;
	assert.equal((await reminders(who)).length, 0);
	for (const [hours, left] of [[24, 96], [72, 48], [108, 12]]) {
		at(who, hours + 0.01);
		const mail = await who.mail.wait({ to: who.email, subject: /Falta firmar/, count: ++count });
		assert.match(mail.text, new RegExp(`Faltan ${left} horas`));
		assert.match(mail.text, /el certificado se revoca, lo que pagó no se devuelve/);
		assert.ok(!mail.subject.includes(who.number));
	}
	const office = await until(async () => (await who.mail.list({ to: OFFICE })).filter((m) => /24 horas para devolver/.test(m.text)), { what: 'the office' });
	assert.equal(office.length, 1);
});

test('an hour before the end nothing is revoked; after it the certificate is, with privilegeWithdrawn', async () => {
	const who = late.applicant;
	at(who, 119);
	await settled();
	assert.equal(state(who), 'contract_sent');
	at(who, 120.01);
	await until(() => state(who) === 'closed_revoked', { what: 'the revocation' });
	assert.equal(sql(`select state || ' ' || reason || ' ' || reason_code || ' ' || revoked_by from icert.certificate where application_id = '${who.id}'`),
		'revoked 9 contract_unsigned deadline');
	assert.equal(sql(`select count(*) from icert.audit where case_id = '${who.id}' and action = 'certificate.revoke' and actor = 'icert-clerk' and outcome = 'done'`), '1');
	const mail = await who.mail.wait({ to: who.email, subject: /revocado/ });
	assert.match(mail.text, /pasaron las 120 horas/);
	assert.match(mail.text, /Lo que pagó no se devuelve/);
	assert.match(mail.text, /guardamos sus datos/);
	assert.match((await who.see()).main, /120 horas/);
	assert.equal((await reminders(who)).length, 3, 'no reminder after the end');
});

test('the answer of the edge and the list of revoked ones have followed', async () => {
	const serial = sql(`select encode(serial, 'hex') from icert.certificate where application_id = '${late.applicant.id}'`);
	assert.match(await revokedEverywhere(icert, serial), /Privilege Withdrawn/);
});
