// An upload over a slow line, as its sender sees it: how far it has come, what is said when the line is lost, and the page that answers.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import { Line } from '../lib/line.mjs';
import { Person, closeBrowser, openBrowser } from './walk.mjs';

const shots = process.env.SHOTS;

let line;
let icert;
before(async () => {
	icert = await startInstance();
	line = await Line.to(icert.portBase);
	await openBrowser(`--host-resolver-rules=MAP localhost:${icert.portBase} 127.0.0.1:${line.port}`);
});
after(async () => {
	await closeBrowser();
	await line?.close();
	await icert?.stop();
});

const large = files.pdfOfSize(1_900_000);
const chosen = ({ filename, type, data, bytes }) => ({ name: filename, mimeType: type, buffer: data ?? bytes });

/** A person at the page that takes a receipt; `shown` gathers what it shows while it sends. */
async function atReceipt(options) {
	const person = await new Person(icert, { shots, ...options }).open();
	await person.buy();
	await person.page.goto(`${person.order}/comprobante`);
	person.shown = [];
	await person.page.exposeFunction('shows', (share, text) => person.shown.push({ share, text }));
	return person;
}

/**
 * Chromium lets nobody look into a page that waits for the next one: the page itself tells what it shows, and
 * does, once a part of the file has come, what its person does: presses a selector, or hears of an event.
 */
async function begin({ page }, { file = large, presses, hears } = {}) {
	await page.setInputFiles('#file', chosen(file));
	await page.evaluate(({ presses, hears }) => {
		const words = document.querySelector('[data-sending-words]');
		const bar = document.querySelector('progress');
		let act = () => {
			if (presses) document.querySelector(presses).click();
			if (hears) dispatchEvent(new Event(hears));
		};
		new MutationObserver(() => {
			globalThis.shows(bar.position, words.textContent);
			if (bar.position > 0.02 && act) {
				act();
				act = undefined;
			}
		}).observe(words, { childList: true });
		document.querySelector('main [type=submit]').click();
	}, { presses, hears });
}

const told = (person, pattern) => until(() => person.shown.find(({ text }) => pattern.test(text)), { every: 50, what: pattern.source });

/** Pictures of a page that waits for the next one. */
async function picture(person, name) {
	if (!shots) return undefined;
	const tools = await person.context.newCDPSession(person.page);
	let last;
	tools.on('Page.screencastFrame', ({ data, sessionId }) => {
		last = data;
		tools.send('Page.screencastFrameAck', { sessionId }).catch(() => {});
	});
	await tools.send('Page.startScreencast', { format: 'png' });
	return { async save() { writeFileSync(`${shots}/${name}-${person.width}.png`, Buffer.from(last, 'base64')); await tools.detach(); } };
}

for (const width of shots ? [380, 1280] : [380]) {
	test(`what has come grows until the next page: ${width} px`, async () => {
		const person = await atReceipt({ width });
		const { page } = person;
		const asked = [];
		let posts = 0;
		page.on('request', (request) => {
			// Before the file, not behind it: a slow line would hold them back.
			if (request.url().includes('/envio?') && (posts === 0 || asked.length > 0)) asked.push(new URL(request.url()).searchParams.get('envio'));
			if (request.method() === 'POST') posts++;
		});
		await line.rate(150_000);
		const film = await picture(person, 'sending');
		// A second press sends nothing.
		await begin(person, { presses: 'main [type=submit]' });
		await told(person, /^Enviando… \d,\d de 1,8 MB; falta.*\.$/);
		await film?.save();
		await page.waitForURL((url) => !url.pathname.endsWith('/comprobante'));
		await line.rate(0);
		assert.equal(posts, 1);
		// Said once: the page that is loaded again says how the order is.
		await page.locator('.govuk-notification-banner').getByText('Recibimos el comprobante').waitFor();
		await page.reload();
		assert.equal(await page.locator('.govuk-notification-banner').count(), 0);
		assert.match(await page.textContent('main'), /comprobante/i);
		const shares = person.shown.map(({ share }) => share).filter((share) => share >= 0);
		assert.ok(new Set(shares).size > 1 && shares[0] < 0.9, String(shares));
		assert.deepEqual(shares, shares.toSorted((a, b) => a - b));
		assert.match(asked[0], /^[0-9a-f]{32}$/);
		assert.equal(new Set(asked).size, 1);
		assert.ok(asked.length >= 24, String(asked.length));
		// The next upload of the same form has nothing to say of this one.
		await page.goto(`${person.order}/comprobante`);
		assert.equal(await page.locator('[data-sending]').isVisible(), false);
		// What the script refuses looks as what the server refuses, until another file is chosen.
		const wrong = page.locator('.govuk-form-group--error .govuk-file-upload--error[aria-invalid]');
		await page.setInputFiles('#file', chosen(files.tooLarge()));
		await wrong.waitFor();
		await person.check('too-large-here');
		await page.setInputFiles('#file', chosen(large));
		await wrong.waitFor({ state: 'detached' });
		await person.close();
	});
}

