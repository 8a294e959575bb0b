// The applicant's steps in a browser.  check() is called on every page.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { MailBox } from '../lib/mail.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let browser;
export async function openBrowser(...args) {
	browser ??= await chromium.launch({ executablePath: '/usr/bin/chromium-headless-shell', args: ['--no-sandbox', ...args] });
	return browser;
}
export async function closeBrowser() {
	await browser?.close();
	browser = undefined;
}

/** What axe-core leaves to people: a name that two elements have, one that none has, and a page without its one heading. */
function faults() {
	const found = [];
	const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
	for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) found.push(`two elements are #${id}`);
	const named = (selector, of) => [...document.querySelectorAll(selector)].flatMap(of).filter((id) => id && !document.getElementById(id));
	for (const id of named('[aria-describedby]', (e) => e.getAttribute('aria-describedby').split(/\s+/))) found.push(`described by #${id}, which is not there`);
	for (const id of named('a[href^="#"]', (e) => e.getAttribute('href').slice(1))) found.push(`a link to #${id}, which is not there`);
	// A word or an order's number that a narrow place breaks in two; an address may be.
	const range = document.createRange();
	for (const e of document.querySelectorAll('main :is(h1, h2, h3, dt, th, legend, label, button, a)')) {
		const texts = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
		for (let node = texts.nextNode(); node && e.checkVisibility(); node = texts.nextNode()) {
			for (const { 0: word, index } of node.data.matchAll(/P-\d{4}-\d{6}-\d|(?<![\p{L}\p{N}@._-])\p{L}{2,20}(?![\p{L}\p{N}@_-]|\.\p{L})/gu)) {
				range.setStart(node, index);
				range.setEnd(node, index + word.length);
				const tops = new Set([...range.getClientRects()].map((r) => Math.round(r.top / 8)));
				if (tops.size > 1) found.push(`“${word}” is broken in two`);
			}
		}
	}
	const headings = document.querySelectorAll('h1').length;
	if (headings !== 1) found.push(`${headings} first headings`);
	return found;
}

/** One person at one browser. */
export class Person {
	constructor(icert, { javaScript = true, width = 390, shots } = {}) {
		Object.assign(this, { icert, javaScript, width, shots });
		this.mail = new MailBox(icert.mail);
		this.email = `persona.${Math.random().toString(36).slice(2, 10)}@correo.example`;
		this.problems = [];
		this.seen = new Set();
	}

