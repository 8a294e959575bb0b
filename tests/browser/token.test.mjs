// The pages of a token in Chromium: axe-core clean and no wider than the screen; a request's
// file, PEM or DER, is read into the form by the page's script, and without it the form is the same.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { Token, fingerprint, pem } from '../lib/token.mjs';
import { Operator, expect, identifiedForToken } from '../system/walk.mjs';
import { Person, closeBrowser } from './walk.mjs';

let icert, token, operator, applicant;

before(async () => {
	icert = await startInstance();
	token = new Token();
	operator = new Operator(icert);
	expect(await operator.signIn(), 200);
	applicant = await identifiedForToken(icert, operator);
});
after(async () => {
	applicant?.close();
	operator?.close();
	token?.close();
	await closeBrowser();
	await icert?.stop();
});

/** A browser with the session of somebody who signed in before. */
async function as(who, base, cookie, options) {
	const person = await new Person({ ...icert, portal: base }, options).open();
	await person.context.addCookies([{ name: cookie, value: who.client.jar.get(cookie).value, url: base, secure: true, httpOnly: true }]);
	return person;
}
const atDesk = (options) => as(operator, icert.desk, '__Host-icert-desk', options);
const atPortal = (options) => as(applicant, icert.portal, '__Host-icert-portal', options);

test('the request comes as a file, PEM or DER, or pasted; both people look at the same fingerprint', async () => {
	const wide = await atDesk({ width: 1280 });
	const plain = await atDesk({ width: 390, javaScript: false });
	const holder = await atPortal({ width: 390 });
	await wide.go(operator.path, 'case');
	await wide.press('Registrar la clave del token', 'key');
	await plain.go(`${operator.path}/token`, 'key');
	assert.equal(await plain.page.locator('input[type=file]').isVisible(), false);
	await holder.go(`/tramite/${applicant.id}`, 'case');
	await holder.go(`/tramite/${applicant.id}/aceptar`, 'fields-wait');

	const id = token.makeKey(), der = token.csr(id);
	const file = join(token.dir, 'pedido.p10');
	writeFileSync(file, der);
	await wide.page.setInputFiles('input[type=file]', file);
	await wide.page.waitForFunction(() => document.getElementById('request').value.includes('END CERTIFICATE REQUEST'));
	await wide.press('Registrar la clave', 'fields');
	const shown = fingerprint(token.spki(id)).match(/.{4}/g).join(' ');
	assert.ok((await wide.page.locator('main').innerText()).includes(shown), 'from DER');
	await holder.go(`/tramite/${applicant.id}/aceptar`, 'fields');
	assert.ok((await holder.page.locator('main').innerText()).includes(shown));

	await plain.go(`${operator.path}/token`, 'key-again');
	await plain.page.fill('#request', 'nada');
	await plain.press('Registrar la clave', 'key-error');
	assert.equal(await plain.page.locator('#request').inputValue(), 'nada');
	await plain.page.fill('#request', pem(token.csr(token.makeKey())));
	await plain.press('Registrar la clave');
	assert.equal((await plain.page.locator('main').innerText()).includes(shown), false, 'pasted, another key');
	for (const person of [wide, plain, holder]) await person.close();
});
