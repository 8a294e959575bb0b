// Ten applicants under way while every process is killed in turn; what must hold
// afterwards.  One round is part of the tests, many are the soak.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { moreOperators } from '../lib/staff.mjs';
import { allUp, children, random, signal, units } from '../lib/processes.mjs';
import * as tools from '../lib/tools.mjs';
import { Case, director, fits } from './patient.mjs';

const PEOPLE = 10;
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whom to kill: a unit, or one of its children chosen by chance. */
const victims = [
	'portal', 'desk', 'webhook', 'ocsp', 'issuer', 'clerk', 'publisher', 'signer', 'status-signer', 'keymaker', 'keeper', 'checker',
	'redis', 'postgres', 'nginx', 'portal/child', 'desk/child', 'webhook/child', 'clerk/child', 'postgres/child', 'nginx/child',
];

function kill(icert, victim, chance) {
	const [name, child] = victim.split('/');
	const unit = units(icert).get(name);
	assert.ok(unit, name);
	if (unit.pid === 0) return false;	// still down from the last time
	if (!child) return signal(unit.pid, 'SIGKILL');
	const all = children(unit.pid);
	return all.length > 0 && signal(all[Math.floor(chance() * all.length)].pid, 'SIGKILL');
}

/** Kills all of them once a round, in an order and at moments that the seed gives; how often each. */
async function killer(icert, chance, { rounds, apart }) {
	const done = new Map(victims.map((v) => [v, 0]));
	for (let round = 0; round < rounds; round++) {
		const order = victims.map((v) => [chance(), v]).sort((a, b) => a[0] - b[0]).map(([, v]) => v);
		for (const victim of order) {
			await rest(apart * (0.5 + chance()));
			await until(() => kill(icert, victim, chance), { what: `${victim} to be there`, timeout: 60_000 });
			done.set(victim, done.get(victim) + 1);
		}
	}
	return done;
}

