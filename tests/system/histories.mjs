// Random histories of payments: checkouts, what becomes of them at the gateway, its notifications late, twice and in no order, calls
// that fail, refunds asked here by two people and there by nobody, disputes, transfers beside open pages, programs killed between receiving and applying.  The model
// is the gateway's own book.  In the end, when everything has been said and asked, it holds: paid here ⇔ paid there; one credit, one
// application; each refund once; the sums are equal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { allUp, children, random, signal, units } from '../lib/processes.mjs';
import { plan } from './history_plan.mjs';
import { Operator, expect } from './walk.mjs';

const email = 'quien.paga@correo.example';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// A second factor gives one code in half a minute: so many can confirm at once.
const confirmers = ['central', 'central.segunda', 'director.pichincha', 'director.guayas', 'operador.pichincha', 'operador.guayas'];

// Each step holds its program there first; `killed` then loses its life.
const events = 'lock table icert.payment_event in share row exclusive mode';
const ofOrder = (order) => `select from icert.purchase where id = '${order}' for update`;
const holds = {
	// the webhook stands before its row: the gateway has no 200, and sends again
	storing: { program: 'webhook', lock: () => events },
	// the row is there, and the webhook has not said so: sent again, it is the same
	stored: { program: 'webhook', lock: () => events, unsaid: true },
	// the clerk stands before it has taken a row
	taking: { program: 'clerk', lock: () => events },
	// taken, the gateway is being asked
	asking: { program: 'clerk', slow: true },
	// asked; the order cannot be changed yet
	applying: { program: 'clerk', lock: ofOrder },
	// the order is changed, the event not marked
	marking: { program: 'clerk', slow: true, lock: () => events },
};

/** A transaction of the database's superuser that holds a lock until release(), or until PostgreSQL ends. */
function holding(icert, statement) {
	const psql = spawn('psql', ['-X', '-q', '-At', '-h', join(icert.run, 'pg'), '-U', 'postgres', '-d', 'icert'], { stdio: ['pipe', 'pipe', 'ignore'] });
	const ended = new Promise((resolve) => psql.on('exit', resolve));
	const held = new Promise((resolve) => psql.stdout.on('data', (text) => /held/.test(text) && resolve()));
	psql.stdin.on('error', () => {});	// its server was killed
	psql.stdin.write(`begin; ${statement}; select 'held';\n`);
	return { held, release: () => { psql.stdin.end('rollback;\n'); return ended; } };
}

class History {
	constructor(icert, sim, client, tariff, { seed, log }) {
		Object.assign(this, { icert, sim, client, tariff, log });
		this.order = [];		// order's number in the plan → { id, payments }
		this.told = [];			// notifications not sent yet
		this.killed = [];		// steps at which a program was
		this.refunded = [];		// how refunds went that were made
		this.transfers = [];		// lines of a statement that were taken as payments
		this.disputed = 0;		// after their money had gone back
		this.people = new Map();
		this.turn = 0;
		this.fresh = random(seed + 1);	// for what is drawn after the plan
	}

	sql(query) { return this.icert.sql(query); }
	last(n) { return this.order[n].payments.at(-1); }
	state(id) { return this.sql(`select state from icert.purchase where id = '${id}'`); }

	async well() {
		const up = () => this.icert.psql('select 1').ok;
		await until(up, { what: 'PostgreSQL is up', timeout: 60_000 });
		await allUp(this.icert);
	}

	/** UNIT: its first process; UNIT/child: those that it has. */
	kill(victim) {
		const [name, child] = victim.split('/');
		const { pid } = units(this.icert).get(name);
		if (pid === 0) return;		// still down from the last time
		// The supervisor's own pid of PostgreSQL is the postmaster; kill -9 leaves its children to notice.
		for (const one of child ? children(pid).map((c) => c.pid) : [pid, ...(name === 'postgres' ? children(pid).map((c) => c.pid) : [])]) signal(one, 'SIGKILL');
	}

	collect() { this.told.push(...this.sim.held.splice(0)); }
	take(at) { return this.told.splice(Math.floor(at * this.told.length), 1)[0]; }

	/** One try after the other until it is taken, as a gateway does it in hours. */
	async deliver(one) {
		for (let tries = 0; ; tries++) {
			const answer = await this.sim.deliver(one.payment, { ...one.note, once: true });
			if (answer.status === 200) return;
			assert.ok(tries < 300 && [0, 502, 503].includes(answer.status), `a signed notification: ${answer.status} ${answer.text}`);
			await sleep(100);
		}
	}

