// Starting anew after a case has ended: a new order and a new draft with the data
// that were kept, each page and each document confirmed by the person.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Applicant, expect } from './walk.mjs';

const DAY = 86400;

let icert;
let who;
let old;	// the case that ended

const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };

before(async () => {
	icert = await startInstance();
	who = new Applicant(icert);
	await who.apply();
	old = { id: who.id, number: who.number };
});
after(() => { who?.close(); return icert?.stop(); });

test('while a case is open nothing is begun with its data', async () => {
	assert.doesNotMatch((await who.see()).main, /con los mismos datos/);
	assert.match((await who.client.visit(`/tramite/${old.id}/de-nuevo`)).main, /sigue abierto/);
});

test('the end says what becomes of the money and offers to start again, by mail and on the page', async () => {
	await (await who.client.visit(`/tramite/${old.id}/cancelar`)).form(/cancelar$/).submit();
	const mail = await who.mail.wait({ to: who.email, subject: /cancelado/ });
	assert.match(mail.text, /Lo que pagó no se devuelve/);
	assert.match(mail.text, /guardamos sus datos/);
	const page = await who.see();
	assert.match(page.main, /Lo que pagó no se devuelve/);
	const again = await page.click(/con los mismos datos/);
	assert.match(again.main, /\$31,05/);
	who.billing = await again.click(/Continuar/);
});

test('the order comes filled, and goes on with the case', async () => {
	const form = who.billing.form(/comprar/);
	assert.equal(form.value('id_number'), who.data.id_number);
	assert.equal(form.value('de'), old.id);
	const page = expect(await form.submit(), 200, 'order');
	who.orderPath = page.path.split('?')[0];
	assert.equal(sql(`select origin_id from icert.purchase where id = '${who.orderPath.split('/')[2]}'`), old.id);
});

test('a stranger begins nothing with it', async () => {
	const stranger = new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' });
	const path = new URL((await stranger.client.visit('/tarifas')).link(/Comprar/)).pathname;
	await stranger.signIn(path);
	assert.equal((await stranger.client.visit(`${path}?de=${old.id}`)).status, 404);
	assert.equal((await stranger.client.visit(`/tramite/${old.id}/de-nuevo`)).status, 404);
	stranger.close();
});

test('the draft has the data under a key of its own; every page is confirmed', async () => {
	await who.pay();
	let page = await who.begin();
	assert.notEqual(who.id, old.id);
	assert.equal(sql(`select origin_id from icert.application where id = '${who.id}'`), old.id);
	assert.equal(sql(`select count(distinct key_id) from icert.application where id in ('${who.id}', '${old.id}')`), '2');
	const early = expect(await who.client.visit(`/solicitud/${who.id}/resumen`), 200, 'summary');
	assert.match(early.main, /falta confirmar/);
	assert.equal(early.forms.filter((f) => /enviar$/.test(f.action)).length, 0);
	for (const [step, names] of [['identidad', ['id_number']], ['nombres', ['given_names', 'surname1']], ['domicilio', ['city', 'address']],
		['telefono', []], ['ruc', ['ruc']], ['votacion', []]]) {
		assert.match(page.path, new RegExp(`/${step}`));
		assert.match(page.main, /Estos datos son de su trámite anterior/);
		const form = page.form(new RegExp(`${step}$`));
		for (const name of names)
			assert.equal(form.value(name), who.data[name].toUpperCase(), name);
		page = expect(await form.submit(step === 'domicilio' ? { address: 'Calle Nueva 12 y Sucre' } : {}), 200, step);
	}
	assert.match(page.path, /privacidad/, 'the notice is read again');
	expect(await page.form(/privacidad$/).submit({ privacy: 'yes' }), 200, 'privacy');
	assert.equal(sql(`select count(*) from icert.document where application_id = '${who.id}'`), '0');
});

test('papers that policy still takes are offered; an old bill is not', async () => {
	sql(`update icert.document set created_at = created_at - ${100 * DAY} where application_id = '${old.id}'`);
	assert.ok(!(await who.client.visit(`/tramite/${who.id}/documento/utility`)).forms.some((f) => /anterior$/.test(f.action)));
	for (const kind of ['cedula', 'voting'])
		expect(await (await who.client.visit(`/tramite/${who.id}/documento/${kind}`)).form(/anterior$/).submit(), 200, kind);
	expect(await who.upload('utility', (await import('../lib/files.mjs')).billPng()), 303, 'utility');
	assert.equal(sql(`select count(*) from icert.document n join icert.document o on o.kind = n.kind and o.sha256 = n.sha256 and o.file <> n.file
		and o.key_id <> n.key_id where n.application_id = '${who.id}' and o.application_id = '${old.id}'`), '3');
	await who.submit();
	assert.notEqual(who.number, old.number);
	assert.equal(sql(`select state from icert.application where id = '${who.id}'`), 'submitted');
});

test('a renewal is bought from the certificate it renews', async () => {
	const id = sql("select id from icert.tariff where kind = 'renewal' and on_sale");
	const page = await who.client.visit(`/comprar/${id}`);
	assert.match(page.path, /mi-tramite/);
	assert.match(page.html, /Para renovar, entre en el trámite/);
});
