// The tariff, edited at the desk: one administrator writes, another approves, and what was ordered keeps its price.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, first, second;
const people = [];
const sql = (query) => icert.sql(query);
const sign = async (login) => {
	const person = new Operator(icert, login);
	people.push(person);
	expect(await person.signIn(), 200, login);
	return person;
};
const write = async (person, values, from = '') => (await person.client.visit(`/tarifa/nueva${from}`)).form(/nueva/).submit(values);
const approve = async (person, id) => (await person.client.visit(`/tarifa/cambio/${id}`)).form(/aprobar$/)
	.submit({ code: await icert.totp(person.account.login) });
const waiting = () => sql("select id from icert.tariff_change where state = 'draft'");
const price = (id) => sql(`select net || ' ' || tax_bp || ' ' || total from icert.purchase where id = '${id}'`);
const day = (days) => new Date(Date.now() + icert.ahead * 1000 + days * 86400000 - 5 * 3600000).toISOString().slice(0, 10);

const as = (login, statement) => icert.asDesk(login, statement);

before(async () => {
	icert = await startInstance();
	first = await sign('administrador');
	second = await sign('administrador.segundo');
});
after(async () => {
	for (const person of people) person.close();
	await icert?.stop();
});

test('each wrong value is said at its field, with what was typed', async () => {
	// On sale, and from a day on, is not both.
	const page = await write(first, { years: '9', net: '27,005', tax: '150', day: '2020-01-01', sale: 'yes', sale_day: day(30) });
	assert.equal(page.status, 422);
	assert.equal(page.errors.length, 5, page.errors.join('\n'));
	const form = page.form(/nueva/);
	assert.equal(form.value('net'), '27,005');
	assert.equal(form.value('day'), '2020-01-01');
	assert.equal(sql('select count(*) from icert.tariff_change'), '0');
});

test('money as people write it', async () => {
	for (const [typed, cents] of [['1.234,56', '123456'], ['24.6', '2460'], ['30', '3000'], ['1.000', '100000']]) {
		expect(await write(first, { net: typed, kind: 'renewal', years: '3' }), 200, typed);
		assert.equal(sql("select net from icert.tariff_change where state = 'draft'"), cents, typed);
		expect(await (await first.client.visit(`/tarifa/cambio/${waiting()}`)).form(/retirar$/).submit({}), 200, 'withdraw');
	}
	assert.equal(waiting(), '');
});

let order, change;
test('a change counts when another person approves it, and an order keeps its price', async () => {
	const old = sql("select id from icert.tariff where container = 'file' and kind = 'new' and years = 2");
	const page = await write(first, { net: '24,64' }, `?de=${old}`);
	expect(page, 200, 'saved');
	change = waiting();
	assert.match(page.main, /Falta que lo apruebe otra persona/);
	assert.ok(!page.forms.some((f) => /aprobar$/.test(f.action)), 'no button for who wrote it');
	assert.match(page.main, /\$28,34.*\(ahora \$31,05\)/s);
	const buyer = new Applicant(icert);
	people.push(buyer);
	await buyer.order();
	order = sql('select id from icert.purchase');
	assert.equal(price(order), '2700 1500 3105');
	assert.doesNotMatch((await buyer.client.visit('/tarifas')).main, /28,34/);
	const both = await write(second, { net: '20' }, `?de=${old}`);
	assert.equal(both.status, 409);
	assert.match(both.errors.join(), /Ya hay un cambio/);
	const shown = await buyer.client.visit(`/comprar/${old}`);
	assert.match(shown.main, /\$31,05/);
	expect(await approve(second, change), 200, 'approved');
	// Shown at one price, sent when it is another: nothing is ordered until the new one was seen, and what was typed stays.
	const typed = { for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '' };
	const told = await shown.form(/comprar/).submit(typed);
	assert.equal(told.status, 409);
	assert.match(told.main, /El precio de este producto cambió[\s\S]*\$28,34/);
	assert.equal(told.form(/comprar/).value('name'), 'MARÍA ÑUSTA');
	assert.equal(sql('select count(*) from icert.purchase'), '1');
	const agreed = expect(await told.form(/comprar/).submit(), 200, 'agreed');
	assert.equal(price(agreed.path.split('/')[2]), '2464 1500 2834');
	assert.match((await buyer.client.visit(`/comprar/${old}`)).main, /cambió[\s\S]*\$28,34/, 'an old address');
	assert.match((await buyer.client.visit('/tarifas')).main, /\$28,34/);
	assert.doesNotMatch((await buyer.client.visit('/tarifas')).main, /\$31,05[\s\S]*\$31,05[\s\S]*\$31,05/);
	assert.equal(price(order), '2700 1500 3105');
	const later = new Applicant(icert);
	people.push(later);
	await later.order();
	assert.equal(sql(`select net || ' ' || total from icert.purchase where id = '${later.orderPath.split('/')[2]}'`), '2464 2834');
	assert.equal(sql("select string_agg(action, ' ' order by at_us) from icert.audit where action like 'price.%' and subject = '" + change + "'"),
		'price.draft price.approve');
	const again = await second.client.visit(`/tarifa/cambio/${change}`);
	assert.ok(!again.forms.some((f) => /aprobar$/.test(f.action)));
});

