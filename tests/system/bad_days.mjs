// Bad days of the publisher and of the edge, short as part of the tests and long in the soak: one function a day, of an
// instance and how much.  What must hold in all of them: nobody who was seen revoked is ever good again, no epoch and no
// number of a list goes back, and a set that lies in place verifies.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { existsSync, openSync, closeSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { icertctlRun } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { allUp, frozen, random, signal, units } from '../lib/processes.mjs';
import { asked } from '../lib/status.mjs';
import { must } from '../lib/tools.mjs';
import { restart, rewrite } from '../bench/instance.mjs';
import { addCertificates, published, requests, revocation, serialOf } from '../bench/certificates.mjs';

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Who asks about certificates of addCertificates(), one at a time, and remembers. */
export class Relying {
	constructor(icert) {
		this.icert = icert;
		[this.question] = requests(icert, 1, 1);
		this.revoked = new Set();	// seen so by somebody
		this.last = { epoch: 0n, list: 0n };
	}

	async verdict(n) {
		// The serial is what a question without nonce ends with.
		Buffer.from(serialOf(n), 'hex').copy(this.question, this.question.length - 16);
		const got = await asked(this.icert.status, this.question, serialOf(n));
		if (got === 'revoked') this.revoked.add(n);
		else if (this.revoked.has(n)) assert.notEqual(got, 'good', `${n} was revoked`);
		return got;
	}

	/** Nobody whose revocation was seen is good; a sample of so many when there are more. */
	async neverGood(sample = 400) {
		const all = [...this.revoked];
		const step = Math.max(1, Math.floor(all.length / sample));
		for (let i = 0; i < all.length; i += step) assert.notEqual(await this.verdict(all[i]), 'good', String(all[i]));
	}

	/** Epoch and number of the list as they are public: neither has gone back since the last time. */
	async forward() {
		const metrics = await (await fetch(`${this.icert.state}/metrics`)).text();
		const epoch = BigInt(metrics.match(/^icert_status_epoch (\d+)$/m)[1]);
		const der = Buffer.from(await (await fetch(`${this.icert.status}/crl/icert.crl`)).arrayBuffer());
		const list = BigInt(must('openssl', ['crl', '-inform', 'DER', '-noout', '-crlnumber'], { input: der }).trim().split('=')[1]);
		assert.ok(epoch >= this.last.epoch, `epoch ${epoch} after ${this.last.epoch}`);
		assert.ok(list >= this.last.list, `list ${list} after ${this.last.list}`);
		this.last = { epoch, list };
		return { epoch, list, der };
	}
}

/** `icertctl status verify` of what is in place: sound. */
export async function sound(icert, samples = '200') {
	const { code, stdout, stderr } = await icertctlRun(['status', 'verify', join(icert.prefix, 'status'), '--key', join(icert.prefix, 'pins/manifest.pub'), '--samples', samples]);
	assert.equal(code, 0, stdout + stderr);
	return stdout;
}

