// Money on its way back, and banks that want it too: what two people decided stops the case at once, what a gateway refused is decided again,
// what a bank disputes waits until it is answered, and what was paid twice is found wherever it was paid.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { children, signal, units } from '../lib/processes.mjs';
import { Operator, expect } from './walk.mjs';

let icert, box, client, finance, tariff;
const email = 'quien.paga@correo.example';
const sql = (text) => icert.sql(text);
/** Past triggers and row policies: a row that would take an hour to walk to. */
const put = (text) => sql(`set session_replication_role = replica; ${text}`);
const state = (order) => sql(`select state from icert.purchase where id = '${order}'`);
const becomes = (order, wanted) => until(() => state(order) === wanted, { what: `${wanted} and not ${state(order)}` });
const verdicts = (order) => sql(`select coalesce(string_agg(verdict, ' ' order by at, verdict), '') from icert.payment where purchase_id = '${order}'`);
const concludes = (order, verdict) => until(() => verdicts(order).split(' ').includes(verdict), { what: `${verdict}, beside ${verdicts(order)}` });
const payment = (order) => sql(`select gateway_payment from icert.purchase where id = '${order}'`);
const page = (order) => client.visit(`/orden/${order}`);
const waits = async (order, what) => (await finance.client.visit('/finanzas')).html.split('<tr').some((row) => row.includes(`/orden/${order}`) && row.includes(what));
const refunds = (order) => sql(`select coalesce(string_agg(state, ' ' order by requested_at, ended_at), '') from icert.refund where purchase_id = '${order}'`);
/** Business time, seconds. */
const now = () => Math.floor(Date.now() / 1000) + icert.ahead;
const saw = (order) => finance.client.visit(`/orden/${order}`);

async function press(id, act) {
	const answer = await fetch(`${icert.gateway}/pago/${id}/${act}`, { method: 'POST', redirect: 'manual', headers: { connection: 'close' } });
	assert.equal(answer.status, 303, act);
}
async function checkout() {
	const at = await (await client.visit(tariff)).form(/^\/comprar\//).submit({
		for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	});
	const order = at.path.split('/')[2];
	return { order, id: await again(order) };
}
async function again(order) {
	expect(await (await page(order)).form(/\/pagar$/).submit(), 200, 'checkout');
	return payment(order);
}
async function paid() {
	const { order, id } = await checkout();
	await press(id, 'aprobar');
	await becomes(order, 'paid');
	return { order, id };
}
/** Refused, another try, and both were paid after all: the first is too much. */
async function paidTwice() {
	const { order, id: first } = await checkout();
	await press(first, 'rechazar');
	await concludes(order, 'reject');
	await press(await again(order), 'aprobar');
	await becomes(order, 'paid');
	await press(first, 'aprobar');
	await concludes(order, 'again');
	return { order, first };
}

async function ask(order, verdict = 'pay', values = { reason: 'other', words: 'Lo pide quien pagó' }) {
	const id = sql(`select id from icert.payment where purchase_id = '${order}' and verdict = '${verdict}'`);
	expect(await (await finance.client.visit(`/orden/${order}/devolver?pago=${id}`)).form(/devolver$/).submit(values), 200, 'asked');
}
// A second factor gives one code in half a minute: each confirmation is by somebody else of the national office.
const office = ['central', 'central.segunda', 'director.pichincha', 'director.guayas', 'operador.pichincha', 'operador.guayas', 'auditor'];
/** Signs in, opens the page, and presses when it is called. */
async function confirmer(order) {
	const login = office.shift();
	const person = new Operator(icert, login);
	expect(await person.signIn(), 200, login);
	const form = (await person.client.visit(`/orden/${order}`)).form(/confirmar$/);
	const code = await icert.totp(login);
	return async () => { expect(await form.submit({ code }), 200, 'confirmed'); person.close(); };
}
const confirm = async (order) => (await confirmer(order))();
const hasten = () => sql("update icert.refund set next_try_at = 0 where state = 'confirmed'");
const refunded = (order) => until(() => { hasten(); return refunds(order).endsWith('done'); }, { what: `the refund: ${refunds(order)}` });

