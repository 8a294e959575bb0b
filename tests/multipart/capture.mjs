// What real clients send, written down as cases: node tests/multipart/capture.mjs [FOLDER].
// Only bodies and headers: what they must mean stands in each case's "expected", by hand.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const into = process.argv[2] ?? join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'cases/clients');
const folder = mkdtempSync(join(tmpdir(), 'icert-capture-'));
const pdf = Buffer.from('%PDF-1.4\r\n--\r\n\0\xff\r\n--x\n%%EOF\n', 'latin1');
const names = { plain: 'scan.pdf', spanish: 'cédula Ñandú.pdf', quote: 'a "b" c.pdf', backslash: 'a\\b.pdf', empty: 'empty.pdf' };
const paths = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, join(folder, name)]));
for (const [key, path] of Object.entries(paths)) writeFileSync(path, key === 'empty' ? '' : pdf);

let taken;
const page = `<!doctype html><meta charset="utf-8"><form method="post" action="/taken" enctype="multipart/form-data">
<textarea name="note"></textarea><input name="ñ &quot;q&quot;" value="1"><input name="none" value="">
<input type="file" name="one"><input type="file" name="many" multiple><input type="file" name="left"><button>x</button></form>`;
const server = createServer((req, res) => {
	if (req.method === 'GET') return res.setHeader('Content-Type', 'text/html').end(page);
	const chunks = [];
	return req.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
		taken = { type: req.headers['content-type'], body: Buffer.concat(chunks) };
		res.end('ok');
	});
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/taken`;

async function capture(name, send) {
	taken = null;
	await send();
	if (!taken) throw new Error(`${name} sent nothing`);
	const to = join(into, name);
	mkdirSync(to, { recursive: true });
	writeFileSync(join(to, 'headers'), `Content-Type: ${taken.type}\n`);
	writeFileSync(join(to, 'body'), taken.body);
	process.stdout.write(`${name}: ${taken.body.length} octets\n`);
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium-headless-shell', args: ['--no-sandbox'] });
try {
	const tab = await browser.newPage();
	const form = async (one, many) => {
		await tab.goto(url);
		await tab.fill('[name=note]', 'línea 1\nlínea 2');
		if (one) await tab.setInputFiles('[name=one]', one);
		if (many) await tab.setInputFiles('[name=many]', many);
		await Promise.all([tab.waitForNavigation(), tab.click('button')]);
	};
	await capture('chromium-form', () => form(paths.plain));
	await capture('chromium-form-names', () => form(paths.spanish, [paths.quote, paths.backslash]));
	await capture('chromium-form-nothing', () => form());
	await capture('chromium-form-empty-file', () => form(paths.empty));
	await capture('chromium-fetch', () => tab.evaluate(async (octets) => {
		const data = new FormData();
		data.append('note', 'línea 1\nlínea 2');
		data.append('a\r\nb', '1');
		data.append('one', new File([new Uint8Array(octets)], 'scan\n1.pdf', { type: 'application/pdf' }));
		data.append('two', new Blob([new Uint8Array(octets)]));
		await fetch('/taken', { method: 'POST', body: data });
	}, [...pdf]));

	await capture('node-fetch', () => {
		const data = new FormData();
		data.append('note', 'línea 1\nlínea 2');
		data.append('ñ "q"', '1');
		data.append('one', new File([pdf], names.spanish, { type: 'application/pdf' }));
		data.append('two', new Blob([pdf]));
		data.append('three', new File([pdf], 'a\r\nb".pdf'));
		return fetch(url, { method: 'POST', body: data });
	});

	const curl = (...args) => run('curl', ['-sS', '-H', 'Expect:', ...args, url]);
	await capture('curl-form', () => curl('-F', 'note=línea 1\nlínea 2', '-F', 'none=', '-F', `one=@${paths.plain}`));
	await capture('curl-form-names', () => curl('-F', 'ñ "q"=1', '-F', `one=@${paths.spanish}`, '-F', `two=@"${paths.quote.replaceAll('"', '\\"')}";type=application/pdf`));
	await capture('curl-form-escape', () => curl('--form-escape', '-F', 'ñ "q"=1', '-F', `two=@"${paths.quote.replaceAll('"', '\\"')}"`));
	await capture('curl-form-headers', () => curl('-F', 'a=1;headers="X-Extra: y"', '-F', `one=@${paths.plain};filename=other.pdf;headers="X-Extra: z"`));
	await capture('curl-form-encoder', () => curl('-F', `one=@${paths.plain};encoder=base64`));
	await capture('curl-form-two-files', () => curl('-F', `one=@${paths.plain},${paths.spanish}`));

	const python = (text) => run('python3', ['-c', `import requests, sys\nurl, plain, spanish, quote = sys.argv[1:]\n${text}`, url, paths.plain, paths.spanish, paths.quote]);
	await capture('python-requests', () => python('requests.post(url, data={"note": "línea 1\\nlínea 2", "none": ""}, files={"one": open(plain, "rb")})'));
	await capture('python-requests-names', () => python('requests.post(url, data={"ñ \\"q\\"": "1"}, files={"one": open(spanish, "rb"), "two": open(quote, "rb")})'));
	await capture('python-requests-fields', () => python('requests.post(url, files={"a": (None, "1"), "b": (None, "2", "text/plain")})'));
	await capture('python-requests-several', () => python('requests.post(url, files=[("one", ("x.pdf", open(plain, "rb"), "application/pdf", {"X-Extra": "y"})), ("one", ("y.pdf", open(plain, "rb")))])'));
} finally {
	await browser.close();
	server.close();
	rmSync(folder, { recursive: true, force: true });
}