/** Numbers of certificates in the list. */
const listed = (der) => new Set(must('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], { input: der }).match(/(?<=Serial Number: )[0-9A-F]+/g)?.map((s) => s.toLowerCase().padStart(32, '0')));

/** Revoked from..until in one transaction. */
const revokeAll = (icert, from, until_) => icert.sql(`begin; set local session_replication_role = replica;
	create temp table gone on commit drop as select '\\x01'::bytea || substr(sha256(n::text::bytea), 1, 15) as serial from generate_series(${from}, ${until_}) n;
	update icert.certificate c set state = 'revoked', revoked_at = extract(epoch from now())::bigint, reason = 4, revoked_by = 'national' from gone where c.serial = gone.serial;
	insert into icert.status_change (certificate_id, state, reason, at) select c.id, 'revoked', 4, c.revoked_at from icert.certificate c join gone using (serial);
	notify icert_status; commit`);

/** The publisher under our own hand, with the supervised one held still; `env` is added to its own. */
export class Publisher {
	constructor(icert, env = {}) {
		this.icert = icert;
		this.env = env;
		this.unit = units(icert).get('publisher').pid;
		this.program = readlinkSync(`/proc/${this.unit}/exe`);
		this.args = readFileSync(`/proc/${this.unit}/cmdline`, 'utf8').split('\0').slice(1, -1);
		signal(this.unit, 'SIGSTOP');
	}

	start() {
		const user = process.getuid() === 0 ? ['setpriv', '--reuid=icert-publisher', '--regid=icert-publisher', '--init-groups'] : [];
		const [program, ...args] = [...user, 'env', ...Object.entries(this.env).map(([k, v]) => `${k}=${v}`), this.program, ...this.args];
		const log = openSync(join(this.icert.prefix, 'log/publisher.log'), 'a');
		this.child = spawn(program, args, { stdio: ['ignore', log, log], cwd: '/' });
		closeSync(log);
		this.gone = new Promise((resolve) => this.child.once('exit', resolve));
	}

	async end(name = 'SIGTERM') {
		if (!this.child) return;
		this.child.kill(name);
		await this.gone;
		this.child = undefined;
	}

	/** The supervised one again, which knows nothing of what was done meanwhile. */
	async giveBack() {
		await this.end();
		signal(this.unit, 'SIGKILL');
		await until(() => units(this.icert).get('publisher').pid !== this.unit, { what: 'the publisher started again' });
		await allUp(this.icert);
	}
}

/** Killed again and again, at moments that the seed gives, while certificates are issued and revoked and bases are built. */
export async function killedAtRandom(icert, { kills, seed, longest = 900, log = () => {} }) {
	const chance = random(seed);
	const first = 2000, all = first + 3 * kills;
	const conf = join(icert.prefix, 'etc/icert.conf');
	addCertificates(icert, 1, first);
	await published(icert);
	const relying = new Relying(icert);
	rewrite(conf, [/^answer_refresh = .*/m, 'answer_refresh = 1']);
	const publisher = new Publisher(icert);
	let n = 0, bases = 0;
	try {
		for (let kill = 0; kill < kills; kill++) {
			publisher.start();
			addCertificates(icert, first + 3 * kill + 1, first + 3 * kill + 3);
			for (let i = 0; i < 2; i++) icert.sql(revocation(serialOf(++n)));
			await rest(longest * chance());
			await publisher.end('SIGKILL');
			await sound(icert);
			for (let i = 1; i <= n; i++) await relying.verdict(i);
			await relying.neverGood();
			await relying.forward();
		}
	} finally {
		rewrite(conf, [/^answer_refresh = .*/m, 'answer_refresh = 43200']);
		await publisher.giveBack();
	}
	await published(icert);
	for (let i = 1; i <= n; i++) assert.equal(await relying.verdict(i), 'revoked', String(i));
	for (let i = all - 50; i <= all; i++) assert.equal(await relying.verdict(i), 'good', String(i));
	bases = (readFileSync(join(icert.prefix, 'log/publisher.log'), 'utf8').match(/"base_published"/g) ?? []).length;
	log(`${kills} kills, ${bases} bases, ${relying.revoked.size} revoked`);
	await until(async () => { const l = listed((await relying.forward()).der); for (let i = 1; i <= n; i++) if (!l.has(serialOf(i))) return false; return true; }, { what: 'all in the list' });
	await until(() => readdirSync(join(icert.prefix, 'status')).every((name) => !name.startsWith('.') && name !== 'building'), { what: 'nothing half written left' });
	await sound(icert);
}

const signatures = async (icert) => {
	const { stdout } = await icert.icertctl('status', 'publish');
	return Number(stdout.match(/^signatures (\d+)/m)[1]);
};

/**
 * The publisher is killed in the middle of a base: what was signed and marked is not signed anew, and what became public
 * between its beginning and its death stays public, though it is of serials that the base had passed by then.
 */
export async function resumed(icert, { certificates, log = () => {} }) {
	const relying = new Relying(icert);
	// The least serials of many: a base is in their order.
	const least = (from, n) => Array.from({ length: n }, (_, i) => from + i).reduce((a, b) => serialOf(a) < serialOf(b) ? a : b);
	const [late, revoked] = [least(5_000_000, 2000), least(1, certificates)];
	addCertificates(icert, 1, certificates, { told: false });
	const before = await signatures(icert);
	const marked = () => existsSync(join(icert.prefix, 'status/building'));
	const asking = icert.icertctl('status', 'publish', '--base');
	await until(marked, { what: 'a mark', every: 20 });
	const was = units(icert).get('publisher').pid;
	addCertificates(icert, late, late);
	icert.sql(revocation(serialOf(revoked)));
	await until(async () => await relying.verdict(late) === 'good' && await relying.verdict(revoked) === 'revoked', { what: 'public beside the base', every: 20 });
	assert.ok(marked(), 'killed in the middle');
	signal(was, 'SIGKILL');
	await asking;
	await until(() => units(icert).get('publisher').pid !== was, { what: 'the publisher started again' });
	await allUp(icert);
	const killed = await signatures(icert);
	const { code, stdout } = await icert.icertctl('status', 'publish', '--base');
	assert.equal(code, 0, stdout);
	assert.equal(Number(stdout.match(/^base (\d+) certificates, signed/m)[1]), certificates);
	assert.equal(await relying.verdict(late), 'good');
	assert.equal(await relying.verdict(revoked), 'revoked');
	const kept = [...readFileSync(join(icert.prefix, 'log/publisher.log'), 'utf8').matchAll(/"base_resumed","text":"(\d+) certificates/g)].map((m) => Number(m[1])).at(-1);
	const all = await signatures(icert);
	log(`${kept} of ${certificates} were there, ${all - before - 2 * (certificates + 1)} signatures made twice`);
	assert.ok(kept > 0);
	assert.equal(all - killed, 2 * (certificates - kept), 'what was there is not signed again');
	assert.match(await sound(icert), new RegExp(`${certificates + 2} records`));	// the two again, over the base
}

/** More revocations at once than a round signs. */
export async function massRevocation(icert, { from, n, timeout = 60_000, log = () => {} }) {
	const relying = new Relying(icert);
	addCertificates(icert, from, from + n, { told: false });
	assert.equal((await icert.icertctl('status', 'publish', '--base')).code, 0);
	assert.equal(await relying.verdict(from), 'good');
	const sample = Array.from({ length: 40 }, (_, i) => from + Math.floor(i * (n - 1) / 39));
	revokeAll(icert, from, from + n - 1);
	const began = Date.now();
	await until(async () => { for (const one of sample) if (await relying.verdict(one) === 'good') return false; return true; }, { what: 'none good', every: 20, timeout });
	const stopped = Date.now() - began;
	await published(icert, timeout);
	log(`${n} revoked: none of a sample good after ${stopped} ms, all public after ${Date.now() - began} ms`);
	for (const one of sample) assert.equal(await relying.verdict(one), 'revoked');
	assert.equal(await relying.verdict(from + n), 'good', 'who was not revoked');
	await until(async () => { const l = listed((await relying.forward()).der); return sample.every((one) => l.has(serialOf(one))); }, { what: 'all in the list', timeout });
	await sound(icert);
}

/**
 * Yesterday is brought back with other means than ours: the database's cluster, and where `folder` says so the published
 * set too.  The signer's journal and the edge's high water are today's.
 */
export async function yesterday(icert, { folder, from }) {
	const [old, revoked, fresh] = [from, from + 1, from + 2];
	const relying = new Relying(icert);
	const parts = ['postgres', ...(folder ? ['status'] : [])].map((name) => join(icert.prefix, name));
	addCertificates(icert, from, revoked);
	icert.sql(revocation(serialOf(old)));
	await published(icert);
	await icert.down();
	for (const part of parts) must('cp', ['-a', part, `${part}.yesterday`]);
	await icert.up();
	addCertificates(icert, fresh, fresh);
	icert.sql(revocation(serialOf(revoked)));
	await published(icert);
	await until(async () => listed((await relying.forward()).der).has(serialOf(revoked)), { what: 'in the list' });
	for (const n of [old, revoked]) assert.equal(await relying.verdict(n), 'revoked');
	await icert.down();
	for (const part of parts) {
		rmSync(part, { recursive: true });
		renameSync(`${part}.yesterday`, part);
	}
	const was = relying.last;
	await icert.up();
	const end = Date.now() + 3000;
	while (Date.now() < end) for (const n of [old, revoked]) assert.notEqual(await relying.verdict(n), 'good');
	await until(async () => await relying.verdict(revoked) === 'revoked' && await relying.verdict(old) === 'revoked', { what: 'both revoked' });
	assert.equal(await relying.verdict(fresh), folder ? 'unauthorized' : 'good', 'what only the set of today knows');
	const now = await until(async () => { const f = await relying.forward(); return f.epoch > was.epoch && f.list > was.list && f; }, { what: 'a newer set and list' });
	for (const n of [old, revoked]) assert.ok(listed(now.der).has(serialOf(n)));
	await sound(icert);
}

/** One thing after the other is gone while somebody revokes. */
export async function without(icert, name, n, { revokedMeanwhile = true } = {}) {
	const relying = new Relying(icert);
	addCertificates(icert, n, n);
	await published(icert);
	assert.equal(await relying.verdict(n), 'good');
	const back = frozen(icert, name);
	try {
		icert.sql(revocation(serialOf(n)));
		await until(async () => await relying.verdict(n) === (revokedMeanwhile ? 'revoked' : 'trylater'), { what: `not good without ${name}`, timeout: 20_000 });
	} finally {
		await back();
	}
	await until(async () => await relying.verdict(n) === 'revoked', { what: `revoked after ${name}` });
	await until(async () => listed((await relying.forward()).der).has(serialOf(n)), { what: 'in the list' });
}

/**
 * The status signer hangs, and the round of the publisher with it: what is revoked meanwhile stops being good all the same, and one
 * that is issued and revoked while its first answer is being signed never was.
 */
export async function hanging(icert, n) {
	const relying = new Relying(icert);
	const stops = () => readFileSync(join(icert.prefix, 'log/publisher.log'), 'utf8').split('"code":"stopped"').length;
	addCertificates(icert, n, n + 4);
	await published(icert);
	for (let i = n; i <= n + 4; i++) assert.equal(await relying.verdict(i), 'good');
	const before_ = stops();
	const back = frozen(icert, 'status-signer');
	try {
		for (let i = n; i <= n + 4; i++) {
			icert.sql(revocation(serialOf(i)));
			await until(async () => await relying.verdict(i) === 'trylater', { what: `${i} not good`, timeout: 20_000 });
		}
		assert.ok(stops() > before_, 'stopped while the round waited');
	} finally {
		await back();
	}
	for (let i = n; i <= n + 4; i++) await until(async () => await relying.verdict(i) === 'revoked', { what: `${i} revoked` });
	await published(icert);
	const again = frozen(icert, 'status-signer');
	try {
		addCertificates(icert, n + 5, n + 5);
		await rest(300);	// by then the round waits for its answer
		icert.sql(revocation(serialOf(n + 5)));
		await until(async () => await relying.verdict(n + 5) === 'trylater', { what: 'the new one is stopped', timeout: 20_000 });
	} finally {
		await again();
	}
	await until(async () => { const got = await relying.verdict(n + 5); assert.notEqual(got, 'good'); return got === 'revoked'; }, { what: 'the new one revoked', every: 5 });
	await sound(icert);
}

const age = async (icert) => Number((await (await fetch(`${icert.state}/metrics`)).text()).match(/^icert_status_age_seconds (-?\d+)$/m)[1]);

/**
 * The clock stood so many seconds ahead (or behind) when the set in place was published, and is right again: as the publisher's own
 * words of then say it, sealed with its key.
 */
export async function steppedClock(icert, seconds, n) {
	const relying = new Relying(icert);
	const place = join(icert.prefix, 'status/manifest');
	addCertificates(icert, n, n + 1);
	icert.sql(revocation(serialOf(n + 1)));
	await published(icert);
	assert.equal(await relying.verdict(n), 'good');
	assert.equal(await relying.verdict(n + 1), 'revoked');
	const was = await relying.forward();
	await icert.down();
	const { uid, gid } = statSync(place);
	const bytes = readFileSync(place).subarray(0, -64);
	bytes.writeBigUInt64LE(bytes.readBigUInt64LE(16) + 1000n * BigInt(Math.max(1, seconds)), 16);	// its number is the clock's
	bytes.writeBigUInt64LE(bytes.readBigUInt64LE(24) + BigInt(seconds), 24);	// heartbeat
	const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), readFileSync(join(icert.prefix, 'publisher/manifest.key'))]), format: 'der', type: 'pkcs8' });
	writeFileSync(`${place}.then`, Buffer.concat([bytes, sign(null, bytes, key)]), { mode: 0o644 });
	chownSync(`${place}.then`, uid, gid);
	renameSync(`${place}.then`, place);
	await icert.up();
	await until(async () => { const a = await age(icert); return a >= 0 && a < 60; }, { what: 'a heartbeat of now', timeout: 60_000 });
	assert.equal(await relying.verdict(n), 'good');
	assert.equal(await relying.verdict(n + 1), 'revoked');
	assert.ok((await relying.forward()).epoch > was.epoch);
	// And it goes on from there: what is revoked now is public as ever.
	icert.sql(revocation(serialOf(n)));
	await until(async () => await relying.verdict(n) === 'revoked', { what: 'revoked after the step' });
	await sound(icert);
}

