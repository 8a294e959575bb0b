// The pages of finance with several rows of each kind, on a phone, on a desktop and on paper: each row has its own form, and what is wrong stands at the row it is
// about.  Without scripts, as everything must work.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Applicant, Operator, expect } from '../system/walk.mjs';
import { Person, closeBrowser } from './walk.mjs';

const shots = process.env.SHOTS;
let icert, buyer, order;
const staff = {};
before(async () => {
	icert = await startInstance();
	buyer = new Applicant(icert);
	for (const login of ['finanzas', 'administrador', 'administrador.segundo', 'central']) staff[login] = new Operator(icert, login);
	await Promise.all([buyer.order(), ...Object.values(staff).map(async (who) => expect(await who.signIn(), 200))]);
	order = buyer.orderPath.split('/')[2];
	await buyer.pay();
	seed();
	// Two that wait for another person, of one order.
	for (const payment of [icert.sql(`select id from icert.payment where purchase_id = '${order}' and verdict = 'pay'`), one('ee', 1)])
		expect(await (await staff.finanzas.client.visit(`/orden/${order}/devolver?pago=${payment}`)).form(/devolver$/).submit({ reason: 'other', words: 'Lo pidió' }), 200, 'asked');
});
after(async () => {
	buyer?.close();
	for (const who of Object.values(staff)) who.close();
	await closeBrowser();
	await icert?.stop();
});

const rows = (n, row) => Array.from({ length: n }, (_, i) => row(i)).join(', ');
/** Rows past triggers, as a month of work leaves them; two ids of each kind are known to the tests. */
const one = (kind, n) => `${kind}${kind}${kind}${kind}-0000-4000-8000-0000000000${String(n).padStart(2, '0')}`;
function seed() {
	const [finance, first] = ['finanzas', 'administrador'].map((login) => icert.staff(login).id);
	icert.sql(`set session_replication_role = replica;
		insert into icert.bank_account (id, bank, kind, number, holder, holder_id, requested_by, requested_at) values ${rows(3, (i) => `('${one('aa', i)}', 'Cooperativa de Ahorro y Crédito ${i}', 'current', '220012345${i}', 'Entidad de Certificación', '1769999930001', '${first}', 1)`)};
		insert into icert.bank_import values ('${one('bb', 0)}', '${one('aa', 0)}', 'date-reference-text-amount', sha256('x'), 40, 0, '${finance}', 3);
		insert into icert.bank_line (id, import_id, digest, day, cents, reference, imported_by) values ${rows(9, (i) => `('${one('cc', i)}', '${one('bb', 0)}', sha256('${i}'), '2026-11-${10 + i % 9}', ${[3105, 123456][i % 2]}, '80${1000 + i}', '${finance}')`)};
		insert into icert.reconciliation (gateway, day, state, ended_at) values ('demo', '2026-11-01', 'done', 1);
		insert into icert.difference (id, gateway, day, payment, kind, purchase_id, here, there) values ${rows(9, (i) => `('${one('dd', i)}', 'demo', '2026-11-01', 'pay_7f3a9c5d8e7f6b5a4c3d2e1f${i}', '${['amount', 'paid_here', 'disputed_there'][i % 3]}', '${order}', 3105, 3000)`)};
		insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at) values ${rows(9, (i) => `('${one('ee', i)}', '${order}', 'demo', 'pay_${i}', 'again', ${3105 * i + 1}, 'USD', extract(epoch from now())::bigint - ${i} * 86400)`)}`);
}

/** Somebody of the staff at a browser without scripts. */
async function at(login, width) {
	const person = await new Person({ ...icert, portal: icert.desk }, { width, javaScript: false, shots }).open();
	const { value } = staff[login].client.jar.get('__Host-icert-desk');
	await person.context.addCookies([{ name: '__Host-icert-desk', value, url: icert.desk, secure: true, httpOnly: true, sameSite: 'Strict' }]);
	return person;
}

