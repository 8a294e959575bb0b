// What relying parties see of a certificate, read with openssl at the edge.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './http.mjs';

/** The answer's text for a serial in hex: "…: good", "…: revoked" with its reason. */
export function ocsp(icert, serial) {
	const chain = join(icert.prefix, 'ca/public/chain.pem');
	const { stdout, stderr } = spawnSync('openssl', ['ocsp', '-issuer', chain, '-CAfile', chain, '-serial', `0x${serial}`,
		'-url', `${icert.status}/ocsp`], { encoding: 'utf8' });
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