	/** A page for a person who tries again while programs are down. */
	async page(visit) {
		for (let tries = 0; ; tries++) {
			const page = await visit().catch((error) => { if (tries > 100) throw error; });
			if (page && page.status < 500) return page;
			assert.ok(tries <= 100, `${page?.path}: ${page?.status} ${page?.main}`);
			await sleep(200);
		}
	}

	waitsForLock(program) { return this.sql(`select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'icert_${program}'`) !== '0'; }

	// ---- what a plan has ----

	async checkout({ order }) {
		if (!this.order[order]) {
			const bought = await this.page(async () => (await this.client.visit(this.tariff)).form(/^\/comprar\//).submit({
				for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
			}));
			assert.match(bought.path, /^\/orden\//, bought.text);
			this.order[order] = { id: bought.path.split('/')[2], payments: [] };
		}
		const one = this.order[order];
		const known = this.sim.ofOrder(one.id);
		// Nobody gets another checkout while the last one may be paid, or is.
		if (known && !['rejected', 'expired'].includes(known.state)) return;
		const page = await this.page(() => this.client.visit(`/orden/${one.id}`));
		if (page.forms.some((form) => /\/pagar$/.test(form.action))) await this.page(() => page.form(/\/pagar$/).submit({ pasarela: 'standard' }));
		const payment = this.sim.ofOrder(one.id);
		if (payment && !one.payments.includes(payment)) one.payments.push(payment);
	}

	async act({ order, act }) {
		const payment = this.last(order);
		// A bank disputes one payment; what is captured a third time (a transfer counts), or twice for another amount, is for the day's comparison to find.
		const besides = this.order[order].transfer?.pays ? 1 : 0;
		const twice = (payment.captures > 1 && act === 'disputa') || (act === 'doble' && besides > 0)
			|| (act === 'repetido' && (payment.state === 'approved' ? payment.captures + besides > 1 || !right(payment) : besides > 0));
		const may = { pending: /./, checking: /aprobar|rechazar|callado/, approved: /^(disputa|devuelto|repetido)$/, disputed: /^disputa-/ }[payment.state];
		if (twice || !may?.test(act)) return;		// it went another way meanwhile: a refund
		await this.sim.act(payment, act);
	}

	lose({ at }) { this.take(at); }

	async deliver_one({ at, times = 1, fail, beside }) {
		const one = this.take(at);
		if (!one) return;
		if (fail) this.sim.fail({ times: 2, status: fail });
		const sent = Promise.all(Array.from({ length: times }, () => this.deliver(one)));
		if (beside) this.kill(beside);
		await sent;
		if (beside) await this.well();
	}

	/** Whoever has paid wants what it is for, twice at once. */
	async application({ order }) {
		const view = await this.page(() => this.client.visit(`/orden/${this.order[order].id}`));
		if (view.forms.some((form) => /\/solicitud$/.test(form.action)))
			await Promise.allSettled([view.form(/\/solicitud$/).submit(), view.form(/\/solicitud$/).submit()]);
	}

	/** One notification, and whoever has it in hand killed at that step; with none on its way, how a payment stands is told anew. */
	async crash({ step, at }) {
		const [name, who = 'child'] = step.split(': ');
		const { program, lock: statement, slow, unsaid } = holds[name];
		for (let tries = 0; tries < 4; tries++) {
			const one = this.take(at) ?? this.anew(at);
			let asked = false, lock;
			if (statement && !slow) await (lock = holding(this.icert, statement(one.payment.order))).held;
			if (slow) this.sim.fail({ times: 1, slow: 1000, when: ({ method }) => { asked ||= method === 'GET'; return method === 'GET'; } });
			// The lock that holds the clerk back before it takes one holds back the webhook too.
			const sent = /^(storing|stored|taking)/.test(step) ? this.deliver(one) : await this.deliver(one);
			if (slow) {
				for (let i = 0; i < 2000 && !asked; i++) await sleep(10);
				if (statement) await (lock = holding(this.icert, statement(one.payment.order))).held;
			}
			let reached = asked;
			if (lock) for (let i = 0; i < 400 && !(reached = this.waitsForLock(program)); i++) await sleep(30);
			if (unsaid && reached) reached = await this.storeUnsaid(lock);
			this.kill(who === 'postgres' ? who : who === 'parent' ? program : `${program}/child`);
			this.sim.wellAgain();
			await lock?.release();
			await sent;
			await this.well();
			if (!reached) continue;
			this.killed.push(step);
			return;
		}
	}

