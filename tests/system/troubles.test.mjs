// One row that the clerk cannot finish holds up no other: it rests, is seen, is tried again, and is done once it can be.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const DAY = 86400;
let icert;
let orders;	// three that will be due
let cases;	// two that have applied
const open = [];

const sql = (text) => { const r = icert.psql(text); assert.ok(r.ok, r.error); return r.text.trim(); };
const now = () => Math.floor(Date.now() / 1000);
const state = (id) => sql(`select state from icert.purchase where id = '${id}'`);
const noted = (part, subject) => sql(`select code || ' ' || tries from icert.trouble where part = '${part}' and subject in ('${subject}', (select id::text from icert.deadline where subject::text = '${subject}' and kind = 'purchase_expire'))`);
const log = () => readFileSync(join(icert.prefix, 'log/clerk.log'), 'utf8');

/** From now on this statement fails for one row, as a broken one would. */
function breakRow(table, event, when, body = "raise exception 'broken on purpose'") {
	sql(`create function icert.broken() returns trigger language plpgsql as $$ begin ${body}; return new; end $$;
		grant execute on function icert.broken() to public;
		create trigger broken before ${event} on icert.${table} for each row when (${when}) execute function icert.broken()`);
}
const mend = (table) => sql(`drop trigger broken on icert.${table}; drop function icert.broken()`);
const tryAgain = () => sql('update icert.trouble set next_at = 0');

