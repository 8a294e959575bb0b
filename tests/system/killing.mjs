// Ten applicants under way, from order to active, while every process is killed in
// turn at moments that the seed gives.  One round is part of the tests, many are the soak.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { moreOperators } from '../lib/staff.mjs';
import { allUp, children, random, signal, units } from '../lib/processes.mjs';
import * as tools from '../lib/tools.mjs';
import { Case, director } from './patient.mjs';
import * as unharmed from './unharmed.mjs';

const PEOPLE = 10;
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whom to kill: a unit, or one of its children chosen by chance. */
const victims = [
	'portal', 'desk', 'webhook', 'ocsp', 'issuer', 'clerk', 'publisher', 'signer', 'status-signer', 'keymaker', 'keeper', 'checker',
	'redis', 'postgres', 'nginx', 'portal/child', 'desk/child', 'webhook/child', 'clerk/child', 'postgres/child', 'nginx/child',
];
/** Who lives for one file or one key only: killed when found alive, after one of the others. */
const passing = ['checker/child', 'keymaker/child'];

function kill(icert, victim, chance) {
	const [name, child] = victim.split('/');
	const unit = units(icert).get(name);
	assert.ok(unit, name);
	if (unit.pid === 0) return false;	// still down from the last time
	if (!child) return signal(unit.pid, 'SIGKILL');
	const all = children(unit.pid);
	return all.length > 0 && signal(all[Math.floor(chance() * all.length)].pid, 'SIGKILL');
}

/**
 * The way has two parts: from the order to the identification, and from issuing to active.  In
 * each of them everybody is killed once a round, and one applicant after the other is let
 * through, so that somebody is in that part at each kill.
 */
class Killer {
	constructor(icert, cases, chance, { rounds, apart }) {
		Object.assign(this, { icert, cases, chance, rounds, apart });
		this.early = new Map();
		this.late = new Map();
		this.found = new Map();		// a step of the procedure → how many were in it at a kill
	}

	shuffled() { return victims.map((v) => [this.chance(), v]).sort((a, b) => a[0] - b[0]).map(([, v]) => v); }

	count(map, key) { map.set(key, (map.get(key) ?? 0) + 1); }

	async one(victim, killed) {
		await rest(this.apart * (0.5 + this.chance()));
		await until(() => kill(this.icert, victim, this.chance), { what: `${victim} to be there`, every: 10 });
		this.count(killed, victim);
		for (const one of this.cases) this.count(this.found, one.step);
		for (const extra of passing) if (kill(this.icert, extra, this.chance)) this.count(killed, extra);
	}

	/** Somebody is in this part of the way; whoever is next is let through for that. */
	async company(part, at, all) {
		const { cases } = this;
		const next = () => cases.findIndex((one) => !one.gates[part].isOpen);
		const there = () => cases.some((one) => one.part === part);
		const coming = () => cases.some((one) => one.gates[part].isOpen && one.ended <= part);
		while (next() >= 0 && (next() <= at * cases.length / all || !coming())) cases[next()].gates[part].letThrough();
		await until(there, { what: `somebody in part ${part + 1} of the way`, timeout: 120_000, every: 10 });
	}

	async run() {
		const all = this.rounds * victims.length;
		for (const [part, killed] of [this.early, this.late].entries())
			for (let at = 0, round = 0; round < this.rounds; round++)
				for (const victim of this.shuffled()) {
					await this.company(part, at++, all);
					await this.one(victim, killed);
				}
		for (const one of this.cases) for (const gate of one.gates) gate.letThrough();
	}
}

/** The whole of it; what was seen and done is returned for the test to judge. */
async function tenUnderWay({ seed, rounds, apart, people = PEOPLE, log = () => {} }) {
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
		const killer = new Killer(icert, cases, random(seed), { rounds, apart });
		const walks = cases.map((one) => one.run(boss, folder));
		const all = Promise.allSettled(walks);
		await killer.run();
		const ends = await all;
		await allUp(icert);
		for (const one of cases.map((c) => c.slowest).sort((a, b) => b.took - a.took).slice(0, 3)) log(`slow: ${one.what}, ${one.took} ms`);
		log(`at the kills: ${[...killer.found].map(([what, n]) => `${what} ${n}`).join(', ')}`);
		log(`${seen.cut} connections cut, ${seen.refused} times told to come back`);
		return { icert, cases, ends, killer, seen, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/** All of it, a subtest each. */
async function judge(t, run, rounds) {
	const { icert, cases, killer } = run;
	await t.test('each process was killed, before the certificate and between issuing and active', () => {
		for (const victim of victims)
			for (const half of [killer.early, killer.late]) assert.ok(half.get(victim) >= rounds, victim);
	});
	await t.test('all finished', () => {
		const late = run.ends.map((end, n) => end.status === 'rejected' && `case ${n} at "${cases[n].step}": ${end.reason.message}`).filter(Boolean);
		if (late.length > 0) assert.fail(`${late.join('\n')}\n${icert.logs()}`);
	});
	await t.test('whoever asked meanwhile got an answer, or a page that says to come back', () => assert.deepEqual(run.seen.bad, []));
	await t.test('nothing is lost or doubled in the database', () => unharmed.rows(icert, cases.length));
	await t.test('each step of each case stands once on the log of audit', () => unharmed.steps(icert));
	await t.test('every file that a row names is there', () => unharmed.files(icert));
	await t.test("the signer's journal says the same", () => unharmed.journal(icert));
	await t.test('every holder has opened the PKCS#12 with the envelope; OCSP good; CRL clean', (s) => unharmed.holders(s, icert, cases));
	await t.test('each mail arrived, and once', () => unharmed.mails(icert, killer.early.get('clerk') + killer.late.get('clerk')));
	await t.test('the evidence of each case verifies', (s) => unharmed.evidence(s, icert, cases));
	await t.test('the tree of audit is sound', () => unharmed.audit(icert));
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
