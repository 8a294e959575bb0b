// From a parsed template to the body of a C function.  Partials are laid in
// where they are called, with their parameters: what is constant there is
// decided here and costs nothing at run time.
import { HtmlState } from './html.mjs';
import { ViewError } from './schema.mjs';

const HELPERS = new Set(['say', 'day', 'date', 'hour', 'both', 'lines', 'breaking', 'concat']);
const MOMENT_HELPERS = { day: 'view_put_day', date: 'view_put_date', hour: 'view_put_hour', both: 'view_put_both' };

export function cString(text) {
	let out = '"';
	for (const c of text) {
		if (c === '"' || c === '\\') out += `\\${c}`;
		else if (c === '\n') out += '\\n';
		else if (c === '\t') out += '\\t';
		else if (c === '\r') out += '\\r';
		else if (c === '?') out += '\\?';
		else out += c;
	}
	return `${out}"`;
}

const escapeHtml = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export class Emitter {
	// load(name) gives a partial: {ast, params, file}.
	constructor({ file, html, struct, pageStruct, load }) {
		this.file = file;
		this.html = html;
		this.load = load;
		this.pageStruct = pageStruct;
		this.ops = [];
		this.indent = 1;
		this.counter = 0;
		this.depth = 0;
		this.line = 0;
		this.inside = file;
		this.state = html ? new HtmlState(() => `${this.inside}:${this.line}`) : null;
		this.root = { frames: [{ struct, c: 'v', nullable: false }], data: {}, block: null };
	}

	fail(text) {
		throw new ViewError(`${this.inside}:${this.line}: ${text}`);
	}

	code(text) {
		this.ops.push({ code: '\t'.repeat(this.indent) + text });
	}

	literal(text) {
		const sent = this.html ? this.state.literal(text) : text;
		if (sent === '') return;
		const last = this.ops[this.ops.length - 1];
		if (last && last.text !== undefined) last.text += sent;
		else this.ops.push({ text: sent, indent: this.indent });
	}

	output() {
		if (this.html && this.state.state !== 'text') this.fail(`ends inside ${this.state.state} of <${this.state.tag}>`);
		return this.ops.map((op) => op.text === undefined ? op.code
			: `${'\t'.repeat(op.indent)}view_put(out, ${cString(op.text)}, ${Buffer.byteLength(op.text)});`).join('\n');
	}

	program(program, env) {
		for (const node of program?.body ?? []) this.statement(node, env);
	}

	statement(node, env) {
		this.line = node.loc?.start?.line ?? this.line;
		switch (node.type) {
		case 'ContentStatement': return this.literal(node.value);
		case 'CommentStatement': return undefined;
		case 'MustacheStatement':
			if (node.escaped === false) this.fail('{{{ and {{& are not allowed: every value is escaped');
			return this.put(this.expression(node, env));
		case 'BlockStatement': return this.block(node, env);
		case 'PartialStatement': return this.partial(node, env, null);
		case 'PartialBlockStatement': return this.partial(node, env, { program: node.program, env });
		default: return this.fail(`${node.type} is not supported`);
		}
	}

	// --- values -------------------------------------------------------------

	expression(node, env) {
		switch (node.type) {
		case 'StringLiteral': return { kind: 'const', value: node.value };
		case 'NumberLiteral': return { kind: 'const', value: node.value };
		case 'BooleanLiteral': return { kind: 'const', value: node.value };
		case 'UndefinedLiteral':
		case 'NullLiteral': return { kind: 'const', value: undefined };
		case 'PathExpression': return this.path(node, env);
		default:
			if (node.params?.length || node.hash?.pairs?.length) return this.helper(node, env);
			return this.path(node.path, env);
		}
	}

	helper(node, env) {
		const name = node.path.original;
		const args = node.params.map((p) => this.expression(p, env));
		if (name === 'concat') return { kind: 'text', pieces: args.flatMap((a) => this.pieces(a)) };
		if (name === 'say') return { kind: 'text', pieces: [{ say: args.flatMap((a) => this.pieces(a)) }] };
		if (name === 'lines') return { kind: 'lines', c: this.textOf(args[0]) };
		if (name === 'breaking') return { kind: 'breaking', c: args[0].c };
		if (MOMENT_HELPERS[name]) {
			if (args[0].kind !== 'moment') this.fail(`${name} needs a moment`);
			return { kind: 'call', fn: MOMENT_HELPERS[name], c: args[0].c };
		}
		if (name === 'not') return this.flag(this.not(this.truth(args[0])));
		if (name === 'and' || name === 'or') return this.flag(this.join(name, args.map((a) => this.truth(a))));
		if (name === 'eq') return this.flag(this.equal(args[0], args[1]));
		return this.fail(`no helper ${name}`);
	}

	flag(c) {
		return typeof c === 'boolean' ? { kind: 'const', value: c } : { kind: 'flag', c };
	}

	not(t) {
		return typeof t === 'boolean' ? !t : `!(${t})`;
	}

	join(op, terms) {
		const stop = op === 'or';
		const rest = terms.filter((t) => t !== !stop);
		if (rest.includes(stop)) return stop;
		if (!rest.length) return !stop;
		return rest.length === 1 ? rest[0] : `(${rest.join(stop ? ' || ' : ' && ')})`;
	}

	equal(a, b) {
		if (a.kind === 'const' && b.kind === 'const') return a.value === b.value;
		if (a.kind === 'const') [a, b] = [b, a];
		if (a.kind === 'number' || a.kind === 'money') return `${a.c} == ${b.kind === 'const' ? Number(b.value) : b.c}`;
		return `view_equal(${this.textOf(a)}, ${this.textOf(b)})`;
	}

	textOf(value) {
		if (value.kind === 'const') return value.value === undefined ? 'NULL' : cString(String(value.value));
		if ((value.kind === 'text' || value.kind === 'url') && value.c) return value.c;
		if (value.pieces?.length === 1 && value.pieces[0].c) return value.pieces[0].c;
		return this.fail('a single text is needed here');
	}

	pieces(value) {
		if (value.kind === 'const') return value.value === undefined ? [] : [{ constant: String(value.value) }];
		if (value.pieces) return value.pieces;
		if (value.kind === 'list' || value.kind === 'group' || value.kind === 'field' || value.kind === 'flag')
			this.fail(`a ${value.kind} cannot be written`);
		return [value];
	}

	path(node, env) {
		const parts = node.parts.filter((p) => p !== undefined);
		if (node.data) {
			const head = parts.shift();
			let value;
			if (head === 'page' && this.pageStruct) value = { kind: 'group', struct: this.pageStruct, c: 'v->page', nullable: false };
			else value = env.data[head];
			if (!value) this.fail(`@${head} is not known here`);
			return this.walk(value, parts, node.original);
		}
		if (node.depth >= env.frames.length) this.fail(`${node.original} goes above the view`);
		const frame = env.frames[env.frames.length - 1 - node.depth];
		if (!parts.length) {
			if (frame.self) return frame.self;
			return this.fail(`${node.original} is not a value`);
		}
		const head = parts.shift();
		const value = this.member(frame, head);
		if (!value) this.fail(`${node.original}: ${head} is not in the schema`);
		return this.walk(value, parts, node.original);
	}

	walk(value, parts, original) {
		for (const part of parts) {
			if (value.kind === 'field') {
				if (part !== 'value' && part !== 'error') this.fail(`${original}: a field has value and error`);
				value = { kind: 'text', c: `${value.c}.${part}` };
			} else if (value.kind === 'group') {
				const next = this.member(value, part);
				if (!next) this.fail(`${original}: ${part} is not in the schema`);
				value = next;
			} else if (value.kind === 'list' && part === 'length') {
				value = { kind: 'number', c: `(int64_t)${value.n}` };
			} else if (value.kind === 'const' && value.value === undefined) {
				return value;
			} else this.fail(`${original}: ${part} of a ${value.kind}`);
		}
		return value;
	}

	// A member of a struct behind the pointer frame.c, or a parameter.
	member(frame, name) {
		if (frame.params) return frame.params.get(name);
		const type = frame.struct?.members.get(name);
		if (!type) return undefined;
		const c = `${frame.c}->${name}`;
		const guard = (e, none) => frame.nullable ? `(${frame.c} ? ${e} : ${none})` : e;
		switch (type.kind) {
		case 'list': return { kind: 'list', struct: type.struct, scalar: type.scalar, c: guard(c, 'NULL'), n: guard(`${frame.c}->n${name}`, '0') };
		case 'group': return type.pointer
			? { kind: 'group', struct: type.struct, c: guard(c, 'NULL'), nullable: true }
			: { kind: 'group', struct: type.struct, c: guard(`(&${c})`, 'NULL'), nullable: frame.nullable };
		case 'text':
		case 'url': return { kind: type.kind, c: guard(c, 'NULL') };
		case 'field': return { kind: 'field', c: guard(c, 'view_no_field') };
		case 'flag': return { kind: 'flag', c: guard(c, 'false') };
		default: return { kind: type.kind, c: guard(c, '0') };
		}
	}

	// A C condition, or true or false when known now.
	truth(value) {
		switch (value.kind) {
		case 'const': return Boolean(value.value);
		case 'text':
		case 'url':
			if (value.pieces) return this.join('or', value.pieces.map((p) => p.constant !== undefined ? p.constant !== '' : p.say ? true : this.truth(p)));
			return `view_true(${value.c})`;
		case 'flag': return value.c;
		case 'list': return `${value.n} != 0`;
		case 'group': return value.nullable ? `${value.c} != NULL` : true;
		case 'field': return `view_true(${value.c}.value)`;
		default: return `${value.c} != 0`;
		}
	}

	// --- writing ------------------------------------------------------------

	put(value) {
		if (value.kind === 'const') {
			if (value.value === undefined || value.value === false) return;
			if (value.value === true) this.fail('a flag cannot be written');
			this.literal(this.html ? escapeHtml(String(value.value)) : String(value.value));
			return;
		}
		if (value.pieces) {
			for (const piece of value.pieces) this.putPiece(piece);
			return;
		}
		this.putPiece(value);
	}

	putPiece(piece) {
		if (piece.constant !== undefined) return this.put({ kind: 'const', value: piece.constant });
		const kind = piece.say ? 'text' : piece.kind;
		if (['list', 'group', 'field', 'flag'].includes(kind)) this.fail(`a ${kind} cannot be written`);
		const form = this.html ? this.state.expression(kind === 'lines' || kind === 'breaking' || kind === 'call' ? 'text' : kind) : kind;
		if (piece.say) {
			if (form !== 'text' && this.html) this.fail('a sentence of the catalogue cannot stand in an address');
			const parts = piece.say.map((p) => p.constant !== undefined ? cString(p.constant) : this.textOf(p));
			return this.code(`view_put_say(out, ${this.html}, (const char *const []){ ${parts.join(', ')}, NULL }, ${parts.length});`);
		}
		if (kind === 'call') return this.code(`${piece.fn}(out, ${piece.c});`);
		if (kind === 'lines') return this.code(`view_put_lines(out, ${this.html}, ${piece.c});`);
		if (kind === 'breaking') return this.code(`view_put_breaking(out, ${this.html}, ${piece.c});`);
		if (!this.html && (kind === 'text' || kind === 'url')) return this.code(`view_put_plain(out, ${piece.c});`);
		return this.code(`view_put_${form}(out, ${piece.c});`);
	}

	// --- blocks -------------------------------------------------------------

	block(node, env) {
		const name = node.path.original;
		switch (name) {
		case 'if':
		case 'unless': {
			if (node.params.length !== 1) this.fail(`#${name} takes one value`);
			let truth = this.truth(this.expression(node.params[0], env));
			if (name === 'unless') truth = this.not(truth);
			return this.branch(truth, () => this.program(node.program, env), node.inverse && (() => this.program(node.inverse, env)));
		}
		case 'eq': {
			const truth = this.equal(this.expression(node.params[0], env), this.expression(node.params[1], env));
			return this.branch(truth, () => this.program(node.program, env), node.inverse && (() => this.program(node.inverse, env)));
		}
		case 'with': {
			const value = this.expression(node.params[0], env);
			if (value.kind !== 'group') this.fail('#with needs a group');
			const inner = this.push(env, { struct: value.struct, c: value.c, nullable: false, self: value }, node.program.blockParams, value);
			return this.branch(this.truth(value), () => this.program(node.program, inner), node.inverse && (() => this.program(node.inverse, env)));
		}
		case 'each': return this.each(node, env);
		default: return this.fail(`no block helper ${name}`);
		}
	}

	branch(truth, yes, no) {
		if (truth === true) return yes();
		if (truth === false) return no ? no() : undefined;
		this.state?.settle();
		const before = this.state?.copy();
		this.code(`if (${truth}) {`);
		this.indent++;
		yes();
		this.indent--;
		const after = this.state;
		if (this.html) this.state = before;
		if (no) {
			this.code('} else {');
			this.indent++;
			no();
			this.indent--;
		}
		this.code('}');
		if (this.html && !after.settle().same(this.state.settle())) this.fail('both ways through this block must end in the same place of the page');
		return undefined;
	}

	push(env, frame, names, value) {
		const frames = [...env.frames, frame];
		if (names?.length) {
			const params = new Map([[names[0], value]]);
			const base = frame;
			frames[frames.length - 1] = { self: value, params: { get: (k) => params.get(k) ?? this.member(base, k) } };
		}
		return { ...env, frames };
	}

	each(node, env) {
		const list = this.expression(node.params[0], env);
		if (list.kind === 'const' && list.value === undefined) return node.inverse ? this.program(node.inverse, env) : undefined;
		if (list.kind !== 'list') this.fail('#each needs a list');
		const i = `i${++this.counter}`;
		const e = `e${this.counter}`;
		const body = () => {
			this.code(`for (size_t ${i} = 0; ${i} < ${list.n}; ${i}++) {`);
			this.indent++;
			let value;
			if (list.struct) {
				this.code(`const struct ${list.struct.name} *${e} = &${list.c}[${i}];`);
				value = { kind: 'group', struct: list.struct, c: e, nullable: false };
			} else {
				value = { kind: list.scalar, c: `${list.c}[${i}]` };
			}
			const inner = this.push(env, { struct: list.struct, c: e, nullable: false, self: value }, node.program.blockParams, value);
			inner.data = { ...env.data,
				index: { kind: 'number', c: `(int64_t)${i}` },
				number: { kind: 'number', c: `(int64_t)(${i} + 1)` },
				first: { kind: 'flag', c: `${i} == 0` },
				last: { kind: 'flag', c: `${i} + 1 == ${list.n}` } };
			const before = this.state?.copy();
			this.program(node.program, inner);
			if (this.html && !before.same(this.state.settle())) this.fail('#each must end where it began in the page');
			this.indent--;
			this.code('}');
		};
		return node.inverse ? this.branch(this.truth(list), body, () => this.program(node.inverse, env)) : body();
	}

	// --- partials -----------------------------------------------------------

	partial(node, env, block) {
		const name = node.name.original;
		if (name === '@partial-block') {
			if (!env.block) this.fail('@partial-block outside a block partial');
			const here = this.inside;
			this.inside = env.block.file;
			this.program(env.block.program, env.block.env);
			this.inside = here;
			return;
		}
		const { ast, params, file } = this.load(name, () => this.fail(`no partial ${name}`));
		const given = new Map((node.hash?.pairs ?? []).map((p) => [p.key, this.expression(p.value, env)]));
		if (node.params?.length) this.fail('a partial takes named parameters only');
		for (const key of given.keys()) if (!params.has(key)) this.fail(`${name} has no parameter ${key}`);
		const bound = new Map();
		for (const [key, spec] of params) {
			const value = given.get(key);
			if (value === undefined || (value.kind === 'const' && value.value === undefined)) {
				if (!spec.optional) this.fail(`${name} needs ${key}`);
				bound.set(key, { kind: 'const', value: spec.fallback });
				continue;
			}
			const fits = spec.kind === 'any' || value.kind === spec.kind || (value.kind === 'const' && spec.kind !== 'list' && spec.kind !== 'group')
				|| (spec.kind === 'text' && ['number', 'money', 'moment', 'call'].includes(value.kind))
				// An address put together: whether it begins safely is judged where it is written.
				|| (spec.kind === 'url' && value.pieces?.[0]?.constant !== undefined);
			if (!fits) this.fail(`${name}: ${key} must be ${spec.kind}, not ${value.kind}`);
			bound.set(key, value);
		}
		if (++this.depth > 24) this.fail('partials call each other without end');
		const here = this.inside;
		const line = this.line;
		this.inside = file;
		this.program(ast, { frames: [{ params: bound }], data: {}, block: block && { ...block, file: here } });
		this.inside = here;
		this.line = line;
		this.depth--;
	}
}

export { HELPERS };