/** PostgreSQL says nothing for longer than any answer lives: what was good stays good, signed again from what is public. */
export async function withoutDatabase(icert, n, { seconds = 60 } = {}) {
	const relying = new Relying(icert);
	const config = join(icert.prefix, 'etc/icert.conf');
	addCertificates(icert, n, n + 1);
	icert.sql(revocation(serialOf(n + 1)));
	await published(icert);
	const kept = readFileSync(config, 'utf8');
	rewrite(config, [/^answer_validity = .*/m, `answer_validity = ${seconds}`], [/^answer_refresh = .*/m, `answer_refresh = ${seconds / 2}`]);
	await restart(icert, 'publisher');
	const { code, stdout } = await icertctlRun(['status', 'publish', '--base', '--prefix', icert.prefix]);
	assert.equal(code, 0, stdout);
	const back = frozen(icert, 'postgres');
	let last;
	try {
		for (const end = Date.now() + 1100 * seconds; Date.now() < end; await rest(500)) {
			assert.equal(await relying.verdict(n), 'good');
			assert.equal(await relying.verdict(n + 1), 'revoked');
			last = await age(icert);
		}
		assert.ok(last < 60, `the set is ${last} s old`);
		assert.match(await (await fetch(`${icert.state}/healthz`)).text(), /ok/);
	} finally {
		await back();
	}
	writeFileSync(config, kept);
	await restart(icert, 'publisher');
	icert.sql(revocation(serialOf(n)));
	await until(async () => await relying.verdict(n) === 'revoked', { what: 'revoked after PostgreSQL' });
	await sound(icert);
}
