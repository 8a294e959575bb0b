// The OCSP responder's key: replaced by itself before its certificate ends, in software or in a token, also when a rotation is
// broken off; what the former one signed stays good.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { goodRows } from '../lib/issuing.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';
import { ocsp } from '../lib/status.mjs';

const DAYS = 86400;
let icert, chain, earlier;

/** A certificate as its status knows it; its serial, once it is public. */
async function certified() {
	const serial = `01${randomBytes(15).toString('hex')}`;
	icert.sql(goodRows([serial]));
	await until(() => /: good/.test(ocsp(icert, serial)), { what: 'good' });
	return serial;
}

/** The answer for a serial: verdict, who signed it, how, until when, and until when who signed it may. */
function ask(serial, ...args) {
	const { stdout, stderr } = spawnSync('openssl', ['ocsp', '-issuer', chain, '-CAfile', chain, '-resp_text', '-url', `${icert.status}/ocsp`,
		'-serial', `0x${serial}`, ...args], { encoding: 'utf8' });
	const text = stdout + stderr, time = (name) => Date.parse(text.match(new RegExp(`${name} ?: (.*)`))[1]);
	assert.match(text, /Response verify OK/, text);
	return { good: /: good$/m.test(text), responder: text.match(/Responder Id: (\w+)/)[1], text,
		algorithm: text.match(/Signature Algorithm: (\S+)/)[1], until: time('Next Update'), end: time('Not After') };
}
const stored = (serial) => ask(serial, '-no_nonce');
const live = (serial) => ask(serial, '-nonce');
const made = () => readFileSync(join(icert.prefix, 'log/publisher.log'), 'utf8').split('"responder_new"').length - 1;
const pid = async (name) => (await icert.processes()).find((p) => p.name === name).pid;

/** Business time goes on by three weeks: a certificate of 30 days that was made before is in its last third. */
async function threeWeeks(what) {
	const before = made();
	icert.moveClock(icert.ahead + 21 * DAYS);
	await until(() => made() > before, { timeout: 30_000, what });
}

before(async () => {
	icert = await startInstance();
	chain = join(icert.prefix, 'ca/public/chain.pem');
	/* Weeks pass here for the responder alone: the deadlines of cases end nothing. */
	icert.sql(`insert into icert.breaker (id, cause, tripped_at) values (gen_random_uuid(), 'restore', extract(epoch from now())::bigint)`);
	earlier = await certified();
});
after(() => icert?.stop());

test('a new key and certificate in the last third; what the former signed stays as it is, and good', async () => {
	const first = stored(earlier);
	assert.ok(first.good);
	assert.equal(first.algorithm, 'ecdsa-with-SHA256');
	assert.ok(first.end >= first.until, 'the responder outlives its answer');
	await threeWeeks('another responder');
	const kept = stored(earlier);
	assert.ok(kept.good);
	assert.equal(kept.responder, first.responder);
	const later = stored(await certified());
	assert.ok(later.good);
	assert.notEqual(later.responder, first.responder);
	assert.ok(later.end >= later.until);
	await until(() => live(earlier).responder === later.responder, { timeout: 10_000, what: 'live answers by the new one' });
	assert.equal(made(), 2, 'and once only');
});

test('killed in the middle of a rotation, both ends: it is resumed, and answers go on', async () => {
	const next = join(icert.prefix, 'status-signer/next'), signer = await pid('signer'), before = live(earlier).responder;
	process.kill(signer, 'SIGSTOP');
	try {
		icert.moveClock(icert.ahead + 21 * DAYS);
		await until(() => existsSync(next), { timeout: 30_000, what: 'a key that waits for its certificate' });
		for (const name of ['publisher', 'status-signer']) process.kill(await pid(name), 'SIGKILL');
		await until(() => /: good/.test(ocsp(icert, earlier, '-no_nonce')), { timeout: 5000, what: 'good meanwhile' });
	} finally {
		process.kill(signer, 'SIGCONT');
	}
	await until(() => made() > 2 && !existsSync(next), { timeout: 60_000, what: 'the rotation resumed' });
	const later = await until(() => { const now = live(earlier); return now.responder !== before && now; }, { timeout: 20_000, what: 'live by the new one' });
	assert.ok(later.good);
	assert.ok(stored(earlier).good);
});

test('RSA-2048 by configuration, from the next key on', async () => {
	edit(icert, 'icert.conf', [['key = p256', 'key = rsa2048']]);
	await restart(icert, 'status-signer');
	assert.equal(live(earlier).algorithm, 'ecdsa-with-SHA256');
	await threeWeeks('an RSA key');
	const now = await until(() => { const a = live(earlier); return a.algorithm === 'sha256WithRSAEncryption' && a; }, { timeout: 10_000, what: 'signed with RSA' });
	assert.ok(now.good);
	assert.match(now.text, /Public-Key: \(2048 bit\)/);
});

test('a key in a PKCS#11 token by configuration, which never leaves it', async () => {
	const folder = join(icert.prefix, 'status-signer'), env = { ...process.env, SOFTHSM2_CONF: join(folder, 'softhsm2.conf') };
	const module = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^module = (\S+)$/m)[1], pin = '73194620';
	mkdirSync(join(folder, 'tokens'));
	writeFileSync(env.SOFTHSM2_CONF, `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`);
	writeFileSync(join(folder, 'pin'), `${pin}\n`);
	chmodSync(join(folder, 'pin'), 0o400);
	const init = spawnSync('softhsm2-util', ['--init-token', '--free', '--label', 'icert-estado', '--pin', pin, '--so-pin', pin], { env, encoding: 'utf8' });
	assert.equal(init.status, 0, init.stderr);
	if (process.getuid() === 0) spawnSync('chown', ['-R', `--reference=${folder}/seal.key`, folder]);
	edit(icert, 'icert.conf', [['key = rsa2048', 'key = p256'],
		['module =\ntoken =\npin_file =\n', `module = ${module}\ntoken = icert-estado\npin_file = ${folder}/pin\n`]]);
	await restart(icert, 'status-signer');
	await threeWeeks('a key in the token');
	const now = await until(() => { const a = live(earlier); return a.algorithm === 'ecdsa-with-SHA256' && a; }, { timeout: 10_000, what: 'signed in the token' });
	assert.ok(now.good);
	const listed = spawnSync('pkcs11-tool', ['--module', module, '--token-label', 'icert-estado', '--login', '--pin', pin, '--list-objects', '--type', 'privkey'],
		{ env, encoding: 'utf8' });
	assert.match(listed.stdout, /label: +icert-ocsp-1-a/, listed.stdout + listed.stderr);
	assert.match(listed.stdout, /never extractable/);
	/* Kept in the token over a restart. */
	await restart(icert, 'status-signer');
	assert.equal(live(earlier).responder, now.responder);
	rmSync(join(folder, 'pin'));
});
