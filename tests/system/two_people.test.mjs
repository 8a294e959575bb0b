// Two people who decide about the same money in one instant: one of them decides, and the other reads in one sentence what became of it.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as invoices from '../lib/invoices.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, buyer, tariff, account, mine, theirs;
const people = {};
const open = [];
const sql = (text) => icert.sql(text);
const national = ['central', 'central.segunda', 'operador.pichincha', 'operador.guayas', 'director.pichincha', 'director.guayas'];
const logins = ['finanzas', 'auditor', 'administrador', 'administrador.segundo', ...national];
const visit = (login, path) => people[login].client.visit(path);
const code = (login) => icert.totp(login);

before(async () => {
	icert = await startInstance();
	// The auditor is finance's second person, a director the third administrator; the provinces' people decide for the national office.
	sql(`insert into icert.staff_role (staff_id, role, since) select id, case login when 'auditor' then 'finance' else 'national' end, 0 from icert.staff
		where login in (${['auditor', ...national.slice(2)].map((login) => `'${login}'`)}) union all select id, 'administrator', 0 from icert.staff where login = 'director.guayas'`);
	buyer = new Applicant(icert);
	open.push(buyer);
	await Promise.all([buyer.order(), ...logins.map(async (login) => {
		open.push(people[login] = new Operator(icert, login));
		expect(await people[login].signIn(), 200, login);
	})]);
	tariff = new URL((await buyer.client.visit('/tarifas')).link(/Comprar/)).pathname;
	mine = await ordered();
	theirs = await ordered();
});
after(async () => {
	for (const person of open) person.close();
	icert?.psqlOpen?.end();
	await icert?.stop();
});

async function ordered() {
	const at = expect(await (await buyer.client.visit(tariff)).form(/comprar/).submit({
		for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'JOSÉ MARÍA MUÑOZ', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	}), 200, 'ordered');
	const id = at.path.split('/')[2].split('?')[0];
	return { id, number: sql(`select number from icert.purchase where id = '${id}'`), path: `/orden/${id}` };
}

