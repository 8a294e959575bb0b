// What strangers can reach has a policy, and each policy a reason: read off the shipped configuration of nginx.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../../conf/nginx.conf.in', import.meta.url), 'utf8');

/** Blocks and directives: [{ words, body }], body undefined of a directive. */
function parse(source) {
	const words = [...source.matchAll(/#[^\n]*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[{};]|[^\s{};'"]+(?:\{[^}]*\}[^\s{};]*)?/g)].map(([word]) => word).filter((word) => word[0] !== '#');
	let at = 0;
	const block = () => {
		const found = [];
		for (let line = []; at < words.length;) {
			const word = words[at++];
			if (word === ';') { found.push({ words: line }); line = []; } else if (word === '{') { found.push({ words: line, body: block() }); line = []; } else if (word === '}') return found; else line.push(word);
		}
		return found;
	};
	return block();
}
/** With what every server includes in its place. */
const pages = parse(readFileSync(new URL('../../conf/nginx-pages.conf.in', import.meta.url), 'utf8'));
const whole = (block) => block.flatMap((one) => (one.words[0] === 'include' && /nginx-pages/.test(one.words[1]) ? pages : [one]));
const of = (block, name) => block.filter(({ words }) => words[0] === name);
const http = of(parse(text), 'http')[0].body;
const servers = of(http, 'server').map(({ body }) => ({ body: whole(body), port: /@(PORT\d?)@/.exec(of(body, 'listen')[0].words[1])[1] }));
const policies = of(http, 'icert_limit_zone').map(({ words }) => words[1]);

test('every location that a program or a store answers asks a policy that there is', () => {
	const asked = new Set(), seen = [];
	const look = (body, inherited, path) => {
		const own = of(body, 'icert_limit').map(({ words }) => words[1]);
		const limits = own.length ? own : inherited;
		for (const name of limits) { assert.ok(policies.includes(name), `${path}: ${name}`); asked.add(name); }
		for (const { words, body: inner } of of(body, 'location')) {
			const place = `${path} ${words.slice(1).join(' ')}`;
			const answers = inner.some(({ words: [name] }) => /_pass$|^icert_(ocsp|status_file|upload_progress_report)$/.test(name));
			const mine = of(inner, 'icert_limit').map(({ words: [, name] }) => name);
			// A named location is reached through one that was asked already; what is internal by no stranger.
			if (answers && !words.at(-1).startsWith('@') && !of(inner, 'internal').length) {
				assert.ok((mine.length ? mine : limits).length > 0, `${place} asks no policy`);
				seen.push(place);
			}
			look(inner, limits, place);
		}
	};
	// The last server is for whoever watches, on the loopback.
	for (const { body, port } of servers.filter(({ port: name }) => name !== 'PORT5')) look(body, of(http, 'icert_limit').map(({ words }) => words[1]), port);
	assert.ok(seen.length >= 8, seen.join(', '));
	assert.deepEqual([...asked].sort(), [...policies].sort(), 'and no policy is asked nowhere');
});

test('the reason of each policy stands above it', () => {
	const lines = text.split('\n');
	for (const [n, line] of lines.entries())
		if (/^\ticert_limit_zone /.test(line)) assert.match(lines[n - 1], /^\t# /, `${line}: nobody says why`);
});
