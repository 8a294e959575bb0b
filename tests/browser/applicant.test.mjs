// The applicant's part in Chromium: with and without JavaScript, on a phone and on a desktop.
import { test, before, after } from 'node:test';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import assert from 'node:assert/strict';
import { until } from '../lib/http.mjs';
import { startInstance } from '../lib/instance.mjs';
import * as files from '../lib/files.mjs';
import { openssl } from '../lib/tools.mjs';
import { Operator } from '../system/walk.mjs';
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
		await person.go('/donde-sirve', 'uses');
		await person.press('centro de descargas', 'downloads');
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

/** A PNG of noise: nothing compresses it, as with a large photograph. */
function noisePng(side) {
	const rows = Buffer.alloc(side * (side * 3 + 1));
	for (let y = 0; y < side; y++) randomFillSync(rows, y * (side * 3 + 1) + 1, side * 3);
	const chunk = (type, data) => {
		const body = Buffer.concat([Buffer.from(type), data]);
		const out = Buffer.alloc(8);
		out.writeUInt32BE(data.length);
		out.writeUInt32BE(crc32(body), 4);
		return Buffer.concat([out.subarray(0, 4), body, out.subarray(4)]);
	};
	const header = Buffer.alloc(13);
	header.writeUInt32BE(side);
	header.writeUInt32BE(side, 4);
	header.set([8, 2, 0, 0, 0], 8);
	return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))]);
}

function crc32(bytes) {
	let crc = ~0;
	for (const byte of bytes) {
		crc ^= byte;
		for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc >>> 0;
}

test('a photograph above 2 MB is shrunk in the browser; a PDF above it is refused there', async () => {
	const person = await new Person(icert).open();
	await person.buy();
	await person.pay();
	await person.answer();
	await person.press('Cédula o pasaporte');
	const { page } = person;
	const big = noisePng(1100);
	assert.ok(big.length > files.LIMIT);
	await page.evaluate(() => document.querySelector('#file').addEventListener('change', (event) => { globalThis.large = event.target.files[0]; }, { once: true, capture: true }));
	await page.setInputFiles('#file', { name: 'foto.png', mimeType: 'image/png', buffer: big });
	await until(() => page.evaluate(() => document.querySelector('#file').files[0]?.type === 'image/jpeg'), { timeout: 30_000 });
	assert.ok(await page.evaluate(() => document.querySelector('#file').files[0].size) <= files.LIMIT);
	// Whoever presses before it is ready sends what it has become, and not the large one.
	assert.equal(await page.evaluate(() => {
		const input = document.querySelector('#file');
		const list = new DataTransfer();
		list.items.add(globalThis.large);
		input.files = list.files;
		input.dispatchEvent(new Event('change'));
		document.querySelector('main [type=submit]').click();
		return document.querySelector('[data-sending-words]').textContent;
	}), 'Reduciendo la fotografía; se enviará enseguida.');
	await page.waitForURL(/documentos\?/);
	await person.check('upload-shrunk');
	assert.match(person.path, /\/documentos$/);

	await person.press('Planilla');
	const large = files.tooLarge();
	await page.setInputFiles('#file', { name: large.filename, mimeType: large.type, buffer: large.data ?? large.bytes });
	await until(() => page.evaluate(() => document.querySelector('#file-error').textContent !== ''));
	assert.equal(await page.evaluate(() => document.querySelector('#file').files.length), 0);
	await person.check('upload-too-large');
	await person.close();
});

for (const options of [{ javaScript: true, width: 390 }, { javaScript: false, width: 320 }]) {
	test(`from submitted to revoked: ${options.width} px, ${options.javaScript ? 'with' : 'without'} JavaScript`, async () => {
		const person = await new Person(icert, options).open();
		await person.buy();
		await person.pay();
		await person.answer();
		await person.documents(documents());
		await person.submit();
		const number = (await person.page.textContent('main')).match(/\d{2}-\d{4}-\d{6}-\d/)[0];

		const operator = new Operator(icert);
		await operator.signIn();
		await operator.find(number);
		await operator.take();
		await operator.observe({ 'form.address': 'Falta el número de la casa.', 'document.voting': 'La fotografía está borrosa.' });
		await person.mend({ address: 'Av. Amazonas N23-45, casa 7', voting: files.votingJpeg() });
		await operator.accept();
		await operator.propose();
		await person.confirmSlot();
		await person.prepare(files.cedulaPdf());
		await operator.identify();
		await person.acceptFields();
		await operator.issue();
		const code = await operator.openingCode();

		const pkcs12 = await person.download();
		const { password } = await person.openEnvelope(code);
		assert.match(password, /^[A-Z0-9-]{20,}$/);
		const dir = mkdtempSync(join(tmpdir(), 'icert-browser-'));
		try {
			writeFileSync(join(dir, 'c.p12'), pkcs12);
			const opened = openssl(['pkcs12', '-in', join(dir, 'c.p12'), '-passin', `pass:${password}`, '-nokeys', '-clcerts']);
			assert.equal(opened.status, 0, opened.stderr);
		} finally {
			rmSync(dir, { recursive: true });
		}
		await person.keptEnvelope();
		await person.revoke();
		assert.match(await person.heading, /revocado/);
		operator.close();
		await person.close();
	});
}
