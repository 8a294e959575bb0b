// A token of the applicant's: SoftHSM2 in a folder of its own, spoken to with pkcs11-tool, as an operator would
// with a real one.  The key is made in it and never leaves; what it signs is put together here.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const modules = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
	'/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so'];

/* ---- DER ---- */

const length = (n) => n < 128 ? Buffer.from([n]) : n < 256 ? Buffer.from([0x81, n]) : Buffer.from([0x82, n >> 8, n & 255]);
export const tlv = (tag, ...parts) => {
	const body = Buffer.concat(parts);
	return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
};
const seq = (...parts) => tlv(0x30, ...parts);
const set = (...parts) => tlv(0x31, ...parts);
const integer = (n) => tlv(0x02, Buffer.from([n]));
const nothing = tlv(0x05);
const octets = (bytes) => tlv(0x04, bytes);
const bits = (bytes) => tlv(0x03, Buffer.from([0]), bytes);
const utf8 = (text) => tlv(0x0c, Buffer.from(text));
const oid = (dotted) => {
	const [a, b, ...rest] = dotted.split('.').map(Number);
	const body = [40 * a + b];
	for (let n of rest) {
		const run = [n & 127];
		while ((n = Math.floor(n / 128)) > 0) run.unshift(128 | (n & 127));
		body.push(...run);
	}
	return tlv(0x06, Buffer.from(body));
};
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const sha256Rsa = seq(oid('1.2.840.113549.1.1.11'), nothing);

/** An element: { tag, head, body, whole, rest }. */
function take(der) {
	const n = der[1] < 128 ? 0 : der[1] & 127;
	let len = n === 0 ? der[1] : 0;
	for (let i = 0; i < n; i++) len = len * 256 + der[2 + i];
	const at = 2 + n;
	return { tag: der[0], body: der.subarray(at, at + len), whole: der.subarray(0, at + len), rest: der.subarray(at + len) };
}

export const pem = (der, label = 'CERTIFICATE REQUEST') =>
	`-----BEGIN ${label}-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n').trimEnd()}\n-----END ${label}-----\n`;

/* ---- the token ---- */

export class Token {
	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), 'icert-token-'));
		this.module = modules.find((path) => existsSync(path));
		if (!this.module) throw new Error('SoftHSM2 is not installed');
		mkdirSync(join(this.dir, 'tokens'), { mode: 0o700 });
		writeFileSync(join(this.dir, 'softhsm2.conf'), `directories.tokendir = ${join(this.dir, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`);
		this.tool('--init-token', '--slot-index', '0', '--label', 'firma', '--so-pin', '12345678');
		this.tool('--init-pin', '--token-label', 'firma', '--so-pin', '12345678', '--pin', '4321');
		this.keys = 0;
	}

	tool(...args) {
		const r = spawnSync('pkcs11-tool', ['--module', this.module, ...args],
			{ env: { ...process.env, SOFTHSM2_CONF: join(this.dir, 'softhsm2.conf') }, timeout: 60_000 });
		if (r.error) throw r.error;
		if (r.status !== 0) throw new Error(`pkcs11-tool ${args.join(' ')}: ${r.stderr}`);
		return r.stdout;
	}

	user(...args) { return this.tool('--token-label', 'firma', '--login', '--pin', '4321', ...args); }

	/** A key pair, made inside; its id for the calls below. */
	makeKey(type = 'rsa:2048') {
		const id = String(++this.keys).padStart(2, '0');
		this.user('--keypairgen', '--key-type', type, '--id', id, '--label', 'firma', '--usage-sign');
		return id;
	}

	/** SubjectPublicKeyInfo. */
	spki(id) {
		const file = join(this.dir, `${id}.spki`);
		this.user('--read-object', '--type', 'pubkey', '--id', id, '--output-file', file);
		return readFileSync(file);
	}

	/** RSASSA-PKCS1-v1_5 over SHA-256, made inside. */
	sign(id, data, mechanism = 'SHA256-RSA-PKCS') {
		const input = join(this.dir, 'data'), output = join(this.dir, 'signature');
		writeFileSync(input, data);
		rmSync(output, { force: true });
		this.user('--sign', '--mechanism', mechanism, '--id', id, '--input-file', input, '--output-file', output);
		return readFileSync(output);
	}

	/**
	 * A certification request (RFC 2986).  name: the subject that the token's software writes; spki: another key than the
	 * one that signs; algorithm: another one than it is signed with.
	 */
	csr(id, { name = 'QUIEN SEA', spki = this.spki(id), mechanism, algorithm = sha256Rsa } = {}) {
		const subject = seq(set(seq(oid('2.5.4.3'), utf8(name))));
		const info = seq(integer(0), subject, spki, tlv(0xa0));
		return seq(info, algorithm, bits(this.sign(id, info, mechanism)));
	}

	/** A detached CMS over some octets (RFC 5652), with the certificate in DER that goes with the key. */
	cms(id, data, certificate) {
		const tbs = take(take(certificate).body).body;
		let at = tbs[0] === 0xa0 ? take(tbs).rest : tbs;
		const serial = take(at).whole;
		const issuer = take(take(take(at).rest).rest).whole;
		const digest = seq(oid('2.16.840.1.101.3.4.2.1'));
		const attribute = (type, value) => seq(oid(type), set(value));
		const signingCertificate = seq(seq(seq(octets(sha256(certificate)))));
		/* DER wants a SET OF in order (X.690, 11.6). */
		const attributes = Buffer.concat([
			attribute('1.2.840.113549.1.9.3', oid('1.2.840.113549.1.7.1')),
			attribute('1.2.840.113549.1.9.4', octets(sha256(data))),
			attribute('1.2.840.113549.1.9.16.2.47', signingCertificate),
		].sort(Buffer.compare));
		const signer = seq(integer(1), seq(issuer, serial), digest, tlv(0xa0, attributes),
			seq(oid('1.2.840.113549.1.1.1'), nothing), octets(this.sign(id, tlv(0x31, attributes))));
		return seq(oid('1.2.840.113549.1.7.2'), tlv(0xa0, seq(integer(1), set(digest), seq(oid('1.2.840.113549.1.7.1')),
			tlv(0xa0, certificate), set(signer))));
	}

	/** The certificate beside its key, as the operator leaves it. */
	store(id, certificate) {
		const file = join(this.dir, `${id}.cer`);
		writeFileSync(file, certificate);
		this.user('--write-object', file, '--type', 'cert', '--id', id, '--label', 'firma');
	}

	objects() { return this.user('--list-objects').toString(); }

	close() { rmSync(this.dir, { recursive: true, force: true }); }
}

export const fingerprint = (spki) => sha256(spki).toString('hex');
