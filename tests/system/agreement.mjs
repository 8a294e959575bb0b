// Certificates are issued and revoked at random; what OCSP and the CRL say of each is looked at all the while.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { goodRows, revokeRows } from '../lib/issuing.mjs';
import { asker, certId, read, request } from '../lib/ocsp.mjs';
import { random } from '../lib/processes.mjs';
import { until } from '../lib/http.mjs';

/** The serials of a CRL, in hex. */
const listed = (crl) => new Set([...execFileSync('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], { input: crl, encoding: 'utf8', maxBuffer: 1 << 26 })
	.matchAll(/Serial Number: ([0-9A-F]+)/g)].map((m) => m[1].toLowerCase()));

/**
 * After each round, within a minute: revoked by OCSP and in the list, or good and not in it.  At no moment is one in the
 * list good by OCSP, nor is one good again that was seen revoked.
 */
export async function agreement({ icert, issuer, rounds, seed }) {
	const next = random(seed), ask = asker(icert.status);
	const serial = (n) => `01${createHash('sha256').update(`agreement ${seed} ${n}`).digest('hex').slice(0, 30)}`;
	const good = [], revoked = [], seen = new Set();
	const state = async (hex) => {
		const { body } = await ask(`/ocsp/${encodeURIComponent(request([certId(issuer, hex)]).toString('base64'))}`);
		const answer = read(body);
		if (answer.state === 'revoked') seen.add(hex);
		if (answer.state === 'good') assert.ok(!seen.has(hex), `${hex} is good again`);
		return answer.state;
	};
	let made = 0;
	for (let round = 0; round < rounds; round++) {
		const fresh = Array.from({ length: 1 + Math.floor(next() * 20) }, () => serial(made++));
		icert.sql(goodRows(fresh));
		good.push(...fresh);
		const gone = good.filter(() => next() < 0.3);
		if (gone.length) icert.sql(revokeRows(gone, 1 + Math.floor(next() * 5)));
		for (const hex of gone) { good.splice(good.indexOf(hex), 1); revoked.push(hex); }
		await until(async () => {
			/* The list first: what stands in it was revoked before. */
			const list = listed(Buffer.from(await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer()));
			const states = new Map();
			for (const hex of [...good, ...revoked]) states.set(hex, await state(hex));
			for (const [hex, said] of states) assert.ok(!(list.has(hex) && said === 'good'), `${hex} stands in the list and is good by OCSP`);
			return good.every((hex) => states.get(hex) === 'good' && !list.has(hex)) && revoked.every((hex) => states.get(hex) === 'revoked' && list.has(hex));
		}, { timeout: 60_000, every: 500, what: `round ${round}: OCSP and the list agree on ${good.length} good, ${revoked.length} revoked` });
	}
	assert.ok(revoked.length > 0);
}
