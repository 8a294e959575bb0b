// How many octets of the store a certificate takes: base, index and the deltas that come and go over it, P-256, one hash
// algorithm answered beforehand.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addCertificates, published, revocation, serialOf } from './certificates.mjs';
import { until } from '../lib/http.mjs';
import { restart, rewrite, withInstance } from './instance.mjs';

const MANY = 25_000;
const REVOKED = 20;

/** How many octets of segments the manifest in place names (docs/status-store.md). */
export function stored(icert, name) {
	const manifest = readFileSync(join(icert.prefix, 'status/manifest'));
	let octets = 0;
	for (let i = 0, at = 32; i < manifest.readUInt32LE(12); i++, at += 160) {
		const entry = manifest.toString('latin1', at + 8, at + 40).replace(/\0.*/, '');
		if (manifest.readUInt32LE(at) === 1 && (!name || entry === name)) octets += Number(manifest.readBigUInt64LE(at + 104));
	}
	return octets;
}

/** The figure for so many certificates: { name, unit, most, run }. */
export const storeBytes = (name, certificates, timeout) => ({ name, unit: 'octets', most: 330, run: ({ say }) => withInstance(async (icert) => {
	rewrite(join(icert.prefix, 'etc/icert.conf'), [/^answer_sha256 = .*/m, 'answer_sha256 = 0']);
	await restart(icert, 'publisher');
	// So many changes at once are worth a new base, which holds every row there is.
	addCertificates(icert, MANY + 1, certificates, { told: false });
	addCertificates(icert, 1, MANY);
	await until(() => stored(icert, 'base') > certificates * 250, { what: 'the base', timeout, every: 500 });
	say(1, { base: stored(icert, 'base') / certificates });
	// Then a day of a country over it: some issued, some revoked.
	const more = Math.round(certificates / 200);
	addCertificates(icert, certificates + 1, certificates + more);
	for (let i = 1; i <= REVOKED; i++) icert.sql(revocation(serialOf(i)));
	await published(icert, timeout);
	return { ours: stored(icert) / (certificates + more) };
}) });

export const storeBytes1m = storeBytes('store_bytes_1m', 1_000_000, 300_000);
