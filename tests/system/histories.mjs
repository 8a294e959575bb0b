// Random histories of payments: checkouts, what becomes of them at the gateway, its notifications late, twice and in no order, calls
// that fail, programs killed between receiving and applying.  The model is the gateway's own book.  In the end, when everything has
// been said and asked, it holds: paid here ⇔ paid there; one credit, one application; the sums are equal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { children, random } from '../lib/processes.mjs';

const email = 'quien.paga@correo.example';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What may happen to a payment in the world, by how it is.
const next = {
	pending: ['aprobar', 'rechazar', 'pendiente', 'callado', 'doble', 'otro-valor', 'repetido', 'caducar'],
	checking: ['aprobar', 'rechazar', 'callado'],
	approved: ['disputa', 'devuelto', 'repetido', 'nada'],
	disputed: ['disputa-ganada', 'disputa-perdida', 'nada'],
	rejected: [], expired: [], refunded: [],
};

// Where a program is killed; each holds it at that very step first.
const steps = {
	// the webhook stands before its row: the gateway has no 200, and sends again
	storing: { program: 'webhook', hold: 'lock table icert.payment_event in share row exclusive mode' },
	// the clerk stands before it has taken a row
	taking: { program: 'clerk', hold: 'lock table icert.payment_event in share row exclusive mode' },
	// taken, the gateway is being asked
	asking: { program: 'clerk', slow: true },
	// asked; the order cannot be changed yet
	applying: { program: 'clerk', hold: (order) => `select from icert.purchase where id = '${order}' for update` },
	// the order is changed, the event not marked
	marking: { program: 'clerk', slow: true, held: 'lock table icert.payment_event in share row exclusive mode' },
};

/** A transaction of the database's superuser that holds a lock until release(). */
function holding(icert, statement) {
	const psql = spawn('psql', ['-X', '-q', '-At', '-h', join(icert.run, 'pg'), '-U', 'postgres', '-d', 'icert'], { stdio: ['pipe', 'pipe', 'inherit'] });
	const held = new Promise((resolve) => psql.stdout.on('data', (text) => /held/.test(text) && resolve()));
	psql.stdin.write(`begin; ${statement}; select 'held';\n`);
	return { held, release: () => new Promise((resolve) => { psql.on('exit', resolve); psql.stdin.end('rollback;\n'); }) };
}

