// The pages of finance with several rows of each kind, on a phone, on a desktop and on paper: each row has its own form, and what is wrong stands at the row it is
// about.  Without scripts, as everything must work.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { until } from '../lib/http.mjs';
import { startInstance } from '../lib/instance.mjs';
import { frozen } from '../lib/processes.mjs';
import * as files from '../lib/files.mjs';
import * as invoices from '../lib/invoices.mjs';
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
	// A receipt that is a picture can be unfolded below its link.
	for (const file of [files.cedulaPdf(), files.votingJpeg()]) expect(await (await buyer.client.visit(`${buyer.orderPath}/comprobante`)).form(/comprobante$/).submit({ file }), 200, 'receipt');
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
		insert into icert.bank_line (id, import_id, digest, day, cents, reference, imported_by) values ${rows(9, (i) => `('${one('cc', i)}', '${one('bb', 0)}', sha256('${i}'), '2026-11-${10 + i % 9}', ${[3105, 123456][i % 2]}, '80${1000 + i}${i === 0 ? '7'.repeat(58) : ''}', '${finance}')`)};
		insert into icert.reconciliation (gateway, day, state, ended_at) values ('demo', '2026-11-01', 'done', 1);
		insert into icert.difference (id, gateway, day, payment, kind, purchase_id, here, there) values ${rows(9, (i) => `('${one('dd', i)}', 'demo', '2026-11-01', 'pay_7f3a9c5d8e7f6b5a4c3d2e1f${i}', '${['amount', 'paid_here', 'disputed_there'][i % 3]}', '${order}', 3105, 3000)`)};
		insert into icert.payment_question (purchase_id, gateway, gateway_payment, asker, answer, cents, refunded, currency, first_at, last_at, ms) values ('${order}', 'demo', 'pay_1', 'clerk', 'refunded', 3105, 3105, 'USD', 1, 1, 1);
		insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at) values ${rows(9, (i) => `('${one('ee', i)}', '${order}', '${i === 8 ? 'transfer' : 'demo'}', 'pay_${i}${i === 0 ? 'x'.repeat(100) : ''}', 'again', ${3105 * i + 1}, 'USD', extract(epoch from now())::bigint - ${i} * 86400)`)}`);
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

/** Figures that do not end where their column ends. */
const ragged = () => [...document.querySelectorAll('td.govuk-table__cell--numeric')].filter((cell) => {
	const range = document.createRange();
	const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
	if (!text || !cell.checkVisibility()) return false;
	range.selectNodeContents(text);
	return Math.abs(range.getClientRects()[0].right - cell.getBoundingClientRect().right + parseFloat(getComputedStyle(cell).paddingRight)) > 2;
}).map((cell) => cell.textContent.trim());

for (const width of [380, 1280]) {
	test(`finance's lists with rows of every kind, ${width} px: what is wrong stands at its own row`, async () => {
		const person = await at('finanzas', width);
		for (const [path, name] of [['/finanzas', 'waiting'], ['/ordenes', 'orders'], ['/transferencias', 'transfers'], [`/transferencias/${one('cc', 0)}`, 'transfer'], ['/devoluciones', 'refunds'], ['/totales', 'totals'], ['/totales/dia', 'totals-day'], [`/orden/${order}`, 'order'], ['/tarifa', 'prices'], ['/cuentas', 'accounts-seen']]) {
			await person.go(path, name);
			if (width > 640) assert.deepEqual(await person.page.evaluate(ragged), [], name);
		}
		await person.go('/conciliacion', 'differences');
		// A payment goes back where the gateway has one: not when it says that there is none, or that it went back, or that a bank holds it.
		const kinds = await person.page.locator('section').filter({ has: person.page.getByRole('link', { name: 'Devolver el pago' }) }).getByRole('heading').allTextContents();
		assert.equal(kinds.length, 3);
		for (const kind of kinds) assert.match(kind, /^Otro valor/);
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
		assert.equal(await admin.page.locator('section', { has: admin.page.getByRole('button', { name: /^Confirmar la cuenta/ }) }).getByRole('heading', { level: 2 }).count(), 3, 'each under its own name');
		await refused(admin, `/cuentas/${one('aa', 1)}/confirmar`, 'account-refused');
		const office = await at('central', width);
		await office.go(`/orden/${order}`, 'order-two-refunds');
		// Of several open at once, each is known by its name.
		assert.ok((await office.page.title()).includes(await office.heading));
		const each = await office.page.locator('main button').allTextContents();
		assert.equal(new Set(each).size, each.length, 'each button says which refund');
		const action = await office.page.locator('form[action$="/confirmar"]').last().getAttribute('action');
		await refused(office, action, 'refund-refused');
		await admin.close();
		await office.close();
	});
}

