// A second writer of status stores, written from docs/status-store.md, and OCSP answers signed by a CA's own key: for sets
// that our publisher would never make.
import { createHash, createPrivateKey, randomBytes, sign } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { element } from './issuing.mjs';
import { certId, issuerOf, octets, seq } from './ocsp.mjs';
import { must } from './tools.mjs';

const sha = (hash, bytes) => createHash(hash).update(bytes).digest();
const u16 = (n) => { const b = Buffer.alloc(2); b.writeUInt16LE(n); return b; };
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };

const M = (1n << 64n) - 1n;
/** SipHash-2-4 of bytes under a seed of 16 octets. */
export function siphash(seed, bytes) {
	const k = [seed.readBigUInt64LE(0), seed.readBigUInt64LE(8)];
	let [a, b, c, d] = [k[0] ^ 0x736f6d6570736575n, k[1] ^ 0x646f72616e646f6dn, k[0] ^ 0x6c7967656e657261n, k[1] ^ 0x7465646279746573n];
	const rotl = (x, n) => ((x << n) | (x >> (64n - n))) & M;
	const round = () => {
		a = (a + b) & M; b = rotl(b, 13n) ^ a; a = rotl(a, 32n);
		c = (c + d) & M; d = rotl(d, 16n) ^ c;
		a = (a + d) & M; d = rotl(d, 21n) ^ a;
		c = (c + b) & M; b = rotl(b, 17n) ^ c; c = rotl(c, 32n);
	};
	const padded = Buffer.alloc(8 * (Math.floor(bytes.length / 8) + 1));
	bytes.copy(padded);
	padded[padded.length - 1] = bytes.length & 255;
	for (let at = 0; at < padded.length; at += 8) {
		const word = padded.readBigUInt64LE(at);
		d ^= word; round(); round(); a ^= word;
	}
	c ^= 0xffn;
	for (let i = 0; i < 4; i++) round();
	return a ^ b ^ c ^ d;
}