export async function histories({ icert, seed, orders, acts }) {
	const rnd = random(seed);
	const pick = (list) => list[Math.floor(rnd() * list.length)];
	const shuffled = (list) => list.map((one) => [rnd(), one]).sort((a, b) => a[0] - b[0]).map(([, one]) => one);
	const { standard } = await addGateways(icert, ['standard']);
	const { sim } = standard;
	const client = new Client({ base: icert.portal, ca: icert.ca });
	const box = new MailBox(icert.mail);
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	const tariff = page.path;
	const told = [];		// notifications not sent yet
	const killed = [];
	const deliver = async (one) => {
		for (let tries = 0; ; tries++) {
			const answer = await sim.deliver(one.payment, { ...one.note, once: true });
			if (answer.status === 200) return;
			assert.ok(tries < 200 && [0, 502, 503].includes(answer.status), `a signed notification: ${answer.status} ${answer.text}`);
			await sleep(100);
		}
	};
	const kill = async (name) => {
		const { pid } = (await icert.processes()).find((p) => p.name === name);
		for (const one of children(pid)) try { process.kill(one.pid, 'SIGKILL'); } catch { /* it has just ended */ }
	};
	const order = async () => {
		const bought = await (await client.visit(tariff)).form(/^\/comprar\//).submit({
			for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
		});
		assert.match(bought.path, /^\/orden\//, bought.text);
		return bought.path.split('/')[2];
	};
	const checkout = async (id) => {
		const form = (await client.visit(`/orden/${id}`)).form(/\/pagar$/);
		await form.submit({ pasarela: 'standard' });
		return sim.ofOrder(id);
	};
	const collect = () => told.push(...sim.held.splice(0));
	const waitingForLock = () => icert.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename like 'icert%'") !== '0';

	/** One notification, and the program that has it in hand killed at that step. */
	async function crash(one, name) {
		const step = steps[name];
		let lock = step.hold && holding(icert, typeof step.hold === 'string' ? step.hold : step.hold(one.payment.order));
		await lock?.held;
		let asked = false;
		if (step.slow) sim.fail({ times: 1, slow: 700, when: ({ method }) => { asked ||= method === 'GET'; return method === 'GET'; } });
		const sent = name === 'storing' || step.hold === steps.taking.hold ? deliver(one) : await deliver(one);
		if (step.slow) {
			// The question has come; without one (the event was known already) there is nothing to kill.
			for (let i = 0; i < 200 && !asked; i++) await sleep(10);
			if (step.held) {
				lock = holding(icert, step.held);
				await lock.held;
			}
		}
		if (lock) for (let i = 0; i < 60 && !waitingForLock(); i++) await sleep(30);
		const reached = lock ? waitingForLock() : asked;
		await kill(step.program);
		sim.wellAgain();
		await lock?.release();
		await sent;
		if (reached) killed.push(name);
		else planned.push(name);
	}

	sim.mode = 'hold';
	const ids = [];
	for (let i = 0; i < orders; i++) ids.push(await order());
	const payments = [];
	for (const id of ids) payments.push(await checkout(id));
	const planned = Object.keys(steps);
	for (let i = 0; i < acts; i++) {
		const payment = pick(payments);
		const act = pick(next[payment.state].length > 0 ? next[payment.state] : ['nada']);
		if (act !== 'nada') await sim.act(payment, act);
		await sleep(0);
		collect();
		if (told.length === 0) continue;
		const [one] = told.splice(Math.floor(rnd() * told.length), 1);
		const fate = rnd();
		if (planned.length > 0 && fate < 0.5) await crash(one, planned.shift());
		else if (fate < 0.6) continue;		// lost
		else if (fate < 0.7) sim.fail({ times: 2, status: pick([500, 503, 429]) });
		else if (fate < 0.8) await Promise.all([deliver(one), deliver(one), deliver(one)]);
		else if (fate < 0.9) deliver(one).catch(() => {}).finally(() => {}), kill(pick(['clerk', 'webhook']));
		else told.push(one);
		if (fate >= 0.6 && fate < 0.7) await deliver(one);
		// Whoever has paid here wants what it is for, twice at once.
		if (rnd() < 0.2) {
			const view = await client.visit(`/orden/${payment.order}`);
			if (/\/solicitud"/.test(view.html)) await Promise.allSettled([view.form(/\/solicitud$/).submit(), view.form(/\/solicitud$/).submit()]);
		}
	}
	// A step that was not reached (the notification was one that is known) is tried with one that is new.
	for (let tries = 0; planned.length > 0 && tries < 15; tries++) {
		const payment = payments.find((p) => sim.notices(p, 'estado').length > 0);
		await crash({ payment, note: sim.notices(payment, 'estado')[0] }, planned.shift());
	}
	// Everything is said in the end, in no order; what was lost is asked about.
	sim.wellAgain();
	for (const one of shuffled(told.splice(0))) await deliver(one);
	sim.mode = 'send';
	// An event whose notification was lost, of a payment that is settled here already (a dispute, a refund), is told again, as gateways do.
	for (const payment of payments) {
		for (const note of sim.notices(payment, 'estado')) await deliver({ payment, note });
	}
	icert.moveClock(icert.ahead + 7200);
	await until(() => icert.sql('select count(*) from icert.payment_event where applied_at is null') === '0', { what: 'every notification is applied', timeout: 120_000 });
	const state = (id) => icert.sql(`select state from icert.purchase where id = '${id}'`);
	const right = (payment) => (payment.captured ?? payment.cents) === payment.cents;
	const wanted = (payment) => {
		if (!right(payment)) return /^(created|pending)$/;
		// What went back, or is held back, before we ever heard that it was paid, has paid nothing here.
		const counted = icert.sql(`select count(*) from icert.payment where purchase_id = '${payment.order}' and verdict = 'pay'`) === '1';
		const after = counted ? { refunded: /^refunded$/, disputed: /^disputed$/ }[payment.state] : undefined;
		return payment.state === 'approved' ? /^(paid|used)$/ : after ?? /^(created|pending)$/;
	};
	const wrong = () => payments.filter((p) => !wanted(p).test(state(p.order))).map((p) => `${p.order}: ${p.state} there (${p.captures} captures), ${state(p.order)} here`);
	await until(() => wrong().length === 0, { what: 'here as there', timeout: 60_000 }).catch(() => assert.deepEqual(wrong(), []));
	for (const payment of payments) {
		const of = (verdict) => Number(icert.sql(`select count(*) from icert.payment where purchase_id = '${payment.order}' and verdict = '${verdict}'`));
		const paid = /^(paid|used|refunded|disputed)$/.test(state(payment.order));
		assert.equal(of('pay'), paid ? 1 : 0, `${payment.order}: counted once`);
		if (!right(payment)) assert.equal(of('mismatch'), 1, `${payment.order}: finance knows of the other amount`);
		if (payment.state === 'approved' && payment.captures > 1 && right(payment)) assert.equal(of('again'), 1, `${payment.order}: finance knows of the second payment`);
		assert.ok(Number(icert.sql(`select count(*) from icert.application where purchase_id = '${payment.order}'`)) <= 1, `${payment.order}: one credit, one application`);
	}
	const there = payments.filter((p) => right(p) && p.state === 'approved').reduce((sum, p) => sum + p.cents, 0);
	assert.equal(Number(icert.sql("select coalesce(sum(total), 0) from icert.purchase where state in ('paid', 'used')")), there, 'the sums are equal');
	assert.equal(Number(icert.sql("select coalesce(sum(cents), 0) from icert.payment y join icert.purchase p on p.id = y.purchase_id where y.verdict = 'pay' and p.state in ('paid', 'used')")), there);
	assert.equal(icert.sql("select count(*) from icert.outbox o where o.template = 'payment_received' group by o.purchase_id having count(*) > 1"), '', 'told once');
	await sim.close();
	return { killed, states: payments.map((p) => p.state) };
}
