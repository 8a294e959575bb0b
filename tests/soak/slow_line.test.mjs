// A file over a phone's worst line, in Chromium and over HTTP/2: a minute and more, one try, and the page.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Line } from '../lib/line.mjs';
import * as files from '../lib/files.mjs';
import { Person, closeBrowser, openBrowser } from '../browser/walk.mjs';

let icert;
let line;
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

// With the script, questions asked ahead are answered meanwhile; without it nothing but the edge's own frames tells Chromium that somebody is there.
for (const javaScript of [true, false]) {
	test(`1.9 MB at 30 KB/s arrive at the first try, ${javaScript ? 'with' : 'without'} JavaScript`, async () => {
		const person = await new Person(icert, { width: 380, javaScript }).open();
		const { page } = person;
		await person.buy();
		await page.goto(`${person.order}/comprobante`);
		const { filename, type, data, bytes } = files.pdfOfSize(1_900_000);
		await page.setInputFiles('#file', { name: filename, mimeType: type, buffer: data ?? bytes });
		const failed = [];
		page.on('requestfailed', (request) => { if (request.method() === 'POST') failed.push(request.failure().errorText); });
		await line.rate(30_000);
		await page.locator('main [type=submit]').click({ noWaitAfter: true });
		// Chromium tries three times by itself, each from the beginning: one try takes 64 seconds, a second would not be done by then.
		await page.waitForURL((url) => !url.pathname.endsWith('/comprobante'), { timeout: 85_000 });
		assert.deepEqual(failed, []);
		await line.rate(0);
		await person.close();
	});
}
