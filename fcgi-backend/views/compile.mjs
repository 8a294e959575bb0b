// Compiles the page and mail templates into C: one struct and one function a
// view, checked here so that nothing is interpreted at run time.
// usage: node compile.mjs --out DIR [--views DIR]
import { mkdirSync, readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse } from '@handlebars/parser';
import { Emitter, cString } from './lib/emit.mjs';
import { ViewError, SCALARS, declareStruct, frontComment, parseParams, parseSchema, parseTypes } from './lib/schema.mjs';

const read = (file) => readFileSync(file, 'utf8');

function files(root, dir = root) {
	return readdirSync(dir, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
		const path = join(dir, entry.name);
		if (entry.isDirectory()) return files(root, path);
		return entry.name.endsWith('.hbs') ? [relative(root, path)] : [];
	});
}

function parseFile(text, file) {
	try {
		return parse(text);
	} catch (error) {
		throw new ViewError(`${file}: ${error.message}`);
	}
}

export const cName = (name) => `view_${name.replace(/[^a-zA-Z0-9]+/g, '_')}`;

// Reads every view below root; gives the header's and the source's text.
export function compileViews(root) {
	const all = files(root);
	const isPartial = (file) => /(^|\/)parts\//.test(file);
	const header = [];
	const source = [];
	const structs = [];
	const named = [];

	const types = existsSync(join(root, 'types.hbs'))
		? parseTypes(frontComment(parseFile(read(join(root, 'types.hbs')), 'types.hbs')), 'types.hbs') : { types: new Map(), structs: [] };
	structs.push(...types.structs);
	let pageStruct = null;
	if (existsSync(join(root, 'page.hbs'))) {
		const page = parseSchema(frontComment(parseFile(read(join(root, 'page.hbs')), 'page.hbs')), 'page.hbs', 'view_page', types.types);
		pageStruct = page.struct;
		structs.push(...page.structs);
	}

	const partials = new Map();
	const load = (name, missing) => {
		if (!partials.has(name)) {
			const file = [`parts/${name}.hbs`, `${name}.hbs`].find((f) => all.includes(f));
			if (!file) missing();
			const ast = parseFile(read(join(root, file)), file);
			partials.set(name, { ast, file, params: parseParams(frontComment(ast), file, types.types) });
		}
		return partials.get(name);
	};

	for (const file of all) {
		if (isPartial(file) || file === 'types.hbs' || file === 'page.hbs') continue;
		const name = file.replace(/\.hbs$/, '');
		const html = !name.endsWith('.txt');
		const mail = name.startsWith('mail/');
		const ast = parseFile(read(join(root, file)), file);
		let schema = frontComment(ast);
		const like = schema.trim().match(/^like (\S+)$/);
		if (like) {
			const other = join(root, `${like[1]}.hbs`);
			if (!existsSync(other)) throw new ViewError(`${file}: no view ${like[1]}`);
			schema = frontComment(parseFile(read(other), like[1]));
		}
		const { struct, structs: own } = parseSchema(schema, file, cName(name), types.types);
		const page = html && !mail && pageStruct;
		if (page) {
			if (struct.members.has('page')) throw new ViewError(`${file}: page is the layout's`);
			struct.members.set('page', { kind: 'page' });
		}
		structs.push(...own);
		const emitter = new Emitter({ file, html, struct, pageStruct: page || null, load });
		emitter.program(ast, emitter.root);
		const body = emitter.output();
		header.push(`void ${struct.name}(struct buf *, const struct ${struct.name} *);`);
		source.push(`void\n${struct.name}(struct buf *out, const struct ${struct.name} *v)\n{\n\t(void)v;\n${body}\n}\n`);
		if (mail && [...struct.members.values()].every((t) => SCALARS[t.kind] && t.kind !== 'field')) {
			const fill = [...struct.members].map(([key, type]) => {
				const got = `get(ctx, ${cString(key)})`;
				return `\tv.${key} = ${type.kind === 'text' || type.kind === 'url' ? got : type.kind === 'flag' ? `view_parse_flag(${got})` : `view_parse_number(${got})`};`;
			});
			source.push(`static void\nnamed_${struct.name}(struct buf *out, view_lookup get, void *ctx)\n{\n\tstruct ${struct.name} v;\n\n`
				+ `\t(void)get;\n\t(void)ctx;\n\tmemset(&v, 0, sizeof(v));\n${fill.join('\n')}\n\t${struct.name}(out, &v);\n}\n`);
			named.push(`\t{ ${cString(name)}, named_${struct.name} },`);
		}
	}
	return {
		header: `/* Written by compile.mjs from the templates. */\n#ifndef VIEWS_H\n#define VIEWS_H\n\n#include "views/view.h"\n\n`
			+ `${structs.map(declareStruct).join('\n')}\n${header.join('\n')}\n\n#endif\n`,
		source: `/* Written by compile.mjs from the templates. */\n#include <string.h>\n\n#include "views.h"\n\n`
			+ `static const struct view_field view_no_field __attribute__((unused));\n\n${source.join('\n')}\n`
			+ `const struct view_named view_named_table[] = {\n${named.sort().join('\n')}\n\t{ NULL, NULL }\n};\n`,
	};
}

// The catalogue: {"code": "sentence"} in catalogue/*.json, one table in C.
export function compileCatalogue(root) {
	const dir = join(root, 'catalogue');
	const seen = new Map();
	for (const file of existsSync(dir) ? readdirSync(dir).filter((f) => f.endsWith('.json')).sort() : []) {
		for (const [code, text] of Object.entries(JSON.parse(read(join(dir, file))))) {
			if (seen.has(code)) throw new ViewError(`catalogue/${file}: ${code} is also in ${seen.get(code).file}`);
			if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(code)) throw new ViewError(`catalogue/${file}: ${code} is not a code with a sentence`);
			seen.set(code, { file, text });
		}
	}
	const codes = [...seen.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
	return `\nconst struct catalogue_entry catalogue_table[] = {\n${codes.map((c) => `\t{ ${cString(c)}, ${cString(seen.get(c).text)} },`).join('\n')}\n\t{ NULL, NULL }\n};\n`
		+ `const size_t catalogue_size = ${codes.length};\n`;
}

function main() {
	const argument = (name, fallback) => process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback;
	const out = argument('--out');
	const root = argument('--views', dirname(fileURLToPath(import.meta.url)));
	try {
		const { header, source } = compileViews(root);
		const catalogue = compileCatalogue(root);
		mkdirSync(out, { recursive: true });
		writeFileSync(join(out, 'views.c'), source + catalogue);
		writeFileSync(join(out, 'views.h'), header);
	} catch (error) {
		if (!(error instanceof ViewError)) throw error;
		process.stderr.write(`views: ${error.message}\n`);
		process.exit(1);
	}
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