/** The whole of it; what was seen and done is returned for the test to judge. */
async function tenUnderWay({ seed, rounds, apart, people = PEOPLE, log = () => {} }) {
	const chance = random(seed);
	const icert = await startInstance();
	const seen = { cut: 0, refused: 0, bad: [] };
	const cases = [];
	const folder = tools.scratch();
	let boss;
	const close = async () => {
		for (const one of [...cases, boss]) one?.close();
		await icert.stop();
		rmSync(folder, { recursive: true, force: true });
	};
	try {
		const logins = await moreOperators(icert, people);
		for (let n = 0; n < people; n++) cases.push(new Case(icert, n, logins[n], seen));
		boss = await director(icert, seen);
		const walks = cases.map((one) => one.run(boss, folder));
		const killed = await killer(icert, chance, { rounds, apart });
		// Whose notification was lost twice is asked about two minutes later.
		icert.moveClock(150);
		const ends = await Promise.allSettled(walks);
		await allUp(icert);
		const slow = cases.map((one) => one.slowest).sort((a, b) => b.took - a.took)[0];
		log(`slowest step: ${slow.what}, ${slow.took} ms`);
		log(`killed ${[...killed].map(([v, n]) => `${v} ${n}`).join(', ')}; ${seen.cut} connections cut, ${seen.refused} times told to come back`);
		return { icert, cases, ends, killed, seen, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/* ---- what must hold ---- */

const none = (icert, what, query) => assert.equal(icert.sql(query), '', what);

/** Nothing is lost or doubled, as the database tells it. */
function rowsHold(icert, people = PEOPLE) {
	const count = (query) => Number(icert.sql(query));
	assert.equal(count("select count(*) from icert.application where state <> 'removed'"), people, 'an application each');
	assert.equal(count("select count(*) from icert.application where state = 'active'"), people, 'all active');
	assert.equal(count("select count(*) from icert.certificate where state = 'good'"), people, 'a certificate each');
	assert.equal(count("select count(*) from icert.certificate where state = 'issuing'"), 0, 'none left half way');
	none(icert, 'one certificate a case', "select application_id from icert.certificate where state <> 'refused' group by 1 having count(*) > 1");
	none(icert, 'no certificate without its deadline', `select id from icert.certificate c where state = 'good' and not exists
		(select from icert.deadline d where d.subject = c.id and d.kind = 'contract_due' and d.due_at >= c.issued_at + 120 * 3600)`);
	none(icert, 'no deadline twice', 'select kind, subject, due_at from icert.deadline group by 1, 2, 3 having count(*) > 1');
	none(icert, 'every PKCS#12 was sealed, and is destroyed once the contract is signed', `select id from icert.certificate c where state = 'good' and not exists
		(select from icert.delivery d where d.certificate_id = c.id and d.label = 'pkcs12' and d.destroyed_at is not null)`);
	none(icert, 'no clock of a signed contract runs', "select id from icert.deadline where kind like 'contract%' and state = 'waiting'");
	none(icert, 'every good one is public', `select c.id from icert.certificate c where c.state = 'good' and
		(select count(*) from icert.status_change s where s.certificate_id = c.id and s.state = 'good' and s.published_epoch is not null) <> 1`);
	none(icert, 'payments are credited once', "select purchase_id from icert.payment where verdict = 'credit' group by 1 having count(*) > 1");
	none(icert, 'every used order is paid', "select id from icert.purchase where state = 'used' and paid_at is null");
	none(icert, 'no order used twice', "select purchase_id from icert.application where state <> 'removed' group by 1 having count(*) > 1");
	none(icert, 'serials are unique', 'select serial from icert.certificate group by 1 having count(*) > 1');
	none(icert, 'envelope numbers are unique', 'select number from icert.envelope group by 1 having count(*) > 1');
	none(icert, 'numbers of applications and contracts are unique', `select number from icert.application where number is not null group by 1 having count(*) > 1
		union select number from icert.contract group by 1 having count(*) > 1`);
	none(icert, 'one contract a certificate', `select c.id from icert.certificate c where c.state = 'good' and (select count(*) from icert.contract k where k.certificate_id = c.id) <> 1`);
	none(icert, 'no notification unapplied', 'select event_id from icert.payment_event where applied_at is null');
	none(icert, 'a valid copy of each signature', `select c.id from icert.contract c where (select count(*) from icert.contract_copy y
		where y.contract_id = c.id and y.state = 'valid') <> 2`);
	none(icert, 'one mail a cause', `select coalesce(application_id, purchase_id), template, dedup from icert.outbox where dedup is not null
		group by 1, 2, 3 having count(*) > 1`);
	none(icert, 'no mail given up', "select id from icert.outbox where state in ('failed', 'expired')");
}

/** The signer's journal says what the database says. */
function journalHolds(icert) {
	const journal = readFileSync(join(icert.prefix, 'signer/journal'), 'latin1').split('\n')
		.map((line) => line.match(/^\d+ \d+ certificate case=(\w+) serial=(\w+) .*spki=(\w+) /)?.slice(1).join(' ')).filter(Boolean).sort();
	const rows = icert.sql(`select replace(application_id::text, '-', '') || ' ' || encode(serial, 'hex') || ' ' || encode(spki_sha256, 'hex')
		from icert.certificate where der is not null`).split('\n').filter(Boolean).sort();
	assert.deepEqual(journal, rows);
}

/** Every holder opened what was mailed with what the envelope said; the edge says good; the list is clean. */
async function holdersHave(t, icert, cases) {
	const folder = tools.scratch(t);
	const pem = (name, path) => tools.must('openssl', ['x509', '-inform', 'DER', '-in', path, '-out', join(folder, name)]);
	pem('issuer.pem', icert.files.issuer);
	pem('root.pem', icert.files.root);
	const issuer = join(folder, 'issuer.pem');
	const chain = tools.put(folder, 'chain.pem', tools.must('cat', [issuer, join(folder, 'root.pem')]));
	for (const one of cases) {
		assert.ok(fits(one.identity), `case ${one.n}: key and certificate belong together`);
		const answer = tools.ocsp({ url: `${icert.status}/ocsp`, certificate: one.identity.cert, issuer, chain });
		assert.match(answer.output, /: good/, `case ${one.n}`);
	}
	const list = await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer();
	const text = tools.must('openssl', ['crl', '-inform', 'DER', '-noout', '-text', '-verify', '-CAfile', chain], { input: Buffer.from(list) });
	assert.match(text, /No Revoked Certificates/);
}

/** The tree of audit, with the signed heads. */
async function auditHolds(icert) {
	await until(() => icert.sql('select count(*) from icert.audit where leaf is null') === '0', { what: 'the last audit rows in the tree' });
	const { code, stdout, stderr } = await icert.icertctl('audit', 'verify');
	assert.equal(code, 0, stdout + stderr);
}

/** All of it, a subtest each. */
async function judge(t, run, rounds) {
	const { icert, cases } = run;
	await t.test('each process was killed', () => {
		for (const victim of victims) assert.ok(run.killed.get(victim) >= rounds, victim);
	});
	await t.test('all finished', () => {
		const late = run.ends.map((end, n) => end.status === 'rejected' && `case ${n} at "${cases[n].step}": ${end.reason.message}`).filter(Boolean);
		if (late.length > 0) assert.fail(`${late.join('\n')}\n${icert.logs()}`);
	});
	await t.test('whoever asked meanwhile got an answer, or a page that says to come back', () => assert.deepEqual(run.seen.bad, []));
	await t.test('nothing is lost or doubled in the database', () => rowsHold(icert, cases.length));
	await t.test("the signer's journal says the same", () => journalHolds(icert));
	await t.test('every holder has opened the PKCS#12 with the envelope; OCSP good; CRL clean', (s) => holdersHave(s, icert, cases));
	await t.test('the tree of audit is sound', () => auditHolds(icert));
}

/** One run as a test, whose name repeats it. */
export function killing(seed, rounds, apart) {
	test(`KILL_SEED=${seed} KILL_ROUNDS=${rounds} KILL_APART_MS=${apart}`, async (t) => {
		const run = await tenUnderWay({ seed, rounds, apart, log: (line) => t.diagnostic(line) });
		try {
			await judge(t, run, rounds);
		} finally {
			await run.close();
		}
	});
}