	/** The webhook stands still while PostgreSQL stores what it was given.  Whether something was. */
	async storeUnsaid(lock) {
		const stored = () => this.sql('select count(*) from icert.payment_event');
		const before = stored();
		for (const { pid } of children(units(this.icert).get('webhook').pid)) signal(pid, 'SIGSTOP');
		await lock.release();
		for (let i = 0; i < 100 && stored() === before; i++) await sleep(30);
		return stored() !== before;
	}

	anew(at) {
		const all = this.order.flatMap((one) => one.payments).filter((payment) => this.sim.notices(payment, 'estado').length > 0);
		const payment = all[Math.floor(at * all.length)];
		return { payment, note: this.sim.notices(payment, 'estado')[0] };
	}

	// ---- refunds asked here ----

	async person(login) {
		if (!this.people.has(login)) {
			const person = new Operator(this.icert, login);
			this.people.set(login, person);
			expect(await person.signIn(), 200, login);
		}
		return this.people.get(login);
	}

	/** Finance asks for what the order's page offers to return.  The refund's id, or undefined. */
	async ask(order) {
		const finance = await this.person('finanzas');
		const page = await this.page(() => finance.client.visit(`/orden/${order}`));
		const link = page.links.find((a) => /devolver\?pago=/.test(a.href));
		if (!link) return undefined;
		const form = (await this.page(() => finance.client.visit(link.href.replaceAll('&amp;', '&')))).form(/devolver$/);
		const known = this.sql(`select coalesce(string_agg(id::text, ' '), '') from icert.refund where purchase_id = '${order}'`).split(' ');
		await form.submit({ reason: 'other', words: 'Lo pide quien pagó' });
		return this.sql(`select id from icert.refund where purchase_id = '${order}'`).split('\n').find((id) => id && !known.includes(id));
	}

	/** Somebody else confirms it. */
	async confirm(order, refund) {
		const who = await this.person(confirmers[this.turn++ % confirmers.length]);
		const page = await this.page(() => who.client.visit(`/orden/${order}`));
		const form = page.forms.find((one) => /confirmar$/.test(one.action) && one.action.includes(refund));
		assert.ok(form, `to be confirmed: ${page.main}`);
		const done = await form.submit({ code: await this.icert.totp(who.account.login) });
		expect(done, 200, 'confirmed');
	}

	/** The clerk's next try comes now, and not in half a minute. */
	hasten() { this.icert.psql("update icert.refund set next_try_at = 0 where state = 'confirmed'"); }

	refundState(id) { return this.sql(`select state from icert.refund where id = '${id}'`); }

	async refund({ order: number, how, end }) {
		const order = this.order[number].id, payment = this.last(number);
		if (payment.state !== 'approved') return;	// it went another way meanwhile
		const known = () => this.sql(`select count(*) from icert.payment where gateway_payment = '${payment.id}' and verdict in ('pay', 'mismatch')`) !== '0';
		await this.deliver({ payment, note: this.sim.notices(payment, 'estado')[0] });
		await until(known, { what: 'what is given back is paid', timeout: 60_000 });
		// A dispute that has ended there may have to be heard of here first.
		const held = () => this.sql(`select count(*) from icert.purchase p where p.id = '${order}' and (p.state = 'disputed' or exists (select from icert.dispute d where d.purchase_id = p.id and d.state <> 'ended'))`) !== '0';
		await until(() => !held(), { what: 'its dispute is over here too', timeout: 60_000 });
		const id = await this.ask(order);
		assert.ok(id, `finance may return what was paid: ${order}`);
		const posted = ({ method, path }) => method === 'POST' && /refunds$/.test(path);
		let asked = 0;
		const when = (request) => { asked += posted(request); return posted(request); };
		if (how === 'raced') await this.sim.act(payment, 'devuelto');
		if (how === 'disputed' && payment.captures === 1) await this.sim.act(payment, 'disputa');
		if (how === 'refused') await this.sim.act(payment, 'sin-devolucion');
		if (/^killed/.test(how)) this.sim.fail({ times: 1, late: 1500, when });
		else if (how === 'lost') this.sim.fail({ times: 1, lost: true, when });
		else if (how === 'down') this.sim.fail({ times: 3, status: 503, when });
		await this.confirm(order, id);
		if (/^killed/.test(how)) {
			await until(() => asked > 0 || !/^(open|confirmed)$/.test(this.refundState(id)), { what: 'the gateway is asked for the refund', every: 20 });
			this.kill(how === 'killed' ? 'clerk/child' : 'postgres');
			await this.well();
		}
		const ended = () => { this.hasten(); return /^(done|failed)$/.test(this.refundState(id)); };
		// What a bank holds waits for its end, once that is known here.
		await until(() => ended() || held(), { what: `a refund ${how}: ${order}`, timeout: 60_000 });
		if (payment.state === 'disputed') {
			await this.sim.act(payment, end);
			this.collect();
			for (const one of this.told.filter((one) => one.payment === payment)) await this.deliver(one);
		}
		await until(ended, { what: `a refund ${how}, and the end of a dispute: ${order}`, timeout: 60_000 });
		if (how === 'refused') await this.sim.act(payment, 'admitir');
		this.sim.wellAgain();
		this.refunded.push(how);
	}

