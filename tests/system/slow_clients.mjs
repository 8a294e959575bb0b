// People who are slow on purpose, played by slowhttptest against the shipped configuration, and an honest visitor beside them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import { Client, until } from '../lib/http.mjs';
import { children, opened, units } from '../lib/processes.mjs';

/**
 * One run of slowhttptest; `seconds` is where it gives up.  { took (ms, from its start), ended: why it ended, text }.
 * "No open connections left" means that the server has closed every one of them.
 */
function slowly(url, mode, { connections, seconds, more = [] }) {
	return new Promise((resolve, reject) => {
		const begun = Date.now();
		let text = '';
		const child = spawn('slowhttptest', [mode, '-c', `${connections}`, '-r', `${connections}`, '-l', `${seconds}`, '-p', '10', '-u', url, ...more]);
		for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { text += part; });
		child.on('error', reject).on('exit', () => {
			// eslint-disable-next-line no-control-regex
			const plain = text.replace(/\x1b\[[0-9;]*m/g, '');
			resolve({ took: Date.now() - begun, ended: plain.match(/Exit status:\s*(.*)/)?.[1].trim(), text: plain });
		});
	});
}

const connectedAtMost = ({ text }) => Math.max(...[...text.matchAll(/^connected:\s+(\d+)/gm)].map(([, n]) => Number(n)), 0);

// What the slow ones begin is counted for their address (icert_limit page), so an honest visitor has one of his own.
const ELSEWHERE = '127.0.0.9';

/** Asks again and again until told to stop: how often it was answered.  Any other answer than 200 throws. */
function visitor(urls) {
	let stop = false, answered = 0;
	const agent = { 'http:': http, 'https:': https };
	const get = (url) => new Promise((resolve, reject) => {
		agent[new URL(url).protocol].get(url, { agent: false, localAddress: ELSEWHERE, rejectUnauthorized: false, timeout: 20_000 }, (res) => res.resume().on('end', () => resolve(res.statusCode)))
			.on('error', reject).on('timeout', function late() { this.destroy(new Error(`${url}: no answer in 20 s`)); });
	});
	const done = (async () => {
		while (!stop) {
			for (const url of urls) {
				assert.equal(await get(url), 200, url);
				answered++;
			}
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
	})();
	done.catch(() => {});
	return { async end() { stop = true; await done; return answered; } };
}

/** Cut at what the configuration says (seconds), not before, and not much later however busy the machine is. */
function cutAt(run, seconds, what) {
	assert.equal(run.ended, 'No open connections left', `${what}:\n${run.text.slice(-1500)}`);
	assert.ok(run.took >= (seconds - 1) * 1000, `${what}: cut after ${run.took} ms already`);
}

/**
 * Slow headers, slow bodies (a notification's), forms that drip and slow readers at once, these for `read` seconds.  What a reader does not take lies with
 * the kernel: nginx itself must be rid of it when `send_timeout` and `keepalive_timeout` are over, and of everybody in the end.
 */
export async function slowClients(icert, { connections, read = 15 }) {
	const held = () => children(units(icert).get('nginx').pid).reduce((sum, { pid }) => sum + (opened(pid).socket ?? 0), 0);
	const idle = held();
	const few = (when) => until(() => held() <= idle + 10, { timeout: 90_000, what: `nginx rid of them ${when} (${idle} sockets before)` });
	const someone = visitor([`${icert.portal}/`, `${icert.state}/healthz`]);
	const reading = slowly(`${icert.portal}${await style(icert)}`, '-X', { connections, seconds: read, more: ['-w', '1', '-y', '64', '-n', '1', '-z', '5'] });
	const [headers, body, drip] = await Promise.all([
		slowly(`${icert.portal}/`, '-H', { connections, seconds: 60, more: ['-i', '5'] }),
		// The next octets come after all that a body may take.
		slowly(`${icert.portal}/avisos/nadie`, '-B', { connections, seconds: 60, more: ['-i', '25'] }),
		// Never silent for long, and never done: the form that asks for a code.
		slowly(`${icert.portal}/entrar`, '-B', { connections, seconds: 90, more: ['-i', '2', '-x', '10'] }),
	]);
	if (read > 60) await few('while they still read');
	const reader = await reading;
	const answered = await someone.end();
	for (const [what, run] of Object.entries({ headers, body, drip, reader })) {
		assert.ok(connectedAtMost(run) >= connections / 2, `${what}: it never had its connections\n${run.text.slice(-1500)}`);
		assert.doesNotMatch(run.text, /service available:\s+NO/, what);
	}
	cutAt(headers, 15, 'slow headers (client_header_timeout)');
	cutAt(body, 10, 'a silent notification (icert_upload_min_rate, after ten seconds)');
	cutAt(drip, 10, 'a form that drips (icert_upload_min_rate, after ten seconds)');
	if (read > 60) assert.equal(reader.ended, 'Hit test time limit', 'somebody still read');
	await few('in the end');
	return { answered, headers: headers.took, body: body.took, drip: drip.took, reader: reader.took };
}

/** The largest file that a page names. */
async function style(icert) {
	const page = await new Client({ base: icert.portal }).visit('/');
	return page.html.match(/href="([^"]+\.css[^"]*)"/)[1];
}
