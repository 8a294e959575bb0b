// What becomes of an order when a gateway pays, refuses, hesitates, repeats
// itself, says something else, or says nothing.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { Operator, expect } from './walk.mjs';

const FINANCE = 'planta.central@icert.example';
const RECEIVED = /Recibimos su pago/;
const PAID = /Pago recibido/;

let icert;
let box;
let people = 0;

before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
});
after(() => icert?.stop());

// A person who has proved a mailbox and ordered one PKCS#12.
async function ordered() {
	const email = `persona${++people}@correo.example`;
	const client = new Client({ base: icert.portal, ca: icert.ca });
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	page = await page.form(/^\/comprar\//).submit({
		for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	});
	assert.match(page.path, /^\/orden\//, page.text);
	return { email, client, order: page.path.split('/')[2] };
}

const orderPage = ({ client, order }) => client.visit(`/orden/${order}`);
const isPaid = (person) => until(async () => PAID.test((await orderPage(person)).text), { what: 'the order is paid' });
const mails = (person, subject) => box.list({ to: person.email, subject });
const settle = () => new Promise((resolve) => setTimeout(resolve, 2500));

// From the order to the gateway's page.
async function checkout(person) {
	const page = await (await orderPage(person)).form(/\/pagar$/).submit();
	return page.click('Ir a la página de pago');
}

const press = (gatewayPage, action) => gatewayPage.form(new RegExp(`/${action}$`)).send();

async function pays(person, action) {
	const gatewayPage = await checkout(person);
	assert.match(gatewayPage.text, /SIMULADOR DE PAGOS/);
	const answer = await press(gatewayPage, action);
	assert.equal(answer.status, 303);
	return gatewayPage;
}

async function notPaid(person) {
	await settle();
	assert.doesNotMatch((await orderPage(person)).text, PAID);
	assert.equal((await mails(person, RECEIVED)).length, 0);
}

test('approved: paid within seconds, mailed once', async () => {
	const person = await ordered();
	await box.wait({ to: person.email, subject: /orden de pago/ });
	await pays(person, 'aprobar');
	await isPaid(person);
	const mail = await box.wait({ to: person.email, subject: RECEIVED });
	assert.match(mail.text, /USD 31,05/);
	assert.doesNotMatch(mail.subject, /\d{4}-\d/);
	assert.equal((await mails(person, RECEIVED)).length, 1);
	assert.equal((await mails(person, /orden de pago/)).length, 1);
});

test('the same notification twice: paid once', async () => {
	const person = await ordered();
	await pays(person, 'repetido');
	await isPaid(person);
	await settle();
	assert.equal((await mails(person, RECEIVED)).length, 1);
});

test('paid twice: one order, and the national office is told', async () => {
	const person = await ordered();
	const before = await box.list({ to: FINANCE });
	await pays(person, 'doble');
	await isPaid(person);
	await box.wait({ to: FINANCE, known: before });
	assert.equal((await mails(person, RECEIVED)).length, 1);
});

test('rejected: told, and a second try pays', async () => {
	const person = await ordered();
	await pays(person, 'rechazar');
	await box.wait({ to: person.email, subject: /no fue aprobado/ });
	await notPaid(person);
	await pays(person, 'aprobar');
	await isPaid(person);
});

test('in review at the gateway: told once, paid when approved', async () => {
	const person = await ordered();
	const gatewayPage = await pays(person, 'pendiente');
	await box.wait({ to: person.email, subject: /en revisión/ });
	await notPaid(person);
	await press(gatewayPage, 'aprobar');
	await isPaid(person);
	assert.equal((await mails(person, /en revisión/)).length, 1);
});

test('another amount, well signed: never paid, and the national office is told', async () => {
	const person = await ordered();
	const before = await box.list({ to: FINANCE });
	await pays(person, 'otro-valor');
	await box.wait({ to: FINANCE, known: before });
	await notPaid(person);
});

test('forged and old notifications pay nothing', async () => {
	const person = await ordered();
	const gatewayPage = await checkout(person);
	await press(gatewayPage, 'falsificado');
	await press(gatewayPage, 'antiguo');
	await notPaid(person);
	const log = await until(async () => {
		const page = await person.client.get(gatewayPage.url.href);
		return /401/.test(page.text) && /400/.test(page.text) && page.text;
	}, { what: 'the gateway has its answers' });
	assert.doesNotMatch(log, /\b200\b/);
});