	/** A bank that wants what was given back already; what it takes then is no business of the order. */
	async late_dispute({ order: number, end }) {
		const payment = this.last(number);
		if (payment.state !== 'refunded' || !this.returned(this.order[number])) return;
		await this.sim.act(payment, 'disputa');
		if (end) await this.sim.act(payment, end);
		this.disputed++;
	}

	/** Another person has taken a line of the bank's statement as this order's payment. */
	async transfer({ order: number }) {
		const one = this.order[number], line = randomUUID(), account = '0000bbbb-0000-4000-8000-000000000001', run = '0000bbbb-0000-4000-8000-000000000002';
		const [by, other] = ['finanzas', 'central'].map((login) => this.icert.staff(login).id);
		this.sql(`set session_replication_role = replica;
			insert into icert.bank_account (id, bank, kind, number, holder, holder_id, requested_by, requested_at) values ('${account}', 'Banco', 'savings', '2200123456', 'Entidad', '1710034065', '${by}', 1) on conflict do nothing;
			insert into icert.bank_import values ('${run}', '${account}', 'x', sha256('x'), 1, 0, '${by}', 1) on conflict do nothing;
			insert into icert.bank_line (id, import_id, digest, day, cents, reference, imported_by, state, purchase_id, decided_by, decided_at)
				select '${line}', '${run}', sha256('${line}'), '2026-11-21', total, '900', '${by}', 'confirmed', id, '${other}', 1 from icert.purchase where id = '${one.id}'; notify icert_payment`);
		const verdict = () => this.sql(`select verdict from icert.bank_line where id = '${line}'`);
		await until(verdict, { what: `the transfer for ${one.id} is applied`, timeout: 60_000 });
		const [word, cents] = this.sql(`select verdict || ' ' || cents from icert.bank_line where id = '${line}'`).split(' ');
		assert.match(word, /^(pay|again)$/);
		one.transfer = { line, pays: word === 'pay', cents: Number(cents) };
		this.transfers.push(one.transfer);
	}

	/** What a gateway would not return finance asks for again, until it is returned or is no longer there. */
	async settle() {
		for (const one of this.order) {
			for (let tries = 0; tries < 3; tries++) {
				const stuck = this.state(one.id) === 'refunding';
				if (!stuck) break;
				const payment = one.payments.at(-1);
				if (payment.state === 'disputed') await this.sim.act(payment, 'disputa-ganada');
				this.collect();
				for (const note of this.told.splice(0)) await this.deliver(note);
				const id = await this.ask(one.id);
				if (!id) break;
				await this.confirm(one.id, id);
				await until(() => { this.hasten(); return /^(done|failed)$/.test(this.refundState(id)); }, { what: `a refund asked again: ${one.id}`, timeout: 60_000 });
			}
		}
	}

	async run(list) {
		this.sim.mode = 'hold';
		for (const [n, one] of list.entries()) {
			const began = Date.now();
			try {
				await (one.op === 'deliver' ? this.deliver_one(one) : this[one.op](one));
				this.collect();
				this.log(`${JSON.stringify(one)} ${Date.now() - began} ms`);
			} catch (error) {
				error.message = `step ${n}, ${JSON.stringify(one)}: ${error.message}`;
				throw error;
			}
		}
	}

