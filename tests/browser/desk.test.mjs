// The operator's pages in Chromium: axe-core clean and no wider than the screen
// on a phone and on a desktop; the capture of the face within the page.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { jpegSize } from '../lib/tools.mjs';
import { elements } from '../lib/html.mjs';
import * as files from '../lib/files.mjs';
import { Applicant, Operator, expect } from '../system/walk.mjs';
import { Person, closeBrowser } from './walk.mjs';

let icert, applicant, operator;
before(async () => {
	icert = await startInstance();
	applicant = new Applicant(icert);
	operator = new Operator(icert);
	await applicant.apply();
	expect(await operator.signIn(), 200);
	await operator.find(applicant.number);
});
after(async () => {
	applicant?.close();
	operator?.close();
	await closeBrowser();
	await icert?.stop();
});

/** A browser at the desk, signed in through its own log-in page. */
async function atDesk(login, options) {
	const person = await new Person({ ...icert, portal: icert.desk }, options).open();
	const account = icert.staff(login);
	await person.go('/', 'desk-login');
	await person.fill({ user: account.login, password: account.password, code: await icert.totp(login) });
	await person.press('Entrar');
	return person;
}

/** Another browser with a session that stands: a code serves once, and the next one is half a minute away. */
async function withSession(value, options) {
	const person = await new Person({ ...icert, portal: icert.desk }, options).open();
	await person.context.addCookies([{ name: '__Host-icert-desk', value, url: icert.desk, secure: true, httpOnly: true, sameSite: 'Strict' }]);
	return person;
}
const session = () => operator.client.jar.get('__Host-icert-desk').value;

const look = async (people, path, name) => { for (const person of people) await person.go(path, name); };

test('the operator\'s pages from the list to the envelope, 390 and 1280 px', async () => {
	const people = [await withSession(session(), { width: 390 }), await withSession(session(), { width: 1280 })];
	const at = (rest = '') => operator.path + rest;
	await look(people, '/casos', 'queue');
	await look(people, at(), 'case-submitted');
	await operator.take();
	await look(people, at(), 'case-review');
	await look(people, at('/corregir'), 'observe');
	await look(people, at('/rechazar'), 'reject');
	const papers = (await operator.see()).links.filter((l) => /\/archivo\//.test(l.href)).map((l) => l.href);
	await look(people, papers[0], 'document-pdf');
	await look(people, papers[1], 'document-picture');
	await operator.accept();
	await look(people, at('/cita'), 'slot');
	await look(people, at('/contacto'), 'attempt');
	expect(await operator.agree(), 200);
	await look(people, at(), 'case-scheduled');
	await look(people, at('/identificacion'), 'identify');
	await look(people, at('/documento/face'), 'face');
	await look(people, at('/documento/second_cedula'), 'second-cedula');
	expect(await applicant.upload('second_cedula', files.cedulaPdf()), 303);
	await (await applicant.see()).form(/consentimiento$/).submit();
	expect(await operator.identify(), 200);
	await look(people, at('/emitir'), 'issue-waiting');
	expect(await applicant.acceptFields(), 200);
	await look(people, at('/emitir'), 'issue');
	expect(await operator.issue(), 200);
	await operator.openingCode();
	await look(people, at('/emitido'), 'issued');
	await look(people, at(), 'case-issued');
	for (const person of people) await person.close();
});

test('the pages of the other offices', async () => {
	const order = applicant.orderPath;
	for (const [login, ...paths] of [['finanzas', '/finanzas', '/ordenes', order, `${order}/factura`], ['administrador', '/personal'], ['director.pichincha', '/contratos'], ['auditor', '/registro'], ['central', '/casos']]) {
		const person = await atDesk(login, { width: 390 });
		for (const path of paths) await person.go(path, path.slice(1));
		await person.close();
	}
});

test('the face is captured from the window of the call, and pasted', async () => {
	const second = new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' });
	await second.apply();
	const desk = Object.assign(Object.create(Object.getPrototypeOf(operator)), operator);
	await desk.find(second.number);
	await desk.take();
	await desk.accept();
	expect(await desk.agree(), 200);

	const person = await withSession(session(), { width: 1280 });
	// The window that the operator would choose: a still of 720 × 560.
	await person.page.addInitScript(() => {
		navigator.mediaDevices.getDisplayMedia = async () => {
			const canvas = document.createElement('canvas');
			[canvas.width, canvas.height] = [720, 560];
			const ctx = canvas.getContext('2d');
			const draw = () => {
				ctx.fillStyle = '#f4f4f0';
				ctx.fillRect(0, 0, 720, 560);
				ctx.fillStyle = '#d9a98a';
				ctx.fillRect(260, 140, 200, 260);
			};
			draw();
			setInterval(draw, 40);
			return canvas.captureStream(25);
		};
	});
	await person.go(`${icert.desk}${desk.path}/documento/face`);
	await person.page.getByRole('button', { name: 'Capturar la ventana' }).click();
	await person.page.locator('img[alt="Captura por cargar"]').waitFor({ state: 'visible' });
	await person.press('Cargar');
	assert.match(person.path, /identificacion$/);
	const viewer = await (await desk.see()).click(/^Captura/);
	const image = await desk.client.get(elements(viewer.html, 'img')[0].attributes.src);
	assert.deepEqual(jpegSize(image.body), { width: 720, height: 560 });

	await person.go(`${icert.desk}${desk.path}/documento/face`);
	const png = files.photoPng(800, 600).data.toString('base64');
	await person.page.evaluate((data) => {
		const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
		const list = new DataTransfer();
		list.items.add(new File([bytes], 'image.png', { type: 'image/png' }));
		document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: list, bubbles: true }));
	}, png);
	await person.press('Cargar');
	assert.match(person.path, /identificacion$/);
	assert.match((await (await desk.see()).click(/^Captura/)).html, /width="800" height="600"/);
	await person.close();
	second.close();
});