/** Presses a button of a form by its action; the answer's errors lead to where they belong: the ids that the summary links to. */
async function refused(person, action, name) {
	await Promise.all([person.page.waitForNavigation(), person.page.locator(`form[action="${action}"] button`).first().click()]);
	await person.check(name);
	const hrefs = await person.page.locator('.govuk-error-summary a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
	assert.equal(hrefs.length, 1, name);
	assert.equal(await person.page.locator('.govuk-error-message').count(), 1, `${name}: said at one row alone`);
	assert.equal(await person.page.locator(hrefs[0]).evaluate((field) => field.form.getAttribute('action')), action, `${name}: at its own`);
	assert.ok(await person.page.locator(hrefs[0]).isVisible(), `${name}: and seen`);
}

for (const width of [380, 1280]) {
	test(`finance's lists with rows of every kind, ${width} px: what is wrong stands at its own row`, async () => {
		const person = await at('finanzas', width);
		for (const [path, name] of [['/finanzas', 'waiting'], ['/transferencias', 'transfers'], ['/devoluciones', 'refunds'], ['/totales', 'totals'], ['/totales/dia', 'totals-day'], ['/tarifa', 'prices'], ['/cuentas', 'accounts-seen']]) await person.go(path, name);
		await person.go('/conciliacion', 'differences');
		// For who hears them, buttons of rows say which row.
		const names = await person.page.locator('main button').evaluateAll((all) => all.map((b) => b.textContent.trim()));
		assert.equal(new Set(names).size, names.length);
		await person.page.locator(`form[action="/conciliacion/${one('dd', 7)}/explicar"]`).evaluate((form) => { form.closest('details').open = true; });
		await refused(person, `/conciliacion/${one('dd', 7)}/explicar`, 'difference-refused');
		// The list of what waits leads to the difference itself.
		await person.go('/finanzas');
		const link = person.page.locator(`a[href="/conciliacion#diferencia-${one('dd', 7)}"]`);
		await Promise.all([person.page.waitForURL(/#diferencia/), link.click()]);
		assert.equal(await person.page.locator(':target h3').count(), 1);
		await person.close();

		const admin = await at('administrador.segundo', width);
		await admin.go('/cuentas', 'accounts');
		await refused(admin, `/cuentas/${one('aa', 1)}/confirmar`, 'account-refused');
		const office = await at('central', width);
		await office.go(`/orden/${order}`, 'order-two-refunds');
		const action = await office.page.locator('form[action$="/confirmar"]').last().getAttribute('action');
		await refused(office, action, 'refund-refused');
		await admin.close();
		await office.close();
	});
}

test('the month on paper: every column within the sheet, no menu, the sum not alone', async () => {
	const person = await at('finanzas', 718);	// A4 less its margins, at 96 dots an inch
	await person.page.goto(`${icert.desk}/totales`);
	await person.page.emulateMedia({ media: 'print' });
	assert.equal(await person.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
	const seen = await person.page.locator('.icert-nav, .icert-pages, .icert-who, .icert-footer, main a[href*=".csv"]').evaluateAll((all) => all.filter((e) => e.checkVisibility()).length);
	assert.equal(seen, 0);
	// Figures of a column end at one line.
	const ends = await person.page.locator('table tr').evaluateAll((all) => all.map((tr) => Math.round(tr.lastElementChild.getBoundingClientRect().right)));
	assert.equal(new Set(ends).size, 1);
	if (shots) await person.page.pdf({ path: `${shots}/totals.pdf`, format: 'A4' });
	await person.close();
});

test('a form that is too large is refused in the session of its sender, and leads back to its page', async () => {
	const { client } = buyer;
	const page = await client.post(`${buyer.orderPath}/pagar`, `a=${'b'.repeat(70_000)}`, { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
	assert.equal(page.status, 413);
	assert.equal(page.headers['set-cookie'], undefined);
	assert.ok(page.links.some((a) => a.href === buyer.orderPath), page.main);
	assert.equal((await client.get(buyer.orderPath)).status, 200, 'still signed in');
	const forged = await client.post(`${buyer.orderPath}/pagar`, 'a=b', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
	assert.equal(forged.status, 403);
	assert.ok(forged.links.some((a) => a.href === buyer.orderPath));
});
