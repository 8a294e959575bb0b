// Runs every unit program named on the command line, shows what the failing
// ones printed, and closes with one line of counts.
import { spawnSync } from 'node:child_process';

let passed = 0;
let failed = 0;
for (const program of process.argv.slice(2)) {
	const run = spawnSync(program, [], {
		encoding: 'utf8',
		env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
	});
	const output = (run.stdout ?? '') + (run.stderr ?? '');
	const ok = (output.match(/^\[\s+OK \]/gm) ?? []).length;
	const bad = (output.match(/^\[\s+FAILED\s+\] (?!\s*\d+ test)/gm) ?? []).length;
	passed += ok;
	if (run.status !== 0 || ok === 0) {
		failed += Math.max(1, bad);
		process.stdout.write(`${program}: exit ${run.status ?? run.signal}\n${output}\n`);
	}
}
process.stdout.write(`units: ${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
