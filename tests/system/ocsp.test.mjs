// OCSP as relying parties ask it: what is stored, and what is signed for the question; asked with openssl.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { icertctlRun, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { children } from '../lib/processes.mjs';

let icert, chain;
const certificates = [];

const openssl = (...args) => {
	const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
	return { status, text: stdout + stderr };
};

/** `openssl ocsp` for some of our certificates. */
const ask = (which, ...args) => openssl('ocsp', '-issuer', chain, '-CAfile', chain, '-resp_text', '-url', `${icert.status}/ocsp`,
	...args, ...which.flatMap((n) => ['-cert', certificates[n]])).text;
const verdicts = (text) => [...text.matchAll(/^\S+: (good|revoked|unknown)$/gm)].map((m) => m[1]);
const process_ = async (name) => (await icert.processes()).find((p) => p.name === name);

/** What the edge sends for a request that openssl composed, by GET or POST. */
async function raw(which, method, ...args) {
	const file = join(icert.folder, 'question.der');
	rmSync(file, { force: true });
	openssl('ocsp', '-issuer', chain, ...args, ...which.flatMap((n) => ['-cert', certificates[n]]), '-reqout', file);
	const der = readFileSync(file);
	return method === 'POST'
		? fetch(`${icert.status}/ocsp`, { method, body: der, headers: { 'content-type': 'application/ocsp-request' } })
		: fetch(`${icert.status}/ocsp/${encodeURIComponent(der.toString('base64'))}`);
}

before(async () => {
	icert = await startInstance();
	chain = join(icert.prefix, 'ca/public/chain.pem');
	for (const words of [['1710034065', 'María José', 'Muñoz', 'Peña'], ['0926687856', 'Zoila', 'Ñauñay'], ['0102030400', 'Juan', 'Pérez']]) {
		const { code, stdout, stderr } = await icert.icertctl('issue-test', ...words);
		assert.equal(code, 0, stdout + stderr);
		certificates.push(stdout.split('\n')[0]);
	}
});
after(() => icert?.stop());

test('a nonce comes back, by GET and POST, and the answer is for no cache', async () => {
	const text = ask([0], '-nonce');
	assert.deepEqual(verdicts(text), ['good']);
	assert.match(text, /Response verify OK/);
	assert.doesNotMatch(text, /no nonce in response|Nonce Verify error/i);
	assert.match(text, /OCSP Nonce/);
	for (const method of ['GET', 'POST']) {
		const response = await raw([0], method, '-nonce');
		assert.equal(response.status, 200);
		assert.equal(response.headers.get('content-type'), 'application/ocsp-response');
		assert.equal(response.headers.get('cache-control'), 'max-age=0, must-revalidate');
	}
});

test('without a nonce what is stored goes out, with its lifetime', async () => {
	const text = ask([0], '-no_nonce');
	assert.deepEqual(verdicts(text), ['good']);
	assert.doesNotMatch(text, /OCSP Nonce/);
	const response = await raw([0], 'POST', '-no_nonce');
	assert.match(response.headers.get('cache-control'), /max-age=\d+, public/);
	assert.ok(response.headers.get('etag'));
});

test('several certificates in one question get one answer each, in their order', () => {
	for (const nonce of ['-nonce', '-no_nonce']) {
		const text = ask([2, 0, 1], nonce);
		assert.match(text, /Response verify OK/);
		assert.deepEqual(verdicts(text), ['good', 'good', 'good']);
		assert.equal([...text.matchAll(/^\s+Certificate ID:/gm)].length, 3);
	}
	/* Each by its own hash: a second -sha256 changes those that follow it. */
	const { text } = openssl('ocsp', '-issuer', chain, '-CAfile', chain, '-resp_text', '-url', `${icert.status}/ocsp`, '-no_nonce',
		'-cert', certificates[0], '-sha256', '-cert', certificates[1]);
	assert.deepEqual(verdicts(text), ['good', 'good']);
	assert.match(text, /Hash Algorithm: sha1[^]*Hash Algorithm: sha256/);
});

test('one that is not ours among several: unauthorized for all', () => {
	const { text } = openssl('ocsp', '-issuer', chain, '-CAfile', chain, '-url', `${icert.status}/ocsp`, '-cert', certificates[0], '-serial', '0x1234');
	assert.match(text, /unauthorized/);
});