	async open() {
		this.context = await (await openBrowser()).newContext({
			ignoreHTTPSErrors: true, javaScriptEnabled: this.javaScript, viewport: { width: this.width, height: 800 }, locale: 'es-EC',
		});
		this.page = await this.context.newPage();
		this.page.setDefaultTimeout(60_000);
		this.page.on('console', (m) => {
			if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) this.problems.push(`console: ${m.text()}`);
		});
		this.page.on('pageerror', (e) => this.problems.push(`script: ${e.message}`));
		return this;
	}

	async close() {
		await this.context.close();
		assert.deepEqual(this.problems, []);
	}

	/** Looks at the page that is open: axe-core, and that nothing is wider than the screen. */
	async check(name) {
		if (this.seen.has(name)) return;
		this.seen.add(name);
		const html = await this.page.content();
		const url = this.page.url();
		if (this.shots) await this.page.screenshot({ path: `${this.shots}/${name}-${this.width}${this.javaScript ? '' : '-nojs'}.png`, fullPage: true });
		// axe-core runs in a second page that may run scripts: the policy of ours allows none of others.
		this.looker ??= await (await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true, viewport: { width: this.width, height: 800 } })).newPage();
		await this.looker.route(url, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
		await this.looker.goto(url);
		await this.looker.unroute(url);
		await this.looker.evaluate(axe);
		const { violations } = await this.looker.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), RULES);
		for (const v of violations) this.problems.push(`${name}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
		for (const fault of await this.looker.evaluate(faults)) this.problems.push(`${name}: ${fault}`);
		const wide = await this.looker.evaluate(() => document.documentElement.scrollWidth - innerWidth);
		if (wide > 0) this.problems.push(`${name}: ${wide} pixels wider than the screen`);
	}

	async go(path, name) {
		await this.page.goto(path.startsWith('/') ? this.icert.portal + path : path);
		if (name) await this.check(name);
	}

	/** Presses a button or follows a link by its text, and waits for the next page. */
	async press(text, name) {
		const main = this.page.locator('main');
		const target = main.getByRole('button', { name: text, exact: false }).or(main.getByRole('link', { name: text, exact: false })).first();
		await Promise.all([this.page.waitForNavigation(), target.click()]);
		if (name) await this.check(name);
	}

	async fill(fields) {
		for (const [id, value] of Object.entries(fields)) await this.page.fill(`#${id}`, value);
	}

	async choose(name, value) {
		await this.page.check(`input[name="${name}"][value="${value}"]`);
	}

	get path() {
		return new URL(this.page.url()).pathname;
	}

	get heading() {
		return this.page.textContent('h1');
	}

	// --- the steps ----------------------------------------------------------

	async signIn() {
		const before = (await this.mail.list({ to: this.email })).length;
		await this.fill({ email: this.email });
		await this.press('Enviar el código', 'code');
		const mails = await this.waitMails(before + 1);
		await this.fill({ code: mails.at(-1).code(6) });
		await this.press('Continuar');
	}

	async waitMails(count, subject = /./) {
		for (let tries = 0; tries < 400; tries++) {
			const mails = await this.mail.list({ to: this.email, subject });
			if (mails.length >= count) return mails;
			await new Promise((resolve) => setTimeout(resolve, 150));
		}
		throw new Error(`no mail to ${this.email}`);
	}

	async buy() {
		await this.go('/', 'home');
		await this.press('Ver tarifas', 'tariff');
		await this.press('Comprar', 'login');
		await this.signIn();
		await this.check('billing');
		await this.choose('for_me', 'yes');
		await this.choose('id_kind', 'cedula');
		await this.fill({ id_number: '1710034065', name: 'María Ñusta Peñafiel', address: 'Av. Amazonas N23-45', telephone: '099 123 4567' });
		await this.press('Continuar al pago', 'order');
		this.order = this.page.url();
		// The way to the gateway is a page of ours that goes on by itself.
		await this.press('Pagar');
		await this.page.waitForURL(`${this.icert.gateway}/**`);
	}

	/** At the simulator's own page. */
	async pay() {
		await Promise.all([this.page.waitForURL(`${this.icert.portal}/**`), this.page.locator('form[action$="/aprobar"] button').click()]);
		for (let tries = 0; tries < 240; tries++) {
			if (await this.page.getByRole('button', { name: 'Empezar la solicitud' }).count()) return;
			await this.page.waitForTimeout(250);
			await this.page.goto(this.order);
		}
		throw new Error('the payment was not noticed');
	}

	async answer() {
		await this.check('order-paid');
		await this.press('Empezar la solicitud');
		const steps = {
			identidad: async () => { await this.choose('id_kind', 'cedula'); await this.fill({ id_number: '1710034065' }); },
			nombres: () => this.fill({ given_names: 'María Ñusta', surname1: 'Peñafiel', surname2: '' }),
			domicilio: async () => { await this.page.selectOption('#province', '17'); await this.fill({ city: 'Quito', address: 'Av. Amazonas N23-45 y Veintimilla' }); },
			telefono: () => this.fill({ telephone: '099 123 4567' }),
			ruc: async () => { await this.choose('invoices', 'yes'); await this.fill({ ruc: '1710034065001' }); },
			votacion: () => this.choose('voting_paper', 'certificate'),
			privacidad: () => this.page.check('#privacy'),
		};
		for (let n = 0; n < 10 && !this.path.endsWith('/documentos'); n++) {
			const step = this.path.split('/').at(-1);
			assert.ok(steps[step], `an unknown step: ${this.path}`);
			await this.check(`step-${step}`);
			await steps[step]();
			await this.press('Guardar y continuar');
		}
		this.application = this.path.split('/')[2];
	}

	async upload(link, file, name) {
		await this.press(link, name);
		await this.page.setInputFiles('#file', { name: file.filename, mimeType: file.type, buffer: file.bytes ?? file.data });
		await this.press('Cargar');
	}

	async documents({ cedula, voting, utility }) {
		await this.check('documents');
		await this.upload('Cédula o pasaporte', cedula, 'upload');
		await this.upload('Certificado de votación', voting);
		await this.upload('Planilla', utility);
		await this.check('documents-done');
		await this.press('Continuar al resumen', 'summary');
	}

	async submit() {
		await this.press('Enviar la solicitud', 'submitted');
	}

	/** The case's own page. */
	async see(name) {
		await this.go(`/tramite/${this.application}`, name);
	}

	/** What the operator named is mended and sent back. */
	async mend({ address, voting }) {
		await this.see('observed');
		await this.press('Dirección');
		await this.fill({ address });
		await this.press('Guardar y continuar', 'mended-one');
		await this.upload('Certificado de votación', voting);
		await this.press('Enviar las correcciones', 'mended');
	}

	async confirmSlot() {
		await this.see('slot-proposed');
		await this.press('Confirmar esta hora', 'slot-confirmed');
	}

	async prepare(cedula) {
		await this.upload('segunda copia', cedula, 'second-cedula');
		await this.press('Acepto', 'prepared');
	}

	async acceptFields() {
		await this.see();
		await this.press('Aceptar los datos exactos', 'fields');
		await this.page.check('#understood');
		await this.press('Acepto estos datos', 'fields-accepted');
	}

	/** The file, as a browser saves it. */
	async download() {
		const link = this.page.getByRole('link', { name: 'Descargar el archivo' });
		// Its status is published first; without scripts a person reloads the page.
		for (let tries = 0; tries < 240; tries++) {
			await this.see();
			if (await link.count()) break;
			await this.page.waitForTimeout(250);
		}
		await this.check('issued');
		const [file] = await Promise.all([this.page.waitForEvent('download'), link.click()]);
		return readFileSync(await file.path());
	}

	async openEnvelope(code) {
		await this.see();
		await this.press('Abrir el sobre', 'envelope');
		await this.fill({ code });
		await this.press('Abrir el sobre', 'envelope-open');
		return { password: (await this.page.textContent('#clave')).trim(), revocationCode: (await this.page.textContent('#codigo-revocacion')).trim() };
	}

	async keptEnvelope() {
		await this.press('Ya lo guardé', 'envelope-kept');
	}

	async revoke() {
		await this.see();
		await this.press('Revocar mi certificado', 'revoke');
		await this.choose('reason', 'key_compromise');
		await this.page.check('#sure');
		await this.press('Revocar ahora', 'revoked');
	}
}
