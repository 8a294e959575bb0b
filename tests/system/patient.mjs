// People who do not give up while things break: what gets no answer, or is told
// to come back, is tried again; what may have been done is looked at first.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import * as pdf from '../lib/pdf.mjs';
import * as tools from '../lib/tools.mjs';
import { Applicant, Director, Operator } from './walk.mjs';

const STEP_MS = 150_000;
const PAUSE_MS = 250;
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A cédula that nobody in the samples has: province 17, a number, its check digit. */
export function cedula(n) {
	const digits = `171${String(300000 + n * 7)}`;
	const sum = [...digits].reduce((all, d, i) => {
		const v = Number(d) * (i % 2 === 0 ? 2 : 1);
		return all + (v > 9 ? v - 9 : v);
	}, 0);
	return digits + ((10 - sum % 10) % 10);
}

/** What is wrong with an answer that says that something does not work; undefined when it says so well. */
export function badFailure(page) {
	if (page.status < 500 && page.status !== 429) return undefined;
	if (page.status !== 503) return `status ${page.status}`;
	if (!(Number(page.headers['retry-after']) > 0)) return 'no Retry-After';
	if (/<center>nginx/.test(page.html)) return "nginx's own page";
	if (!/lang="es/.test(page.html) || !/(inténtelo|intente|espere|vuelva|envíelo)/i.test(page.main)) return 'no sentence that says what to do';
	return undefined;
}

/**
 * A client that keeps asking.  `seen` collects what it was answered while things
 * were broken: { cut, refused, bad: ["POST /x: status 502", …] }.
 */
export class PatientClient extends Client {
	constructor(options, seen) {
		super(options);
		this.seen = seen;
	}

	async request(method, target, options = {}) {
		const end = Date.now() + STEP_MS;
		for (;;) {
			let page;
			try {
				page = await super.request(method, target, options);
			} catch (error) {
				this.seen.cut++;
				if (Date.now() > end) throw error;
				await rest(PAUSE_MS);
				continue;
			}
			if (page.status < 500 && page.status !== 429) return page;
			const bad = badFailure(page);
			if (bad) this.seen.bad.push(`${method} ${page.path.replace(/[0-9a-f-]{36}/g, 'ID')}: ${bad}: ${page.main.slice(0, 120)}`);
			this.seen.refused++;
			if (Date.now() > end) return page;
			await rest(PAUSE_MS);
		}
	}
}

/** Everybody asks from an address of their own, as the edge counts them. */
const address = (n, staff) => `127.0.${staff ? 2 : 1}.${n + 1}`;

class Gate {
	isOpen = false;
	opened = new Promise((resolve) => { this.letThrough = () => { this.isOpen = true; resolve(); }; });
}

/** One case from the tariff onwards, at its own pace; `run()` walks it to the last step. */
export class Case {
	constructor(icert, n, login, seen) {
		this.icert = icert;
		this.n = n;
		const number = cedula(n);
		this.applicant = new Applicant(icert, { id_number: number, ruc: `${number}001`, given_names: 'ANA', surname1: `PRUEBA${'ABCDEFGHIJ'[n % 10]}` });
		this.operator = new Operator(icert, login);
		for (const [who, base] of [[this.applicant, icert.portal], [this.operator, icert.desk]]) {
			who.client.close();
			who.client = new PatientClient({ base, ca: icert.ca, localAddress: address(n, base === icert.desk) }, seen);
		}
		this.step = 'nothing';
		this.gates = [new Gate(), new Gate()];
		this.ended = 0;		// parts of the way
	}

	/** SQL that waits for the database as the people do. */
	async sql(text) {
		for (const end = Date.now() + STEP_MS; ;) {
			const { ok, text: rows, error } = this.icert.psql(text);
			if (ok) return rows;
			if (Date.now() > end) throw new Error(error);
			await rest(PAUSE_MS);
		}
	}

	state() { return this.sql(`select state from icert.application where id = '${this.applicant.id}'`); }
	async past(...states) { return !states.includes(await this.state()); }

	/** Does it until it is done: looks, acts, looks again. */
	async until(what, done, act) {
		this.step = what;
		const began = Date.now();
		let last;
		for (const end = Date.now() + STEP_MS; ;) {
			const late = Date.now() > end;
			try {
				const found = await done();
				if (found) {
					const took = Date.now() - began;
					if (took > (this.slowest?.took ?? 0)) this.slowest = { what, took };
					return found;
				}
				if (!late) last = await act();
			} catch (error) {
				last = error;
			}
			if (late)
				throw new Error(`case ${this.n}: ${what} not done: ${last?.stack ?? `${last?.status} ${last?.errors} ${last?.main?.slice(0, 400)}`}`);
			await rest(PAUSE_MS);
		}
	}

	/** In at the portal, with the code of the mailbox. */
	async enter(path) {
		const { applicant } = this;
		return this.until('sign in', async () => {
			const page = await applicant.client.visit(path);
			return page.status === 200 && !page.forms.some((f) => /entrar/.test(f.action)) && page;
		}, () => applicant.signIn(path));
	}

	async apply() {
		const { applicant } = this;
		const tariff = await applicant.client.visit('/tarifas');
		const buy = new URL(tariff.link(/Comprar/)).pathname;
		await this.until('order', () => applicant.orderPath, async () => {
			const page = await (await this.enter(buy)).form(/comprar/).submit({
				for_me: 'yes', id_kind: 'cedula', id_number: applicant.data.id_number, name: 'ANA PRUEBA', address: 'Av. 10 de Agosto', telephone: '0991234567',
			});
			if (page.status === 200 && /\/orden\//.test(page.path)) applicant.orderPath = page.path.split('?')[0];
			return page;
		});
		const order = applicant.orderPath.split('/')[2];
		await this.until('payment', async () => /paid|used/.test(await this.sql(`select state from icert.purchase where id = '${order}'`)), async () => {
			// Once at the checkout is enough: the notification is repeated, and the clerk asks.
			if (!this.approved) await applicant.approve();
			this.approved = true;
		});
		await this.until('application', () => applicant.id, async () => {
			applicant.id = (await this.sql(`select id from icert.application where purchase_id = '${order}'`)) || undefined;
			return applicant.id ?? applicant.begin();
		});
		let answered = false;
		await this.until('answers', () => answered, async () => { await applicant.answer(); answered = true; });
		for (const [kind, file] of [['cedula', files.cedulaPdf()], ['voting', files.votingJpeg()], ['utility', files.billPng()]])
			await this.document(kind, () => applicant.upload(kind, file));
		await this.until('submission', () => this.past('draft'), () => applicant.submit());
		applicant.number = await this.sql(`select number from icert.application where id = '${applicant.id}'`);
	}

	document(kind, act) {
		return this.until(`document ${kind}`, async () => await this.sql(`select count(*) from icert.document
			where application_id = '${this.applicant.id}' and kind = '${kind}' and replaced_by is null`) === '1', act);
	}

	async review() {
		const { applicant, operator } = this;
		await this.until('desk', async () => (await operator.client.visit('/casos')).forms.some((f) => /casos/.test(f.action)), () => operator.signIn());
		operator.path = `/caso/${applicant.id}`;
		await this.until('take', () => this.past('submitted'), () => operator.take());
		await this.until('accept', () => this.past('in_review'), () => operator.accept());
		await this.until('slot', () => this.past('accepted'), () => operator.agree());
		await this.document('second_cedula', () => applicant.upload('second_cedula', files.cedulaPdf()));
		await this.until('consent', async () => await this.sql(`select consent_at is not null from icert.application where id = '${applicant.id}'`) === 't',
			async () => (await applicant.see()).form(/consentimiento$/).submit());
		await this.until('ticks', async () => Number(await this.sql(`select count(*) from icert.check_item where application_id = '${applicant.id}'`)) > 0, () => operator.tickAll());
		await this.document('face', () => operator.upload('face', files.photo()));
		await this.until('identified', () => this.past('scheduled'), async () => {
			await operator.confirmEnvelope().catch(() => {});
			return (await operator.see('/identificacion')).form(/hecha$/).submit();
		});
	}

	async issue() {
		const { applicant, operator } = this;
		await this.until('fields', async () => await this.sql(`select count(*) > 0 from icert.approval where application_id = '${applicant.id}' and kind = 'accept'`) === 't',
			() => applicant.acceptFields());
		await this.until('issue', () => this.past('identified'), () => operator.issue());
		this.code = await this.until('opening code', () => this.code, async () => { this.code = await operator.openingCode(); });
		await this.until('contract', () => this.past('issuing', 'issued'), () => rest(PAUSE_MS));
	}

	/** PKCS#12 by mail, envelope in the session: what the holder signs with. */
	async receive(folder) {
		const { applicant } = this;
		let mail;
		await this.until('PKCS#12', () => mail, async () => {
			mail = (await applicant.mail.list({ to: applicant.email })).find((m) => m.attachmentNames.some((name) => /\.p12$/.test(name)));
		});
		const password = (await this.envelope()).find((k) => k.length > 15);
		const dir = join(folder, `case-${this.n}`);
		mkdirSync(dir, { recursive: true });
		writeFileSync(join(dir, 'firma.p12'), await mail.attachment(/\.p12$/));
		this.identity = pdf.identityOf(join(dir, 'firma.p12'), password, dir);
	}

	/** Both signatures, up to active. */
	async contract(director, folder) {
		const { applicant } = this;
		const { client } = director;
		await this.until('contract signed', () => this.past('contract_sent', 'contract_received'), async () => {
			const contract = await applicant.client.get(`/tramite/${applicant.id}/contrato.pdf`);
			return applicant.sendContract(pdf.sign(contract.body, this.identity, { pades: true }));
		});
		const boss = new Director(this.icert);
		boss.client.close();
		boss.client = client;
		await this.until('contract countersigned', async () => await this.state() === 'active', async () => {
			if (await this.state() !== 'contract_signed') return rest(PAUSE_MS);
			await boss.open(applicant.number);
			return boss.sendSigned(pdf.sign(await boss.download(), boss.identity(folder), { pades: true }));
		});
	}

	/** The envelope, read by its holder: the keys on its page. */
	async envelope() {
		const { applicant } = this;
		const keys = (page) => [...page.html.matchAll(/<(\w+)[^>]*class="[^"]*icert-key[^"]*"[^>]*>([\s\S]*?)<\/\1>/g)].map((m) => m[2].replace(/<[^>]*>/g, '').trim());
		const page = await this.until('envelope', async () => {
			const p = await applicant.client.visit(`/tramite/${applicant.id}/sobre`);
			return p.status === 200 && keys(p).length > 0 && p;
		}, () => applicant.openEnvelope(this.code));
		return keys(page);
	}

	/** There are two gates, before the order and before the certificate, at which everybody waits to be let through. */
	async pass(gate) {
		this.step = 'waiting at a gate';
		await this.gates[gate].opened;
		this.part = gate;
	}

	async run(director, folder) {
		try {
			await this.pass(0);
			await this.apply();
			await this.review();
			this.part = undefined;
			this.ended = 1;
			await this.pass(1);
			await this.issue();
			await this.receive(folder);
			await this.contract(director, folder);
			this.step = 'done';
		} finally {
			this.part = undefined;
			this.ended = 2;
		}
	}

	close() { this.applicant.close(); this.operator.close(); }
}

/** The director who signs all of them: signed in, and patient. */
export async function director(icert, seen) {
	const one = new Director(icert);
	one.client.close();
	one.client = new PatientClient({ base: icert.desk, ca: icert.ca, localAddress: address(99, true) }, seen);
	await one.signIn();
	return one;
}

/** The key's and the certificate's modulus agree. */
export function fits({ key, cert }) {
	const modulus = (kind, path) => tools.must('openssl', [kind, '-noout', '-modulus', '-in', path]);
	return modulus('rsa', key) === modulus('x509', cert);
}
