// One short run of wrk, on a core of its own when one is named: requests a second, or an error when an answer was not what it should be.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export async function wrk(url, { seconds = 1, connections = 16, threads = 1, script, args = [], headers = {}, core }) {
	const options = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
	const [program, ...before] = [...(core === undefined ? [] : ['taskset', '-c', `${core}`]), 'wrk'];
	const { stdout } = await run(program, [...before, `-t${threads}`, `-c${connections}`, `-d${seconds}s`, ...options,
		...(script ? ['-s', script] : []), url, ...(args.length ? ['--', ...args] : [])], { maxBuffer: 1 << 20 });
	const bad = stdout.match(/Non-2xx or 3xx responses: (\d+)|Socket errors: .*|wrong answers: [1-9]\d*/);
	if (bad) throw new Error(`${url}: ${bad[0]}\n${stdout}`);
	return Number(stdout.match(/Requests\/sec:\s+([\d.]+)/)[1]);
}