test('a revocation is live at once', async () => {
	const { text } = openssl('x509', '-in', certificates[1], '-noout', '-serial');
	icert.sql(`set session_replication_role = replica; update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint,
		reason = 4, revoked_by = 'national' where serial = '\\x${text.trim().split('=')[1]}';
		insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', 4, revoked_at from icert.certificate where state = 'revoked';
		notify icert_status`);
	await until(() => verdicts(ask([1], '-nonce'))[0] === 'revoked', { timeout: 5000, what: 'revoked in a live answer' });
	assert.match(ask([1], '-nonce'), /superseded/);
	assert.deepEqual(verdicts(ask([0, 1], '-nonce')), ['good', 'revoked']);
});

test('without the program or its signer what is stored goes out, and several are told to try later', async () => {
	const { pid } = await process_('ocsp');
	const signer = await process_('status-signer');
	process.kill(signer.pid, 'SIGSTOP');
	try {
		assert.deepEqual(verdicts(ask([0], '-nonce')), ['good']);
		assert.match(ask([0, 2]), /trylater/i);
	} finally {
		process.kill(signer.pid, 'SIGCONT');
	}
	await until(() => /OCSP Nonce/.test(ask([0], '-nonce')), { timeout: 10_000, what: 'live again' });
	process.kill(pid, 'SIGSTOP');
	try {
		for (const child of spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).stdout.trim().split('\n')) process.kill(Number(child), 'SIGKILL');
		const text = ask([0], '-nonce');
		assert.deepEqual(verdicts(text), ['good']);
		assert.doesNotMatch(text, /OCSP Nonce/);
	} finally {
		process.kill(pid, 'SIGCONT');
	}
	await until(() => /OCSP Nonce/.test(ask([0], '-nonce')), { timeout: 10_000, what: 'live again' });
});

const statusCommand = (...words) => icertctlRun(['status', ...words, '--key', join(icert.prefix, 'pins/manifest.pub')]);

test('a copied set is verified, looked at, and refused once an octet of it is another', async () => {
	const copy = join(icert.folder, 'copy'), place = join(icert.folder, 'place');
	cpSync(join(icert.prefix, 'status'), copy, { recursive: true });
	mkdirSync(place);
	const sound = await statusCommand('verify', copy, '--samples', 'all');
	assert.equal(sound.code, 0, sound.stdout + sound.stderr);
	assert.match(sound.stdout, /3 good|2 good, 1 revoked/);
	const serial = openssl('x509', '-in', certificates[1], '-noout', '-serial').text.trim().split('=')[1];
	assert.match((await statusCommand('inspect', copy, serial)).stdout, /^revoked .* reason 4/);
	assert.equal((await statusCommand('inspect', copy, '1234')).code, 1);

	assert.equal((await statusCommand('accept', copy, place)).code, 0);
	assert.equal((await statusCommand('verify', place)).code, 0);
	const high = Number(readFileSync(join(place, 'high-water'), 'utf8'));
	assert.ok(high > 0);
	/* The set before this one leaves its files until the next. */
	const named = (await statusCommand('inspect', copy)).stdout;
	for (const name of readdirSync(copy).filter((file) => file === 'manifest' || named.includes(file))) {
		const file = join(copy, name), bytes = readFileSync(file);
		for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
			const damaged = Buffer.from(bytes);
			damaged[at] ^= 1;
			writeFileSync(file, damaged);
			const { code, stdout } = await statusCommand('verify', copy);
			assert.equal(code, 1, `${name} at ${at}: ${stdout}`);
		}
		writeFileSync(file, bytes);
	}
	writeFileSync(join(copy, 'manifest'), Buffer.concat([readFileSync(join(copy, 'manifest')), Buffer.from('x')]));
	assert.notEqual((await statusCommand('accept', copy, place)).code, 0);
	assert.equal((await statusCommand('verify', place)).code, 0, 'what was accepted stays');
	/* A set older than one that was taken is refused although its seal is good. */
	cpSync(join(place, 'manifest'), join(copy, 'manifest'));
	writeFileSync(join(place, 'high-water'), `${high + 1}\n`);
	rmSync(join(place, 'manifest'));
	assert.match((await statusCommand('accept', copy, place)).stderr, /stale/);
});

test('who asks while nginx is started anew waits, and is answered', async () => {
	const { pid } = await process_('nginx');
	const all = [pid, ...children(pid).map((child) => child.pid)];
	for (const one of all) process.kill(one, 'SIGKILL');
	/* Nobody is there to accept; the socket is. */
	await until(() => all.every((one) => { try { return /^State:\s+Z/m.test(readFileSync(`/proc/${one}/status`, 'utf8')); } catch { return true; } }), { what: 'nginx gone', every: 5 });
	const response = await fetch(`${icert.status}/ca/emisora.cer`);
	assert.equal(response.status, 200);
	assert.notEqual((await process_('nginx')).pid, pid);
});
