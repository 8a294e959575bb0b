// Buttons of the desk pressed twice at once: both answers are the same page, and what was wanted is done once.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import * as files from '../lib/files.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, one, other, operator, first, second;
const open = [];
const keep = (person) => { open.push(person); return person; };
const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };

before(async () => {
	icert = await startInstance();
	one = keep(new Applicant(icert));
	other = keep(new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' }));
	[operator, first, second] = ['operador.pichincha', 'central', 'central.segunda'].map((login) => keep(new Operator(icert, login)));
	await Promise.all([one.apply(), other.apply(), ...[operator, first, second].map(async (who) => expect(await who.signIn(), 200))]);
});
after(async () => {
	for (const person of open) person.close();
	await icert?.stop();
});

/** The same form sent twice at once, as a browser would: both must end on one page, without an error. */
async function twice(page, action, values = {}, options = {}) {
	const form = page.form(action);
	const [a, b] = await Promise.all([form.submit(values, options), form.submit(values, options)]);
	for (const answer of [a, b]) {
		assert.equal(answer.status, 200, `${action}: ${answer.errors} ${answer.main.slice(0, 300)}`);
		assert.deepEqual(answer.errors, [], `${action}`);
	}
	assert.equal(a.path, b.path, `${action}`);
	return a;
}

const audited = (action, who = one) => Number(sql(`select count(*) from icert.audit where case_id = '${who.id}' and action = '${action}' and outcome = 'done'`));

test('a case from its taking to its issuing, each button twice', async () => {
	await operator.find(one.number);
	await twice(await operator.see(), /tomar$/);
	await twice(await operator.see(), /soltar$/);
	await twice(await operator.see(), /tomar$/);
	assert.equal(audited('application.assign'), 2);
	await twice(await operator.see('/contacto'), /contacto$/, { channel: 'telephone', outcome: 'no_answer', note: 'No contesta' });
	assert.equal(sql(`select count(*) from icert.contact_attempt where application_id = '${one.id}'`), '1', 'one call, noted once');
	await twice(await operator.see(), /admitir$/);
	await twice(await operator.see('/cita'), /cita$/, operator.slotFields(), { button: 'propose' });
	await twice(await operator.see('/cita'), /cita$/, operator.slotFields(), { button: 'agreed' });
	await twice(await operator.see(), /cita\/soltar$/, { reason: 'moved' });
	await twice(await operator.see('/cita'), /cita$/, operator.slotFields(), { button: 'agreed' });
	assert.equal(sql(`select count(*) from icert.appointment where application_id = '${one.id}' and state = 'confirmed'`), '1');

	expect(await one.upload('second_cedula', files.cedulaPdf()), 303, 'second cedula');
	await (await one.see()).form(/consentimiento$/).submit();
	const ticks = (await operator.see('/identificacion')).form(/puntos$/);
	await twice(await operator.see('/identificacion'), /puntos$/, Object.fromEntries(Object.keys(ticks.choices).map((name) => [name, ticks.choices[name][0]])));
	expect(await operator.upload('face', files.photo()), 303, 'face');
	const page = await operator.see('/identificacion');
	await twice(page, /sobre$/, { envelope: page.main.match(/corresponde el sobre (\d{10})/)[1] });
	await twice(await operator.see('/identificacion'), /hecha$/);
	assert.equal(audited('application.identify'), 1);
	await twice(await operator.see('/emitir'), /devolver$/);
	await operator.tickAll();
	await twice(await operator.see('/identificacion'), /hecha$/);
	expect(await one.acceptFields(), 200, 'fields');
	await twice(await operator.see('/emitir'), /emitir$/, { code: await icert.totp('operador.pichincha') });
	assert.equal(audited('application.issue'), 1);
	assert.match(await operator.openingCode(), /^\d{8}$/);
});

test('a refusal and a rejection', async () => {
	await operator.find(other.number);
	await operator.take();
	await twice(await operator.see('/corregir'), /corregir$/, { 'document.cedula': 'No se lee.' });
	assert.equal(audited('application.observe', other), 1);
	expect(await other.upload('cedula', files.cedulaPdf()), 303, 'cedula');
	expect(await (await other.see()).form(/corregido$/).submit(), 200, 'mended');
	await twice(await operator.see('/rechazar'), /rechazar$/, { reason: (await operator.see('/rechazar')).form(/rechazar$/).choices.reason[0] });
	assert.equal(audited('application.reject', other), 1);
});

test('what two people of the national office decide', async () => {
	for (const who of [first, second]) who.path = `/caso/${one.id}`;
	await twice(await first.see('/prorroga'), /prorroga$/, { reason: 'illness' });
	await twice(await first.see('/prorroga'), /retirar$/);
	await twice(await first.see('/prorroga'), /prorroga$/, { reason: 'illness' });
	await twice(await second.see('/prorroga'), /confirmar$/, { code: await icert.totp('central.segunda') });
	assert.equal(audited('clock.extend'), 1);
	const local = (seconds) => new Date((Math.floor(Date.now() / 60000) * 60 + seconds - 5 * 3600) * 1000).toISOString();
	const times = { part: 'checker', from_day: local(-7200).slice(0, 10), from_hour: local(-7200).slice(11, 16), to_day: local(-3600).slice(0, 10), to_hour: local(-3600).slice(11, 16) };
	await twice(await first.client.visit('/plazos/interrupciones'), /interrupciones$/, times);
	assert.equal(sql('select count(*) from icert.outage'), '1', 'one outage, entered once');
	await twice(await second.client.visit('/plazos/interrupciones'), /retirar$/);
	const asked = (await first.see('/revocar')).form(/revocar$/);
	await twice(await first.see('/revocar'), /revocar$/, { reason: asked.choices.reason[0], words: 'Orden 1234' });
	await twice(await second.see('/revocar'), /confirmar$/, { code: await icert.totp('central.segunda') });
	assert.equal(audited('certificate.revoke'), 1);
});

test('who comes with something else is still refused, and so is another person with the same', async () => {
	const page = await first.client.visit('/plazos/interrupciones');
	assert.equal((await page.form(/interrupciones$/).submit({ part: 'checker' })).status, 422);
	// The page of before, pressed again by another session: no press of theirs came before.
	const stale = await second.see('/prorroga');
	assert.ok(!stale.forms.some((f) => /confirmar$/.test(f.action)));
	const token = stale.html.match(/name="_csrf" value="([^"]+)"/)[1];
	const answer = await second.client.post(`${second.path}/prorroga/confirmar`, new URLSearchParams({ _csrf: token, code: '123456' }).toString(),
		{ headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
	assert.ok([409, 422].includes(answer.status), `${answer.status}`);
});
