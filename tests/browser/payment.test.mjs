// A payer whose connection is lost at the gateway comes back by a mail's link, at another browser, and reads how it stands.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
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
	{ act: 'pendiente', mail: /en revisión/, heading: 'Estamos comprobando su pago', buttons: [], name: 'checking', javaScript: false, width: 380 },
];
for (const { act, mail, heading, buttons: wanted, name, javaScript, width } of cases) {
	test(`the connection is lost at the gateway: ${name}`, async () => {
		const person = await new Person(icert).open();
		await person.buy();
		// Some gateways let in who comes from the registered site alone; of our paths they see nothing.
		assert.equal(await person.page.evaluate(() => document.referrer), `${new URL(icert.portal).origin}/`);
		await pressAndLose(person, act);
		const other = await comeBack(person, mail, { javaScript, width });
		await other.check(`back-${name}`);
		await says(other, heading);
		assert.deepEqual(await buttons(other), wanted);
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

test('the connection is lost before anything was pressed: the order can still be paid', async () => {
	const person = await new Person(icert).open();
	await person.buy();
	const other = await comeBack(person, /Recibimos su orden de pago/, { width: 380 });
	await other.check('back-open');
	assert.deepEqual(await buttons(other), ['Volver a la página de pago']);
	assert.equal(await other.page.getByRole('link', { name: 'Ya pagué' }).count(), 1);
	await person.close();
	await other.close();
});
