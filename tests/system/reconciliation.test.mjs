// A day that is over against the gateway's list of it: what differs waits for finance, each with its act.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const DAY = 86400;
let icert, finance, standard;
// The clerk's own question about an open order would find the same, and first.
const later = Math.floor(Date.now() / 1000) + 10 * 86400;
const people = [];
const sql = (query) => icert.sql(query);
const kinds = () => sql("select string_agg(kind || ' ' || state, ', ' order by kind) from icert.difference");
const days = () => sql("select count(*) from icert.reconciliation where state = 'done'");

async function paid() {
	const buyer = new Applicant(icert);
	people.push(buyer);
	await buyer.order();
	await buyer.pay();
	return sql('select id from icert.purchase order by number desc limit 1');
}

before(async () => { icert = await startInstance(); });
after(async () => {
	for (const person of people) person.close();
	await standard?.sim.close();
	await icert?.stop();
});

test('what differs is found once, shown to finance, and solved by asking again or explained', async () => {
	const [same, lost, other] = [await paid(), await paid(), await paid()];
	await until(() => sql("select count(*) from icert.purchase where state = 'paid'") === '3', { what: 'three are paid' });
	await until(() => Number(days()) >= 1, { what: 'the day before' });
	assert.equal(kinds(), '');
	// One payment's traces are gone here, another has another amount, and a third is known to nobody there.
	const payment = sql(`select gateway_payment from icert.purchase where id = '${lost}'`);
	sql(`set session_replication_role = replica; delete from icert.payment where purchase_id = '${lost}';
		update icert.purchase set state = 'pending', paid_at = null, asked_at = ${later} where id = '${lost}';
		update icert.payment set cents = 3000 where purchase_id = '${other}';
		insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
		select gen_random_uuid(), id, gateway, 'pay_nobody', 'again', 3105, 'USD', paid_at from icert.purchase where id = '${same}'`);
	const before = Number(days());
	icert.moveClock(DAY);
	await until(() => Number(days()) > before && kinds() !== '', { what: 'the day is compared' });
	assert.equal(kinds(), 'amount open, paid_here open, paid_there open');
	finance = new Operator(icert, 'finanzas');
	people.push(finance);
	expect(await finance.signIn(), 200, 'finanzas');
	const page = expect(await finance.client.visit('/conciliacion'), 200, 'page');
	for (const text of [/Pagado en la pasarela y no aquí/, /Pagado aquí y no en la pasarela/, /Otro valor/]) assert.match(page.main, text);
	// Asked again: what was paid there is paid here, and counted once.
	const ask = sql(`select id from icert.difference where payment = '${payment}'`);
	expect(await page.form(new RegExp(`${ask}/preguntar$`)).submit({}), 200, 'asked');
	await until(() => /paid_there solved/.test(kinds()), { what: 'the answer' });
	assert.equal(sql(`select state from icert.purchase where id = '${lost}'`), 'paid');
	assert.equal(sql(`select count(*) from icert.payment where purchase_id = '${lost}'`), '1');
	expect(await page.form(new RegExp(`${ask}/preguntar$`)).submit({}), 200, 'sent twice');
	assert.match(kinds(), /paid_there solved/, 'and done once');
	const amount = sql("select id from icert.difference where kind = 'amount'");
	assert.equal((await page.form(new RegExp(`${amount}/explicar$`)).submit({ reason: '' })).status, 422);
	expect(await page.form(new RegExp(`${amount}/explicar$`)).submit({ reason: 'by_hand' }), 200, 'explained');
	assert.match((await finance.client.visit(`/orden/${other}`)).main, /Otro valor[^]*explicada: Se arregló a mano[^]*\$30,00[^]*\$31,05/, 'it stands in the order\'s story');
	// What the gateway knows nothing of goes on waiting.
	const nobody = sql("select id from icert.difference where kind = 'paid_here'");
	expect(await page.form(new RegExp(`${nobody}/preguntar$`)).submit({}), 200, 'asked');
	await until(() => sql(`select verdict from icert.difference where id = '${nobody}'`) === 'strange', { what: 'the answer' });
	assert.equal(kinds(), 'amount explained, paid_here open, paid_there solved');
	// The same day begun again finds nothing new.
	sql("update icert.reconciliation set state = 'open', ended_at = null");
	await until(() => sql("select count(*) from icert.reconciliation where state = 'open'") === '0', { what: 'compared again' });
	assert.equal(sql('select count(*) from icert.difference'), '3');
});

