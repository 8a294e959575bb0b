// Contracts judged — the checker's look and our own reading, digests and signatures — against poppler's pdfsig on the same files.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { benchInstance } from './instance.mjs';
import { pairs } from './pairs.mjs';

const run_ = promisify(execFile);
export const name = 'contract_rate';
export const unit = 'contracts/s';
export const bar = 1.0;

const SECONDS = 1;
const built = (path) => fileURLToPath(new URL(`../../build/${path}`, import.meta.url));

export async function run({ say }) {
	const icert = await benchInstance();
	try {
		const folder = join(icert.prefix, 'demo/bench');
		mkdirSync(folder, { recursive: true });
		// A contract as the house draws it, and the corpus of the tests made from it.
		const drawn = join(folder, 'drawn.pdf');
		execFileSync(built('test/documents_contract_pdf'), [drawn], { stdio: 'ignore' });
		execFileSync('node', [fileURLToPath(new URL('../lib/contracts.mjs', import.meta.url)), folder, drawn]);
		const manifest = join(folder, 'manifest.tsv');
		const good = readFileSync(manifest, 'utf8').trim().split('\n').filter((line) => line.endsWith('\tok'));
		writeFileSync(manifest, `${good.join('\n')}\n`);
		const files = good.map((line) => join(folder, line.split('\t')[1]));

		const ours = async () => Number((await run_(built('bench/contracts'), [join(icert.run, 'checker-portal'), folder, String(SECONDS)])).stdout);
		const reference = async () => {
			const began = Date.now();
			let done = 0;
			do
				for (const file of files) {
					const { stdout } = await run_('pdfsig', ['-nocert', file], { encoding: 'latin1' });
					if (!stdout.includes('Digital Signature Info')) throw new Error(`pdfsig: ${file}`);
					done++;
				}
			while (Date.now() - began < SECONDS * 1000);
			return done * 1000 / (Date.now() - began);
		};
		return await pairs({ ours, reference, say });
	} finally {
		await icert.stop();
	}
}