/** A CA of the test's own: { name, key, privateKey, pem, der } with P-256, below `folder`. */
export function authority(folder, name) {
	const path = (end) => join(folder, `${name}.${end}`);
	must('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path('key'), '-out', path('pem'), '-days', '30', '-subj', `/CN=${name}`]);
	must('openssl', ['x509', '-in', path('pem'), '-outform', 'DER', '-out', path('der')]);
	const der = readFileSync(path('der'));
	return { ...issuerOf(der), der, pem: path('pem'), privateKey: createPrivateKey(readFileSync(path('key'))) };
}

const time = (t) => element(0x18, Buffer.from(new Date(t * 1000).toISOString().replace(/[-:T]|\.\d+/g, '')));

/** An OCSPResponse of a CA for one of its serials: { head, tail }. */
export function answer(ca, { serial, state = 'good', thisUpdate, nextUpdate, revokedAt = thisUpdate, hash = 'sha1' }) {
	const status = state === 'good' ? element(0x80) : element(0xa1, time(revokedAt));
	const single = seq(certId(ca, serial, { hash }), status, time(thisUpdate), element(0xa0, time(nextUpdate)));
	const data = seq(element(0xa2, octets(sha('sha1', ca.key))), time(thisUpdate), seq(single));
	const signature = sign('sha256', data, ca.privateKey);
	const tail = element(0xa0, seq(ca.der));
	const basic = seq(data, seq(Buffer.from('06082a8648ce3d040302', 'hex')), element(0x03, Buffer.from([0]), signature), tail);
	const whole = seq(Buffer.from('0a0100', 'hex'), element(0xa0, seq(Buffer.from('06092b0601050507300101', 'hex'), octets(basic))));
	return { head: whole.subarray(0, -tail.length), tail };
}

const STATES = { good: 0, revoked: 1, pending: 2 };

function record(r, tails) {
	const answers = r.answers ?? [];	// by algorithm: 0 SHA-1, 1 SHA-256
	const serial = Buffer.from(r.serial, 'hex');
	const own = !answers.some((a) => a?.head.includes(serial));
	let parts = 0, at = 16;
	const middle = [];
	if (r.revokedAt) { parts |= 0x80; middle.push(u32(r.revokedAt)); at += 4; }
	const stored = answers.map((a, n) => a && { ...a, n }).filter(Boolean);
	for (const a of stored) {
		parts |= 1 << a.n;
		middle.push(u16(a.head.length), Buffer.from([tails.findIndex((t) => t.equals(a.tail))]));
		at += 3;
	}
	if (own) { parts |= 0x40; middle.push(serial); }
	const where = own ? at : at + (own ? serial.length : 0) + stored[0].head.indexOf(serial);
	const rest = Buffer.concat([...middle, ...stored.map((a) => a.head)]);
	const size = Math.ceil((16 + rest.length) / 4) * 4;
	const head = Buffer.concat([u16(size / 4), Buffer.from([r.issuer ?? 0, STATES[r.state ?? 'good'] | (r.reason ?? 15) << 4]), u32(r.thisUpdate), u32(r.nextUpdate), u16(where), Buffer.from([serial.length, parts])]);
	return Buffer.concat([head, rest, Buffer.alloc(size - 16 - rest.length)]);
}

/** The octets of a segment. */
export function segment({ epoch, issuers, records, seed = randomBytes(16) }) {
	const tails = [];
	for (const { tail } of records.flatMap((r) => (r.answers ?? []).filter(Boolean))) if (!tails.some((t) => t.equals(tail))) tails.push(tail);
	const bodies = records.map((r) => record(r, tails));
	const recordSize = bodies.reduce((n, b) => n + b.length, 0);
	let slots = 1;
	while (records.length > slots * 0.6 || records.length >= slots) slots *= 2;
	const index = Array(slots).fill(0n);
	let at = 512;
	for (const [n, r] of records.entries()) {
		const hash = siphash(seed, Buffer.concat([u16(r.issuer ?? 0), Buffer.from(r.serial, 'hex')]));
		let slot = Number(hash & BigInt(slots - 1));
		while (index[slot] !== 0n) slot = (slot + 1) % slots;
		index[slot] = (hash >> 40n) << 40n | BigInt(at / 4);
		at += bodies[n].length;
	}
	const fill = Buffer.alloc((64 - (512 + recordSize) % 64) % 64);
	const table = Buffer.concat(index.map(u64));
	const people = Buffer.concat(issuers.flatMap((i) => ['sha1', 'sha256'].flatMap((h) => [sha(h, i.name), sha(h, i.key)])));
	const starts = tails.map((t, n) => tails.slice(0, n).reduce((sum, x) => sum + x.length, 8 * tails.length));
	const ends = Buffer.concat([...tails.flatMap((t, n) => [u32(starts[n]), u32(t.length)]), ...tails]);
	const records_ = Buffer.concat(bodies);
	const indexAt = 512 + recordSize + fill.length, issuerAt = indexAt + table.length, tailAt = issuerAt + people.length;
	const least = Math.min(...records.map((r) => r.nextUpdate), 2 ** 32);
	const header = Buffer.concat([Buffer.from('icertSEG'), u32(2), u32(512), u64(epoch), u64(0), u64(0), u64(records.length ? least : 0), u64(records.length), u64(slots), u32(issuers.length), u32(tails.length),
		seed, u64(512), u64(recordSize), u64(issuerAt), u64(tailAt), u64(ends.length), u64(indexAt), u64(tailAt + ends.length), ...[records_, people, ends, table].map((part) => sha('sha256', part))]);
	return Buffer.concat([header, Buffer.alloc(512 - header.length), records_, fill, table, people, ends]);
}

const KINDS = { segment: 1, crl: 2, ca: 3 };
const padded = (text, size) => Buffer.concat([Buffer.from(text), Buffer.alloc(size - text.length)]);

/** The entry of a manifest for a file's octets. */
export const entry = (kind, name, file, bytes, { thisUpdate = 0, nextUpdate = 0, size = bytes.length } = {}) =>
	Buffer.concat([u32(KINDS[kind]), u32(0), padded(name, 32), padded(file, 64), u64(size), u64(thisUpdate), u64(nextUpdate), sha('sha256', kind === 'segment' ? bytes.subarray(0, 512) : bytes)]);

/** A sealed manifest. */
export function manifest({ epoch, heartbeat = Math.floor(Date.now() / 1000), entries }, privateKey) {
	const bytes = Buffer.concat([Buffer.from('icertMAN'), u32(2), u32(entries.length), u64(epoch), u64(heartbeat), ...entries]);
	return Buffer.concat([bytes, sign(null, bytes, privateKey)]);
}

/** A store's folder: put() places a file by rename, as the publisher does. */
export class Store {
	constructor(folder) { this.folder = folder; mkdirSync(folder, { recursive: true }); }
	put(name, bytes, mode = 0o644) {
		writeFileSync(join(this.folder, '.new'), bytes, { mode });
		renameSync(join(this.folder, '.new'), join(this.folder, name));
	}
	remove(name) { rmSync(join(this.folder, name), { recursive: true, force: true }); }
}