test('a gateway that never notifies is asked', async () => {
	const person = await ordered();
	await pays(person, 'callado');
	await notPaid(person);
	icert.moveClock(600);
	await isPaid(person);
});

test('an order expires; a payment after that is not taken silently', async () => {
	const person = await ordered();
	const open = await ordered();
	const gatewayPage = await checkout(person);
	icert.moveClock(8 * 86400);
	await until(async () => /ya no se puede pagar/.test((await orderPage(person)).text), { what: 'the order has expired' });
	await until(async () => /ya no se puede pagar/.test((await orderPage(open)).text), { what: 'so has the one that never saw a gateway' });
	const before = await box.list({ to: FINANCE });
	await press(gatewayPage, 'aprobar');
	await box.wait({ to: FINANCE, known: before });
	await notPaid(person);
});

test('what was paid in the last second before it expired wins', async () => {
	const person = await ordered();
	await pays(person, 'callado');
	icert.moveClock(16 * 86400);
	await isPaid(person);
});

test('a draft is removed after 30 days, and what was paid serves another', async () => {
	const person = await ordered();
	await pays(person, 'aprobar');
	await isPaid(person);
	const page = await (await orderPage(person)).form(/\/solicitud$/).submit();
	assert.match(page.path, /^\/solicitud\//);
	const draft = page.path.split('/')[2];
	assert.equal((await person.client.get(`/solicitud/${draft}/resumen`)).status, 200);
	icert.moveClock(60 * 86400);
	const again = await until(async () => (await orderPage(person)).form(/\/solicitud$/), { what: 'the order is free again' });
	const next = await again.submit();
	assert.match(next.path, /^\/solicitud\//);
	assert.notEqual(next.path.split('/')[2], draft);
});

test("finance finds an order by its number, its payment or its mailbox, and reads its whole story", async () => {
	icert.moveClock(60 * 86400 + 3600);
	const person = await ordered();
	const gatewayPage = await pays(person, 'otro-valor');
	await settle();
	await press(gatewayPage, 'aprobar');
	const id = person.order;
	await until(() => icert.sql(`select count(*) from icert.payment_event where purchase_id = '${id}' and verdict is not null`) >= '2', { what: 'both notices' });
	const [number, payment] = icert.sql(`select number || ' ' || gateway_payment from icert.purchase where id = '${id}'`).split(' ');
	const finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	const list = await finance.client.visit('/ordenes');
	assert.ok(list.main.includes(number));
	for (const text of [number, number.toLowerCase(), ` ${number} `, payment, person.email]) {
		const found = await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: text });
		assert.equal(found.path, '/ordenes');
		assert.ok(found.main.includes(number), text);
		assert.equal(found.html.match(/href="\/orden\//g).length, 1, text);
	}
	// Whatever is at hand: the payer's number, as cédula or RUC, what was paid, the day.
	const [day, before] = icert.sql(`select to_char(d, 'DD/MM/YYYY') || ' ' || to_char(d - 1, 'YYYY-MM-DD')
		from (select (to_timestamp(created_at) at time zone 'Etc/GMT+5')::date d from icert.purchase where id = '${id}') x`).split(' ');
	const looks = async (text) => (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: text });
	for (const text of [number.replaceAll('-', ''), number.toLowerCase().replaceAll('-', ' '), '1710034065', '1710034065001', '31,05', '$31.05', day, `31,05 ${day}`, `${day}  31,05`])
		assert.ok((await looks(text)).main.includes(number), text);
	assert.match((await looks(`31,05 ${day}`)).main, /de \$31,05 del /, 'how it was understood');
	for (const text of [`31,05 ${before}`, before, '31,06', '1710034073', 'nadie@correo.example', number.replace(/.$/, 'x'), "' or true --", '%', 'x'.repeat(400)]) {
		const other = expect(await looks(text), 200, text);
		assert.ok(!other.html.includes(`/orden/${id}`), text);
		if (!/^\d{4}-/.test(text) && !text.endsWith(before))
			assert.match(other.main, /Ninguna orden tiene/, text);
	}
	assert.equal(icert.sql(`select count(*) filter (where a::text like '%1710034065%' or a::text like '%${person.email}%') || ' ' || (count(*) filter (where action = 'order.search') > 15)
		from icert.audit a where action like 'order.%'`), '0 true', 'who looked stands in the log, and not for whom');
	const story = expect(await finance.client.visit(`/orden/${id}`), 200, 'story');
	assert.match(story.main, /MARÍA ÑUSTA/);
	assert.match(story.main, /Otro valor u otra moneda/);
	assert.match(story.main, /Consultas a la pasarela[^]*Aprobado[^]*Seguimiento del pago[^]*\$/, 'what was asked and answered');
	assert.match(story.main, /Orden creada/);
	assert.ok(!story.main.includes(person.email), 'the mailbox is shortened');
	assert.equal(icert.sql(`select count(*) from icert.audit where action = 'order.read' and subject = '${id}'`), '1');
	// A long story is in parts, and says so.
	assert.doesNotMatch(story.main, /líneas más nuevas/);
	icert.sql(`insert into icert.payment_event (gateway, event_id, body, received_at, applied_at, verdict, purchase_id) select 'demo', 'evt_long_' || n, '', n, 1, 'nothing', '${id}' from generate_series(1, 120) n`);
	const long = expect(await finance.client.visit(`/orden/${id}`), 200, 'long');
	assert.match(long.main, /las 50 líneas más nuevas/);
	assert.doesNotMatch(long.html, /evt_long<wbr>_1</);
	const second = expect(await long.click('Más antiguas'), 200, 'second');
	assert.match(second.main, /lo que sigue a las 50/);
	const third = expect(await second.click('Más antiguas'), 200, 'third');
	assert.match(third.html, /evt_long<wbr>_1</);
	assert.ok(!third.links.some((link) => /Más antiguas/.test(link.text)), 'the end');
	assert.match((await third.click('Más nuevas')).main, /lo que sigue a las 50/);
	icert.sql("delete from icert.payment_event where event_id like 'evt_long_%'");
	const national = new Operator(icert, 'central');
	expect(await national.signIn(), 200, 'central');
	const seen = expect(await national.client.visit(`/orden/${id}`), 200, 'story');
	assert.doesNotMatch(seen.main, /ÑUSTA/);
	const operator = new Operator(icert, 'operador.pichincha');
	expect(await operator.signIn(), 200, 'operador');
	assert.equal((await operator.client.visit(`/orden/${id}`)).status, 403);
	assert.equal((await finance.client.visit(`/orden/${id.replace(/^.{8}/, '00000000')}`)).status, 404);
	const paid = await finance.client.visit('/ordenes?estado=paid');
	assert.ok([...paid.main.matchAll(/P-\d{4}-\d{6}-\d/g)].length > 0);
	assert.ok(!(await finance.client.visit('/ordenes?estado=refunded')).main.includes(number));
	for (const one of [finance, national, operator]) one.close();
});

/** A row of finance's page says so of that order. */
const waitsFor = async (finance, order, what) => (await finance.client.visit('/finanzas')).html.split('<tr').some((row) => row.includes(`/orden/${order}`) && row.includes(what));

// Who logs in has one more code at once, and the next within half a minute: each confirmation is by somebody else of the national office.
const office = ['central.segunda', 'director.pichincha', 'director.guayas', 'operador.guayas'];
const confirms = async (order) => {
	const login = office.shift();
	icert.sql(`insert into icert.staff_role (staff_id, role, since) select id, 'national', 0 from icert.staff s where login = '${login}'
		and not exists (select from icert.staff_role r where r.staff_id = s.id and r.role = 'national')`);
	const person = new Operator(icert, login);
	expect(await person.signIn(), 200, login);
	expect(await (await person.client.visit(`/orden/${order}`)).form(/confirmar$/).submit({ code: await icert.totp(login) }), 200, 'confirmed');
	person.close();
};

test('money goes back when two people of the house say so, and once', async () => {
	const finance = new Operator(icert, 'finanzas');
	const national = new Operator(icert, 'central');
	expect(await finance.signIn(), 200, 'finanzas');
	expect(await national.signIn(), 200, 'central');
	const state = (id) => icert.sql(`select state from icert.purchase where id = '${id}'`);
	const refunds = (id) => icert.sql(`select string_agg(state, ' ' order by requested_at) from icert.refund where purchase_id = '${id}'`);
	const ask = async (id, values) => (await (await finance.client.visit(`/orden/${id}`)).click(/^Devolver/)).form(/devolver$/).submit(values);

	// Paid twice: the second payment goes back, the order stays.
	const twice = await ordered();
	await pays(twice, 'doble');
	await until(() => icert.sql(`select count(*) from icert.payment where purchase_id = '${twice.order}' and verdict = 'again'`) === '1', { what: 'the second payment' });
	// What waits for finance stands on one page, until it is done.
	const waits = (order, what) => waitsFor(finance, order, what);
	assert.ok(await waits(twice.order, 'Decidir sobre un pago'));
	const page = await finance.client.visit(`/orden/${twice.order}`);
	assert.equal(page.html.match(/devolver\?pago=/g).length, 2);
	const second = icert.sql(`select id from icert.payment where purchase_id = '${twice.order}' and verdict = 'again'`);
	const form = await finance.client.visit(`/orden/${twice.order}/devolver?pago=${second}`);
	assert.match(form.main, /Es un pago de más/);
	const wrong = await form.form(/devolver$/).submit({ reason: 'again', words: ' ' });
	assert.equal(wrong.status, 422);
	expect(await wrong.form(/devolver$/).submit({ reason: 'again', words: 'Llegaron dos pagos' }), 200, 'asked');
	assert.equal(refunds(twice.order), 'open');
	assert.match((await finance.client.visit(`/orden/${twice.order}`)).main, /Falta que la confirme otra persona/);
	assert.ok(await waits(twice.order, 'Confirmar una devolución'));
	const again = await form.form(/devolver$/).submit({ reason: 'again', words: 'Otra vez' });
	assert.equal(again.status, 409);
	const asked = await national.client.visit(`/orden/${twice.order}`);
	assert.match(asked.main, /Llegaron dos pagos/, 'who confirms reads what it is founded on');
	const confirm = asked.form(/confirmar$/);
	assert.equal((await confirm.submit({ code: '000000' })).status, 422);
	expect(await confirm.submit({ code: await icert.totp('central') }), 200, 'confirmed');
	await until(() => refunds(twice.order) === 'done', { what: 'the second payment is back' });
	assert.match((await box.wait({ to: twice.email, subject: /Devolvimos su pago/ })).text, /un pago de más/);
	assert.equal(state(twice.order), 'paid');
	for (const what of ['Decidir sobre un pago', 'Confirmar una devolución']) assert.ok(!await waits(twice.order, what), what);

	// The order's own money: the gateway refuses first, then does it.
	const own = await ordered();
	const gatewayPage = await pays(own, 'aprobar');
	await isPaid(own);
	await press(gatewayPage, 'sin-devolucion');
	expect(await ask(own.order, { reason: 'authority_fault', words: 'No podemos emitirlo' }), 200, 'asked');
	const known = await box.list({ to: FINANCE });
	await confirms(own.order);
	await until(() => refunds(own.order) === 'failed', { what: 'the gateway refuses' });
	assert.match((await box.wait({ to: FINANCE, known })).text, /no hizo una devolución/);
	assert.equal(state(own.order), 'refunding');
	assert.ok(await waits(own.order, 'Devolución que la pasarela no hizo'));
	assert.doesNotMatch((await orderPage(own)).main, /Empezar|solicitud$/);
	const id = icert.sql(`select gateway_payment from icert.purchase where id = '${own.order}'`);
	const admits = await fetch(`${icert.gateway}/pago/${id}/admitir`, { method: 'POST' });
	assert.ok(admits.ok || admits.status === 303);
	expect(await ask(own.order, { reason: 'authority_fault', words: 'La pasarela ya la admite' }), 200, 'asked again');
	await confirms(own.order);
	await until(() => state(own.order) === 'refunded', { what: 'the order is refunded' });
	await until(() => refunds(own.order) === 'failed done', { what: 'so is the request' });
	await settle();
	assert.equal((await box.list({ to: own.email, subject: /Devolvimos su pago/ })).length, 1);
	assert.match((await orderPage(own)).main, /Devolvimos su pago/);
	assert.ok(!(await finance.client.visit(`/orden/${own.order}`)).html.includes('/devolver?pago='));
	const list = await national.client.visit('/devoluciones');
	assert.match(list.main, /la pasarela no la hizo/);
	finance.close();
	national.close();
});

test("a bank's dispute stops the order, and its end lets it go on; a refund made at the gateway counts", async () => {
	const person = await ordered();
	const gatewayPage = await pays(person, 'aprobar');
	await isPaid(person);
	const state = () => icert.sql(`select state from icert.purchase where id = '${person.order}'`);
	const finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	// Asked for before the dispute: while the bank holds the money nobody gives it back a second time.
	expect(await (await (await finance.client.visit(`/orden/${person.order}`)).click(/^Devolver/)).form(/devolver$/).submit({ reason: 'authority_fault', words: 'No podemos emitirlo' }), 200, 'asked');
	await press(gatewayPage, 'disputa');
	await until(() => state() === 'disputed', { what: 'the dispute' });
	await confirms(person.order);
	await settle();
	assert.equal(icert.sql(`select state || ' ' || tries from icert.refund where purchase_id = '${person.order}'`), 'confirmed 0');
	// The gateway may have been asked once, and not have answered: the next try is far away.
	const nextTry = (at) => icert.sql(`update icert.refund set next_try_at = ${at} where purchase_id = '${person.order}'`);
	nextTry(Math.floor(Date.now() / 1000) + 7200);
	const waiting = () => waitsFor(finance, person.order, 'Disputa abierta');
	assert.ok(await waiting(), 'the dispute waits for finance');
	const held = await orderPage(person);
	assert.match(held.main, /abrió una disputa/);
	assert.ok(!held.forms.some((f) => /solicitud$/.test(f.action)), 'nothing begins meanwhile');
	await press(gatewayPage, 'disputa-ganada');
	await until(() => state() !== 'disputed', { what: 'the end of the dispute' });
	assert.equal(state(), 'refunding', 'nothing begins with money that is on its way back');
	nextTry(0);
	await until(() => state() === 'refunded', { what: 'the refund' });
	assert.ok(!await waiting());
	finance.close();
	await box.wait({ to: person.email, subject: /Devolvimos su pago/ });

	const other = await ordered();
	const there = await pays(other, 'aprobar');
	await isPaid(other);
	const stands = () => icert.sql(`select state from icert.purchase where id = '${other.order}'`);
	await press(there, 'disputa');
	await until(() => stands() === 'disputed', { what: 'the other dispute' });
	await press(there, 'disputa-ganada');
	await until(() => stands() === 'paid', { what: 'the end of the other dispute' });
	await press(there, 'devuelto');
	await until(() => stands() === 'refunded', { what: 'the refund there' });
	await box.wait({ to: other.email, subject: /Devolvimos su pago/ });
});

/** RFC 4180, as somebody else reads it: rows of fields. */
function readCsv(text) {
	assert.equal(text[0], '\ufeff');
	const rows = [[]];
	for (const [, quoted, plain, end] of text.slice(1).matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
		rows.at(-1).push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain);
		if (end !== ',') rows.push([]);
	}
	assert.deepEqual(rows.pop(), [], 'ends with CRLF');
	const [names, ...rest] = rows;
	return rest.map((row) => { assert.equal(row.length, names.length); return Object.fromEntries(row.map((field, n) => [names[n], field])); });
}

