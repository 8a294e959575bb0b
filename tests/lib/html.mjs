// Reads our own pages.  They are written by the template compiler, which lets
// no unquoted attribute and no unclosed tag through, so a small reader is
// enough: elements, attributes, forms and visible text.

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** Text of HTML with its character references resolved. */
export function unescapeHtml(text) {
	return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, dec, name) => {
		if (hex) return String.fromCodePoint(parseInt(hex, 16));
		if (dec) return String.fromCodePoint(parseInt(dec, 10));
		return NAMED[name] ?? whole;
	});
}

/** Attributes of one start tag as a plain object; one without value is ''. */
export function attributes(tag) {
	const found = {};
	for (const m of tag.matchAll(/([^\s"'<>/=]+)(?:\s*=\s*"([^"]*)"|\s*=\s*'([^']*)')?/g))
		found[m[1].toLowerCase()] ??= unescapeHtml(m[2] ?? m[3] ?? '');
	return found;
}

/** Visible text of a piece of HTML, white space folded. */
export function visibleText(html) {
	return unescapeHtml(html
		.replace(/<(script|style|template)\b[\s\S]*?<\/\1>/gi, ' ')
		.replace(/<!--[\s\S]*?-->/g, ' ')
		.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
}

/** All start tags of one name, with attributes and, where closed, inner HTML. */
export function elements(html, name) {
	const found = [];
	const start = new RegExp(`<${name}\\b([^>]*)>`, 'gi');
	for (const m of html.matchAll(start)) {
		const from = m.index + m[0].length;
		const end = html.toLowerCase().indexOf(`</${name}`, from);
		found.push({ attributes: attributes(m[1]), inner: end < 0 ? '' : html.slice(from, end), index: m.index });
	}
	return found;
}

/** The links of a page: { href, text }. */
export function links(html) {
	return elements(html, 'a').filter((a) => a.attributes.href !== undefined)
		.map((a) => ({ href: a.attributes.href, text: visibleText(a.inner), attributes: a.attributes }));
}

/** Fields of a form as they would be sent untouched: [name, value] pairs. */
function fieldsOf(inner) {
	const fields = [];
	const choices = {};
	const files = [];
	const buttons = [];
	for (const m of inner.matchAll(/<(input|select|textarea|button)\b([^>]*)>/gi)) {
		const at = attributes(m[2]);
		const kind = m[1].toLowerCase();
		const rest = inner.slice(m.index + m[0].length);
		if ('disabled' in at) continue;
		if (kind === 'button') {
			buttons.push({ ...at, text: visibleText(rest.slice(0, rest.search(/<\/button/i))) });
		} else if (kind === 'textarea') {
			fields.push([at.name, unescapeHtml(rest.slice(0, rest.search(/<\/textarea/i)).replace(/^\r?\n/, ''))]);
		} else if (kind === 'select') {
			const options = elements(rest.slice(0, rest.search(/<\/select/i)), 'option');
			const value = (o) => o.attributes.value ?? visibleText(o.inner);
			choices[at.name] = options.map(value);
			const chosen = options.find((o) => 'selected' in o.attributes) ?? options[0];
			if (chosen) fields.push([at.name, value(chosen)]);
		} else if (at.type === 'file') {
			files.push(at);
		} else if (at.type === 'submit') {
			buttons.push({ ...at, text: at.value ?? '' });
		} else if (at.type === 'radio' || at.type === 'checkbox') {
			(choices[at.name] ??= []).push(at.value ?? 'on');
			if ('checked' in at) fields.push([at.name, at.value ?? 'on']);
		} else if (at.name) {
			fields.push([at.name, at.value ?? '']);
		}
	}
	return { fields, choices, files, buttons };
}

/** The forms of a page with everything a browser without scripts would send. */
export function forms(html) {
	return elements(html, 'form').map((form) => ({
		action: form.attributes.action ?? '',
		method: (form.attributes.method ?? 'get').toLowerCase(),
		enctype: (form.attributes.enctype ?? 'application/x-www-form-urlencoded').toLowerCase(),
		text: visibleText(form.inner),
		...fieldsOf(form.inner),
	}));
}
