// A day's comparison when the gateway is down, answers garbage, half of its list or a page twice, lists ten thousand, or when the clerk is
// killed in the midst of it: each time the same differences, each once, and every payment on its own day of Ecuador's mainland.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { children, signal, units } from '../lib/processes.mjs';
import { Operator, expect } from './walk.mjs';

const DAY = 86400;
let icert, sim, finance;
let yesterday;		// its first second, UTC; as the clerk has it
let day;		// the same as a date
const sql = (query) => icert.sql(query);
const row = (columns) => sql(`select ${columns} from icert.reconciliation where gateway = 'standard' and day = '${day}'`);
const found = () => sql("select coalesce(string_agg(payment || ' ' || kind, ', ' order by payment, kind), '') from icert.difference where gateway = 'standard'");
const isList = ({ path }) => path === '/v1/payments';

before(async () => {
	icert = await startInstance();
	({ standard: { sim } } = await addGateways(icert, ['standard']));
	finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	await until(() => sql("select count(*) from icert.reconciliation where gateway = 'standard' and state = 'done'") === '1', { what: 'the day before' });
	day = sql("select to_char(max(day), 'YYYY-MM-DD') from icert.reconciliation where gateway = 'standard'");
	yesterday = Number(sql(`select extract(epoch from '${day}'::date)::bigint + 5 * 3600`));
});
after(async () => {
	finance?.close();
	await sim?.close();
	await icert?.stop();
});

/** A payment that the gateway has, begun and paid at that second. */
function there(id, at, more = {}) {
	const payment = sim.open({ id, order: '', number: id, description: '', cents: 3105, currency: 'USD', returnUrl: '', notifyUrl: '' });
	return Object.assign(payment, { state: 'approved', captures: 1, begunAt: at, paidAt: at, ...more });
}

/** Payments that were concluded here at that second, of no order. */
const here = (at, ...ids) => sql(`insert into icert.payment (id, gateway, gateway_payment, verdict, cents, currency, at)
	select gen_random_uuid(), 'standard', id, 'late', 3105, 'USD', ${at} from unnest(array[${ids.map((id) => `'${id}'`)}]) id`);
/** So many are there and here, a second each. */
function same(count) {
	for (let i = 0; i < count; i++) there(`pay_same_${i}`, yesterday + i);
	sql(`insert into icert.payment (id, gateway, gateway_payment, verdict, cents, currency, at)
		select gen_random_uuid(), 'standard', 'pay_same_' || n, 'late', 3105, 'USD', ${yesterday} + n from generate_series(0, ${count - 1}) n`);
}

/** Everything of before is gone, there and here. */
function anew() {
	sim.wellAgain();
	sim.payments.clear();
	sim.calls.length = 0;
	sql("delete from icert.difference where gateway = 'standard'; delete from icert.payment where gateway = 'standard'");
}

/** The day is to be compared (again), from now. */
const begin = () => sql(`update icert.reconciliation set state = 'open', ended_at = null, tries = 0, next_try_at = 0, outcome = '' where gateway = 'standard' and day = '${day}'`);
const done = () => until(() => row('state') === 'done', { what: 'the day is compared', timeout: 60_000 });
const putOff = (why) => until(() => row("state || ' ' || outcome") === `open ${why}`, { what: `the day is put off: ${why}`, timeout: 30_000 });
/** A quarter of an hour later. */
const tryNow = () => sql(`update icert.reconciliation set next_try_at = 0 where gateway = 'standard' and day = '${day}'`);

test('what was paid at 23:59:59 and at 00:00:00 is of its own day, there and here', async () => {
	anew();
	const at = { before: yesterday - 1, first: yesterday, last: yesterday + DAY - 1, next: yesterday + DAY };
	for (const [name, second] of Object.entries(at)) {
		there(`pay_there_${name}`, second);
		here(second, `pay_here_${name}`);
		// There at the day's last second, heard here in the next day's first.
		there(`pay_both_${name}`, second);
		here(second + 1, `pay_both_${name}`);
	}
	begin();
	await done();
	assert.equal(found(), 'pay_here_first paid_here, pay_here_last paid_here, pay_there_first paid_there, pay_there_last paid_there');
	assert.equal(row('payments'), '4');
	assert.equal(sql("select count(*) from icert.difference where day <> " + `'${day}'`), '0');
});