test('what waits, one kind at a time; its caption is as wide as its list', async () => {
	const person = await at('finanzas', 380);
	await person.go('/finanzas');
	const caption = await person.page.locator('caption').boundingBox();
	assert.ok(caption.width > 300, `${caption.width}`);
	// Invoices stand behind all else, and are reached all the same.
	await person.press('Facturas por cargar', 'waiting-invoices');
	assert.deepEqual(new Set(await person.page.locator('tbody th').allTextContents()), new Set(['Cargar la factura']));
	// What was looked at leads back to what waits.
	await person.press('Cargar la factura');
	await Promise.all([person.page.waitForNavigation(), person.page.getByRole('link', { name: 'Volver' }).click()]);
	assert.equal(person.path, '/finanzas');
	await person.press('Facturas por cargar');
	await person.press('Ver todo lo que espera');
	assert.ok(await person.page.locator('tbody th').count() > 10);
	await person.close();
});

test('what is refused says it on a phone, and what has to be chosen again', async () => {
	const person = await at('finanzas', 380);
	icert.sql(`set session_replication_role = replica; update icert.bank_account set state = 'confirmed', decided_by = '${icert.staff('administrador.segundo').id}', decided_at = 2 where id = '${one('aa', 0)}'`);
	await person.go('/transferencias');
	await Promise.all([person.page.waitForNavigation(), person.page.getByRole('button', { name: 'Importar' }).click()]);
	await person.check('import-refused');
	assert.match(await person.page.textContent('main'), /escoja otra vez el archivo/);
	// Two access keys are the longest words that a page of ours has.
	const [first, second] = [1, 2].map(() => invoices.papers(invoices.fields({ ruc: '1769999930001', buyerName: 'José María Muñoz' })));
	await person.go(`/orden/${order}/factura`);
	for (const [id, { filename, type, data }] of [['xml', first.xml], ['pdf', second.pdf]]) await person.page.setInputFiles(`#${id}`, { name: filename, mimeType: type, buffer: data });
	await person.press('Cargar la factura', 'invoice-refused');
	assert.match(await person.page.textContent('main'), /El PDF es de otro comprobante/);
	// No gateway gives a transfer back.
	await person.go(`/orden/${order}/devolver?pago=${one('ee', 8)}`, 'refund-transfer');
	assert.match(await person.page.textContent('main'), /ordena la devolución en el banco/);
	await person.close();
});

test('a double click, the back button and a second press ask for one refund', async () => {
	const person = await at('finanzas', 380);
	const asked = () => Number(icert.sql(`select count(*) from icert.refund where payment_id = '${one('ee', 2)}'`));
	await person.go(`/orden/${order}/devolver?pago=${one('ee', 2)}`);
	await person.choose('reason', 'again');
	await person.fill({ words: 'Pagó dos veces' });
	await person.page.getByRole('button', { name: 'Pedir la devolución' }).dblclick({ noWaitAfter: true });
	await person.page.getByText('La devolución quedó pedida').waitFor();
	assert.equal(asked(), 1);
	await person.page.reload();
	assert.equal(asked(), 1);
	await person.page.goBack();
	assert.equal(await person.page.inputValue('#words'), 'Pagó dos veces');
	await person.press('Pedir la devolución');
	assert.match(await person.page.textContent('main'), /quedó pedida|ya está pedida/);
	assert.equal(asked(), 1);
	await person.close();
});

