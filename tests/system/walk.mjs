// The published path as two people walk it over HTTPS: an applicant at the
// portal and an operator at the desk.  Steps only; what they prove stands in the tests.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import * as files from '../lib/files.mjs';
import { visibleText } from '../lib/html.mjs';
import { identityOf } from '../lib/pdf.mjs';

let people = 0;

/** What the sample applicant types; each test changes what it is about. */
export const sample = {
	id_kind: 'cedula', id_number: '1710034065', given_names: 'José María', surname1: 'Muñoz', surname2: 'Peñafiel',
	province: '17', city: 'Quito', address: 'Av. 10 de Agosto N24-120 y Colón', telephone: '099 123 4567',
	invoices: 'yes', ruc: '1710034065001', voting_paper: 'certificate', voting_reason: '',
};

/** Which page of the form asks for what. */
const steps = {
	identidad: ['id_kind', 'id_number'], nombres: ['given_names', 'surname1', 'surname2'],
	domicilio: ['province', 'city', 'address'], telefono: ['telephone'], ruc: ['invoices', 'ruc'],
	votacion: ['voting_paper', 'voting_reason'],
};

/** A page that came as wanted, or an error that says what came instead. */
export function expect(page, status, what = '') {
	if (page.status !== status)
		throw new Error(`${what} ${page.path}: ${page.status} instead of ${status}: ${page.errors.join(' | ') || page.main.slice(0, 500)}`);
	return page;
}

export class Applicant {
	constructor(icert, data = {}) {
		this.icert = icert;
		this.data = { ...sample, ...data };
		this.mail = new MailBox(icert.mail);
		this.email = `persona${++people}.${Date.now().toString(36)}@correo.example`;
		this.client = new Client({ base: icert.portal, ca: icert.ca });
	}

	async signIn(next = '/mi-tramite') {
		const known = await this.mail.list({ to: this.email });
		const asked = expect(await (await this.client.visit(next)).form(/entrar/).submit({ email: this.email }), 200, 'code');
		const mail = await this.mail.wait({ to: this.email, subject: /código/i, known });
		return asked.form(/codigo/).submit({ code: mail.code(6) });
	}

	/** Tariff, mailbox, billing data: an order. */
	async order() {
		const tariff = await this.client.visit('/tarifas');
		const path = this.product ? tariff.html.match(new RegExp(`${this.product}[\\s\\S]*?href="(/comprar/[^"]+)"`))[1]
			: new URL(tariff.link(/Comprar/)).pathname;
		const form = await this.signIn(path);
		const page = expect(await form.form(/comprar/).submit({
			for_me: 'yes', id_kind: this.data.id_kind, id_number: this.data.id_number,
			name: `${this.data.given_names} ${this.data.surname1}`, address: this.data.address, telephone: this.data.telephone, email: this.data.invoice_email ?? '',
		}), 200, 'order');
		this.orderPath = page.path.split('?')[0];
		return page;
	}

	/** The simulator's own checkout page; the notification comes by itself. */
	async approve() {
		const gateway = await (await this.client.visit(this.orderPath)).form(/pagar/).submit();
		this.gatewayPage = await this.client.visit(gateway.link(/Ir a la página/));
		return this.gatewayPage.form(/aprobar/).submit();
	}

	async pay() {
		await this.approve();
		return until(async () => {
			const page = await this.client.visit(this.orderPath);
			return page.forms.some((f) => /solicitud$/.test(f.action)) && page;
		}, { what: 'the payment' });
	}

	async begin() {
		const page = await (await this.client.visit(this.orderPath)).form(/solicitud$/).submit();
		this.id = page.path.split('/')[2].split('?')[0];
		return page;
	}

	async save(step, values) {
		const page = await (await this.client.visit(`/solicitud/${this.id}/${step}`)).form(new RegExp(`${step}$`)).submit(values);
		return expect(page, 200, step);
	}

	async answer() {
		for (const [step, names] of Object.entries(steps))
			await this.save(step, Object.fromEntries(names.map((name) => [name, this.data[name]])));
		return this.save('privacidad', { privacy: 'yes' });
	}

	async upload(kind, file) {
		const page = await this.client.visit(`/tramite/${this.id}/documento/${kind}`);
		return page.form(/documento/).send({ file });
	}

	async documents() {
		for (const [kind, file] of [['cedula', files.cedulaPdf()], ['voting', files.votingJpeg()], ['utility', files.billPng()]])
			expect(await this.upload(kind, file), 303, kind);
	}

