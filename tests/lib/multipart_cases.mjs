// The corpus of multipart bodies: a folder a case (tests/multipart/README.md).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('../multipart/cases', import.meta.url).pathname;

/** "%41" and "\"\"" as octets. */
export const octets = (text) => text === '""' ? Buffer.alloc(0)
	: Buffer.from(text.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1');

/** The parts that are complete: { name, filename (of a file), clean, data }, from the lines of "expected". */
function partsOf(lines) {
	const parts = [];
	let part;
	for (const line of lines) {
		const [word, ...rest] = line.split(' ');
		if (word === 'part') part = { name: octets(rest[0]), data: Buffer.alloc(0) };
		if (word === 'file') part = { name: octets(rest[0]), filename: octets(rest[1]), clean: octets(rest[1]), data: Buffer.alloc(0) };
		if (word === 'clean') part.clean = octets(rest[0]);
		if (word === 'data') part.data = octets(rest[0]);
		if (word === 'octets') throw new Error('a case with data that only the unit reads');
		if (word === 'close') parts.push(part);
	}
	return parts;
}

/**
 * { name, title, body or request, type, parts, refused (the parser's word), passed (not multipart: the body as it is),
 * status, reason, requests (of a case with a request: how many reach the program behind) }.
 */
export function cases() {
	return readdirSync(root).flatMap((group) => readdirSync(join(root, group)).map((one) => {
		const folder = join(root, group, one);
		const read = (file) => existsSync(join(folder, file)) ? readFileSync(join(folder, file)) : undefined;
		const lines = readFileSync(join(folder, 'expected'), 'utf8').trim().split('\n');
		const of = (word) => lines.find((line) => line === word || line.startsWith(`${word} `))?.split(' ').slice(1);
		const [status, reason] = of('http');
		return {
			name: `${group}/${one}`, title: lines[0].replace(/^# /, ''), body: read('body'), request: read('request'),
			type: read('headers')?.toString('latin1').match(/^Content-Type: (.*)\n/)[1],
			parts: partsOf(lines), refused: of('refused')?.[0], passed: lines.includes('not-multipart'),
			status: Number(status), reason, requests: Number(of('requests')?.[0]),
		};
	}));
}