/** Presses all at once.  `rows` are held until each of them waits for one, so that all have read what none has changed. */
async function meet(rows, ...presses) {
	const waiting = `(select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'icert_desk')`;
	const held = icert.ask(`do $$ begin
		perform 1 from ${rows} for update;
		for i in 1 .. 1000 loop
			perform pg_stat_clear_snapshot();
			if ${waiting} >= ${presses.length} then return; end if;
			perform pg_sleep(0.02);
		end loop;
		raise 'they did not meet';
	end $$`);
	await until(() => sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep' and usename = 'postgres'") === '1', { what: 'the rows are held' });
	const answers = await Promise.all([...presses.map((press) => press()), held]);
	return answers.slice(0, -1);
}

/** The same, of which one is taken and the others are told why not: the place of the one, and the page of the last other. */
async function oneOf(rows, sentence, ...presses) {
	const answers = await meet(rows, ...presses);
	assert.deepEqual(answers.map((page) => page.status).sort(), [200, ...presses.slice(1).map(() => 409)], answers.map((page) => `${page.errors} ${page.main.slice(0, 200)}`).join('\n'));
	const won = answers.findIndex((page) => page.status === 200);
	assert.deepEqual(answers[won].errors, []);
	for (const page of answers.filter((page) => page.status === 409)) {
		assert.equal(page.errors.length, 1, page.errors.join('\n'));
		assert.match(page.errors[0], sentence);
	}
	return { won, told: answers[won], refused: answers.find((page) => page.status === 409) };
}

/** A form of a page as it stands now, sent later. */
async function ready(login, path, action, values = {}, find = () => true) {
	const form = (await visit(login, path)).forms.find((one) => action.test(one.action) && find(one));
	assert.ok(form, `${login}: ${path} ${action}`);
	return () => form.submit(values);
}
const line = (reference) => sql(`select id from icert.bank_line where reference = '${reference}'`);
const at = (reference) => `/transferencias/${line(reference)}`;
const lines = (...references) => references.map((one) => sql(`select state || coalesce(' ' || (select number from icert.purchase where id = purchase_id), '') from icert.bank_line where reference = '${one}'`));
const confirms = async (login, reference, number) => ready(login, at(reference), /confirmar$/, { number, code: await code(login) });
const done = (action) => Number(sql(`select count(*) from icert.audit where action = '${action}' and outcome = 'done'`));

test('an account and a price: confirmed by one and withdrawn by another', async () => {
	const written = { bank: 'Banco del Sur', kind: 'savings', number: '2200123456', holder: 'Entidad', holder_id: '1790012345001' };
	expect(await (await ready('administrador', '/cuentas', /cuentas$/, written))(), 200, 'written');
	account = sql('select id from icert.bank_account');
	const both = [await ready('administrador.segundo', '/cuentas', /confirmar$/, { code: await code('administrador.segundo') }), await ready('administrador', '/cuentas', /retirar$/)];
	const { won } = await oneOf(`icert.bank_account where id = '${account}'`, /ya no espera/, ...both);
	assert.equal(sql(`select state from icert.bank_account where id = '${account}'`), ['confirmed', 'withdrawn'][won]);
	// Whoever wanted to withdraw what waited does not close what counts by now.
	sql(`set session_replication_role = replica; update icert.bank_account set state = 'confirmed', decided_by = '${icert.staff('administrador.segundo').id}', decided_at = 1 where id = '${account}'`);
	const late = await both[1]();
	assert.equal(late.status, won === 0 ? 409 : 200);	// pressed a second time by whom it had served
	assert.equal(sql(`select state from icert.bank_account where id = '${account}'`), 'confirmed');

	const priced = (login, net) => ready(login, '/tarifa/nueva', /nueva$/, { container: 'file', kind: 'new', years: '3', net, tax: '15', ruc: 'any', sale: 'yes' });
	await oneOf("icert.product where container = 'file'", /Ya hay un cambio de este producto/, await priced('director.guayas', '33,00'), await priced('administrador.segundo', '34,00'));
	const change = sql('select id from icert.tariff_change');
	const price = await oneOf(`icert.tariff_change where id = '${change}'`, /ya no espera aprobación/,
		await ready('administrador', `/tarifa/cambio/${change}`, /aprobar$/, { code: await code('administrador') }), await ready('administrador.segundo', `/tarifa/cambio/${change}`, /retirar$/));
	assert.equal(Number(sql(`select count(*) from icert.tariff where change_id = '${change}'`)), price.won === 0 ? 1 : 0);
});

test('a line of the bank: two take it, one takes it and another sets it aside, two for one order', async () => {
	const [third, fourth] = [await ordered(), await ordered()];
	const statement = [1, 2, 3, 4, 5, 6].map((n) => `21/11/2026;${n};MOVIMIENTO ${n};31,05\n`).join('');
	const imports = (login) => ready(login, '/transferencias', /transferencias$/, {
		account, profile: 'date-reference-text-amount', decimal: 'comma', statement: { filename: 'extracto.csv', data: Buffer.from(statement) },
	});
	const twice = await meet(`icert.bank_account where id = '${account}'`, await imports('finanzas'), await imports('auditor'));
	assert.deepEqual(twice.map((page) => page.status), [200, 200], twice.map((page) => page.errors).join());
	assert.deepEqual(twice.map((page) => /ya estaba importado entero/.test(page.text)).sort(), [false, true], 'imported by one, and there for the other');
	assert.equal(sql('select count(*) from icert.bank_line'), '6');
	const row = (reference) => `icert.bank_line where id = '${line(reference)}'`;

	// For two orders: it pays one, and once.
	const taken = await oneOf(row(1), /ya está confirmado/, await confirms('central', 1, mine.number), await confirms('central.segunda', 1, theirs.number));
	const [payer, other] = taken.won === 0 ? [mine, theirs] : [theirs, mine];
	assert.match(taken.refused.main, new RegExp(payer.number), 'who came second sees which order it pays');
	await until(() => lines(1)[0] === `applied ${payer.number}`, { what: 'applied' });
	assert.equal(sql(`select state from icert.purchase where id = '${other.id}'`), 'created');
	[mine, theirs] = [payer, other];

	const aside = await oneOf(row(2), /ya está confirmado|se apartó/, await confirms('operador.pichincha', 2, third.number), await ready('finanzas', at(2), /apartar$/, {}, (form) => form.value('todo') === undefined));
	assert.match(lines(2)[0], aside.won === 0 ? new RegExp(`(confirmed|applied) ${third.number}`) : /^other$/);
	assert.match(aside.refused.errors[0], aside.won === 0 ? /ya está confirmado/ : /se apartó/);

	// Two lines for one order: both are true, and the second is told that the order waits for nothing.
	const both = await meet(`icert.purchase where id = '${theirs.id}'`, await confirms('director.pichincha', 3, theirs.number), await confirms('operador.guayas', 4, theirs.number));
	assert.deepEqual(both.map((page) => page.status), [200, 200], both.map((page) => page.errors).join());
	assert.deepEqual(both.map((page) => /ya no esperaba un pago/.test(page.text)).sort(), [false, true]);
	await until(() => sql("select string_agg(verdict, ' ' order by verdict) from icert.bank_line where reference in ('3', '4')") === 'again pay', { what: 'one pays, one is too much' });

	// The whole statement against one of its lines: what pays an order stays, and is said to.
	const whole = await meet(row(5), await confirms('director.guayas', 5, fourth.number), await ready('auditor', at(6), /apartar$/, {}, (form) => form.value('todo') === '1'));
	assert.equal(whole[1].status, 200);
	assert.match(whole[1].text, /ya pagan órdenes/);
	assert.match(lines(5)[0], whole[0].status === 200 ? new RegExp(`(confirmed|applied) ${fourth.number}`) : /^other$/);
	if (whole[0].status !== 200) assert.match(whole[0].errors.join(), /se apartó/);
	assert.equal(lines(6)[0], 'other');
});

test('a line set aside: two put it back, and nobody puts back what another has set aside since', async () => {
	const stale = await ready('auditor', at(6), /reponer$/);
	const back = await oneOf(`icert.bank_line where id = '${line(6)}'`, /volvió a quedar por confirmar/, await ready('finanzas', at(6), /reponer$/), await ready('central', at(6), /reponer$/));
	assert.match(back.told.text, /otra vez por confirmar/);
	assert.equal(done('transfer.again'), 1);
	const late = await ready('central', at(6), /apartar$/, {}, (form) => form.value('todo') === undefined);
	expect(await (await ready('finanzas', at(6), /apartar$/, {}, (form) => form.value('todo') === undefined))(), 200, 'aside');
	for (const [press, what] of [[stale, 'put back'], [late, 'set aside']]) {
		const page = await press();
		assert.equal(page.status, 409, what);
		assert.match(page.errors.join(), /se apartó mientras/, what);
	}
	assert.equal(lines(6)[0], 'other');
	assert.equal(done('transfer.again'), 1);
});

test('an invoice: two for one order, one for two orders', async () => {
	const paper = () => invoices.papers(invoices.fields({ ruc: '1769999930001' }));
	const held = `icert.purchase where id in ('${mine.id}', '${theirs.id}')`;
	const [a, b] = [paper(), paper()];
	const one = await meet(held, await ready('finanzas', `${mine.path}/factura`, /factura$/, a), await ready('auditor', `${mine.path}/factura`, /factura$/, b));
	assert.deepEqual(one.map((page) => page.status).sort(), [200, 422], one.map((page) => page.errors).join('\n'));
	assert.match(one.find((page) => page.status === 422).errors.join(), /ya tiene la factura/);
	assert.equal(sql(`select count(*) from icert.invoice where purchase_id = '${mine.id}' and pdf is not null`), '1');
	assert.equal(sql('select count(distinct pdf) from icert.invoice where pdf is not null'), '1');

	const third = await ordered();
	sql(`set session_replication_role = replica; update icert.purchase set state = 'paid', paid_at = 1 where id = '${third.id}';
		insert into icert.invoice (id, purchase_id, state, created_at) values (gen_random_uuid(), '${third.id}', 'awaited', 1)`);
	const same = paper();
	const two = await meet(`icert.purchase where id in ('${theirs.id}', '${third.id}')`, await ready('finanzas', `${theirs.path}/factura`, /factura$/, same), await ready('auditor', `${third.path}/factura`, /factura$/, same));
	assert.deepEqual(two.map((page) => page.status).sort(), [200, 422], two.map((page) => page.errors).join('\n'));
	const filed = two[0].status === 200 ? theirs : third;
	assert.match(two.find((page) => page.status === 422).errors.join(), new RegExp(`ya está cargada en la orden ${filed.number}`));
	assert.equal(sql("select count(*) from icert.invoice where pdf is not null"), '2');
});

test('a refund: asked by two, confirmed by two, confirmed and withdrawn; a credit note meanwhile', async () => {
	const order = `icert.purchase where id = '${theirs.id}'`;
	const payment = (verdict) => sql(`select id from icert.payment where purchase_id = '${theirs.id}' and verdict = '${verdict}'`);
	const asks = (login, id, words) => ready(login, `${theirs.path}/devolver?pago=${id}`, /devolver$/, { reason: 'other', words });
	const asked = await oneOf(order, /ya está pedida/, await asks('finanzas', payment('again'), 'Lo pidió'), await asks('auditor', payment('again'), 'Pagó dos veces'));
	assert.match(asked.refused.main, /Lo pidió|Pagó dos veces/, 'who came second reads what it is founded on');
	const confirm = async (login) => ready(login, theirs.path, /confirmar$/, { code: await code(login) });
	const given = await oneOf(order, /ya no espera confirmación/, await confirm('central'), await confirm('central.segunda'));
	assert.match(given.refused.main, /confirmada, en curso|devuelta/);
	await until(() => sql("select string_agg(state, ' ') from icert.refund") === 'done', { what: 'given back, once' });
	assert.equal(done('order.refund_done'), 1);
	assert.equal(sql(`select state from icert.purchase where id = '${theirs.id}'`), 'paid', 'what was too much is all that went');

	expect(await (await asks('finanzas', payment('pay'), 'Se arrepintió'))(), 200, 'asked');
	const own = await oneOf("icert.refund where state = 'open'", /ya no espera confirmación/, await confirm('operador.pichincha'), await ready('auditor', theirs.path, /retirar$/));
	assert.equal(sql(`select state in ('refunding', 'refunded') from icert.purchase where id = '${theirs.id}'`), own.won === 0 ? 't' : 'f');

	// A credit note while the money goes back: in either order no further invoice is awaited in the end.
	const serial = sql(`select serial from icert.invoice where purchase_id = '${mine.id}'`);
	const pay = sql(`select id from icert.payment where purchase_id = '${mine.id}' and verdict = 'pay'`);
	expect(await (await ready('finanzas', `${mine.path}/devolver?pago=${pay}`, /devolver$/, { reason: 'other', words: 'Se arrepintió' }))(), 200, 'asked');
	const note = invoices.papers(invoices.fields({ ruc: '1769999930001', document: '04', modifies: serial }));
	const both = await meet(`icert.purchase where id = '${mine.id}'`, await ready('operador.guayas', mine.path, /confirmar$/, { code: await code('operador.guayas') }),
		await ready('finanzas', `${mine.path}/factura`, /factura$/, note));
	assert.deepEqual(both.map((page) => page.status), [200, 200], both.map((page) => page.errors).join('\n'));
	await until(() => sql(`select state from icert.purchase where id = '${mine.id}'`) === 'refunded', { what: 'given back' });
	assert.doesNotMatch(sql(`select string_agg(state, ' ') from icert.invoice where purchase_id = '${mine.id}'`), /awaited/);
});

test('a difference and a dispute: two settle it', async () => {
	sql(`set session_replication_role = replica; insert into icert.reconciliation (gateway, day, state, ended_at) values ('demo', '2026-11-01', 'done', 1);
		insert into icert.difference (gateway, day, payment, kind, here, there) values ('demo', '2026-11-01', 'pay_1', 'amount', 3105, 3000);
		insert into icert.dispute (payment_id, purchase_id, returned, opened_at) select id, purchase_id, true, 1 from icert.payment where purchase_id = '${theirs.id}' and verdict = 'again'`);
	const explained = await oneOf("icert.difference where payment = 'pay_1'", /ya no espera/,
		await ready('finanzas', '/conciliacion', /explicar$/, { reason: 'by_hand' }), await ready('auditor', '/conciliacion', /explicar$/, { reason: 'gateway' }));
	assert.equal(sql("select reason from icert.difference where payment = 'pay_1'"), ['by_hand', 'gateway'][explained.won]);
	assert.equal(done('reconciliation.explain'), 1);
	const answered = await oneOf(`icert.dispute where purchase_id = '${theirs.id}'`, /disputa ya no espera respuesta/,
		await ready('finanzas', theirs.path, /respondida$/), await ready('auditor', theirs.path, /respondida$/));
	assert.match(answered.refused.main, /respondida/);
	assert.equal(done('order.dispute_answer'), 1);
});
