// How many octets of the store a certificate takes: base, index and the deltas that come and go over it, P-256, one hash
// algorithm answered beforehand.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { addCertificates, published, revocation, serialOf, signAgain } from './certificates.mjs';
import { until } from '../lib/http.mjs';
import { withInstance } from './instance.mjs';

/** The figure for so many certificates: { name, unit, most, run }. */
export const storeBytes = (name, certificates, timeout) => ({ name, unit: 'octets', most: 330, run: ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, certificates, { told: false });
	await signAgain(icert, { answer_sha256: 0 });
	const segments = () => readdirSync(join(icert.prefix, 'status')).filter((file) => /^(base|delta|pending)-/.test(file))
		.map((file) => statSync(join(icert.prefix, 'status', file)).size);
	const size = () => segments().reduce((a, b) => a + b, 0);
	await until(() => size() > certificates * 250, { what: 'the base', timeout, every: 500 });
	say(1, { base: size() / certificates });
	// A day of a country: some issued, some revoked.
	const more = Math.round(certificates / 200);
	addCertificates(icert, certificates + 1, certificates + more);
	for (let i = 1; i <= 20; i++) icert.sql(revocation(serialOf(i)));
	await published(icert);
	return { ours: size() / (certificates + more) };
}) });

export const storeBytes1m = storeBytes('store_bytes_1m', 1_000_000, 900_000);
