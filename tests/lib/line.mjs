// A line between a browser and an instance that can be slow or cut (line.py).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class Line {
	/** A line to a port of ours; `port` is where clients connect. */
	static async to(port) {
		const line = new Line();
		line.child = spawn('python3', [fileURLToPath(new URL('line.py', import.meta.url)), String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
		line.answers = createInterface({ input: line.child.stdout })[Symbol.asyncIterator]();
		line.port = Number((await line.answers.next()).value);
		return line;
	}

	async say(words) {
		this.child.stdin.write(`${words}\n`);
		assert.equal((await this.answers.next()).value, 'ok', words);
	}

	/** Octets a second towards the server; 0: all it can. */
	rate(n) { return this.say(`rate ${n}`); }

	/** Ends every connection; a new one ends at once. */
	cut() { return this.say('cut'); }

	join() { return this.say('join'); }

	async close() {
		const ended = once(this.child, 'exit');
		this.child.stdin.end();
		await ended;
	}
}