before(async () => {
	icert = await startInstance();
	orders = [];
	for (let n = 0; n < 3; n++) {
		const who = new Applicant(icert);
		open.push(who);
		await who.order();
	}
	orders = sql('select id from icert.purchase order by created_at, id').split('\n');
	cases = [new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001' }), new Applicant(icert, { id_number: '0923456784', ruc: '0923456784001' })];
	for (const who of cases) {
		open.push(who);
		await who.apply();
	}
});
after(async () => {
	for (const person of open) person.close();
	await icert?.stop();
});

test('a deadline whose statement fails: the others act, it is noted and seen, and acts once it can', async () => {
	const [first, ...others] = orders;
	breakRow('purchase', 'update', `new.id = '${first}' and new.state = 'expired'`);
	sql(`update icert.purchase set expires_at = ${now() - 100};
		update icert.deadline set due_at = ${now() - 100} - case when subject = '${first}' then 100 else 0 end where kind = 'purchase_expire' and subject in ('${orders.join("','")}')`);
	await until(() => others.every((id) => state(id) === 'expired'), { what: 'the others' });
	await until(() => noted('deadline', first) !== '', { what: 'the note' });
	assert.notEqual(state(first), 'expired');
	const due = sql(`select due_at from icert.deadline where subject = '${first}' and kind = 'purchase_expire'`);
	assert.equal(Number(due), Number(sql(`select expires_at from icert.purchase where id = '${first}'`)) - 100, 'a failure moves no deadline');
	tryAgain();
	await until(() => Number(noted('deadline', first).split(' ')[1]) >= 2, { what: 'another try' });
	const rest = await until(() => sql("select tries || ' ' || next_at - at from icert.trouble where part = 'deadline' and next_at > 0"), { what: 'its rest' });
	const [tries, seconds] = rest.split(' ').map(Number);
	assert.equal(seconds, Math.min(2 ** tries, 900), 'soon at first, then twice as long each time');
	assert.match(log(), /"work_failed"/);

	const { code, stdout } = await icert.icertctl('troubles');
	assert.equal(code, 1);
	assert.match(stdout, /deadline +purchase_expire +[0-9a-f-]{36}/);
	const admin = new Operator(icert, 'administrador');
	open.push(admin);
	expect(await admin.signIn(), 200);
	assert.match(expect(await admin.client.visit('/pendientes'), 200).main, /Un plazo[^]*purchase_expire/);

	mend('purchase');
	tryAgain();
	await until(() => state(first) === 'expired' && noted('deadline', first) === '', { what: 'the end of it' });
	assert.equal((await icert.icertctl('troubles')).code, 0);
	assert.match((await admin.client.visit('/pendientes')).main, /No hay nada pendiente/);
});

test('a row that kills the process rests like any other', async () => {
	const [first, second] = orders;
	sql(`update icert.purchase set state = 'created', version = version + 1 where id in ('${first}', '${second}')`.replace(/^/, 'set session_replication_role = replica; '));
	breakRow('purchase', 'update', `new.id = '${first}' and new.state = 'expired'`, 'perform pg_sleep(60)');
	sql(`update icert.deadline set state = 'waiting', done_at = null, due_at = ${now() - 50} - case when subject = '${first}' then 100 else 0 end
		where kind = 'purchase_expire' and subject in ('${first}', '${second}')`);
	await until(() => sql("select count(*) from pg_stat_activity where usename = 'icert_clerk' and wait_event = 'PgSleep'") === '1', { what: 'the row in hand' });
	// Every job of the clerk dies; one of them had that row.
	const clerk = (await icert.processes()).find((p) => p.name === 'clerk').pid;
	for (const child of readFileSync(`/proc/${clerk}/task/${clerk}/children`, 'utf8').trim().split(' ')) process.kill(Number(child), 'SIGKILL');
	sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'icert_clerk' and wait_event = 'PgSleep'");
	await until(() => state(second) === 'expired', { what: 'the other' });
	assert.match(noted('deadline', sql(`select id from icert.deadline where subject = '${first}' and kind = 'purchase_expire'`)), /^crashed 1$/);
	mend('purchase');
	tryAgain();
	await until(() => state(first) === 'expired', { what: 'the end of it' });
});

test('a share of an outage that cannot be added holds up the end of its own case alone', async () => {
	const [one, other] = cases;
	breakRow('outage_share', 'insert', `new.application_id = '${one.id}'`);
	sql(`insert into icert.outage (id, part, from_at, to_at, state, requested_at) values (gen_random_uuid(), 'portal', ${now() - 1800}, ${now() + 60}, 'noticed', ${now()})`);
	await until(() => noted('outage', one.id) !== '' && sql(`select count(*) from icert.outage_share where application_id = '${other.id}'`) === '1', { what: 'the shares' });
	assert.equal(sql('select count(*) from icert.outage where applied_at is null'), '1');
	sql(`update icert.application set version = version + 1, closes_at = ${now() - 10} where id in ('${one.id}', '${other.id}');
		update icert.deadline set due_at = ${now() - 10} where kind = 'application_cancel' and subject in ('${one.id}', '${other.id}')`);
	const caseState = (who) => sql(`select state from icert.application where id = '${who.id}'`);
	await until(() => caseState(other) === 'cancelled', { what: 'the cancellation' });
	assert.equal(caseState(one), 'submitted');
	mend('outage_share');
	sql(`update icert.application set version = version + 1, closes_at = ${now() + DAY} where id = '${one.id}'`);
	tryAgain();
	await until(() => sql('select count(*) from icert.outage where applied_at is null') === '0' && noted('outage', one.id) === '', { what: 'the rest' });
	assert.equal(sql(`select count(*) from icert.outage_share where application_id = '${one.id}'`), '1');
	assert.equal(caseState(one), 'submitted');
});

test('what the other jobs go through: one bad substitute keeps the others from nothing', async () => {
	const staff = (login) => sql(`select id from icert.staff where login = '${login}'`);
	const add = (login) => sql(`insert into icert.substitute (id, province, staff_id, from_at, to_at, named_by, named_at)
		values (gen_random_uuid(), 17, '${staff(login)}', ${now() - 100}, ${now() + DAY}, '${staff('central')}', ${now()}) returning id`);
	breakRow('staff_role', 'insert', `new.staff_id = '${staff('operador.guayas')}' and new.role = 'director'`);
	const bad = add('operador.guayas');
	const good = add('operador.pichincha');
	await until(() => sql(`select state from icert.substitute where id = '${good}'`) === 'active', { what: 'the good one' });
	await until(() => noted('substitute', bad) !== '', { what: 'the note' });
	assert.equal(sql(`select state from icert.substitute where id = '${bad}'`), 'named');
	mend('staff_role');
	tryAgain();
	await until(() => sql(`select state from icert.substitute where id = '${bad}'`) === 'active' && noted('substitute', bad) === '', { what: 'the bad one' });
});
