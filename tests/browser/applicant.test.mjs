// The applicant's part in Chromium: with and without JavaScript, on a phone and on a desktop.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import * as files from '../lib/files.mjs';
import { Person, closeBrowser } from './walk.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(async () => {
	await closeBrowser();
	await icert?.stop();
});

const documents = () => ({ cedula: files.cedulaPdf(), voting: files.votingJpeg(), utility: files.billPng() });

for (const options of [{ javaScript: true, width: 390 }, { javaScript: false, width: 320 }, { javaScript: true, width: 1280 }]) {
	test(`from the tariff to submitted: ${options.width} px, ${options.javaScript ? 'with' : 'without'} JavaScript`, async () => {
		const person = await new Person(icert, options).open();
		await person.buy();
		await person.pay();
		await person.answer();
		await person.documents(documents());
		await person.submit();
		assert.match(person.path, /^\/tramite\/[0-9a-f-]{36}$/);
		const [mail] = await person.waitMails(1, /recib/i);
		assert.ok(mail, 'the application is acknowledged by mail');
		await person.go('/mi-tramite', 'mine');
		await person.go('/revocar', 'revoke-code');
		await person.go('/ayuda', 'help');
		await person.go('/privacidad', 'privacy');
		await person.go('/accesibilidad', 'accessibility');
		await person.go('/no-hay', 'not-found');
		await person.close();
	});
}

test('what is wrong is said beside the field, and nothing typed is lost', async () => {
	const person = await new Person(icert).open();
	await person.go('/entrar', 'login');
	await person.fill({ email: 'esto no es un correo' });
	await person.press('Enviar el código', 'login-wrong');
	assert.equal(await person.page.inputValue('#email'), 'esto no es un correo');
	assert.equal(await person.page.getAttribute('#email', 'aria-describedby'), 'email-hint email-error');
	assert.equal(await person.page.locator('.govuk-error-summary a').getAttribute('href'), '#email');
	await person.close();
});