test('a clerk that is killed in the midst of it begins again, and each difference is one', async () => {
	const wanted = 'pay_here_a paid_here, pay_here_b paid_here, pay_there_a paid_there, pay_there_b paid_there';
	const fresh = () => {
		anew();
		same(250);
		for (const id of ['pay_there_a', 'pay_there_b']) there(id, yesterday + 60);
		here(yesterday + 60, 'pay_here_a', 'pay_here_b');
	};
	const kill = () => { for (const one of children(units(icert).get('clerk').pid)) signal(one.pid, 'SIGKILL'); };
	const waiting = (statement) => until(() => sql(`select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'icert_clerk' and query like '%${statement}%'`) !== '0',
		{ what: `the clerk stands before ${statement}`, every: 20 });
	/** Holds a table, lets go on what comes to it, kills the clerk when it stands before that statement. */
	const killedBefore = async (table, statement, goOn = () => {}) => {
		const psql = spawn('psql', ['-X', '-q', '-At', '-h', join(icert.run, 'pg'), '-U', 'postgres', '-d', 'icert'], { stdio: ['pipe', 'pipe', 'inherit'] });
		try {
			const held = new Promise((resolve) => psql.stdout.on('data', resolve));
			psql.stdin.write(`begin; lock table ${table} in share row exclusive mode; select 'held';\n`);
			await held;
			goOn();
			await waiting(statement);
			kill();
		} finally {
			psql.stdin.end('rollback;\n');
			await new Promise((resolve) => psql.on('exit', resolve));
		}
	};
	const killedAsked = async (which, times) => {
		let asked = 0;
		sim.fail({ times: 1, slow: 3000, when: (request) => which(request) && ++asked >= times });
		begin();
		await until(() => asked >= times, { what: 'the gateway is asked', every: 20 });
		kill();
	};
	for (const [what, killed] of Object.entries({
		'at the second page of the list': () => killedAsked(isList, 2),
		'before what the list says is written': () => killedBefore('icert.difference', 'insert into icert.difference', begin),
		'while it asks for the second that the list had not': () => killedAsked(({ path }) => /pay_here_/.test(path), 2),
		'before the day is done': async () => {
			// The differences are written, the day is not.
			let asked = 0;
			sim.fail({ times: 1, slow: 3000, when: ({ path }) => /pay_here_/.test(path) && ++asked === 2 });
			begin();
			await until(() => asked === 2, { what: 'the last is asked for', every: 20 });
			return killedBefore('icert.reconciliation', 'update icert.reconciliation');
		},
	})) {
		fresh();
		await killed();
		await done();
		assert.equal(found(), wanted, what);
		assert.equal(row('payments'), '252', what);
	}
});

test('a gateway that is down, answers garbage or breaks off puts the day off, and nothing is believed of it', async () => {
	anew();
	there('pay_there', yesterday + 60);
	same(120);
	let page = 0;
	for (const [why, fault] of [
		['unavailable', { status: 503 }], ['unavailable', { drop: true }], ['malformed', { status: 200, text: '<html>502</html>' }],
		['malformed', { status: 200, text: '{"data":{"id":1}}' }], ['malformed', { status: 200, text: '{"data":[{"id":"../x","status":"approved"}]}' }],
		['malformed', { status: 200, text: '{"data":[],"next":"pay_x"}' }], ['denied', { status: 401 }],
		// the first page, and nothing after it
		['unavailable', { status: 500, when: (request) => isList(request) && page++ > 0 }],
	]) {
		sim.fail({ times: Infinity, when: isList, ...fault });
		begin();
		await putOff(why);
		assert.doesNotMatch(found(), /pay_same|paid_here/, why);
		sim.wellAgain();
	}
	const shown = await finance.client.visit('/conciliacion');
	assert.match(shown.main, /la pasarela no responde; se le pregunta otra vez/);
	tryNow();
	await done();
	assert.equal(found(), 'pay_there paid_there');
	assert.equal(row('tries'), '2');
});

test('a list that leaves half of it out takes nothing from what is paid; a page that comes twice counts once', async () => {
	anew();
	same(150);
	there('pay_there', yesterday + 60);
	here(yesterday + 60, 'pay_here');
	const list = (rows, next = null) => JSON.stringify({ next, data: rows.map((p) => ({ id: p.id, reference: '', status: p.state, amount: '31.05', currency: 'USD', captures: 1, at: new Date(p.paidAt * 1000).toISOString() })) });
	const all = [...sim.payments.values()];
	// As if that were all.
	sim.fail({ times: 1, when: isList, status: 200, text: list(all.slice(0, 75)) });
	begin();
	await done();
	assert.equal(found(), 'pay_here paid_here');
	assert.equal(row('payments'), '75');
	// The first page again as the second, then the rest.
	sim.fail({ times: 1, when: isList, status: 200, text: list(all.slice(0, 75), 'pay_same_0') });
	sim.fail({ times: 1, when: isList, status: 200, text: list(all.slice(0, 75), 'pay_same_75') });
	begin();
	await done();
	assert.equal(found(), 'pay_here paid_here, pay_there paid_there');
	assert.equal(row('payments'), '151');
});

test('ten thousand payments of a day', async () => {
	anew();
	same(10_000);
	sql("update icert.payment set cents = 3000 where gateway_payment = 'pay_same_77'; delete from icert.payment where gateway_payment = 'pay_same_9999'");
	sim.payments.get('pay_same_78').captures = 2;
	here(yesterday + 60, 'pay_here');
	begin();
	await done();
	assert.equal(found(), 'pay_here paid_here, pay_same_77 amount, pay_same_78 amount, pay_same_9999 paid_there');
	assert.equal(row('payments'), '10000');
	assert.equal(sql("select string_agg(here || ' ' || there, ', ' order by payment) from icert.difference where kind = 'amount'"), '3000 3105, 3105 6210');
});

test('days that were missed while the gateway was down are made up for, each with its own payments', async () => {
	anew();
	there('pay_first', yesterday + 60);
	sim.fail({ times: Infinity, status: 503 });
	begin();
	await putOff('unavailable');
	icert.moveClock(2 * DAY);
	await until(() => sql("select count(*) from icert.reconciliation where gateway = 'standard' and outcome = 'unavailable'") === '3', { what: 'three days wait', timeout: 60_000 });
	sim.wellAgain();
	sql("update icert.reconciliation set next_try_at = 0 where gateway = 'standard'");
	await until(() => sql("select count(*) from icert.reconciliation where gateway = 'standard' and state = 'done'") === '3', { what: 'all are compared', timeout: 60_000 });
	assert.equal(found(), 'pay_first paid_there');
});