before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
	client = new Client({ base: icert.portal, ca: icert.ca });
	finance = new Operator(icert, 'finanzas');
	sql(`insert into icert.staff_role (staff_id, role, since) select id, 'national', 0 from icert.staff
		where login in (${office.map((login) => `'${login}'`)}) and login not like 'central%'`);
	expect(await finance.signIn(), 200, 'finanzas');
	let at = await (await client.visit('/tarifas')).click('Comprar');
	at = await at.form('/entrar').submit({ email });
	at = await at.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	tariff = at.url.pathname;
});
after(async () => {
	finance?.close();
	client?.close();
	await icert?.stop();
});

test('from the second signature on nothing is issued, before the clerk has heard of it', async () => {
	const { order } = await paid();
	await ask(order);
	const presses = await confirmer(order);
	const { pid } = units(icert).get('clerk');
	const clerks = [pid, ...children(pid).map((one) => one.pid)];
	const begin = (await page(order)).form(/solicitud$/);
	for (const one of clerks) signal(one, 'SIGSTOP');
	try {
		await presses();
		assert.equal(state(order), 'refunding');
		assert.match((await page(order)).main, /Estamos devolviendo su pago/);
		assert.ok(/^4/.test(String((await begin.submit()).status)), 'no case is begun on it');
		assert.equal(sql(`select count(*) from icert.application where purchase_id = '${order}'`), '0');
	} finally {
		for (const one of clerks) signal(one, 'SIGCONT');
	}
	await refunded(order);
	await becomes(order, 'refunded');
	// Who has only the desk's rights turns no order so without two people, and nothing else of it.
	const { order: other } = await paid();
	const as = (login, change) => icert.asDesk(login, `with c as (update icert.purchase set ${change}, version = version + 1 where id = '${other}' returning 1) select count(*) from c`);
	assert.match(as('finanzas', "state = 'refunding'").error, /row-level security/);
	assert.match(as('central', "state = 'used'").error, /no such transition|row-level security/);
	assert.match(as('finanzas', "gateway_payment = 'x'").error, /permission denied/);
	assert.equal(as('administrador', "state = 'refunding'").text.trim().split('\n').at(-1), '0');
});

test('a dispute that ends for us after a refund that failed: finance decides again, and nothing is issued meanwhile', async () => {
	const { order, id } = await paid();
	await press(id, 'sin-devolucion');
	await ask(order);
	await confirm(order);
	await until(() => { hasten(); return refunds(order) === 'failed'; }, { what: 'the gateway refuses' });
	assert.equal(state(order), 'refunding');
	await press(id, 'disputa');
	await becomes(order, 'disputed');
	assert.ok(await waits(order, 'Disputa abierta'));
	await press(id, 'disputa-ganada');
	await becomes(order, 'refunding');
	assert.ok(await waits(order, 'Devolución que la pasarela no hizo'), 'the decision is open again');
	assert.ok(!await waits(order, 'Disputa abierta'));
	assert.match((await page(order)).main, /Estamos devolviendo su pago/);
	await press(id, 'admitir');
	await ask(order);
	await confirm(order);
	await refunded(order);
	await becomes(order, 'refunded');
	assert.ok(!await waits(order, 'Devolución que la pasarela no hizo'));
});

test('a dispute about what was given back, or was too much, waits until finance has answered it', async () => {
	const { order, id } = await paid();
	await ask(order);
	await confirm(order);
	await refunded(order);
	await becomes(order, 'refunded');
	assert.ok(!await waits(order, 'disputa'));
	await press(id, 'disputa');
	await concludes(order, 'disputed');
	assert.equal(state(order), 'refunded');
	assert.ok(await waits(order, 'Responder una disputa'));
	const seen = await saw(order);
	assert.match(seen.main, /pide otra vez un pago que ya devolvimos/);
	assert.equal(seen.forms.filter((one) => /respondida$/.test(one.action)).length, 1);
	const answered = expect(await seen.form(/respondida$/).submit(), 200, 'answered');
	assert.match(answered.text, /respondida/);
	assert.ok(!answered.forms.some((one) => /respondida$/.test(one.action)));
	assert.ok(!await waits(order, 'Responder una disputa'));
	expect(await seen.form(/respondida$/).submit(), 200, 'pressed twice');
	assert.equal(sql(`select count(*) from icert.audit where action = 'order.dispute_answer' and subject = '${order}' and outcome = 'done'`), '1');

	const { order: twice, first } = await paidTwice();
	assert.ok(await waits(twice, 'Decidir sobre un pago'));
	await press(first, 'disputa');
	await concludes(twice, 'disputed');
	assert.equal(state(twice), 'paid');
	assert.ok(await waits(twice, 'Responder una disputa'));
	assert.ok(!await waits(twice, 'Decidir sobre un pago'), "the bank's: nobody returns it twice");
	assert.ok(!(await saw(twice)).html.includes(sql(`select 'pago=' || id from icert.payment where purchase_id = '${twice}' and verdict = 'again'`)));
	await press(first, 'disputa-ganada');
	await until(() => sql(`select d.state from icert.dispute d join icert.payment y on y.id = d.payment_id where y.purchase_id = '${twice}'`) === 'ended', { what: 'its end' });
	assert.ok(!await waits(twice, 'Responder una disputa'));
	assert.ok(await waits(twice, 'Decidir sobre un pago'), 'it is here again, and too much');
});

