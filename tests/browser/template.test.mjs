// The editor of the contract's text in Chromium, on a phone and on a desktop.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Person, closeBrowser } from './walk.mjs';

const shots = process.env.SHOTS;
let icert;
before(async () => { icert = await startInstance(); });
after(async () => { await closeBrowser(); await icert?.stop(); });

async function atDesk(login, width) {
	const person = await new Person({ ...icert, portal: icert.desk }, { width, shots }).open();
	const account = icert.staff(login);
	await person.go('/');
	await person.fill({ user: account.login, password: account.password, code: await icert.totp(login) });
	await person.press('Entrar');
	return person;
}

test('a draft is written on one screen and approved on another', async () => {
	const phone = await atDesk('administrador', 380);
	const desktop = await atDesk('administrador.segundo', 1280);
	const look = async (path, name) => { await phone.go(path, name); await desktop.go(path, name); };
	await look('/plantilla', 'template-list');
	await look('/plantilla/editar', 'template-editor');
	const text = await phone.page.inputValue('#text');
	await phone.go('/plantilla/editar');
	await phone.fill({ text: text.replace('{total}', '{totl}').replace('| RUC |', '| RUC') });
	await phone.press('Guardar el borrador', 'template-faults');
	assert.match(await phone.page.content(), /no existe la variable \{totl\}/);
	await phone.fill({ text: `${text.replace('## Firmas', '## Las firmas')}\nUna línea más.\n` });
	const [download] = await Promise.all([phone.page.waitForEvent('download'), phone.page.getByRole('button', { name: 'Ver como PDF' }).click()]);
	assert.equal(download.suggestedFilename(), 'contrato-vista-previa.pdf');
	await phone.press('Guardar el borrador', 'template-own');
	assert.match(await phone.page.content(), /Falta que lo apruebe otra persona/);
	await look('/plantilla/2', 'template-draft');
	await desktop.go('/plantilla/2', 'template-approve');
	await desktop.fill({ code: await icert.totp('administrador.segundo') });
	await desktop.press('Aprobar el texto', 'template-approved');
	assert.match(await desktop.page.content(), /quedó aprobado/);
	await phone.go('/plantilla', 'template-list-after');
	await phone.close();
	await desktop.close();
});
