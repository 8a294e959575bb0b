// Everything signed again and written, index, sync and verification included (resign.c), against nothing but signatures:
// as many cores as there are, times what `openssl speed` does on one.
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { binary } from './instance.mjs';
import { median, pairs } from './pairs.mjs';

/** The figure of one kind of key: { name, unit, bar, run }. */
export function resign(key, { algorithm, certificates }) {
	const run = async ({ say }) => {
		const publisher = spawn(binary('resign'), [key, String(certificates)], { stdio: ['pipe', 'pipe', 'ignore'] });
		try {
			const answers = createInterface({ input: publisher.stdout })[Symbol.asyncIterator]();
			const cpu = [];
			const ours = async () => {
				publisher.stdin.write('\n');
				const { value, done } = await answers.next();
				if (done) throw new Error('resign ended');
				const [n, seconds, here, there] = value.split(' ').map(Number);
				cpu.push((here + there) / n);
				return n / seconds;
			};
			const reference = async () => {
				const { stdout } = await promisify(execFile)('openssl', ['speed', '-seconds', '1', '-mr', algorithm]);
				// +F2:number:bits:signatures a second:verifications a second (ECDSA: +F4).
				return availableParallelism() * Number(stdout.match(/^\+F[24]:\d+:\d+:([\d.]+):/m)[1]);
			};
			const got = await pairs({ ours, reference, say });
			console.log(`  ${(1e6 * median(cpu)).toFixed(2)} µs of processor time an answer, ${(1e6 * availableParallelism() / got.reference).toFixed(2)} of them its signature`);
			return got;
		} finally {
			publisher.stdin.end();
			await new Promise((resolve) => { if (publisher.exitCode !== null) resolve(); else publisher.once('exit', resolve); });
		}
	};
	return { name: `resign_${key}`, unit: 'answers/s', bar: 0.80, run };
}

export const resignP256 = resign('p256', { algorithm: 'ecdsap256', certificates: 100_000 });
export const resignRsa2048 = resign('rsa2048', { algorithm: 'rsa2048', certificates: 8_000 });