test('a bank that lost and disputes again: each time is a movement of its own, and finance is told', async () => {
	const { order, id } = await paid();
	const today = () => new Date(now() * 1000 - 5 * 3600_000).toISOString().slice(0, 10), began = today();
	/** What is left of the payment, as the files of the days say. */
	const left = async () => {
		let sum = 0;
		for (const day of new Set([began, today()])) {
			const [names, ...lines] = (await finance.client.get(`/totales/dia.csv?dia=${day}`)).body.toString().slice(1).trim().split('\r\n').map((line) => line.split(','));
			for (const line of lines) if (line[names.indexOf('pago')] === id) sum += Math.round(Number(line[names.indexOf('valor')]) * 100);
		}
		return sum;
	};
	const told = () => sql(`select count(*) from icert.outbox where purchase_id = '${order}' and template = 'staff_queue'`);
	assert.deepEqual([await left(), told()], [3105, '0']);
	for (const [act, wanted, cents, mails] of [['disputa', 'disputed', 0, '1'], ['disputa-ganada', 'paid', 3105, '2'], ['disputa', 'disputed', 0, '3'], ['disputa-perdida', 'refunded', 0, '4']]) {
		await press(id, act);
		await becomes(order, wanted);
		assert.deepEqual([await left(), told()], [cents, mails], act);
	}
	assert.equal(verdicts(order).split(' ').filter((word) => word === 'disputed').length, 2);
});

test('what was too much, and its bank takes while two people give it back: the refund ends, and nothing of it waits', async () => {
	const { order, first } = await paidTwice();
	await ask(order, 'again', { reason: 'again', words: 'Dos pagos' });
	await press(first, 'disputa');
	await concludes(order, 'disputed');
	await confirm(order);
	await press(first, 'disputa-perdida');
	await until(() => { hasten(); return verdicts(order).split(' ').includes('refunded'); }, { what: `it is back: ${verdicts(order)}; the refund: ${refunds(order)}` });
	assert.equal(state(order), 'paid');
	assert.equal(sql(`select state from icert.dispute where purchase_id = '${order}'`), 'ended');
	assert.notEqual(refunds(order), 'confirmed');
	for (const what of ['Responder una disputa', 'Decidir sobre un pago', 'Devolución']) assert.ok(!await waits(order, what), what);
	assert.match((await page(order)).main, /Devolvimos el pago de más/);
	assert.equal(sql(`select count(*) from icert.outbox where purchase_id = '${order}' and template = 'refunded'`), '1', 'told once');
});