test('totals of each day are the sums of what was heard, on the page and in the file', async () => {
	// One payment more of today, with an id that a spreadsheet would execute, and heard of twice.
	const evil = '=HYPERLINK("http://x","y")';
	const at = Number(icert.sql('select max(at) from icert.payment'));
	icert.sql(`insert into icert.payment (id, gateway, gateway_payment, verdict, cents, currency, at) values
		(gen_random_uuid(), 'demo', '${evil}', 'strange', 1234, 'USD', ${at}), (gen_random_uuid(), 'demo', '${evil}', 'late', 1234, 'USD', ${at} + 1)`);
	const json = (sql) => JSON.parse(icert.sql(`select coalesce(json_agg(t), '[]') from (${sql}) t`));
	const payments = json('select gateway_payment id, verdict, cents::int, at::int, purchase_id from icert.payment order by at, id');
	const refunds = json("select q.cents::int, q.ended_at::int at, y.gateway_payment id from icert.refund q join icert.payment y on y.id = q.payment_id where q.state = 'done'");
	const dayOf = (t) => new Date((t - 5 * 3600) * 1000).toISOString().slice(0, 10);
	// By the sentences of docs/money.md, payment by payment.
	const days = new Map();
	const count = (t, what, cents) => {
		const day = days.get(dayOf(t)) ?? days.set(dayOf(t), { total: 0, otros_valor: 0, devuelto: 0, en_disputa: 0 }).get(dayOf(t));
		day[what] += cents;
	};
	for (const id of new Set(payments.map((p) => p.id))) {
		const mine = payments.filter((p) => p.id === id && p.cents > 0);
		const paid = mine.find((p) => p.verdict === 'pay');
		if (paid) count(paid.at, 'total', paid.cents);
		const again = mine.find((p) => p.verdict === 'again');
		const other = again ?? (paid ? undefined : ['late', 'mismatch', 'strange'].map((v) => mine.find((p) => p.verdict === v)).find(Boolean));
		if (other) count(other.at, 'otros_valor', other.cents);
		const held = mine.find((p) => p.verdict === 'disputed'), won = mine.find((p) => p.verdict === 'won');
		if (held) count(held.at, 'en_disputa', paid.cents);
		if (won) count(won.at, 'en_disputa', -paid.cents);
		const there = mine.find((p) => p.verdict === 'refunded');
		if (there && !(held && !won) && !refunds.some((q) => q.id === id)) count(there.at, 'devuelto', paid.cents);
		for (const q of refunds.filter((r) => r.id === id)) count(q.at, 'devuelto', q.cents);
	}
	assert.ok(days.size >= 3 && [...days.values()].some((d) => d.devuelto > 0) && [...days.values()].some((d) => d.otros_valor > 0));
	const finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	const amount = (cents) => `${cents < 0 ? '-' : ''}${Math.floor(Math.abs(cents) / 100)}.${String(Math.abs(cents) % 100).padStart(2, '0')}`;
	for (const month of new Set([...days.keys()].map((day) => day.slice(0, 7)))) {
		const got = await finance.client.get(`/totales/mes.csv?mes=${month}`);
		assert.match(got.headers['content-type'], /^text\/csv/);
		assert.match(got.headers['content-disposition'], new RegExp(`^attachment; filename="totales-${month}\\.csv"`));
		const rows = readCsv(got.body.toString());
		assert.deepEqual(rows.map((row) => row.dia), [...days.keys()].filter((day) => day.startsWith(month)).sort());
		for (const row of rows) {
			const day = days.get(row.dia);
			for (const [what, cents] of Object.entries(day)) assert.equal(row[what], amount(cents), `${row.dia} ${what}`);
			assert.equal(row.saldo, amount(day.total + day.otros_valor - day.devuelto - day.en_disputa), row.dia);
			const each = readCsv((await finance.client.get(`/totales/dia.csv?dia=${row.dia}`)).body.toString());
			assert.equal(each.reduce((sum, m) => sum + Math.round(Number(m.valor) * 100), 0), day.total + day.otros_valor - day.devuelto - day.en_disputa, row.dia);
			assert.ok(each.every((m) => !/^[=+@-]/.test(m.pago)), 'no formula');
		}
		const page = expect(await finance.client.visit(`/totales?mes=${month}`), 200, 'totals');
		assert.equal([...page.html.matchAll(/href="\/totales\/dia\?dia=/g)].length, rows.length);
	}
	const today = expect(await finance.client.visit(`/totales/dia?dia=${dayOf(at)}`), 200, 'the day');
	assert.ok(today.main.includes('Pago de una orden vencida'), 'what is surer');
	assert.equal(readCsv((await finance.client.get(`/totales/dia.csv?dia=${dayOf(at)}`)).body.toString()).filter((m) => m.pago === `'${evil}`).length, 1);
	assert.match((await finance.client.visit('/totales?mes=2001-13')).main, /Totales de \p{L}+ de 20\d\d/u, 'another form is today\'s month');
	const operator = new Operator(icert, 'operador.pichincha');
	expect(await operator.signIn(), 200, 'operador');
	assert.equal((await operator.client.get('/totales/mes.csv')).status, 403);
	for (const one of [finance, operator]) one.close();
});

test('who is invoiced is corrected by who ordered, until it is paid', async () => {
	const person = await ordered();
	const { order: id } = person;
	const page = await orderPage(person);
	const form = await page.click(/Cambiar/);
	assert.equal(form.path, `/orden/${id}/datos`);
	const fields = form.form(/\/datos$/);
	assert.equal(fields.value('id_number'), '1710034065');
	assert.equal(fields.value('name'), 'MARÍA ÑUSTA');
	const wrong = await fields.submit({ id_kind: 'ruc', id_number: '1790012345' });
	assert.equal(wrong.status, 422);
	assert.equal(wrong.form(/\/datos$/).value('id_number'), '1790012345', 'what was typed stays');
	const saved = expect(await wrong.form(/\/datos$/).submit({ id_kind: 'ruc', id_number: '1790012345001', name: 'COMERCIAL ANDINA S.A.', for_me: 'no' }), 200, 'saved');
	assert.equal(saved.path.split('?')[0], `/orden/${id}`);
	assert.match(saved.main, /Guardamos los datos de la factura/);
	assert.match(saved.main, /COMERCIAL ANDINA/);
	assert.match(saved.main, /31,05/);
	const finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	const seen = await finance.client.visit(`/orden/${id}`);
	assert.match(seen.main, /COMERCIAL ANDINA/);
	assert.match(seen.main, /Datos de la factura corregidos/);
	const looks = async (text) => (await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: text })).html.includes(`/orden/${id}`);
	assert.ok(await looks('1790012345001'));
	assert.ok(!await looks('1710034065'), 'and not by what was put right');
	finance.close();
	// The same form again, for somebody else: the order stands, and says what to do.
	const first = (await person.client.visit('/tarifas'));
	const at = (await first.click('Comprar')).form(/^\/comprar\//);
	const values = { for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Quito', telephone: '0991234567', email: '' };
	const made = expect(await at.submit(values), 200, 'made');
	assert.doesNotMatch(made.main, /ya estaba hecha/);
	const again = expect(await at.submit({ ...values, name: 'OTRA PERSONA' }), 200, 'again');
	assert.equal(again.path.split('?')[0], made.path.split('?')[0]);
	assert.match(again.main, /ya estaba hecha, y sigue con los datos de antes/);
	assert.match(again.main, /MARÍA ÑUSTA/);
	// Somebody else's is not there; the final consumer's limit holds.
	const stranger = await ordered();
	assert.equal((await stranger.client.visit(`/orden/${id}/datos`)).status, 404);
	icert.sql("insert into icert.policy (key, valid_from, number) values ('invoice.consumer_max', 1, 100)");
	const nobody = await (await stranger.client.visit(`/orden/${stranger.order}/datos`)).form(/\/datos$/).submit({ id_kind: 'consumer' });
	assert.equal(nobody.status, 422);
	icert.sql("delete from icert.policy where key = 'invoice.consumer_max' and number = 100");
	// Paid: it is finance's now, whoever has which page open.
	const open = (await person.client.visit(`/orden/${id}/datos`)).form(/\/datos$/);
	await pays(person, 'aprobar');
	await isPaid(person);
	const late = await open.submit({ name: 'DEMASIADO TARDE' });
	assert.equal(late.path.split('?')[0], `/orden/${id}`);
	assert.match(late.main, /hasta que la orden se paga/);
	assert.doesNotMatch(late.main, /DEMASIADO TARDE/);
	assert.doesNotMatch(late.html, /\/datos"/);
	assert.match(icert.psql(`update icert.purchase set billing = billing || '\\x00' where id = '${id}'`).error, /billing data of an order that is/);
});