	/** Everything is said in the end, in no order; what was lost is told again, as gateways do, or asked about. */
	async end() {
		this.sim.wellAgain();
		this.collect();
		for (const [, one] of this.told.splice(0).map((one) => [this.fresh(), one]).sort((a, b) => a[0] - b[0])) await this.deliver(one);
		await this.settle();
		this.sim.mode = 'send';
		for (const payment of this.order.flatMap((one) => one.payments))
			for (const note of this.sim.notices(payment, 'estado')) await this.deliver({ payment, note });
		this.icert.moveClock(this.icert.ahead + 7200);
		await until(() => this.sql('select count(*) from icert.payment_event where applied_at is null') === '0', { what: 'every notification is applied', timeout: 120_000 });
	}

	// ---- what must hold ----

	/** Two people gave back what the order cost; what was captured too much may be there still. */
	returned({ id }) { return this.sql(`select count(*) from icert.refund where purchase_id = '${id}' and own and state = 'done'`) === '1'; }

	/** The states that an order may have, from the gateway's book. */
	wanted(one) {
		const { id, payments } = one;
		const payment = payments.findLast((p) => !['rejected', 'expired'].includes(p.state)) ?? payments.at(-1);
		if (this.returned(one)) return /^refunded$/;
		if (one.transfer?.pays) return /^(paid|used)$/;
		// What went back, or is held back, before we ever heard that it was paid, has paid nothing here.
		const counted = this.sql(`select count(*) from icert.payment where purchase_id = '${id}' and verdict = 'pay'`) === '1';
		if (!right(payment) || !counted && payment.state !== 'approved') return /^(created|pending)$/;
		return { approved: /^(paid|used)$/, refunded: /^refunded$/, disputed: /^disputed$/ }[payment.state] ?? /^(created|pending)$/;
	}

	async holds() {
		const wrong = () => this.order.filter((one) => !this.wanted(one).test(this.state(one.id)))
			.map((one) => `${one.id}: ${one.payments.map((p) => `${p.state} (${p.captures} captures)`)} there, ${this.state(one.id)} here`);
		await until(() => wrong().length === 0, { what: 'here as there', timeout: 60_000 }).catch(() => assert.deepEqual(wrong(), []));
		for (const { id, payments, transfer } of this.order) {
			const of = (verdict, one = '') => Number(this.sql(`select count(*) from icert.payment where purchase_id = '${id}' and verdict = '${verdict}' ${one && `and gateway_payment = '${one.id}'`}`));
			assert.equal(of('pay'), /^(paid|used|refunding|refunded|disputed)$/.test(this.state(id)) ? 1 : 0, `${id}: counted once`);
			for (const payment of payments) {
				if (payment.state === 'approved' && !right(payment)) assert.equal(of('mismatch', payment), 1, `${id}: finance knows of the other amount`);
				if (payment.state === 'approved' && payment.captures + Object.keys(payment.refunds).length > 1 && right(payment)) assert.equal(of('again', payment), 1, `${id}: finance knows of the second payment`);
				if (payment.state === 'approved' && right(payment) && transfer?.pays) assert.equal(of('again', payment), 1, `${id}: finance knows of what a card paid besides`);
				const done = this.sql(`select coalesce(string_agg(q.gateway_refund, ' ' order by q.gateway_refund), '') from icert.refund q
					join icert.payment y on y.id = q.payment_id where q.state = 'done' and y.gateway_payment = '${payment.id}'`);
				assert.equal(done, Object.values(payment.refunds).sort().join(' '), `${id}: what two people gave back went back once`);
			}
			assert.ok(Number(this.sql(`select count(*) from icert.application where purchase_id = '${id}'`)) <= 1, `${id}: one credit, one application`);
		}
		assert.equal(this.sql(`select count(*) from icert.application a join icert.purchase p on p.id = a.purchase_id where p.paid_at is null`), '0', 'none without credit');
		const all = this.order.flatMap((one) => one.payments);
		const there = this.order.filter((one) => !this.returned(one)).flatMap((one) => (one.transfer?.pays ? [one.transfer] : one.payments.filter((p) => right(p) && p.state === 'approved')))
			.reduce((sum, p) => sum + p.cents, 0);
		assert.equal(Number(this.sql("select coalesce(sum(total), 0) from icert.purchase where state in ('paid', 'used')")), there, 'the sums of orders are equal');
		// Everything that the gateway has of ours, captured twice or for another amount too, is what finance reads.
		const here = await this.movements();
		// What its bank takes, or has taken, after it went back is lost a second time.
		const book = (p) => (p.captured ?? p.cents) * (p.state === 'approved' ? p.captures : (p.state === 'disputed' && p.wasBack) || p.lostAgain ? -1 : 0);
		const unequal = all.filter((p) => (here.get(p.id) ?? 0) !== book(p)).map((p) => ({ n: this.order.findIndex(({ id }) => id === p.order), id: p.id, order: p.order, state: p.state, captures: p.captures, there: book(p), here: here.get(p.id) }));
		assert.deepEqual(unequal, [], 'the sums of money are equal');
		assert.equal([...here.values()].reduce((sum, cents) => sum + cents, 0), all.reduce((sum, p) => sum + book(p), 0) + this.transfers.reduce((sum, one) => sum + one.cents, 0), 'and nothing is counted besides');
		assert.equal(this.sql(`select count(*) from (select p.id, (select count(*) from icert.outbox o where o.purchase_id = p.id and o.template = 'refunded') as mails,
			(select count(*) from icert.payment y where y.purchase_id = p.id and y.verdict in ('pay', 'again', 'late', 'mismatch')) as sums from icert.purchase p) t
			where mails > sums`), '0', 'whose money went back is told once');
		assert.equal(this.sql("select count(*) from icert.outbox o where o.template = 'payment_received' group by o.purchase_id having count(*) > 1"), '', 'told once');
	}