test('a card that pays after a transfer did, at a page that was open: found without a word of the gateway, and given back', async () => {
	const { order, id } = await checkout();
	const [account, run, line] = Array.from({ length: 3 }, () => randomUUID());
	const [by, other] = ['finanzas', 'central'].map((login) => icert.staff(login).id);
	put(`insert into icert.bank_account (id, bank, kind, number, holder, holder_id, requested_by, requested_at) values ('${account}', 'Banco', 'savings', '2200123456', 'Entidad', '1710034065', '${by}', 1);
		insert into icert.bank_import values ('${run}', '${account}', 'x', sha256('x'), 1, 0, '${by}', 1);
		insert into icert.bank_line (id, import_id, digest, day, cents, reference, imported_by, state, purchase_id, decided_by, decided_at)
			select '${line}', '${run}', sha256('y'), '2026-11-21', total, '900', '${by}', 'confirmed', id, '${other}', 1 from icert.purchase where id = '${order}'; notify icert_payment`);
	await becomes(order, 'paid');
	assert.equal(payment(order), line);
	// Nobody can be asked about pages of a gateway that was given up; those of the others are asked about all the same.
	put(`insert into icert.checkout (gateway, gateway_payment, purchase_id, left_at) select 'dejada', 'p' || n, '${order}', 1 from generate_series(1, 50) n`);
	await press(id, 'callado');
	icert.moveClock(icert.ahead + 3600);
	await concludes(order, 'again');
	assert.equal(state(order), 'paid');
	assert.match((await page(order)).main, /se cobró dos veces/);
	assert.ok(await waits(order, 'Decidir sobre un pago'));
	assert.equal(sql(`select asker || ' ' || answer from icert.payment_question where purchase_id = '${order}' and gateway_payment = '${id}' order by last_at desc limit 1`), 'clerk approved');
	const found = await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: id });
	assert.ok(found.html.includes(`/orden/${order}`), 'found by the payment of that page');
	await ask(order, 'again', { reason: 'again', words: 'Pagó con tarjeta después de transferir' });
	await confirm(order);
	await refunded(order);
	assert.equal(state(order), 'paid');
	// Asked until it was paid, and no longer.
	await until(() => sql(`select string_agg(gateway_payment || ' ' || (ended_at is not null), ',') from icert.checkout where purchase_id = '${order}' and gateway <> 'dejada'`) === `${id} true`, { what: 'it is over' });
});

test('what was charged twice and went back is said so', async () => {
	const { order } = await paidTwice();
	assert.match((await page(order)).main, /se cobró dos veces[\s\S]*le devolveremos/);
	await ask(order, 'again', { reason: 'again', words: 'Dos pagos' });
	await confirm(order);
	await refunded(order);
	const at = await page(order);
	assert.match(at.main, /Devolvimos el pago de más/);
	assert.doesNotMatch(at.main, /le devolveremos/);
	assert.match(at.main, /Pago recibido/);
	// Given back by the gateway's own people: the same sentence.
	const { order: there, first } = await paidTwice();
	await press(first, 'devuelto');
	await concludes(there, 'refunded');
	assert.match((await page(there)).main, /Devolvimos el pago de más/);
});

test('a dispute of whose end nobody tells is asked about each day, and said once meanwhile', async () => {
	const { order } = await paid();
	const { order: twice, first } = await paidTwice();
	const { order: held, id } = await paid();
	await press(id, 'devuelto');
	await becomes(held, 'refunded');
	await press(id, 'disputa');
	await concludes(held, 'disputed');
	const said = () => sql(`select count(*) from icert.audit where action = 'order.payment_disputed' and subject = '${held}'`);
	assert.equal(said(), '1');
	await press(id, 'disputa');
	// Here in dispute, and at the gateway it has ended.
	put(`update icert.purchase set state = 'disputed', state_since = ${now()} where id = '${order}';
		with y as (insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
			select gen_random_uuid(), purchase_id, gateway, gateway_payment, 'disputed', cents, currency, ${now()} from icert.payment where gateway_payment = '${first}' and verdict = 'again' returning id)
		insert into icert.dispute (payment_id, purchase_id, returned, opened_at) select id, '${twice}', false, ${now()} from y`);
	assert.ok(await waits(twice, 'Responder una disputa'));
	icert.moveClock(icert.ahead + 86_500);
	await becomes(order, 'paid');
	await until(() => sql(`select state from icert.dispute where purchase_id = '${twice}'`) === 'ended', { what: 'its end' });
	// What the bank wants still is asked about too, and nobody is told again.
	await until(() => sql(`select asked_at >= ${now() - 90} from icert.purchase where id = '${held}'`) === 't', { what: 'the clerk asks' });
	assert.equal(said(), '1');
	assert.equal(sql(`select state from icert.dispute where purchase_id = '${held}'`), 'open');
	assert.equal((await saw(twice)).status, 200);
});
