// Every SQL statement of the C sources, as the compiler sees it: { name, sql, file }.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const sources = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
	const path = join(folder, entry.name);
	return entry.isDirectory() ? sources(path) : entry.name.endsWith('.c') ? [path] : [];
});

/** What the preprocessor makes of a file; macros are where half of a statement often stands. */
function preprocessed(file) {
	const config = readFileSync(join(top, 'build/config.mk'), 'utf8');
	const flags = /^PKG_CFLAGS = (.*)$/m.exec(config)[1].trim().split(/\s+/);
	const compiler = /^CC = (.*)$/m.exec(config)[1].trim();
	return execFileSync(compiler, ['-E', '-P', '-std=c11', '-D_GNU_SOURCE', `-I${top}`, `-I${join(top, 'fcgi-backend')}`, `-I${join(top, 'build/gen')}`, ...flags, file],
		{ encoding: 'utf8', maxBuffer: 1 << 26 });
}

const string = String.raw`"(?:[^"\\]|\\.)*"`;
const strings = String.raw`(?:${string}\s*)+`;
const initialiser = new RegExp(String.raw`\{\s*(?:\.name\s*=\s*)?(${strings}),\s*(?:\.sql\s*=\s*)?(${strings}),?\s*\}`, 'g');
const value = (literals) => [...literals.matchAll(new RegExp(string, 'g'))].map(([text]) => JSON.parse(text)).join('');

/** The text from each "struct db_stmt x = " to its semicolon. */
function* declarations(text) {
	for (const { index } of text.matchAll(/struct db_stmt \w+(?:\[\w*\])? = /g)) {
		let depth = 0, quoted = false, at = index;
		for (; at < text.length; at++) {
			const c = text[at];
			if (quoted) { if (c === '\\') at++; else if (c === '"') quoted = false; }
			else if (c === '"') quoted = true;
			else if (c === '{') depth++;
			else if (c === '}') depth--;
			else if (c === ';' && depth === 0) break;
		}
		yield text.slice(index, at);
	}
}

export function statements() {
	const found = [];
	for (const file of sources(join(top, 'fcgi-backend'))) {
		if (!readFileSync(file, 'utf8').includes('struct db_stmt')) continue;
		for (const declaration of declarations(preprocessed(file))) {
			const here = [...declaration.matchAll(initialiser)].map(([, name, sql]) => ({ name: value(name), sql: value(sql), file: relative(top, file) }));
			if (here.length === 0) throw new Error(`${file}: not understood: ${declaration.slice(0, 120)}`);
			found.push(...here);
		}
	}
	return found;
}
