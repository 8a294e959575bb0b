// An edge on another machine, fed by copying files: an nginx of its own with no secret and no database, its own high water,
// rsync from the first's folder, `icertctl status accept --watch` as its service.  What is half copied, older or forged is
// refused, what is in place stays, and /readyz there says so.  And what the first one's administrator asks the publisher for.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePortBase, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { Mirror } from '../lib/mirror.mjs';
import { frozen } from '../lib/processes.mjs';
import { ocsp } from '../lib/status.mjs';
import { addCertificates, published, revocation, serialOf } from '../bench/certificates.mjs';

const CERTIFICATES = 12;
let icert, mirror;

before(async () => {
	icert = await startInstance();
	mirror = new Mirror(icert, join(icert.folder, 'mirror'), await freePortBase());
	addCertificates(icert, 1, CERTIFICATES);
	await published(icert);
	await mirror.startEdge();
	mirror.startAccept();
});
after(async () => {
	await mirror?.stop();
	await icert?.stop();
});

const there = (n) => ocsp({ prefix: icert.prefix, status: mirror.url }, serialOf(n));
const isGood = (n, what) => { const text = there(n); assert.match(text, /: good/, what); assert.match(text, /Response verify OK/); };
const revoke = async (n) => { icert.sql(revocation(serialOf(n))); await published(icert); };
const incoming = (...name) => join(mirror.folder, 'incoming', ...name);
const says = (status, text) => until(async () => { const r = await mirror.ready(); return r.status === status && text.test(r.text); }, { what: `/readyz ${status} ${text}`, timeout: 20_000 });
const saved = () => join(mirror.folder, 'saved');
const save = () => { rmSync(saved(), { recursive: true, force: true }); cpSync(incoming(), saved(), { recursive: true, preserveTimestamps: true }); };
const offer = (from) => { rmSync(incoming(), { recursive: true, force: true }); cpSync(from, incoming(), { recursive: true }); };

test('before the first set it is not ready and says good of nothing', async () => {
	assert.equal((await mirror.ready()).status, 503);
	assert.match(there(1), /trylater|error/i);
});

test('a copied set is answered from: OCSP, lists and certificates as at the first', async () => {
	await mirror.follow();
	await says(200, /fresh/);
	for (const n of [1, CERTIFICATES]) isGood(n);
	for (const path of ['/crl/icert.crl', '/crl/raiz.crl', '/ca/emisora.cer', '/ca/raiz.cer']) {
		const [one, other] = await Promise.all([icert.status, mirror.url].map((url) => fetch(url + path).then((r) => r.arrayBuffer())));
		assert.ok(Buffer.from(one).equals(Buffer.from(other)), path);
	}
	assert.deepEqual(readdirSync(mirror.folder).sort(), ['edge', 'incoming', 'log', 'manifest.pub', 'nginx.conf', 'run', 'status'], 'no secret');
	await until(() => Number(readFileSync(join(mirror.folder, 'edge/high-water'), 'utf8')) === Number(readFileSync(join(mirror.folder, 'status/high-water'), 'utf8')), { what: 'its own high water' });
});

test('a revocation arrives with the next copy', async () => {
	save();
	await revoke(1);
	isGood(1, 'not yet');
	await mirror.follow();
	await until(() => /: revoked/.test(there(1)), { what: 'revoked there', timeout: 5000 });
});

test('an older set is refused, whoever offers it', async () => {
	offer(saved());
	await says(503, /refused: stale/);
	assert.match(there(1), /: revoked/);
	assert.match(mirror.log('accept'), /not accepted: stale/);
	await mirror.follow();
	await says(200, /fresh/);
});

test('a half-copied set is refused until it is whole', async () => {
	await mirror.end('accept');
	await revoke(2);
	const was = await mirror.epoch();
	save();
	mirror.rsync();
	const names = readFileSync(incoming('manifest')).toString('latin1');
	const fresh = readdirSync(incoming()).filter((name) => names.includes(name) && !readdirSync(join(mirror.folder, 'status')).includes(name));
	assert.ok(fresh.length > 0, 'something new is offered');
	truncateSync(incoming(fresh[0]), statSync(incoming(fresh[0])).size - 1);
	mirror.startAccept();
	await says(503, /refused: mismatch/);
	assert.equal(await mirror.epoch(), was);
	isGood(3, 'the old one stays');
	rmSync(incoming(fresh[0]));
	await says(503, /refused: system/);
	await mirror.follow();
	await says(200, /fresh/);
	assert.match(there(2), /: revoked/);
});

