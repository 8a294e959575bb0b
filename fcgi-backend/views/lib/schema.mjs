// The schema of a view: what its struct holds.  It stands in the comment that
// opens the file, one member a line, nested by indentation:
//
//	{{!--
//	# A line like this is for people.
//	title: text
//	rows: list
//	  name: text
//	  price: money
//	chosen: option          (a type of types.hbs)
//	all: list option
//	extra: group?           (a pointer, NULL when there is none)
//	--}}

export const SCALARS = {
	text: 'const char *',
	url: 'const char *',
	flag: 'bool ',
	number: 'int64_t ',
	money: 'int64_t ',
	moment: 'int64_t ',
	field: 'struct view_field ',
};

export class ViewError extends Error {}

const RESERVED = new Set(('auto break case char const continue default do double else enum extern float for goto if inline int long '
	+ 'register return short signed sizeof static struct switch typedef union unsigned void volatile while page true false bool').split(' '));

// Splits the lines of a front comment into a tree of {key, value, children}.
function tree(text, file) {
	const root = { indent: -1, children: [] };
	const stack = [root];
	for (const raw of text.split('\n')) {
		if (raw.trim() === '' || raw.trim().startsWith('#')) continue;
		const indent = raw.match(/^[\t ]*/)[0].replace(/\t/g, '        ').length;
		const m = raw.trim().match(/^([a-z_][a-zA-Z0-9_]*)(\??):\s*(.*)$/);
		if (!m) throw new ViewError(`${file}: not a schema line: ${raw.trim()}`);
		const node = { indent, key: m[1], optional: m[2] === '?', value: m[3].trim(), children: [] };
		while (stack[stack.length - 1].indent >= indent) stack.pop();
		stack[stack.length - 1].children.push(node);
		stack.push(node);
	}
	return root.children;
}

function members(nodes, file, structName, types, structs) {
	const out = new Map();
	for (const node of nodes) {
		if (RESERVED.has(node.key)) throw new ViewError(`${file}: ${node.key} is a reserved name`);
		if (out.has(node.key)) throw new ViewError(`${file}: ${node.key} is declared twice`);
		out.set(node.key, typeOf(node, file, `${structName}_${node.key}`, types, structs));
	}
	return out;
}

function typeOf(node, file, structName, types, structs) {
	const words = node.value.split(/\s+/);
	let [kind, element] = words;
	const pointer = kind.endsWith('?');
	if (pointer) kind = kind.slice(0, -1);
	const nested = () => {
		if (!node.children.length) throw new ViewError(`${file}: ${node.key} has no members`);
		const struct = { name: structName, members: members(node.children, file, structName, types, structs) };
		structs.push(struct);
		return struct;
	};
	if (kind === 'list') {
		if (!element) return { kind: 'list', struct: nested() };
		if (SCALARS[element]) return { kind: 'list', scalar: element };
		if (types.has(element)) return { kind: 'list', struct: types.get(element) };
		throw new ViewError(`${file}: ${node.key}: no type ${element}`);
	}
	if (kind === 'group') return { kind: 'group', pointer, struct: nested() };
	if (node.children.length) throw new ViewError(`${file}: ${node.key}: only a list or a group has members`);
	if (pointer && !types.has(kind)) throw new ViewError(`${file}: ${node.key}: only a group can be absent`);
	if (SCALARS[kind]) return { kind };
	if (types.has(kind)) return { kind: 'group', pointer, struct: types.get(kind) };
	throw new ViewError(`${file}: ${node.key}: no type ${node.value}`);
}

export function frontComment(ast) {
	const first = ast.body.find((n) => !(n.type === 'ContentStatement' && n.value.trim() === ''));
	return first?.type === 'CommentStatement' ? first.value : '';
}

// types.hbs: named groups for every view.
export function parseTypes(text, file) {
	const types = new Map();
	const structs = [];
	for (const node of tree(text, file)) {
		const struct = { name: `view_${node.key}`, members: members(node.children, file, `view_${node.key}`, types, structs) };
		structs.push(struct);
		types.set(node.key, struct);
	}
	return { types, structs };
}

export function parseSchema(text, file, structName, types) {
	const structs = [];
	const struct = { name: structName, members: members(tree(text, file), file, structName, types, structs) };
	structs.push(struct);
	return { struct, structs };
}

// A partial's parameters: `name: type`, `name?: type`, `name: type = "default"`.
export function parseParams(text, file, types) {
	const params = new Map();
	for (const node of tree(text, file)) {
		const [type, fallback] = node.value.split(/\s*=\s*(?=["\w])/);
		const value = fallback === undefined ? undefined : fallback.replace(/^"(.*)"$/, '$1');
		const kind = type.split(/\s+/)[0].replace(/\?$/, '');
		if (kind !== 'list' && kind !== 'any' && !SCALARS[kind] && !types.has(kind))
			throw new ViewError(`${file}: ${node.key}: no type ${type}`);
		params.set(node.key, { kind: types.has(kind) ? 'group' : kind, optional: node.optional || value !== undefined, fallback: value });
	}
	return params;
}

export function declareStruct(struct) {
	const lines = [`struct ${struct.name} {`];
	for (const [name, type] of struct.members) {
		if (type.kind === 'list') {
			const c = type.struct ? `const struct ${type.struct.name} *` : type.scalar === 'text' || type.scalar === 'url' ? 'const char *const *' : `const ${SCALARS[type.scalar]}*`;
			lines.push(`\t${c}${name};`, `\tsize_t n${name};`);
		} else if (type.kind === 'group') {
			lines.push(`\t${type.pointer ? 'const ' : ''}struct ${type.struct.name} ${type.pointer ? '*' : ''}${name};`);
		} else if (type.kind === 'page') {
			lines.push('\tconst struct view_page *page;');
		} else {
			lines.push(`\t${SCALARS[type.kind]}${name};`);
		}
	}
	if (!struct.members.size) lines.push('\tchar unused;');
	lines.push('};', '');
	return lines.join('\n');
}
