// Forms about money, each sent twice at once (a double click) and once more later (the back button, a page kept open): no error, and done once.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import * as invoices from '../lib/invoices.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, buyer, finance, central, first, second, order;
const open = [];
const keep = (person) => { open.push(person); return person; };
const sql = (text) => icert.sql(text);
const count = (from) => Number(sql(`select count(*) from icert.${from}`));

before(async () => {
	icert = await startInstance();
	buyer = keep(new Applicant(icert));
	[finance, central, first, second] = ['finanzas', 'central', 'administrador', 'administrador.segundo'].map((login) => keep(new Operator(icert, login)));
	await Promise.all([buyer.order(), ...[finance, central, first, second].map(async (who) => expect(await who.signIn(), 200))]);
	order = buyer.orderPath.split('/')[2];
});
after(async () => {
	for (const person of open) person.close();
	await icert?.stop();
});

/**
 * Sends a form twice at once, then a third time: `later` says what the third may be answered with, besides what the first were.
 * Where codes are asked for, `values` may be a function that gives them.
 */
async function pressed(page, action, values = {}, { later = [200], button } = {}) {
	const form = page.form(action);
	const [a, b] = await Promise.all([form.submit(values, { button }), form.submit(values, { button })]);
	for (const answer of [a, b]) {
		assert.equal(answer.status, 200, `${action}: ${answer.status} ${answer.errors} ${answer.main.slice(0, 300)}`);
		assert.deepEqual(answer.errors, [], `${action}`);
	}
	assert.equal(a.path, b.path, `${action}`);
	const third = await form.submit(values, { button });
	assert.ok(later.includes(third.status), `${action}, later: ${third.status} ${third.errors} ${third.main.slice(0, 300)}`);
	return a;
}

test('who buys: the order, its checkout, receipts and the application', async () => {
	const buy = (await buyer.client.visit('/tarifas')).link(/Comprar/);
	const before = count('purchase');
	await pressed(await buyer.client.visit(buy), /comprar/, {
		for_me: 'no', id_kind: 'passport', id_number: 'AB123456', name: 'Jane Roe', address: 'Av. Amazonas N1-23', telephone: '099 123 4567',
	});
	assert.equal(count('purchase'), before + 1);
	const at = () => buyer.client.visit(buyer.orderPath);
	await pressed(await buyer.client.visit(`${buyer.orderPath}/comprobante`), /comprobante$/, { file: files.cedulaPdf() });
	assert.equal(count(`slip where purchase_id = '${order}'`), 1);
	const paid = await pressed(await at(), /\/pagar$/);
	const checkout = sql(`select gateway_payment from icert.purchase where id = '${order}'`);
	await (await buyer.client.visit(paid.link(/Ir a la página/))).form(/aprobar/).submit();
	const page = await until(async () => {
		const now = await at();
		return now.forms.some((f) => /solicitud$/.test(f.action)) && now;
	}, { what: 'the payment' });
	assert.equal(sql(`select gateway_payment from icert.purchase where id = '${order}'`), checkout, 'one checkout');
	const applied = await pressed(page, /solicitud$/);
	buyer.id = applied.path.split('/')[2];
	assert.equal(count(`application where purchase_id = '${order}'`), 1);
});

test('who administers: an account and a price, written by one and confirmed by another', async () => {
	await pressed(await first.client.visit('/cuentas'), /cuentas$/, { bank: 'Banco del Sur', kind: 'savings', number: '2200123456', holder: 'Entidad', holder_id: '1790012345001' }, { later: [200, 409] });
	assert.equal(count('bank_account'), 1);
	await pressed(await second.client.visit('/cuentas'), /confirmar$/, { code: await icert.totp('administrador.segundo') }, { later: [200, 409, 422] });
	assert.equal(count("bank_account where state = 'confirmed'"), 1);
	await pressed(await second.client.visit('/tarifa/nueva'), /nueva$/, { container: 'file', kind: 'new', years: '3', net: '33,00', tax: '15', ruc: 'any', sale: 'yes' }, { later: [200, 409] });
	assert.equal(count('tariff_change'), 1);
	const change = sql('select id from icert.tariff_change');
	await pressed(await first.client.visit(`/tarifa/cambio/${change}`), /aprobar$/, { code: await icert.totp('administrador') }, { later: [200, 409, 422] });
	assert.equal(count(`tariff where change_id = '${change}'`), 1);
});

test('finance: a statement, its line, an invoice, a refund, a difference', async () => {
	const other = keep(new Applicant(icert));
	await other.order();
	const [id, number, total] = sql(`select id || ' ' || number || ' ' || replace(to_char(total / 100.0, 'FM990.00'), '.', ',') from icert.purchase order by created_at desc, number desc limit 1`).split(' ');
	await pressed(await finance.client.visit('/transferencias'), /transferencias$/, {
		account: sql('select id from icert.bank_account'), profile: 'date-reference-text-amount', decimal: 'comma',
		statement: { filename: 'extracto.csv', data: Buffer.from(`21/11/2026;1;${number};${total}\n21/11/2026;2;NADA;7,00\n`) },
	});
	assert.equal(count('bank_line'), 2);
	const line = (reference) => sql(`select id from icert.bank_line where reference = '${reference}'`);
	await pressed(await central.client.visit(`/transferencias/${line(1)}`), /confirmar$/, { number, code: await icert.totp('central') }, { later: [200, 409, 422] });
	await until(() => sql(`select state from icert.purchase where id = '${id}'`) === 'paid', { what: 'the transfer' });
	assert.equal(count(`payment where purchase_id = '${id}'`), 1);

	const papers = invoices.papers(invoices.fields({ ruc: '1769999930001' }));
	await pressed(await finance.client.visit(`/orden/${order}/factura`), /factura$/, papers);
	assert.equal(count(`invoice where purchase_id = '${order}' and pdf is not null`), 1);

	const payment = sql(`select id from icert.payment where purchase_id = '${id}'`);
	await pressed(await finance.client.visit(`/orden/${id}/devolver?pago=${payment}`), /devolver$/, { reason: 'other', words: 'Lo pidió' }, { later: [200, 409] });
	assert.equal(count('refund'), 1);
	await pressed(await finance.client.visit(`/orden/${id}`), /retirar$/, {}, { later: [200, 409] });
	assert.equal(sql('select state from icert.refund'), 'withdrawn');

	sql(`set session_replication_role = replica; insert into icert.reconciliation (gateway, day, state, ended_at) values ('demo', '2026-11-01', 'done', 1);
		insert into icert.difference (gateway, day, payment, kind, here, there) values ('demo', '2026-11-01', 'pay_1', 'amount', 3105, 3000)`);
	await pressed(await finance.client.visit('/conciliacion'), /explicar$/, { reason: 'by_hand' }, { later: [200, 409] });
	assert.equal(sql("select state || ' ' || reason from icert.difference where payment = 'pay_1'"), 'explained by_hand');
});
