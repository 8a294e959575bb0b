// A day that is over against the gateway's list of it: what differs waits for finance, each with its act.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const DAY = 86400;
let icert;
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
		update icert.purchase set state = 'pending', paid_at = null where id = '${lost}';
		update icert.payment set cents = 3000 where purchase_id = '${other}';
		insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
		select gen_random_uuid(), id, gateway, 'pay_nobody', 'again', 3105, 'USD', paid_at from icert.purchase where id = '${same}'`);
	const before = Number(days());
	icert.moveClock(DAY);
	await until(() => Number(days()) > before && kinds() !== '', { what: 'the day is compared' });
	assert.equal(kinds(), 'amount open, paid_here open, paid_there open');
	const finance = new Operator(icert, 'finanzas');
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