test('an octet that is another, and a manifest that somebody else has sealed: refused', async () => {
	await mirror.end('accept');
	await revoke(3);
	mirror.rsync();
	const delta = readdirSync(incoming()).filter((name) => /^delta-/.test(name) && readFileSync(incoming('manifest')).includes(name))
		.sort((a, b) => statSync(incoming(b)).mtimeMs - statSync(incoming(a)).mtimeMs)[0];
	const bytes = readFileSync(incoming(delta));
	bytes[bytes.length >> 1] ^= 1;
	writeFileSync(incoming(delta), bytes);
	mirror.startAccept();
	await says(503, /refused: forged/);
	isGood(3, 'the old one stays');
	assert.equal(readdirSync(join(mirror.folder, 'status')).includes(delta), false, 'nothing of it was put in place');
	mirror.rsync('--checksum');
	await says(200, /fresh/);
	await until(() => /: revoked/.test(there(3)), { what: 'revoked there', timeout: 5000 });

	const manifest = readFileSync(incoming('manifest'));
	manifest[16] ^= 1;	// the epoch
	writeFileSync(incoming('manifest'), manifest);
	await says(503, /refused: forged/);
	assert.match(there(3), /: revoked/);
	mirror.rsync('--checksum');
	await mirror.follow();
	await says(200, /fresh/);
});

test('its nginx started anew takes nothing older than what it has once had', async () => {
	await mirror.end('accept');
	await mirror.end('edge');
	for (const name of readdirSync(saved())) cpSync(join(saved(), name), join(mirror.folder, 'status', name));
	await mirror.startEdge();
	await says(503, /status absent/);
	assert.match(mirror.log('nginx'), /set refused: rollback/);
	assert.doesNotMatch(there(2), /: good/);
	rmSync(join(mirror.folder, 'status/manifest'));
	mirror.startAccept();
	await mirror.follow();
	await says(200, /fresh/);
});

test('an edge that missed a day of publishes has all of it with one copy, and nothing that was given up', async () => {
	const sets = new Set();
	for (let n = 4; n < 10; n++) {
		await revoke(n);
		sets.add(readFileSync(join(icert.prefix, 'status/manifest')).toString('latin1').match(/delta-[0-9a-f-]+/g).join());
		isGood(n, 'it has not heard');
	}
	assert.ok(sets.size >= 5, 'each was a set of its own, some of them compacted');
	await mirror.follow();
	for (let n = 1; n < 10; n++) assert.match(there(n), /: revoked/, String(n));
	for (let n = 10; n <= CERTIFICATES; n++) isGood(n);
	const named = readFileSync(join(mirror.folder, 'status/manifest')).toString('latin1');
	const kept = readdirSync(join(mirror.folder, 'status')).filter((name) => /^(base|delta|pending)-/.test(name));
	assert.ok(kept.filter((name) => named.includes(name)).length >= 1 && kept.length <= 16, kept.join());
	assert.deepEqual(readdirSync(join(mirror.folder, 'status')).filter((name) => name.startsWith('.')), []);
});

/* ---- icertctl status publish ---- */

test('publish: what is open is public when it says done, with a new list', async () => {
	const publisher = frozen(icert, 'publisher');
	icert.sql(revocation(serialOf(10)));
	await publisher();
	const list = () => fetch(`${icert.status}/crl/icert.crl`).then((r) => r.headers.get('etag'));
	const before = await list();
	const { code, stdout } = await icert.icertctl('status', 'publish');
	assert.equal(code, 0, stdout);
	assert.match(stdout, /^changes \d+ seen at the edge, 0 open, 0 refused$/m);
	assert.match(stdout, /^done$/m);
	assert.match(ocsp(icert, serialOf(10)), /: revoked/);
	await until(async () => await list() !== before, { what: 'the new list', timeout: 5000 });
});

test('publish --base: every answer is signed again at once, and it says how many', async () => {
	const base = () => readFileSync(join(icert.prefix, 'status/manifest')).toString('latin1').match(/base-[0-9a-f-]+/)[0];
	const before = base();
	const { code, stdout } = await icert.icertctl('status', 'publish', '--base');
	assert.equal(code, 0, stdout);
	assert.match(stdout, new RegExp(`^base ${CERTIFICATES} certificates, signed \\d+, until \\d+; 0 deltas over it$`, 'm'));
	assert.notEqual(base(), before);
	await mirror.follow();
	isGood(11);
	assert.match(there(10), /: revoked/);
});

test('publish: what does not go is named', async () => {
	const signer = frozen(icert, 'status-signer');
	try {
		const { code, stdout } = await icert.icertctl('status', 'publish', '--base');
		assert.equal(code, 1, stdout);
		assert.match(stdout, /^step base: \w+$/m);
		assert.match(stdout, /^failed$/m);
	} finally {
		await signer();
	}
	const { code, stdout } = await icert.icertctl('status', 'publish', '--base');
	assert.equal(code, 0, stdout);
});

test('without the first edge the second goes on answering', async () => {
	await mirror.follow();
	await icert.down();
	isGood(11);
	assert.match(there(10), /: revoked/);
	await says(200, /fresh|stale/);
	const { code, stderr } = await icert.icertctl('status', 'publish');
	assert.equal(code, 2);
	assert.match(stderr, /not reached/);
});