test('from a day on: nothing before it, and no approval after it', async () => {
	expect(await write(second, { net: '21', day: day(3) }), 200, 'saved');
	expect(await approve(first, waiting()), 200, 'approved');
	// Another for the same day, because the first was wrong: what was approved last counts, for everybody who asks.
	expect(await write(first, { net: '20', day: day(3) }), 200, 'saved');
	expect(await approve(second, waiting()), 200, 'approved');
	const midnight = Date.parse(`${day(3)}T05:00:00Z`) / 1000;
	assert.equal(sql("select string_agg(net || ' ' || valid_from, ', ' order by written) from icert.tariff where net in (2000, 2100)"),
		`2100 ${midnight}, 2000 ${midnight}`, 'midnight in Ecuador');
	assert.equal((await first.client.visit('/tarifa')).main.match(/aprobado, por regir/g).length, 1);
	const tariff = () => sql(`select net from icert.tariff where container = 'file' and kind = 'new' and years = 2 and valid_from <=
		${Math.floor(Date.now() / 1000) + icert.ahead} order by valid_from desc, written desc limit 1`);
	assert.equal(tariff(), '2464');
	expect(await write(second, { net: '19', day: day(2) }), 200, 'saved');
	icert.moveClock(4 * 86400);
	const late = await approve(first, waiting());
	assert.equal(late.status, 409);
	assert.match(late.errors.join(), /ya pasó/);
	assert.match((await first.client.visit('/tarifa')).main, /\$23,00/);
});

test('a product with a RUC asks for it, and one without does not take it', async () => {
	await (await first.client.visit(`/tarifa/cambio/${waiting()}`)).form(/retirar$/).submit({});
	// Each approves with a code of their own: none waits for the next.
	for (const [ruc, net, writes, approves] of [['with', '31', second, first], ['without', '22', first, second]]) {
		expect(await write(writes, { net, years: '4', ruc }), 200, ruc);
		expect(await approve(approves, waiting()), 200, 'approved');
	}
	for (const [ruc, words, asked, other] of [['with', 'con RUC', 'yes', 'no'], ['without', 'sin RUC', 'no', 'yes']]) {
		const buyer = new Applicant(icert);
		people.push(buyer);
		buyer.product = `${words}</h2>`;
		await buyer.order();
		const paid = await buyer.pay();
		assert.match(paid.main, new RegExp(`Archivo PKCS#12, ${words}`));
		await buyer.begin();
		const at = `/solicitud/${buyer.id}/ruc`;
		const give = async (invoices) => (await buyer.client.visit(at)).form(/ruc$/).submit({ invoices, ruc: invoices === 'yes' ? buyer.data.ruc : '' });
		const wrong = await give(other);
		assert.equal(wrong.status, 422, words);
		assert.match(wrong.errors.join(), new RegExp(`Compró el certificado ${words}`));
		expect(await give(asked), 200, words);
		assert.equal(sql(`select ruc from icert.application where id = '${buyer.id}'`), ruc);
	}
	expect(await write(first, { net: '1' }), 200, 'another that waits');
});