test('the line is lost: in words, and again after coming back; cancelled, sent again, refused', async () => {
	const person = await atReceipt({ width: 380 });
	const { page } = person;
	const words = page.locator('[data-sending-words]');
	await line.rate(100_000);
	await begin(person, { hears: 'offline' });
	await told(person, /Se perdió la conexión.*no se pierde/);
	// It was not: the next answer says how far it is.
	await until(() => /^Enviando/.test(person.shown.at(-1).text), { every: 50, what: 'the line again' });
	const lost = page.waitForEvent('requestfailed', (request) => request.method() === 'POST');
	await line.cut();
	await lost;
	await page.waitForURL('chrome-error://**', { waitUntil: 'commit' });
	await line.rate(0);
	await line.join();
	// What was asked over the line that was cut.
	person.problems = person.problems.filter((problem) => !/net::ERR_CONNECTION_(RESET|CLOSED)/.test(problem));
	await until(() => page.goBack().then(() => true), { every: 50, what: 'the page before' });
	await until(async () => /Se cortó el envío anterior/.test(await words.textContent()), { every: 50, what: 'what became of it' });
	await person.check('sending-cut');

	await line.rate(100_000);
	await begin(person, { presses: '[data-sending-cancel]' });
	await told(person, /canceló/);
	await person.check('sending-cancelled');
	await line.rate(0);
	await begin(person, { file: files.renamedExe() });
	await page.waitForSelector('.govuk-error-message:not(:empty)');
	await person.check('sending-refused');
	assert.equal(await page.locator('[data-sending]').isVisible(), false);
	await begin(person);
	await page.waitForURL((url) => !url.pathname.endsWith('/comprobante'));
	await person.close();
});

test('without JavaScript the form is as it was', async () => {
	const person = await new Person(icert, { shots, width: 320, javaScript: false }).open();
	await person.buy();
	await person.page.goto(`${person.order}/comprobante`);
	await person.check('receipt');
	assert.equal(await person.page.locator('progress').isVisible(), false);
	await person.page.setInputFiles('#file', chosen(large));
	await person.press('Cargar el comprobante', 'receipt-kept');
	assert.doesNotMatch(person.page.url(), /envio/);
	await person.close();
});

// The line is as quick as it can be: the answer leaves while the browser still sends, and must not be lost to that.
for (const protocol of ['h2', 'http/1.1']) {
	test(`a file of 20 MB and one of 100 MB are refused with the page, over ${protocol}`, async () => {
		const folder = mkdtempSync(join(tmpdir(), 'icert-large-'));
		await closeBrowser();
		await openBrowser(...protocol === 'h2' ? [] : ['--disable-http2']);
		const person = await new Person(icert, { shots, width: 380, javaScript: false }).open();
		try {
			await person.buy();
			const tools = await person.context.newCDPSession(person.page);
			const protocols = [];
			tools.on('Network.responseReceived', ({ response }) => { if (response.status === 413) protocols.push(response.protocol); });
			await tools.send('Network.enable');
			// The one at the octet that is too many for a file, the other by its length.
			for (const megabytes of [20, 100]) {
				const file = join(folder, `${megabytes}.pdf`);
				writeFileSync(file, '%PDF-1.7\n');
				truncateSync(file, megabytes << 20);
				await person.page.goto(`${person.order}/comprobante`);
				await person.page.setInputFiles('#file', file);
				const [answer] = await Promise.all([
					person.page.waitForResponse((response) => response.request().method() === 'POST'),
					person.page.waitForNavigation(),
					person.page.locator('main [type=submit]').click(),
				]);
				assert.equal(answer.status(), 413);
				assert.deepEqual(protocols.splice(0), [protocol]);
				assert.match(await person.page.textContent('main'), /2 MB/);
				await person.check(`too-large-${megabytes}`);
			}
		} finally { rmSync(folder, { recursive: true, force: true }); }
		await person.close();
	});
}