	async submit() {
		const page = await (await this.client.visit(`/solicitud/${this.id}/resumen`)).form(/enviar/).submit();
		expect(page, 200, 'submit');
		this.number = page.html.match(/\b\d{2}-\d{4}-\d{6}-\d\b/)[0];
		return page;
	}

	/** From nothing to submitted. */
	async apply() {
		await this.order();
		await this.pay();
		await this.begin();
		await this.answer();
		await this.documents();
		return this.submit();
	}

	see() { return this.client.visit(`/tramite/${this.id}`); }

	async acceptFields() {
		return (await this.client.visit(`/tramite/${this.id}/aceptar`)).form(/aceptar/).submit({ understood: 'yes' });
	}

	async openEnvelope(code) {
		return (await this.client.visit(`/tramite/${this.id}/sobre`)).form(/sobre/).submit({ code });
	}

	/** The form is there; what is returned presses its button. */
	async revocation(reason = 'not_needed') {
		const page = await this.client.visit(`/tramite/${this.id}/revocar`);
		const form = page.form(/revocar/);
		const values = Object.fromEntries([['reason', reason], ...Object.keys(form.choices).filter((n) => n !== 'reason').map((n) => [n, form.choices[n][0]])]);
		return () => form.submit(values);
	}

	async revoke(reason) { return (await this.revocation(reason))(); }

	/** The contract as it was sent, once it is there. */
	async contract() {
		await until(async () => /Contrato por firmar/.test((await this.see()).heading), { what: 'the contract' });
		return (await this.client.get(`/tramite/${this.id}/contrato.pdf`)).body;
	}

	/** The page after a returned contract was taken or refused. */
	async sendContract(pdf, name = 'contrato-signed.pdf') {
		const page = await this.client.visit(`/tramite/${this.id}/contrato`);
		return page.form(/\/contrato$/).submit({ file: { filename: name, type: 'application/pdf', data: pdf } });
	}

	close() { this.client.close(); }
}

export class Operator {
	constructor(icert, login = 'operador.pichincha') {
		this.icert = icert;
		this.account = icert.staff(login);
		this.client = new Client({ base: icert.desk, ca: icert.ca });
	}

	async signIn() {
		const page = await this.client.visit('/');
		return page.form(/entrar/).submit({
			user: this.account.login, password: this.account.password, code: await this.icert.totp(this.account.login),
		});
	}

	/** The row of a case leads to its page: in one of the lists, or searched for. */
	async find(number, list) {
		const page = list ? await this.client.visit(`/casos?lista=${list}`)
			: await (await this.client.visit('/casos')).form('Buscar').submit({ buscar: number });
		this.path = new URL(page.link(number)).pathname;
		return page.click(number);
	}

	see(rest = '') { return this.client.visit(this.path + rest); }
	async press(action, values, options) { return (await this.see()).form(action).submit(values, options); }
	take() { return this.press(/tomar$/); }
	accept() { return this.press(/admitir$/); }

	async observe(reasons) { return (await this.see('/corregir')).form(/corregir$/).submit(reasons); }

	/** An hour from now, in Ecuador's mainland. */
	slotFields({ ahead = 3600, ...more } = {}) {
		const local = new Date(Date.now() + (this.icert.ahead + ahead - 5 * 3600) * 1000).toISOString();
		return { day: local.slice(0, 10), hour: local.slice(11, 16), minutes: '30', mode: 'video', meeting: 'https://sala.example/abc', ...more };
	}

	async propose(fields) { return (await this.see('/cita')).form(/cita$/).submit(this.slotFields(fields), { button: 'propose' }); }
	async agree(fields) { return (await this.see('/cita')).form(/cita$/).submit(this.slotFields(fields), { button: 'agreed' }); }

	async upload(kind, file, more = {}) { return (await this.see(`/documento/${kind}`)).form(/documento/).send({ file, ...more }); }

	async tickAll() {
		const form = (await this.see('/identificacion')).form(/puntos$/);
		return form.submit(Object.fromEntries(Object.keys(form.choices).map((name) => [name, form.choices[name][0]])));
	}

	async confirmEnvelope() {
		const page = await this.see('/identificacion');
		return page.form(/sobre$/).submit({ envelope: page.main.match(/corresponde el sobre (\d{10})/)[1] });
	}

	/** Everything of the identification that is the operator's. */
	async identify(photo = files.photo()) {
		await this.tickAll();
		expect(await this.upload('face', photo), 303, 'face');
		await this.confirmEnvelope();
		return (await this.see('/identificacion')).form(/hecha$/).submit();
	}