test('what nobody issues is never put on sale, and everything that is can be ordered at its price', async () => {
	const before = sql('select count(*) from icert.tariff_change');
	for (const [container, kind] of [['token', 'renewal'], ['remote', 'new'], ['remote', 'renewal']]) {
		const page = await write(first, { container, kind, net: '27', sale: 'yes' });
		assert.equal(page.status, 422, `${container} ${kind}`);
		assert.match(page.errors.join(), /todavía no se emite/);
	}
	assert.equal(sql('select count(*) from icert.tariff_change'), before);
	// Each container, validity and RUC, at a price of its own.
	sql(`set session_replication_role = replica; insert into icert.tariff (id, container, kind, years, ruc, net, tax_bp, currency, on_sale, valid_from)
		select gen_random_uuid(), c, 'new', y, r, 1000 + 100 * y + case c when 'token' then 10 else 0 end + case r when 'any' then 1 when 'with' then 2 else 3 end,
		1500, 'USD', true, 1 from unnest(array['file', 'token']) c, unnest(array[1, 5]) y, unnest(array['any', 'with', 'without']) r`);
	const buyer = new Applicant(icert);
	people.push(buyer);
	await buyer.order();
	const shown = await buyer.client.visit('/tarifas');
	const all = sql(`select id || ' ' || container || ' ' || years || ' ' || ruc || ' ' || net || ' ' || round(net * 1.15) from icert.tariff where net between 1100 and 1599`).split('\n');
	assert.equal(all.length, 12);
	for (const [id, ...product] of all.map((line) => line.split(' '))) {
		// A price of before may count for that product: then its own is not shown.
		if (!shown.html.includes(`/comprar/${id}`)) continue;
		const form = (await buyer.client.visit(`/comprar/${id}`)).form(/comprar/);
		const made = await form.submit({ for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '' });
		assert.match(made.path, /^\/orden\//, `${product}: ${made.text}`);
		assert.equal(sql(`select container || ' ' || years || ' ' || ruc || ' ' || net || ' ' || total from icert.purchase where id = '${made.path.split('/')[2]}'`), product.join(' '));
	}
	assert.ok(all.filter((line) => shown.html.includes(`/comprar/${line.split(' ')[0]}`)).length >= 11, 'all that no other price covers');
});

test('nobody approves their own: not by the address, not with another account, not in the database', async () => {
	const id = waiting();
	const page = await second.client.visit(`/tarifa/cambio/${id}`);
	const csrf = (await first.client.visit(`/tarifa/cambio/${id}`)).form(/retirar$/).value('_csrf');
	const forced = await first.client.post(`/tarifa/cambio/${id}/aprobar`, String(new URLSearchParams({ code: await icert.totp('administrador'), _csrf: csrf })),
		{ headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: icert.desk } });
	assert.equal(forced.status, 403);
	const hash = (login) => sql(`select encode(person_hash, 'hex') from icert.staff where login = '${login}'`);
	const mine = hash('administrador.segundo');
	sql(`update icert.staff set person_hash = '\\x${hash('administrador')}' where login = 'administrador.segundo'`);
	const answer = await page.form(/aprobar$/).submit({ code: await icert.totp('administrador.segundo') });
	assert.equal(answer.status, 403);
	const decide = `update icert.tariff_change set state = 'approved', decided_by = '${icert.staff('administrador.segundo').id}', decided_at = 1 where id = '${id}'`;
	assert.match(as('administrador.segundo', decide).error, /row-level security/);
	sql(`update icert.staff set person_hash = '\\x${mine}' where login = 'administrador.segundo'`);
	assert.match(as('administrador', `insert into icert.tariff (id, container, kind, years, net, tax_bp, currency, on_sale, valid_from)
		values (gen_random_uuid(), 'file', 'new', 2, 1, 0, 'USD', true, 0)`).error, /row-level security/);
	assert.match(as('administrador.segundo', `${decide}; insert into icert.tariff (id, container, kind, years, net, tax_bp, currency, on_sale, valid_from, change_id)
		select gen_random_uuid(), container, kind, years, 1, tax_bp, currency, on_sale, coalesce(valid_from, decided_at), id from icert.tariff_change where id = '${id}'`).error,
	/row-level security/);
	assert.match(icert.psql(`update icert.tariff_change set net = 1 where id = '${id}'`).error, /written/);
	assert.match(icert.psql(`delete from icert.tariff_change where id = '${id}'`).error, /kept/);
	const finance = await sign('finanzas');
	const seen = await finance.client.visit('/tarifa');
	assert.equal(seen.status, 200);
	assert.ok(!seen.main.includes('Escribir un cambio'));
	assert.equal((await finance.client.visit('/tarifa/nueva')).status, 403);
});
