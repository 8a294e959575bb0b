// What relying parties see of a certificate, read with openssl at the edge.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './http.mjs';

/** The answer's text for a serial in hex: "…: good", "…: revoked" with its reason. */
export function ocsp(icert, serial, ...args) {
	const chain = join(icert.prefix, 'ca/public/chain.pem');
	const { stdout, stderr } = spawnSync('openssl', ['ocsp', '-issuer', chain, '-CAfile', chain, '-serial', `0x${serial}`,
		'-url', `${icert.status}/ocsp`, ...args], { encoding: 'utf8' });
	return stdout + stderr;
}

/** What the published list says of it: its entry's text, "" when it is not there. */
export async function crlEntry(icert, serial) {
	const file = join(icert.prefix, 'demo/now.crl');
	writeFileSync(file, Buffer.from(await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer()));
	const text = execFileSync('openssl', ['crl', '-inform', 'DER', '-in', file, '-noout', '-text'], { encoding: 'utf8' });
	return text.split('Serial Number: ').slice(1).find((entry) => entry.startsWith(serial.toUpperCase())) ?? '';
}

/** Revoked for everybody: OCSP within 5 s, CRL within a minute of now, as promised.  The list's entry. */
export async function revokedEverywhere(icert, serial) {
	await until(() => /: revoked/.test(ocsp(icert, serial)), { timeout: 5000, what: 'revoked by OCSP' });
	return until(() => crlEntry(icert, serial), { timeout: 60_000, what: 'in the CRL' });
}

const RESPONSE_ERRORS = { 1: 'malformed', 2: 'internal', 3: 'trylater', 6: 'unauthorized' };

/**
 * One word for what an answer says of a serial (hex, 16 octets), read without verifying it: for asking about many.
 * CertStatus follows the serial: [0] NULL good, [1] revoked (RFC 6960, 4.2.1).
 */
export function verdict(answer, serial) {
	if (answer.length < 10) return RESPONSE_ERRORS[answer.at(-1)] ?? 'nothing';
	const at = answer.indexOf(Buffer.from(`0210${serial}`, 'hex'));
	if (at < 0) return 'nothing';
	return { 0x80: 'good', 0xa1: 'revoked', 0x82: 'unknown' }[answer[at + 18]] ?? 'nothing';
}

/** The verdict at an edge, for a request in DER. */
export async function asked(url, request, serial) {
	const r = await fetch(`${url}/ocsp`, { method: 'POST', body: request, headers: { 'content-type': 'application/ocsp-request' } });
	return verdict(Buffer.from(await r.arrayBuffer()), serial);
}
