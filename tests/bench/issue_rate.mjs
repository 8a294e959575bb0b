// Certificates with their PKCS#12, from the operator's approval on, through issuer, keymaker, keeper, signer and publisher,
// against nothing but the key generation and `openssl pkcs12 -export` with the same parameters, on as many cores.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../lib/http.mjs';
import { benchInstance, childrenCpu, cpuSeconds, family, restart, rewrite, signal } from './instance.mjs';
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

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * CPU time a certificate, over all keys of all rounds: what of the figure is work, and who does it.  What else the machine
 * does hardly changes it; where it says one thing and the clock another, ours waited.
 */
function tellCpu({ ours, reference }, share) {
	const ms = (x) => `${(1000 * x).toFixed(1)} ms`;
	console.log(`  CPU a certificate: ours ${ms(mean(ours))} (${ours.length * A_ROUND} keys), reference ${ms(mean(reference))} (${reference.length * A_ROUND} keys); `
		+ `reference ÷ ours ${(mean(reference) / mean(ours)).toFixed(3)}`);
	const parts = Object.entries(share).map(([program, each]) => [program, mean(each)]).filter(([, x]) => x >= 0.0002).sort((a, b) => b[1] - a[1]);
	console.log(`  of ours: ${parts.map(([program, x]) => `${program} ${ms(x)}`).join(', ')}`);
}

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

		// Everything that works for a certificate, each program with its children; the database's sessions are those of postgres.
		const programs = {};
		for (const { name: program } of await icert.processes()) programs[program] = await family(icert, program);
		const ownCpu = () => Object.fromEntries(Object.entries(programs).map(([program, pids]) => [program, cpuSeconds(pids)]));
		const spent = { ours: [], reference: [] };
		const share = {};

		let person = 1;
		const ours = async () => {
			const issuer = await family(icert, 'issuer');
			signal(issuer, 'SIGSTOP');
			await run_(seed, [icert.prefix, String(person), String(A_ROUND)]);
			person += A_ROUND;
			const before = issuedAt(icert).length;
			const cpu = ownCpu();
			const began = Date.now();
			signal(issuer, 'SIGCONT');
			const all = await until(() => { const at = issuedAt(icert); return at.length >= before + A_ROUND && at; }, { what: 'the certificates', timeout: 300_000, every: 50 });
			// The publisher is done with them before the reference begins, as it would be in any longer run.
			const ended = all.at(-1);
			const now = ownCpu();
			for (const program in now) (share[program] ??= []).push((now[program] - cpu[program]) / A_ROUND);
			spent.ours.push(Object.keys(now).reduce((sum, program) => sum + now[program] - cpu[program], 0) / A_ROUND);
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
			// This process starts nothing else meanwhile: what its ended children took.
			const cpu = childrenCpu();
			const began = Date.now();
			let next = 0;
			const hand = async () => { while (next < A_ROUND) await one(next++); };
			await Promise.all(Array.from({ length: availableParallelism() }, hand));
			spent.reference.push((childrenCpu() - cpu) / A_ROUND);
			return A_ROUND / ((Date.now() - began) / 60_000);
		};
		const result = await pairs({ ours, reference, say });
		tellCpu(spent, share);
		return result;
	} finally {
		try { signal(clerk, 'SIGCONT'); } catch { /* it is gone */ }
		await icert.stop();
	}
}
