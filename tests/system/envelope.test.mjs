// A credential envelope that is locked after five wrong tries, or whose code was never noted: a new code after a new identification,
// with the clock of the 120 hours standing meanwhile.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Operator, expect, issued } from './walk.mjs';

const HOUR = 3600;
const OFFICE = 'provincia17@icert.example';
const OPENED = /class="[^"]*icert-key/;

let icert;
let locked;	// the code is typed wrong five times
let lost;	// the code was not noted; of another province
let left;	// seconds of the clock when it stopped
const open = [];

const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };
const of = (who, column) => Number(sql(`select coalesce(${column}, 0) from icert.deadline where application_id = '${who.id}' and kind = 'contract_due' and state = 'waiting'`));
const audited = (who, action, outcome = 'done') => Number(sql(`select count(*) from icert.audit where case_id = '${who.id}' and action = '${action}' and outcome = '${outcome}'`));
const wrong = (code) => (code[0] === '9' ? '0' : String(Number(code[0]) + 1)) + code.slice(1);
const form = (page) => page.forms.find((f) => /\/sobre$/.test(f.action));
const shown = (page) => page.main.match(/\b(\d{4}) (\d{4})\b/)?.slice(1).join('');

before(async () => {
	icert = await startInstance();
	[locked, lost] = await Promise.all([issued(icert),
		issued(icert, { province: '9', city: 'Guayaquil', id_number: '0923456784', ruc: '0923456784001' }, 'operador.guayas')]);
	for (const pair of [locked, lost]) {
		open.push(pair.applicant, pair.operator);
		await pair.applicant.contract();
	}
});
after(async () => {
	for (const person of open) person.close();
	await icert?.stop();
});

async function as(login, path) {
	const person = new Operator(icert, login);
	open.push(person);
	expect(await person.signIn(), 200, login);
	person.path = path;
	return person;
}

test('five wrong tries lock it: the page says what happened and what to do, the clock stands', async () => {
	const who = locked.applicant;
	for (let n = 4; n > 0; n--) {
		const page = await who.openEnvelope(wrong(locked.code));
		assert.equal(page.status, 422);
		assert.match(page.main, new RegExp(`quedan ${n} intentos`));
	}
	const page = await who.openEnvelope(wrong(locked.code));
	assert.equal(page.status, 409);
	assert.equal(page.errors.length, 1);
	assert.match(page.errors[0], /pida un nuevo código/);
	for (const words of [/está bloqueado/, /identifica otra vez/, /\d{2,3} ?\d{3}/, /no corre/]) assert.match(page.main, words);
	assert.ok(!page.forms.some((f) => /\/sobre$/.test(f.action)), 'no field that would take a code');

	left = of(who, 'due_at') - of(who, 'stopped_at');
	assert.ok(of(who, 'stopped_at') > 0 && left > 100 * HOUR, `${left}`);
	assert.equal(audited(who, 'envelope.lock'), 1);
	assert.equal(audited(who, 'clock.stop'), 1);
	const again = await who.client.visit(`/tramite/${who.id}/sobre`);
	assert.equal(again.status, 200);
	assert.match(again.heading, /bloqueado/);
	const own = await who.see();
	assert.match(own.main, /está bloqueado[^]*no corre/);
	assert.doesNotMatch(own.main, /devuélvalo hasta/);
	assert.match((await locked.operator.see()).main, /Bloqueado desde el [^]*cinco códigos/);
	assert.equal(audited(who, 'envelope.lock'), 1, 'noted once');
	const mail = await who.mail.wait({ to: who.email, subject: /código de su Sobre/ });
	assert.match(mail.text, /quedó bloqueado[^]*pida un nuevo código[^]*no corre/);
	await until(async () => (await who.mail.list({ to: OFFICE })).some((m) => /quedó bloqueado/.test(m.text) && m.text.includes(who.number)), { what: 'the task' });
});

test('while it is locked no time passes: nothing is revoked, however long it takes', async () => {
	const who = locked.applicant;
	sql(`update icert.deadline set state = 'void' where kind in ('contract_due', 'contract_warn') and application_id = '${lost.applicant.id}'`);
	icert.moveClock(130 * HOUR);
	// What is due then and may act has acted.
	await until(() => sql(`select count(*) from icert.deadline where state = 'waiting' and stopped_at is null
		and due_at <= ${Math.floor(Date.now() / 1000) + 130 * HOUR}`) === '0', { what: 'the round' });
	assert.equal(sql(`select a.state || ' ' || c.state from icert.application a join icert.certificate c on c.application_id = a.id where a.id = '${who.id}'`), 'contract_sent good');
	// Nor does a file that was judged set it going.
	await who.sendContract(Buffer.from('%PDF-1.7\n%%EOF\n'));
	await until(() => sql(`select state from icert.application where id = '${who.id}'`) === 'contract_sent'
		&& sql(`select count(*) from icert.contract_copy where application_id = '${who.id}' and state = 'waiting'`) === '0', { what: 'the judgement' });
	assert.ok(of(who, 'stopped_at') > 0);
	assert.ok(Math.abs(of(who, 'due_at') - of(who, 'stopped_at') - left) < 5);
});