	/** What finance reads in the files of totals, of every day that there is: payment → cents. */
	async movements() {
		// Somebody whose code is fresh.
		const auditor = new Operator(this.icert, 'auditor');
		const rows = async (path) => {
			const [names, ...lines] = (await auditor.client.get(path)).body.toString().slice(1).trim().split('\r\n').map((line) => line.split(','));
			return lines.map((line) => Object.fromEntries(names.map((name, n) => [name, line[n]])));
		};
		const cents = (amount) => Math.round(Number(amount) * 100);
		try {
			expect(await auditor.signIn(), 200, 'auditor');
			const sums = new Map();
			const now = Date.now() - 5 * 3600_000;
			for (const month of new Set([now, now + this.icert.ahead * 1000].map((at) => new Date(at).toISOString().slice(0, 7)))) {
				// A line for each gateway, transfers among them.
				const days = new Map();
				for (const { dia, saldo } of await rows(`/totales/mes.csv?mes=${month}`)) days.set(dia, (days.get(dia) ?? 0) + cents(saldo));
				for (const [dia, saldo] of days) {
					const each = await rows(`/totales/dia.csv?dia=${dia}`);
					assert.equal(each.reduce((sum, one) => sum + cents(one.valor), 0), saldo, `${dia}: the day is the sum of its movements`);
					for (const one of each) sums.set(one.pago, (sums.get(one.pago) ?? 0) + cents(one.valor));
				}
			}
			return sums;
		} finally {
			auditor.close();
		}
	}

	close() { for (const person of this.people.values()) person.close(); }
}

const right = (payment) => (payment.captured ?? payment.cents) === payment.cents;

/** orders, acts, refunded, transferred: how many.  What was killed and refunded; the error of one that fails names its seed. */
export async function histories({ icert, seed, orders, acts, refunded, transferred, log = () => {} }) {
	log(`HISTORY_SEED=${seed}`);
	const { standard } = await addGateways(icert, ['standard']);
	icert.sql(`insert into icert.staff_role (staff_id, role, since) select id, 'national', 0 from icert.staff
		where login in (${confirmers.map((login) => `'${login}'`)}) and login not like 'central%'`);
	const client = new Client({ base: icert.portal, ca: icert.ca });
	const box = new MailBox(icert.mail);
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	const history = new History(icert, standard.sim, client, page.url.pathname, { seed, log });
	try {
		await history.run(plan({ seed, orders, acts, refunded, transferred }));
		await history.end();
		await history.holds();
	} catch (error) {
		error.message = `HISTORY_SEED=${seed}: ${error.message}`;
		throw error;
	} finally {
		history.close();
		client.close();
		await standard.sim.close();
	}
	return { killed: history.killed, refunded: history.refunded, transfers: history.transfers, disputed: history.disputed };
}
