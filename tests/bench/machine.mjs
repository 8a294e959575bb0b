// What the figures were taken on, as a sentence of Markdown.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';

const first = (program, ...args) => {
	const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
	return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0];
};

export function machine() {
	const model = readFileSync('/proc/cpuinfo', 'utf8').match(/^model name\s*: (.*)/m)?.[1] ?? 'unknown';
	const debian = readFileSync('/etc/debian_version', 'utf8').trim();
	const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
	const postgres = execFileSync('sh', ['-c', 'ls /usr/lib/postgresql/*/bin/postgres | tail -1'], { encoding: 'utf8' }).trim();
	return `${new Date().toISOString().slice(0, 10)}: ${availableParallelism()} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, `
		+ `Debian ${debian}; ${first('/usr/sbin/nginx', '-v').replace('nginx version: ', '')}, ${first('openssl', 'version').split(' ').slice(0, 2).join(' ')}, `
		+ `${first(postgres, '--version').replace('postgres (PostgreSQL)', 'PostgreSQL').replace(/ \(.*/, '')}, Node ${process.version}; load average afterwards ${load}.`;
}
