// The 120 hours of the contract: reminders, revocation at their end, and what moves
// or stops them.  The business clock is moved; status is read with openssl.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { down } from '../lib/processes.mjs';
import { revokedEverywhere } from '../lib/status.mjs';
import { Applicant, Operator, expect, issued } from './walk.mjs';

const HOUR = 3600;
const OFFICE = 'provincia17@icert.example';

let icert;
let late;	// does nothing after issuance
let other;	// whose mail comes back, and who gets more time
let queued;	// has only just applied
let first;
let second;

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
	other = await issued(icert, { id_number: '1714616123', ruc: '1714616123001' });
	queued = new Applicant(icert, { id_number: '0923456784', ruc: '0923456784001' });
	await queued.apply();
	await sentContract(late.applicant);
	await sentContract(other.applicant);
	first = new Operator(icert, 'central');
	second = new Operator(icert, 'central.segunda');
	expect(await first.signIn(), 200, 'desk');
	expect(await second.signIn(), 200, 'desk');
});
after(() => { for (const one of [late?.applicant, late?.operator, other?.applicant, other?.operator, queued, first, second]) one?.close(); return icert?.stop(); });

test('the 120 hours count from when the contract\'s mail was taken, if that was later', async () => {
	const who = other.applicant;
	const before = due(who);
	sql(`update icert.outbox set sent_at = (select issued_at from icert.certificate where application_id = '${who.id}') + ${2 * HOUR}
		where application_id = '${who.id}' and template = 'contract'; update icert.contract set accepted_at = null where application_id = '${who.id}'`);
	await until(() => due(who) === before + 2 * HOUR, { what: 'the later end' });
	assert.match((await who.mail.wait({ to: who.email, subject: /más tiempo/ })).text, /se entregó tarde/);
	assert.match((await who.see()).main, /Hasta cuándo/);
	assert.equal(sql(`select count(*) from icert.audit where case_id = '${who.id}' and action = 'clock.move' and reason = 'mail'`), '1');
});

let left;	// of the other's 120 hours when they were stopped

test('a mail of the contract that came back stops the clock and is a task of the office', async () => {
	const who = other.applicant;
	const mail = sql(`select id from icert.outbox where application_id = '${who.id}' and template = 'contract'`);
	const before = due(who);
	const page = expect(await (await other.operator.see()).form(new RegExp(`devuelto/${mail}$`)).submit(), 200, 'bounce');
	const stopped = Number(sql(`select stopped_at from icert.deadline where application_id = '${who.id}' and kind = 'contract_due'`));
	left = before - stopped;
	assert.ok(stopped > 0 && due(who) === before);
	assert.match(page.main, /no le llegó al titular/);
	assert.match(page.main, /plazo del contrato está detenido/);
	assert.equal(page.forms.filter((f) => f.action.endsWith(`devuelto/${mail}`)).length, 0);
	await until(async () => (await who.mail.list({ to: OFFICE })).some((m) => /no llegó a su destinatario/.test(m.text) && m.text.includes(who.number)), { what: 'the task' });
	assert.match((await first.client.visit('/plazos/contratos')).main, /correo devuelto/);
	assert.equal((await late.operator.client.visit('/plazos/contratos')).status, 403);
});

test('a file that is refused meanwhile does not set it going', async () => {
	const who = other.applicant;
	expect(await who.sendContract(await who.contract()), 200, 'without a signature');
	await until(() => state(who) === 'contract_sent' && sql(`select count(*) from icert.contract_copy where application_id = '${who.id}' and state = 'refused'`) === '1',
		{ what: 'the refusal' });
	const stopped = Number(sql(`select coalesce(stopped_at, 0) from icert.deadline where application_id = '${who.id}' and kind = 'contract_due'`));
	assert.ok(stopped > 0 && Math.abs(due(who) - stopped - left) < 5, `${due(who) - stopped} seconds left, ${left} before`);
	const mail = await who.mail.wait({ to: who.email, subject: /firma de su contrato/ });
	assert.match(mail.text, /El plazo para devolverlo no corre/);
	assert.doesNotMatch(mail.text, /hasta el/);
});

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
	assert.match((await first.client.visit('/plazos/contratos')).main, new RegExp(who.number));
});

