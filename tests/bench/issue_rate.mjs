// Certificates with their PKCS#12, from the operator's approval on, through issuer, keymaker, keeper, signer and publisher,
// against nothing but the key generation and `openssl pkcs12 -export` with the same parameters, on as many cores.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../lib/http.mjs';
import { benchInstance, family, restart, rewrite, signal } from './instance.mjs';
import { pairs } from './pairs.mjs';

const run_ = promisify(execFile);
export const name = 'issue_rate';
export const unit = 'certificates/min';
export const bar = 0.85;

// The time to find two primes varies as much as it is long: many in a round.
const A_ROUND = 48;
const seed = fileURLToPath(new URL('../../build/bench/seed_issuing', import.meta.url));

/** Moments at which the issuer's log says that a certificate was issued. */
const issuedAt = (icert) => readFileSync(join(icert.prefix, 'log/issuer.log'), 'utf8').split('\n')
	.filter((line) => line.includes('"code":"issued"')).map((line) => Date.parse(JSON.parse(line).time));

export async function run({ say }) {
	const icert = await benchInstance();
	let clerk = [];
	try {
		const conf = join(icert.prefix, 'etc/icert.conf');
		const iterations = readFileSync(conf, 'utf8').match(/^pkcs12_iterations = (\d+)/m)[1];
		rewrite(conf, [/^ceiling_per_hour = .*/m, 'ceiling_per_hour = 60000']);
		await restart(icert, 'signer');
		// Contracts and mails come after issuing and are no part of it.
		clerk = await family(icert, 'clerk');
		signal(clerk, 'SIGSTOP');

		let person = 1;
		const ours = async () => {
			const issuer = await family(icert, 'issuer');
			signal(issuer, 'SIGSTOP');
			await run_(seed, [icert.prefix, String(person), String(A_ROUND)]);
			person += A_ROUND;
			const before = issuedAt(icert).length;
			const began = Date.now();
			signal(issuer, 'SIGCONT');
			const all = await until(() => { const at = issuedAt(icert); return at.length >= before + A_ROUND && at; }, { what: 'the certificates', timeout: 300_000, every: 50 });
			// The publisher is done with them before the reference begins, as it would be in any longer run.
			const ended = all.at(-1);
			await until(() => icert.sql('select exists (select from icert.status_change where published_epoch is null)') === 'f', { what: 'their publication', timeout: 120_000, every: 100 });
			return A_ROUND / ((ended - began) / 60_000);
		};

		const folder = join(icert.prefix, 'demo/bench');
		mkdirSync(folder, { recursive: true });
		execFileSync('sh', ['-c', `for c in emisora raiz; do openssl x509 -inform DER -in ${join(icert.prefix, 'ca/public')}/$c.cer; done > ${folder}/chain.pem`]);
		const one = async (n) => {
			const file = (ext) => join(folder, `${n}.${ext}`);
			// PKCS#12 wants a certificate of that key: signed with itself, which is the quickest there is.
			await run_('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('key'), '-out', file('pem'), '-subj', '/C=EC/CN=MARÍA JOSÉ MUÑOZ PEÑA', '-utf8']);
			await run_('openssl', ['pkcs12', '-export', '-inkey', file('key'), '-in', file('pem'), '-certfile', join(folder, 'chain.pem'), '-name', 'MARÍA JOSÉ MUÑOZ PEÑA',
				'-passout', 'pass:ABCDE-FGHJK-LMNPQ-RSTUV', '-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC', '-macalg', 'sha256', '-iter', iterations, '-out', file('p12')]);
		};
		const reference = async () => {
			const began = Date.now();
			let next = 0;
			const hand = async () => { while (next < A_ROUND) await one(next++); };
			await Promise.all(Array.from({ length: availableParallelism() }, hand));
			return A_ROUND / ((Date.now() - began) / 60_000);
		};
		return await pairs({ ours, reference, say });
	} finally {
		try { signal(clerk, 'SIGCONT'); } catch { /* it is gone */ }
		await icert.stop();
	}
}
