// Run after run of ten applicants while every process is killed again and again.
import { killing } from '../system/killing.mjs';

const first = Number(process.env.KILL_SEED ?? Date.now() % 1e9);
const runs = Number(process.env.SOAK_RUNS ?? 10);

for (let seed = first; seed < first + runs; seed++) killing(seed, 2, 400 + (seed % 5) * 200);
