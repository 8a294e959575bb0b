// Tools we did not write, as functions: each returns what the tool printed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for one test's files, removed when the test context ends. */
export function scratch(t) {
	const dir = mkdtempSync(join(tmpdir(), 'icert-test-'));
	t?.after?.(() => rmSync(dir, { recursive: true, force: true }));
	return dir;
}

/** Runs a tool; { status, stdout, stderr, output }, never throws for an exit status. */
export function run(program, args, { input, env, timeout = 60_000 } = {}) {
	const r = spawnSync(program, args, { input, env: { ...process.env, ...env }, timeout, maxBuffer: 64 << 20 });
	if (r.error) throw r.error;
	return { status: r.status, stdout: r.stdout.toString('utf8'), stderr: r.stderr.toString('utf8'), output: r.stdout.toString('utf8') + r.stderr.toString('utf8'), bytes: r.stdout };
}

/** Runs a tool that must succeed; its standard output as text. */
export function must(program, args, options) {
	const r = run(program, args, options);
	if (r.status !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${r.status}\n${r.output}`);
	return r.stdout;
}

export const openssl = (args, options) => run('openssl', args, options);
export const keytool = (args, options) => run('keytool', ['-J-Duser.language=en', '-J-Dfile.encoding=UTF-8', ...args], options);

/** A file of bytes in a folder; its path. */
export function put(dir, name, bytes) {
	const path = join(dir, name);
	writeFileSync(path, bytes, { mode: 0o600 });
	return path;
}

/** DER certificate bytes as a PEM file; its path. */
export function certificateToPem(dir, name, der) {
	must('openssl', ['x509', '-inform', 'DER', '-out', join(dir, name)], { input: der });
	return join(dir, name);
}

/** Opens a PKCS#12 with openssl: { key, certificates: [PEM, …] }; throws when the password is wrong. */
export function openPkcs12(path, password) {
	const env = { ICERT_TEST_PASS: password };
	const key = must('openssl', ['pkcs12', '-in', path, '-passin', 'env:ICERT_TEST_PASS', '-nocerts', '-noenc'], { env });
	const certs = must('openssl', ['pkcs12', '-in', path, '-passin', 'env:ICERT_TEST_PASS', '-nokeys'], { env });
	return {
		key: key.slice(key.indexOf('-----BEGIN')),
		certificates: certs.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/g) ?? [],
	};
}

/**
 * The otherName values of subjectAltName, read with `openssl asn1parse`:
 * { email, names: Map(OID text → UTF-8 string) }.
 */
export function subjectAltName(certPath) {
	const parse = (args) => must('openssl', ['asn1parse', ...args]);
	const whole = parse(['-in', certPath]).split('\n');
	const at = whole.findIndex((l) => l.includes('X509v3 Subject Alternative Name'));
	const octets = whole.slice(at + 1).find((l) => l.includes('OCTET STRING'));
	const offset = octets.match(/^\s*(\d+):/)[1];
	const raw = Buffer.from(octets.match(/\[HEX DUMP\]:([0-9A-F]+)/)[1], 'hex');
	const names = new Map();
	let email;
	let oid;
	const lines = parse(['-in', certPath, '-strparse', offset]).split('\n');
	for (const line of lines) {
		const object = line.match(/prim:\s+OBJECT\s+:(\S+)/);
		if (object) oid = object[1];
		// asn1parse prints a UTF8String's bytes as they are.
		const value = line.match(/l=\s*(\d+)\s+prim:\s+UTF8STRING\s*(?::(.*))?$/);
		if (value && oid) {
			names.set(oid, Number(value[1]) === 0 ? '' : value[2]);
			oid = undefined;
		}
		// An e-mail address is tagged [1] and printed without its value: its bytes
		// stand in the dump of the whole extension.
		const mail = line.match(/^\s*(\d+):d=\s*\d+\s+hl=(\d+) l=\s*(\d+)\s+prim:\s+cont \[ 1 \]/);
		if (mail) {
			const from = Number(mail[1]) + Number(mail[2]);
			email = raw.subarray(from, from + Number(mail[3])).toString('latin1');
		}
	}
	return { email, names };
}

/** Asks an OCSP responder with `openssl ocsp`; its whole output, verification included. */
export function ocsp({ url, certificate, issuer, chain, digest = 'sha1', extra = [] }) {
	return run('openssl', ['ocsp', `-${digest}`, '-issuer', issuer, '-cert', certificate, '-url', url, '-CAfile', chain, '-no_nonce', '-resp_text', ...extra]);
}

/** Width and height of a JPEG, read from its frame header. */
export function jpegSize(bytes) {
	for (let i = 2; i + 9 < bytes.length;) {
		if (bytes[i] !== 0xff) return undefined;
		const marker = bytes[i + 1];
		if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
			return { height: bytes.readUInt16BE(i + 5), width: bytes.readUInt16BE(i + 7) };
		i += 2 + bytes.readUInt16BE(i + 2);
	}
	return undefined;
}