test('only an operator of the province gives a new code, never for their own case, and not without looking at the person', async () => {
	const path = locked.operator.path;
	const guayas = lost.operator;
	assert.equal((await guayas.client.visit(`${path}/sobre`)).status, 404);
	const token = (await guayas.see()).html.match(/name="_csrf" value="([^"]+)"/)[1];
	const sent = await guayas.client.post(`${path}/sobre`, new URLSearchParams({ _csrf: token, round: '0', seen: 'video', compared: 'si', code: '123456' }).toString(),
		{ headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
	assert.equal(sent.status, 404);
	const central = await as('central', path);
	assert.equal((await central.see('/sobre')).status, 403);

	const mine = sql(`select encode(person_hash, 'hex') from icert.staff where login = 'operador.pichincha'`);
	const page = await locked.operator.see('/sobre');
	sql(`update icert.staff set person_hash = (select person_hash from icert.application where id = '${locked.applicant.id}') where login = 'operador.pichincha'`);
	const own = await form(page).submit({ seen: 'video', compared: 'si', code: '123456' });
	sql(`update icert.staff set person_hash = '\\x${mine}' where login = 'operador.pichincha'`);
	assert.equal(own.status, 403);
	assert.match(own.errors[0], /su propio trámite/);

	const empty = await form(await locked.operator.see('/sobre')).submit({ code: '123456' });
	assert.equal(empty.status, 422);
	assert.equal(empty.errors.length, 2);
	const badly = await form(await locked.operator.see('/sobre')).submit({ seen: 'video', compared: 'si', code: '000000' });
	assert.equal(badly.status, 422);
	assert.equal(badly.errors.length, 1);
	assert.ok(audited(locked.applicant, 'envelope.renew', 'refused') + Number(sql("select count(*) from icert.audit where action = 'envelope.renew' and outcome = 'refused'")) >= 2);
	assert.equal(sql('select count(*) from icert.envelope_renewal'), '0');
	assert.equal((await locked.operator.press(/codigo$/, {}).catch(() => locked.operator.see())).main.includes('Dicte'), false);
});

test('pressed twice it is one new code; the clock runs on with what was left, the holder is told without the code', async () => {
	const who = locked.applicant;
	const page = await locked.operator.see('/sobre');
	assert.match(page.main, /está bloqueado desde/);
	const values = { seen: 'video', compared: 'si', code: await icert.totp('operador.pichincha') };
	const [one, other] = await Promise.all([form(page).submit(values), form(page).submit(values)]);
	for (const answer of [one, other]) {
		expect(answer, 200, 'renewed');
		assert.match(answer.main, /hay un nuevo código/i);
	}
	assert.equal(sql(`select string_agg(round || ' ' || cause || ' ' || seen, ',') from icert.envelope_renewal where application_id = '${who.id}'`), '1 locked video');
	assert.equal(audited(who, 'envelope.renew'), 1);
	assert.equal(of(who, 'stopped_at'), 0);
	const now = Math.floor(Date.now() / 1000) + 130 * HOUR;
	assert.ok(Math.abs(of(who, 'due_at') - now - left) < 60, `${of(who, 'due_at') - now} ${left}`);

	const [first, second] = await Promise.all([one.form(/codigo$/).submit(), one.form(/codigo$/).submit()]);
	expect(first, 200, 'code');
	assert.equal(shown(first), shown(second), 'the same code for a doubled press');
	const code = shown(first);
	const mail = await who.mail.wait({ to: who.email, subject: /código de su Sobre/, count: 2 });
	const text = (await who.mail.list({ to: who.email, subject: /código de su Sobre/ })).find((m) => /nuevo código/.test(m.subject + m.text) && /comprobó su identidad/.test(m.text)).text;
	assert.match(text, /Si usted no pidió un código/);
	for (const m of [mail.text, text]) assert.ok(!m.includes(code) && !m.includes(`${code.slice(0, 4)} ${code.slice(4)}`));

	assert.equal((await who.openEnvelope(locked.code)).status, 422, 'the former code');
	const opened = expect(await who.openEnvelope(code), 200, 'opened');
	assert.match(opened.html, OPENED);
	// Opened: there is no code to give any more.
	assert.equal((await form(page).submit({ ...values, round: '1' })).status, 409);
});

test('a code that was never noted is replaced too; what is not locked has no clock to set going', async () => {
	const who = lost.applicant;
	const page = await lost.operator.see('/sobre');
	assert.match(page.main, /no anotó/);
	const done = expect(await form(page).submit({ seen: 'in_person', compared: 'si', code: await icert.totp('operador.guayas') }), 200, 'renewed');
	assert.equal(sql(`select cause from icert.envelope_renewal where application_id = '${who.id}'`), 'lost');
	assert.equal(audited(who, 'clock.run'), 0);
	lost.code = shown(await done.form(/codigo$/).submit());
	assert.match(lost.code, /^\d{8}$/);
});

test('locked until the end of what is kept: then it is destroyed, and the clock runs on', async () => {
	const who = lost.applicant;
	sql(`update icert.deadline set state = 'waiting', due_at = ${Math.floor(Date.now() / 1000) + 250 * HOUR} where kind = 'contract_due' and application_id = '${who.id}'`);
	for (let n = 0; n < 5; n++) await who.openEnvelope(wrong(lost.code));
	assert.ok(of(who, 'stopped_at') > 0);
	const remains = of(who, 'due_at') - of(who, 'stopped_at');
	icert.moveClock((15 * 24 + 1) * HOUR);
	await until(() => of(who, 'stopped_at') === 0, { what: 'the end of the lock', timeout: 60_000 });
	const now = Math.floor(Date.now() / 1000) + (15 * 24 + 1) * HOUR;
	assert.ok(Math.abs(of(who, 'due_at') - now - remains) < 90);
	assert.equal(sql(`select count(*) from icert.delivery d join icert.certificate c on c.id = d.certificate_id where c.application_id = '${who.id}' and d.destroyed_at is null`), '0');
	assert.match((await who.mail.wait({ to: who.email, subject: /más tiempo/ })).text, /ya no se puede abrir/);
	const page = await who.client.visit(`/tramite/${who.id}/sobre`);
	assert.equal(page.status, 410);
	assert.match((await lost.operator.see('/sobre')).main, /no hay código que dar/);
});