test('what the clerk is at is seen as such, and asked for again', async () => {
	const person = await at('finanzas', 380);
	const runs = frozen(icert, 'clerk');
	try {
		await person.go('/conciliacion');
		await Promise.all([person.page.waitForNavigation(), person.page.locator(`form[action="/conciliacion/${one('dd', 4)}/preguntar"] button`).click()]);
		await person.check('difference-asked');
		assert.match(await person.page.textContent('main'), /Se pregunta ahora a la pasarela por 1\b/);
	} finally { await runs(); }
	await until(async () => {
		await person.press(await person.page.getByRole('link', { name: 'Ver si ya respondió' }).count() ? 'Ver si ya respondió' : 'P-20');
		return person.path !== '/conciliacion';
	}, { what: 'the answer' });
	await person.close();
});

test('a list that is cut says so', async () => {
	const finance = icert.staff('finanzas').id;
	icert.sql(`set session_replication_role = replica;
		insert into icert.refund (id, purchase_id, payment_id, own, cents, currency, reason, words, state, requested_by, requested_at, decided_by, decided_at)
			select gen_random_uuid(), r.purchase_id, r.payment_id, false, 1, 'USD', 'other', r.words, 'withdrawn', r.requested_by, 1, r.requested_by, 2 from (select * from icert.refund limit 1) r, generate_series(1, 100);
		insert into icert.difference (gateway, day, payment, kind, here) select 'demo', '2026-11-01', 'more_' || n, 'amount', 1 from generate_series(1, 100) n;
		insert into icert.tariff_change (id, container, kind, years, net, tax_bp, currency, on_sale, state, written_by, written_at, decided_by, decided_at, ruc)
			select gen_random_uuid(), 'file', 'new', 2, 2700, 1500, 'USD', true, 'withdrawn', '${finance}', 1, '${finance}', 2, 'any' from generate_series(1, 50)`);
	const person = await at('finanzas', 1280);
	for (const [path, words] of [['/devoluciones', /las 100 primeras/], ['/conciliacion', /100 o más[^]*las 100 primeras/], ['/tarifa', /los 50 cambios más recientes/]]) {
		await person.go(path);
		assert.match(await person.page.textContent('main'), words, path);
	}
	await person.close();
	// Their words are another row's, and open on no page.
	icert.sql('set session_replication_role = replica; delete from icert.refund where cents = 1 and decided_at = 2');
});

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
	// Addresses of links are of no use there, and what is said beside is no larger than what it is beside.
	for (const path of ['/totales/dia', '/transferencias', `/orden/${order}`]) {
		await person.page.goto(icert.desk + path);
		await person.page.emulateMedia({ media: 'print' });
		const wrong = await person.page.evaluate(() => [...document.querySelectorAll('main a[href], td .icert-since')].filter((e) => (e.localName === 'a'
			? !['none', 'normal'].includes(getComputedStyle(e, '::after').content) : parseFloat(getComputedStyle(e).fontSize) > parseFloat(getComputedStyle(e.parentElement).fontSize))).length);
		assert.equal(wrong, 0, path);
	}
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
	// A telephone that forgot the page asks for its address.
	const got = await client.get(`${buyer.orderPath}/pagar`);
	assert.equal(got.status, 405);
	assert.ok(got.links.some((a) => a.href === buyer.orderPath), got.main);
});

// The last: it ends them all.
test('a session that ended: what was not done is said, and the page is come back to', async () => {
	const file = await at('finanzas', 380);
	const button = await at('finanzas', 380);
	await file.go('/transferencias');
	await file.page.setInputFiles('#statement', { name: 'extracto.csv', mimeType: 'text/csv', buffer: Buffer.from('21/11/2026;950;A;7,00\n') });
	await button.go('/conciliacion');
	icert.sql("update icert.session set idle_until = extract(epoch from now())::bigint - 1 where kind = 'staff'");
	for (const [person, form, words, path] of [[file, 'form[enctype]', /no se recibió ningún archivo/, '/transferencias'], [button, 'form[action$="/preguntar"]', /no se hizo lo que pidió/, '/conciliacion']]) {
		await Promise.all([person.page.waitForNavigation(), person.page.locator(`${form} button`).first().click()]);
		await person.check('session-ended');
		assert.match(await person.page.textContent('main'), words);
		assert.equal(await person.page.inputValue('input[name=next]'), path);
		await person.close();
	}
});