test('returned or in dispute there and never told of: one button makes it true here, however often it is pressed', async () => {
	({ standard } = await addGateways(icert, ['standard']));
	const { sim } = standard;
	const state = (order) => sql(`select state from icert.purchase where id = '${order}'`);
	const verdicts = (order) => sql(`select string_agg(verdict, ' ' order by verdict) from icert.payment where purchase_id = '${order}'`);
	const box = new MailBox(icert.mail);
	/** An order whose payment goes that way there: heard of until `known`, and the last of it never. */
	const order = async (acts, known, last) => {
		const buyer = new Applicant(icert);
		people.push(buyer);
		await buyer.order();
		const id = buyer.orderPath.split('/')[2];
		await (await buyer.client.visit(buyer.orderPath)).form(/pagar$/).submit({ pasarela: 'standard' });
		const payment = sim.ofOrder(id);
		for (const act of acts) await sim.act(payment, act);
		await until(() => verdicts(id) === known, { what: `${acts}: ${known}` });
		sql(`update icert.purchase set asked_at = ${later} where id = '${id}' and state = 'pending'`);
		sim.mode = 'lose';
		await sim.act(payment, last);
		sim.mode = 'send';
		return { id, payment, email: buyer.email };
	};
	const back = await order(['aprobar'], 'pay', 'devuelto');
	const held = await order(['aprobar'], 'pay', 'disputa');
	const twice = await order(['doble'], 'again pay', 'devuelto');
	const other = await order(['otro-valor'], 'mismatch', 'devuelto');
	// Concluded here, and the gateway lists it a day late.
	sql(`insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
		select gen_random_uuid(), id, gateway, 'pay_late', 'again', 3105, 'USD', paid_at from icert.purchase where id = '${held.id}'`);
	const found = () => sql("select coalesce(string_agg(coalesce(purchase_id::text, '') || ' ' || kind || ' ' || state, ',' order by purchase_id, kind), '') from icert.difference where gateway = 'standard'");
	const wanted = (state, late) => [[back, 'refunded_there'], [held, 'disputed_there'], [twice, 'refunded_there'], [other, 'refunded_there']]
		.map(([one, kind]) => `${one.id} ${kind} ${state}`).concat(`${held.id} paid_here ${late}`).sort().join(',');
	icert.moveClock(icert.ahead + DAY);
	await until(() => found() === wanted('open', 'open'), { what: 'the differences' }).catch(() => assert.equal(found(), wanted('open', 'open')));
	const page = expect(await finance.client.visit('/conciliacion'), 200, 'page');
	assert.match(page.main, /Devuelto en la pasarela y no aquí/);
	assert.match(page.main, /En disputa en la pasarela y no aquí/);
	const ask = (id, from = page) => Promise.all([1, 2, 3].map(() => from.form(new RegExp(`${id}/preguntar$`)).send({})));
	for (const id of sql("select id from icert.difference where gateway = 'standard'").split('\n')) {
		const answers = (await ask(id)).map((answer) => answer.status).sort();
		assert.equal(answers[0], 303, `${answers}`);
		assert.ok(answers.every((status) => [303, 409].includes(status)), `${answers}`);
	}
	// What the gateway does not have waits again, and says why.
	await until(() => found() === wanted('solved', 'open'), { what: 'all that can be is solved' }).catch(() => assert.equal(found(), wanted('solved', 'open')));
	assert.deepEqual([back, held, twice, other].map(({ id }) => state(id)), ['refunded', 'disputed', 'refunded', 'pending']);
	assert.equal(verdicts(back.id), 'pay refunded');
	assert.equal(verdicts(twice.id), 'again pay refunded');
	assert.equal(verdicts(other.id), 'mismatch refunded');
	for (const { email } of [back, twice, other]) await box.wait({ to: email, subject: /Devolvimos su pago/ });
	assert.match((await box.list({ to: other.email, subject: /Devolvimos su pago/ }))[0].text, /USD 31,04: un pago de más/);
	// Nothing of it waits for finance any more but the dispute, and what is missing there.
	const waits = (await finance.client.visit('/finanzas')).html.split('<tr').filter((row) => [back, held, twice, other].some(({ id }) => row.includes(`/orden/${id}`)));
	assert.deepEqual(waits.filter((row) => !row.includes(held.id)), []);
	assert.ok(waits.some((row) => row.includes('Disputa abierta')));
	// The late one comes, and the dispute is won.
	Object.assign(sim.open({ id: 'pay_late', order: held.id, number: 'x', description: '', cents: 3105, currency: 'USD', returnUrl: '', notifyUrl: '' }), { state: 'approved', captures: 1 });
	await ask(sql("select id from icert.difference where payment = 'pay_late'"), await finance.client.visit('/conciliacion'));
	await until(() => found() === wanted('solved', 'solved'), { what: 'the late one is there' });
	await sim.act(held.payment, 'disputa-ganada');
	await until(() => state(held.id) === 'paid', { what: 'the dispute is over' });
	for (const { email } of [back, twice, other]) assert.equal((await box.list({ to: email, subject: /Devolvimos su pago/ })).length, 1);
	// The day once more: nothing new.
	sql("update icert.reconciliation set state = 'open', ended_at = null where gateway = 'standard'");
	await until(() => sql("select count(*) from icert.reconciliation where state = 'open'") === '0', { what: 'compared again' });
	assert.equal(found(), wanted('solved', 'solved'));
});