test('an hour before the end nothing is revoked; after it the certificate is, with privilegeWithdrawn', async () => {
	const who = late.applicant;
	at(who, 119);
	await settled();
	assert.equal(state(who), 'contract_sent');
	at(who, 120.01);
	await until(() => state(who) === 'closed_revoked', { what: 'the revocation' });
	// Whose clock stands is given no hour that has passed, and waits for no revocation: here, had both been two days earlier.
	const earlier = (days) => sql(`update icert.deadline set due_at = due_at - ${days * 86400}, stopped_at = stopped_at - ${days * 86400}
		where application_id = '${other.applicant.id}' and kind = 'contract_due'`);
	earlier(2);
	const page = await other.applicant.see();
	assert.match(page.main, /devuélvalo cuanto antes/);
	assert.doesNotMatch(page.main, /devuélvalo hasta|Hasta cuándo/);
	assert.match((await other.applicant.client.visit(`/tramite/${other.applicant.id}/contrato`)).main, /El plazo está detenido/);
	assert.doesNotMatch((await first.client.visit('/plazos')).main, new RegExp(other.applicant.number));
	earlier(-2);
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

test('the clock that stood has lost nothing; sent again, it runs on', async () => {
	const who = other.applicant;
	assert.equal(state(who), 'contract_sent');
	assert.equal((await reminders(who)).length, 0);
	expect(await other.operator.press(/correo\/contract$/), 200, 'again');
	const now = Math.floor(Date.now() / 1000) + icert.offset;
	assert.ok(Math.abs(due(who) - now - left) < 30, `${due(who) - now} seconds left, ${left} when it stopped`);
	assert.doesNotMatch((await other.operator.see()).main, /no le llegó/);
	assert.match((await first.client.visit('/plazos/contratos')).main, /Revocados por no devolver[^]*17-/);
});

const extension = (who) => who.client.visit(`/caso/${other.applicant.id}/prorroga`);

test('two people of the national office lengthen it, once; the holder is told', async () => {
	const who = other.applicant;
	const before = due(who);
	const none = await (await extension(first)).form(/prorroga$/).submit({});
	assert.equal(none.status, 422);
	expect(await (await extension(first)).form(/prorroga$/).submit({ reason: 'illness' }), 200, 'request');
	assert.ok(!(await extension(first)).forms.some((f) => /confirmar$/.test(f.action)), 'no button for who asked');
	const mine = sql("select encode(person_hash, 'hex') from icert.staff where login = 'central.segunda'");
	sql("update icert.staff set person_hash = (select person_hash from icert.staff where login = 'central') where login = 'central.segunda'");
	const same = await (await extension(second)).form(/confirmar$/).submit({ code: await icert.totp('central.segunda') });
	sql(`update icert.staff set person_hash = '\\x${mine}' where login = 'central.segunda'`);
	assert.equal(same.status, 403, 'one person with two accounts');
	assert.equal((await (await extension(second)).form(/confirmar$/).submit({ code: '000000' })).status, 422);
	assert.equal(due(who), before);
	const done = expect(await (await extension(second)).form(/confirmar$/).submit({ code: await icert.totp('central.segunda') }), 200, 'confirm');
	assert.equal(due(who), before + 120 * HOUR);
	assert.equal(done.forms.filter((f) => /prorroga/.test(f.action)).length, 0, 'once');
	assert.match((await who.mail.wait({ to: who.email, subject: /más tiempo/, count: 2 })).text, /Planta Central amplió el plazo/);
	assert.equal(sql(`select count(*) from icert.deadline where application_id = '${who.id}' and kind = 'contract_warn' and state = 'waiting'`), '2');
	assert.deepEqual(sql(`select action from icert.audit where case_id = '${who.id}' and action like 'clock.extend%' and outcome = 'done' order by at_us`).split('\n'),
		['clock.extend_request', 'clock.extend']);
});

test('our own absence is noticed and added to every clock that ran', async () => {
	const who = other.applicant;
	const before = due(who);
	const closes = Number(sql(`select closes_at from icert.application where id = '${queued.id}'`));
	const known = await who.mail.list({ to: who.email, subject: /más tiempo/ });
	sql('update icert.clock_mark set at = at - 3600, boot_ms = boot_ms - 3600000');
	await until(() => sql('select count(*) from icert.outage where applied_at is not null') === '1', { what: 'the outage' });
	assert.ok(Math.abs(due(who) - before - HOUR) < 30);
	assert.ok(Math.abs(Number(sql(`select closes_at from icert.application where id = '${queued.id}'`)) - closes - HOUR) < 30);
	assert.match((await who.mail.wait({ to: who.email, subject: /más tiempo/, known })).text, /El portal no funcionó/);
	await queued.mail.wait({ to: queued.email, subject: /más tiempo/ });
	assert.equal(sql('select count(*) from icert.breaker'), '0', 'no jump');
});

test('a mail server that is not reached is an outage as long as it lasts', async () => {
	const who = other.applicant;
	const before = due(who);
	const back = down(icert, 'mail');
	try {
		expect(await other.operator.press(/correo\/application_received$/), 200, 'a mail');
		await until(() => sql("select count(*) from icert.outbox where state = 'waiting' and outcome like 'smtp 0%'") !== '0', { what: 'a try' });
		icert.moveClock(icert.offset + 2 * HOUR);
		await until(() => sql("select count(*) from icert.outage where part = 'mail' and to_at is null") === '1', { what: 'the outage' });
		assert.match((await first.client.visit('/plazos/interrupciones')).main, /El correo[^]*Sigue/);
	} finally {
		await back();
	}
	sql("update icert.outbox set next_try_at = 0 where state = 'waiting'");
	await until(() => sql("select count(*) from icert.outage where part = 'mail' and applied_at is not null") === '1', { what: 'its end' });
	assert.ok(Math.abs(due(who) - before - 2 * HOUR) < 120, `${due(who) - before}`);
});

test('an outage is entered by one and confirmed by another; it counts as far as the clock ran, once', async () => {
	const who = other.applicant;
	const before = due(who);
	const local = (seconds) => new Date((Math.floor(Date.now() / 60000) * 60 + icert.offset + seconds - 5 * HOUR) * 1000).toISOString();
	const fields = (from, to) => ({ part: 'checker', from_day: local(from).slice(0, 10), from_hour: local(from).slice(11, 16),
		to_day: local(to).slice(0, 10), to_hour: local(to).slice(11, 16) });
	const visit = (person) => person.client.visit('/plazos/interrupciones');
	assert.equal((await (await visit(first)).form(/interrupciones$/).submit(fields(-HOUR, 2 * HOUR))).status, 422, 'in the future');
	// From well before the clock ran on again; only what ran counts.
	expect(await (await visit(first)).form(/interrupciones$/).submit(fields(-14 * HOUR, -11 * HOUR)), 200, 'entered');
	assert.ok(!(await visit(first)).forms.some((f) => /confirmar$/.test(f.action)));
	expect(await (await visit(second)).form(/confirmar$/).submit({ code: await icert.totp('central.segunda') }), 200, 'confirmed');
	await until(() => sql("select count(*) from icert.outage where part = 'checker' and applied_at is not null") === '1', { what: 'added' });
	assert.equal(due(who), before + 3 * HOUR);
	assert.equal(sql(`select seconds from icert.outage_share s join icert.outage o on o.id = s.outage_id where o.part = 'checker' and s.application_id = '${who.id}'`), `${3 * HOUR}`);
});

test('while an outage goes on nothing is revoked; it ends, and counts', async () => {
	const who = other.applicant;
	sql(`insert into icert.outage (id, part, from_at, state, requested_at) values (gen_random_uuid(), 'portal', ${Math.floor(Date.now() / 1000) + icert.offset}, 'noticed', 1)`);
	icert.moveClock(due(who) + HOUR - Math.floor(Date.now() / 1000));
	await new Promise((resolve) => setTimeout(resolve, 2500));
	assert.equal(state(who), 'contract_sent');
	sql(`update icert.outage set to_at = ${Math.floor(Date.now() / 1000) + icert.offset} where part = 'portal' and to_at is null`);
	await until(() => due(who) > Math.floor(Date.now() / 1000) + icert.offset, { what: 'its time back' });
	icert.moveClock(due(who) + 60 - Math.floor(Date.now() / 1000));
	await until(() => state(who) === 'closed_revoked', { what: 'the end' });
});