	async issue() {
		return (await this.see('/emitir')).form(/emitir$/).submit({ code: await this.icert.totp(this.account.login) });
	}

	/** The page after issuing, once the certificate is there; then the code, once. */
	async openingCode() {
		const page = await until(async () => {
			const p = await this.see('/emitido');
			return p.forms.some((f) => /codigo$/.test(f.action)) && p;
		}, { timeout: 90_000, what: 'the certificate' });
		const shown = await page.form(/codigo$/).submit();
		return shown.main.match(/\b(\d{4}) (\d{4})\b/).slice(1).join('');
	}

	close() { this.client.close(); }
}

/** The director of a province, or who stands in: the queue of contracts. */
export class Director extends Operator {
	constructor(icert, login = 'director.pichincha') { super(icert, login); }

	queue() { return this.client.visit('/contratos'); }

	/** The page of one contract, once it is there. */
	async open(number) {
		const page = await until(async () => {
			const queue = await this.queue();
			return queue.main.includes(number) && queue;
		}, { what: `${number} in the director's queue` });
		this.path = new URL(page.link(number)).pathname;
		return this.see();
	}

	async download() { return (await this.client.get(`${this.path}/archivo`)).body; }

	async sendSigned(pdf, name = 'contrato-signed.pdf') {
		return (await this.see()).form(/\/contratos\/[0-9a-f-]+$/).submit({ file: { filename: name, type: 'application/pdf', data: pdf } });
	}

	async sendBack(words) { return (await this.see()).form(/devolver$/).submit({ words }); }

	/** The key and certificate registered on the account, as PEM files in a folder. */
	identity(folder) {
		const dir = join(folder, this.account.login);
		mkdirSync(dir, { recursive: true });
		return identityOf(this.account.p12, this.account.password, dir);
	}
}

/** The applicant's own key and certificate out of PKCS#12 and envelope, as PEM files in a folder. */
export async function holder(applicant, code, folder) {
	const file = expect(await (await applicant.see()).click(/PKCS#12/), 200, 'pkcs12');
	const shown = expect(await applicant.openEnvelope(code), 200, 'envelope');
	const [password] = [...shown.html.matchAll(/<(\w+)[^>]*class="[^"]*icert-key[^"]*"[^>]*>([\s\S]*?)<\/\1>/g)]
		.map((m) => visibleText(m[2])).filter((k) => k.length >= 8 && !/^\d{10}$/.test(k));
	const dir = join(folder, applicant.number);
	mkdirSync(dir, { recursive: true });
	writeFileSync(join(dir, 'holder.p12'), file.body);
	return { ...identityOf(join(dir, 'holder.p12'), password, dir), p12: join(dir, 'holder.p12'), password };
}

/** From submitted to the opening code, for an operator who is signed in. */
export async function issue(applicant, operator) {
	await operator.find(applicant.number);
	await operator.take();
	await operator.accept();
	expect(await operator.agree(), 200, 'slot');
	expect(await applicant.upload('second_cedula', files.cedulaPdf()), 303, 'second cedula');
	await (await applicant.see()).form(/consentimiento$/).submit();
	expect(await operator.identify(), 200, 'identify');
	expect(await applicant.acceptFields(), 200, 'fields');
	expect(await operator.issue(), 200, 'issue');
	return operator.openingCode();
}

/** A token's case until the identity is proved, at the office of an operator who is signed in. */
export async function identifiedForToken(icert, operator, data = {}) {
	const applicant = new Applicant(icert, data);
	applicant.product = 'Token Consejo de la Judicatura</h2>';
	await applicant.apply();
	await operator.find(applicant.number);
	await operator.take();
	await operator.accept();
	expect(await operator.agree({ mode: 'in_person', meeting: '' }), 200, 'slot');
	expect(await applicant.upload('second_cedula', files.cedulaPdf()), 303, 'second cedula');
	await (await applicant.see()).form(/consentimiento$/).submit();
	expect(await operator.identify(), 200, 'identify');
	return applicant;
}

/** A case walked to its certificate; both people's sessions stay open. */
export async function issued(icert, data = {}, login = 'operador.pichincha') {
	const applicant = new Applicant(icert, data);
	const operator = new Operator(icert, login);
	await applicant.apply();
	expect(await operator.signIn(), 200, 'desk');
	return { applicant, operator, code: await issue(applicant, operator) };
}
