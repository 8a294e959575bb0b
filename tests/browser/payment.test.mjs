// A payer whose connection is lost at the gateway comes back by a mail's link, at another browser, and reads how it stands.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Person, closeBrowser } from './walk.mjs';

const shots = process.env.SHOTS;
let icert;
before(async () => { icert = await startInstance(); });
after(async () => {
	await closeBrowser();
	await icert?.stop();
});

/** Presses a button of the gateway's page; what it answers never arrives. */
async function pressAndLose({ page }, act) {
	await page.route(`**/pago/*/${act}`, async (route) => {
		await route.fetch({ maxRedirects: 0 });
		await route.abort('connectionreset');
	});
	const lost = page.waitForEvent('requestfailed');
	await page.locator(`form[action$="/${act}"] button`).click({ noWaitAfter: true });
	await lost;
}

/** Another browser of the same person: the link of a mail, and the code that it leads to. */
async function comeBack(person, subject, options) {
	const other = await new Person(icert, { shots, ...options }).open();
	other.email = person.email;
	const [mail] = await other.waitMails(1, subject);
	const codes = (await other.mail.list({ to: other.email, subject: /código/i })).length;
	await other.go(mail.link(/\/enlace\//), 'link');
	await other.press('Enviar el código', 'code');
	await other.fill({ code: (await other.waitMails(codes + 1, /código/i)).at(-1).code(6) });
	await other.press('Continuar');
	assert.equal(`${icert.portal}${other.path}`, person.order);
	return other;
}

const says = async (person, heading) => assert.equal(await person.page.getByRole('heading', { name: heading }).count(), 1, heading);
const buttons = (person) => person.page.locator('main form button').allTextContents().then((all) => all.map((text) => text.trim()));

const cases = [
	{ act: 'aprobar', mail: /Recibimos su pago/, heading: 'Pago recibido', buttons: ['Empezar la solicitud'], name: 'paid', javaScript: true, width: 1280 },
	{ act: 'rechazar', mail: /no fue aprobado/, heading: 'El pago no fue aprobado', buttons: ['Intentar de nuevo'], name: 'refused', javaScript: true, width: 380 },
	{ act: 'doble', mail: /Recibimos su pago/, heading: 'Pago recibido', buttons: ['Empezar la solicitud'], says: /se cobró dos veces.*devolveremos/, name: 'paid-twice', javaScript: true, width: 380 },
	{ act: 'pendiente', mail: /en revisión/, heading: 'Estamos comprobando su pago', buttons: [], name: 'checking', javaScript: false, width: 380 },
];
for (const { act, mail, heading, buttons: wanted, says: more, name, javaScript, width } of cases) {
	test(`the connection is lost at the gateway: ${name}`, async () => {
		const person = await new Person(icert).open();
		await person.buy();
		// Some gateways let in who comes from the registered site alone; of our paths they see nothing.
		assert.equal(await person.page.evaluate(() => document.referrer), `${new URL(icert.portal).origin}/`);
		await pressAndLose(person, act);
		const other = await comeBack(person, mail, { javaScript, width });
		// The second of two comes after the mail about the first.
		if (more) {
			await until(async () => {
				await other.page.reload();
				return more.test(await other.page.textContent('main'));
			}, { what: more.source });
		}
		await other.check(`back-${name}`);
		await says(other, heading);
		assert.deepEqual(await buttons(other), wanted);
		// Without scripts a page that waits is asked again by hand.
		if (!javaScript) await other.press('Ver si ya hay respuesta');
		// What the first browser shows when it is back on line says the same.
		await person.page.goto(`${person.order}/vuelta`);
		await says(person, heading);
		if (act === 'rechazar') {
			await other.press('Intentar de nuevo');
			await other.page.waitForURL(`${icert.gateway}/**`);
			await other.page.goto(person.order);
			// Another checkout: what was said of the first is over.
			assert.deepEqual(await buttons(other), ['Volver a la página de pago']);
			await other.go(`${person.order}/pasarela`);
			await other.page.waitForURL(`${icert.gateway}/**`);
			Object.assign(other, { order: person.order });
			await other.pay();
		}
		await person.close();
		await other.close();
	});
}

test('the connection is lost and the gateway says nothing: nobody has told us yet, then it is asked', async () => {
	const person = await new Person(icert).open();
	await person.buy();
	await pressAndLose(person, 'callado');
	const other = await comeBack(person, /Recibimos su orden de pago/, { width: 380 });
	await other.check('back-untold');
	assert.match(await other.page.textContent('main'), /Si ya pagó, no pague otra vez/);
	assert.deepEqual(await buttons(other), ['Volver a la página de pago']);
	// Whoever presses that all the same is not charged again: the gateway is asked before anybody goes there.
	await other.press('Volver a la página de pago');
	assert.equal(new URL(other.page.url()).origin, new URL(icert.portal).origin);
	await other.check('back-asking');
	// The page shows by itself what the gateway answers.
	await other.page.getByRole('heading', { name: 'Pago recibido' }).waitFor();
	assert.deepEqual(await buttons(other), ['Empezar la solicitud']);
	assert.equal((await other.waitMails(1, /Recibimos su pago/)).length, 1);
	await person.close();
	await other.close();
});

test('the connection is lost before anything was pressed: the order can still be paid', async () => {
	const person = await new Person(icert).open();
	await person.buy();
	const other = await comeBack(person, /Recibimos su orden de pago/, { width: 380 });
	await other.check('back-open');
	assert.deepEqual(await buttons(other), ['Volver a la página de pago']);
	assert.equal(await other.page.getByRole('link', { name: 'Ya pagué en línea' }).count(), 1);
	// Whoever took too long there comes back to a session that ended, and is not left to think that the payment was lost.
	await other.context.clearCookies();
	await other.go(`${person.order}/vuelta`, 'back-signed-out');
	assert.match(await other.page.textContent('main'), /el pago no se pierde/);
	assert.equal(await other.page.inputValue('input[name=next]'), `${new URL(person.order).pathname}/vuelta`);
	await person.close();
	await other.close();
});

test('an order is made once: pressed twice, gone back to, loaded again; and anew from the tariff', async () => {
	const person = await new Person(icert, { width: 380, shots, javaScript: false }).open();
	const orders = () => Number(icert.sql('select count(*) from icert.purchase'));
	const begun = orders();
	const fill = async () => {
		await person.choose('for_me', 'no');
		await person.choose('id_kind', 'cedula');
		await person.fill({ id_number: '1710034065', name: 'María Peñafiel', address: 'Av. Amazonas N23-45', telephone: '099 123 4567' });
	};
	await person.go('/tarifas');
	await person.press('Comprar');
	await person.signIn();
	await fill();
	await person.page.getByRole('button', { name: 'Continuar al pago' }).dblclick({ noWaitAfter: true });
	await person.page.waitForURL(/\/orden\//);
	const order = person.path;
	assert.equal(orders(), begun + 1);
	await person.page.goBack();
	await person.check('billing-made');
	assert.deepEqual(await buttons(person), []);
	await person.page.reload();
	await person.press('Ir a la orden');
	assert.equal(person.path, order);
	await person.go('/tarifas');
	await person.press('Comprar');
	await fill();
	await person.press('Continuar al pago');
	assert.notEqual(person.path, order);
	assert.equal(orders(), begun + 2);
	await person.close();
});

// How an order stands, what its page is headed by, and what the person can press.  The rows are written here: how each state is
// come to is for tests/system (and the database lets nobody go back: replica); here it is what a phone shows of it.
const OPEN = ['Volver a la página de pago'];
const line = (state, verdict, cents) => (id, by) => `insert into icert.bank_line (id, import_id, digest, day, cents, reference, state, purchase_id, imported_by, decided_by, decided_at, verdict)
	select gen_random_uuid(), i.id, sha256(gen_random_uuid()::text::bytea), current_date, ${cents}, '42', '${state}', '${id}', '${by[0]}', '${by[1]}', extract(epoch from now())::bigint, '${verdict}' from icert.bank_import i limit 1`;
const concluded = (verdict) => (id) => `insert into icert.payment (id, purchase_id, gateway, gateway_payment, verdict, cents, currency, at)
	values (gen_random_uuid(), '${id}', 'demo', gen_random_uuid()::text, '${verdict}', 3105, 'USD', extract(epoch from now())::bigint)`;
const states = [
	{ name: 'created', state: 'created', heading: 'Antes de pagar', buttons: ['Pagar'], listed: 'Pagar la orden' },
	{ name: 'over', state: 'created', more: (id) => `update icert.purchase set expires_at = 1 where id = '${id}'`, heading: /plazo.*terminó/, text: /Estado\s*Terminó el plazo/, buttons: [] },
	{ name: 'pending', state: 'pending', buttons: OPEN },
	{ name: 'transfer-short', state: 'pending', more: line('applied', 'mismatch', 100), text: /por menos del valor/, buttons: OPEN },
	{ name: 'mismatch', state: 'pending', more: concluded('mismatch'), text: /por un valor distinto.*No pague otra vez/, buttons: ['Ir a la página de pago'] },
	{ name: 'expired', state: 'expired', text: /ya no se puede pagar/, buttons: [] },
	{ name: 'transfer-late', state: 'expired', more: line('applied', 'late', 3105), text: /Recibimos una transferencia cuando/, buttons: [] },
	{ name: 'late', state: 'expired', more: concluded('late'), text: /Recibimos un pago cuando/, buttons: [] },
	{ name: 'paid', state: 'paid', heading: 'Pago recibido', buttons: ['Empezar la solicitud'], listed: 'Empezar la solicitud' },
	{ name: 'transfer-again', state: 'paid', more: line('applied', 'again', 3105), heading: 'Pago recibido', text: /que ya estaba pagada/, buttons: ['Empezar la solicitud'] },
	{ name: 'disputed', state: 'disputed', heading: /disputa/, buttons: [] },
	{ name: 'refunding', state: 'refunding', heading: /Estamos devolviendo/, buttons: [] },
	{ name: 'refunded', state: 'refunded', heading: /Devolvimos su pago/, buttons: [] },
	{ name: 'refunded-again', state: 'refunded', more: concluded('again'), text: /además otro pago/, buttons: [] },
];

test('every state of an order on a phone: its sentence, and only what can be pressed now', async () => {
	const person = await new Person(icert, { width: 380, shots }).open();
	await person.buy();
	const id = new URL(person.order).pathname.split('/')[2];
	const ends = icert.sql(`select expires_at from icert.purchase where id = '${id}'`);
	const by = icert.sql('select id from icert.staff order by login limit 2').split('\n');
	icert.sql(`with a as (insert into icert.bank_account (id, bank, kind, number, holder, holder_id, state, requested_by, requested_at, decided_by, decided_at)
		values (gen_random_uuid(), 'Banco del Sur', 'savings', '2200123456', 'Entidad de certificación', '1790012345001', 'confirmed', '${by[0]}', 1, '${by[1]}', 2) returning id)
		insert into icert.bank_import select gen_random_uuid(), a.id, 'date-reference-text-amount', sha256(''), 1, 0, '${by[0]}', 3 from a`);
	for (const { name, state, more, heading, text, buttons: wanted, listed } of states) {
		icert.sql(`set session_replication_role = replica; delete from icert.bank_line; delete from icert.payment; update icert.purchase set state = '${state}', expires_at = ${ends} where id = '${id}'${more ? `; ${more(id, by)}` : ''}`);
		await person.page.goto(person.order);
		// What is folded up is looked at too.
		await person.page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
		await person.check(`order-${name}`);
		if (heading) await says(person, heading);
		if (text) assert.match(await person.page.textContent('main'), text, name);
		assert.deepEqual((await buttons(person)).filter((text, i, all) => all.indexOf(text) === i), wanted, name);
		if (!listed) continue;
		// Nobody who has not been at the gateway is told that a payment is on its way.
		await person.go(`${person.order}/vuelta`);
		assert.equal(await person.page.getByRole('heading', { name: 'Estamos confirmando' }).count(), 0, name);
		await person.go('/mi-tramite', `mine-${name}`);
		await person.press(listed);
		assert.equal(`${icert.portal}${person.path}`, person.order);
	}
	await person.close();
});