test('a part that was returned there: finance sees what is left, explains it once, and hears of the next part', async () => {
	const [payment, order] = sql("select gateway_payment || ' ' || id from icert.purchase where state = 'paid' and gateway = 'standard' limit 1").split(' ');
	const { sim } = standard;
	const one = sim.payments.get(payment);
	const found = () => sql(`select kind || ' ' || state || ' ' || here || ' ' || there from icert.difference where payment = '${payment}' and kind = 'refunded_there'`);
	const again = async () => {
		sql("update icert.reconciliation set state = 'open', ended_at = null, next_try_at = 0 where gateway = 'standard'");
		await until(() => sql("select count(*) from icert.reconciliation where state = 'open'") === '0', { what: 'compared' });
	};
	one.part = 105;
	await again();
	assert.equal(found(), 'refunded_there open 3105 3000');
	const id = sql(`select id from icert.difference where payment = '${payment}' and kind = 'refunded_there'`);
	const page = await finance.client.visit('/conciliacion');
	assert.match(page.main, /aquí \$31,05, en la pasarela \$30,00/);
	// Asked again, the order stays paid, and it waits.
	expect(await page.form(new RegExp(`${id}/preguntar$`)).submit({}), 200, 'asked');
	await until(() => found() === 'refunded_there open 3105 3000', { what: 'the answer' });
	assert.equal(sql(`select state from icert.purchase where id = '${order}'`), 'paid');
	expect(await (await finance.client.visit('/conciliacion')).form(new RegExp(`${id}/explicar$`)).submit({ reason: 'by_hand' }), 200, 'explained');
	await again();
	assert.equal(found(), 'refunded_there explained 3105 3000', 'the same once more is nothing new');
	one.part = 605;
	await again();
	assert.equal(found(), 'refunded_there open 3105 2500', 'another part');
	assert.equal(sql(`select reason from icert.difference where id = '${id}'`), '');
	delete one.part;
});
