// Runs tests side by side, the longest first, and closes with one table of counts.
//
//   node tests/run.mjs [--build DIR] [--times] FILE…
//
// A FILE is a test of node (*.test.mjs), a unit program (…/test/NAME) or a fuzz
// target (tests/fuzz/NAME.c).  --build: what instances of tests/system run from.
// Each file is a process of its own; what it prints is shown when it has ended,
// whole.  tests/times says how long each took the last time that somebody asked
// for --times, which writes it anew: it only makes the order, and a file that it
// does not know is taken for a long one.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const cores = availableParallelism?.() ?? cpus().length;
const TIMES = join(top, 'tests/times');
const UNKNOWN_S = 60;
const FUZZ_RUNS = process.env.FUZZ_RUNS ?? '50000';
const FUZZ_SECONDS = process.env.FUZZ_SECONDS ?? '0';

// What a core takes at a time.  An instance mostly waits; a browser, a unit and a fuzz target do not.
const SHARE = 6;
const kinds = {
	fuzz: { weight: 4, command: (path) => ['tests/fuzz/run.sh', basename(path, '.c'), FUZZ_RUNS, FUZZ_SECONDS] },
	unit: { weight: 4, command: (path) => [path], env: { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'print_stacktrace=1' } },
	browser: { weight: 4, command: (path) => [process.execPath, '--test-reporter=tap', path] },
	node: { weight: 2, command: (path) => [process.execPath, '--test-reporter=tap', path] },
};

const kindOf = (path) => path.endsWith('.c') ? 'fuzz' : !path.endsWith('.test.mjs') ? 'unit'
	: path.startsWith('tests/browser/') ? 'browser' : 'node';

/** { pass, fail, skip } of what one file printed. */
function counts(kind, output, failed) {
	const number = (pattern) => Number(output.match(pattern)?.[1] ?? 0);
	const all = (pattern) => (output.match(pattern) ?? []).length;
	const found = kind === 'fuzz' ? { pass: failed ? 0 : 1, fail: 0, skip: 0 }
		: kind === 'unit' ? { pass: all(/^\[\s+OK \]/gm), fail: all(/^\[\s+FAILED\s+\] (?!\s*\d+ test)/gm), skip: all(/^\[\s+SKIPPED\s+\] (?!\s*\d+ test)/gm) }
			: { pass: number(/^# pass (\d+)$/m), fail: number(/^# fail (\d+)$/m), skip: number(/^# skipped (\d+)$/m) };
	// Who died has failed, whatever it said before, and so has who tried nothing.
	if (found.fail === 0 && (failed || found.pass + (kind === 'unit' ? 0 : found.skip) === 0)) found.fail = 1;
	return found;
}

/** Every file's seconds as they were noted. */
function noted() {
	try {
		return new Map(readFileSync(TIMES, 'utf8').split('\n').map((line) => line.match(/^(\d+) (\S+)$/)).filter(Boolean)
			.map(([, seconds, name]) => [name, Number(seconds)]));
	} catch (error) {
		if (error.code === 'ENOENT') return new Map();
		throw error;
	}
}

/** The same name whatever the build. */
const nameOf = (path) => kindOf(path) === 'unit' ? `tests/unit/${basename(path)}` : path;

const running = new Set();
let stopped = false;

function run(job, build) {
	const { command, env } = kinds[job.kind];
	const [program, ...args] = command(job.path);
	const began = performance.now();
	return new Promise((done) => {
		const chunks = [];
		const child = spawn(program, args, { cwd: top, stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, ...env, ...build && job.path.startsWith('tests/system/') ? { ICERT_BUILD: build } : {} } });
		running.add(child);
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
		child.on('error', (error) => chunks.push(Buffer.from(`${error}\n`)));
		child.on('close', (code, signal) => {
			running.delete(child);
			const output = Buffer.concat(chunks).toString();
			done({ job, output, code, signal, seconds: (performance.now() - began) / 1000, ...counts(job.kind, output, code !== 0) });
		});
	});
}

function show({ job, output, code, signal, seconds, pass, fail, skip }) {
	const said = `${nameOf(job.path)}: ${fail ? 'FAILED, ' : ''}${pass} passed${fail ? `, ${fail} failed` : ''}${skip ? `, ${skip} skipped` : ''}, ${seconds.toFixed(1)} s`;
	// Of a unit that went well there is nothing to read.
	if (fail || job.kind === 'node' || job.kind === 'browser') process.stdout.write(`\n== ${said}${code ? `, exit ${code}` : ''}${signal ? `, ${signal}` : ''}\n${output}`);
	else process.stdout.write(`${job.kind === 'fuzz' ? output : `${said}\n`}`);
}

/** Starts whoever fits beside those that run, the longest of all first. */
async function runAll(jobs, build) {
	const waiting = [...jobs].sort((a, b) => b.expected - a.expected || (a.path < b.path ? -1 : 1));
	const under = new Set();
	const ended = [];
	let free = SHARE * cores;
	while ((waiting.length > 0 && !stopped) || under.size > 0) {
		for (let n = 0; n < waiting.length && !stopped;) {
			const { weight } = kinds[waiting[n].kind];
			if (weight > free && under.size > 0) {
				n++;
				continue;
			}
			const [job] = waiting.splice(n, 1);
			free -= weight;
			const one = run(job, build).then((result) => {
				under.delete(one);
				free += weight;
				ended.push(result);
				show(result);
			});
			under.add(one);
		}
		await Promise.race(under);
	}
	return ended;
}

function note(results) {
	const times = noted();
	for (const { job, seconds, fail } of results) if (!fail) times.set(nameOf(job.path), Math.round(seconds));
	writeFileSync(TIMES, [...times].filter(([name]) => name).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name, seconds]) => `${seconds} ${name}\n`).join(''));
}

const args = process.argv.slice(2);
const option = (name, taking) => {
	const at = args.indexOf(name);
	return at < 0 ? undefined : args.splice(at, taking ? 2 : 1)[taking ? 1 : 0];
};
const build = option('--build', true);
const times = option('--times', false);
const before = noted();
const jobs = args.map((arg) => relative(top, resolve(arg))).map((path) => ({ path, kind: kindOf(path), expected: before.get(nameOf(path)) ?? UNKNOWN_S }));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.once(signal, () => {
		stopped = true;
		for (const child of running) child.kill(signal);
		process.exitCode = 1;
	});
const began = performance.now();
const results = await runAll(jobs, build);
const sum = (what) => results.reduce((n, result) => n + result[what], 0);
if (times) note(results);
for (const { job, fail } of results) if (fail) process.stdout.write(`FAILED ${nameOf(job.path)}\n`);
process.stdout.write(`${jobs.length} files: ${sum('pass')} passed, ${sum('fail')} failed, ${sum('skip')} skipped, ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
if (sum('fail') > 0 || results.length !== jobs.length || sum('pass') === 0) process.exitCode = 1;
