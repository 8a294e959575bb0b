// Where in an HTML page the compiler is: a small tokenizer that follows the
// constant text of a view, refuses what a content security policy would have to
// allow, and tells for every expression how it must be escaped.
import { ViewError } from './schema.mjs';

const URL_ATTRIBUTES = new Set(['href', 'src', 'action', 'formaction', 'poster', 'data', 'cite', 'manifest', 'ping', 'srcset', 'xlink:href']);
const RAW_TEXT = new Set(['textarea', 'title', 'pre']);
const URL_START = /^(\/(?![/\\])|#|\?|https:\/\/|tel:|mailto:)/;

export class HtmlState {
	constructor(where, other) {
		this.where = where;
		this.state = 'text';	// text tag name attr after value-start value comment closing
		this.tag = '';
		this.attr = '';
		this.quote = '';
		this.url = '';		// literal start of a URL attribute; '\0' once an expression was put there
		this.raw = '';		// inside textarea, title or pre
		this.empty = '';	// inside script: must hold nothing
		Object.assign(this, other ?? {});
	}

	copy() {
		return new HtmlState(this.where, { ...this });
	}

	// A block may end behind an attribute without a value (" checked").
	settle() {
		if (this.state !== 'attr') return this;
		this.beginAttribute();
		this.state = 'tag';
		this.attr = '';
		return this;
	}

	same(other) {
		return ['state', 'tag', 'attr', 'quote', 'raw', 'empty'].every((k) => this[k] === other[k])
			&& (this.url === '') === (other.url === '');
	}

	fail(text) {
		throw new ViewError(`${this.where()}: ${text}`);
	}

	beginAttribute() {
		if (/^on/i.test(this.attr)) this.fail(`the event attribute ${this.attr} is not allowed`);
		if (this.attr === 'style') this.fail('the attribute style is not allowed');
		if (this.attr === 'srcdoc') this.fail('the attribute srcdoc is not allowed');
	}

	endUrl() {
		if (URL_ATTRIBUTES.has(this.attr) && this.url !== '' && this.url !== '\0' && !this.url.includes('\0') && !URL_START.test(this.url))
			this.fail(`${this.attr}="${this.url}": an address begins with "/", "#", "?", "https://", "tel:" or "mailto:"`);
	}

	endTag() {
		if (this.tag === 'style') this.fail('inline <style> is not allowed');
		if (this.tag === 'script') {
			if (!this.hasSrc) this.fail('inline <script> is not allowed');
			this.empty = 'script';
		}
		if (['iframe', 'object', 'embed', 'base'].includes(this.tag)) this.fail(`<${this.tag}> is not allowed`);
		if (RAW_TEXT.has(this.tag)) this.raw = this.tag;
		this.hasSrc = false;
		this.tag = '';
		this.attr = '';
		this.state = 'text';
	}

	// Follows constant text and gives back what to send: runs of white space
	// shrink where the browser does not show them.
	literal(text) {
		let out = '';
		for (let i = 0; i < text.length; i++) {
			const c = text[i];
			const shown = this.raw || (this.state !== 'text' && this.state !== 'tag');
			this.character(c, text, i);
			if (shown || !/\s/.test(c)) out += c;
			else if (this.state === 'tag') out += /\s$/.test(out) ? '' : ' ';
			else if (c === '\n') out = `${out.replace(/[ \t\n]+$/, '')}\n`;
			else if (!out.endsWith('\n')) out += c;
		}
		return out;
	}

	character(c, text, i) {
		switch (this.state) {
		case 'text':
			if (c === '<') {
				const rest = text.slice(i);
				if (rest.startsWith('<!--')) this.state = 'comment';
				else if (/^<![dD]/.test(rest)) this.state = 'doctype';
				else if (/^<\//.test(rest)) { this.state = 'closing'; this.tag = ''; }
				else if (/^<[a-zA-Z]/.test(rest)) {
					if (this.empty) this.fail(`<${this.empty}> must be empty`);
					this.state = 'name';
					this.tag = '';
				} else this.fail('a bare "<": write &lt;');
			} else if (this.empty && c.trim() !== '') this.fail(`<${this.empty}> must be empty: inline code is not allowed`);
			break;
		case 'comment':
			if (c === '>' && text.slice(i - 2, i) === '--') this.state = 'text';
			break;
		case 'doctype':
			if (c === '>') this.state = 'text';
			break;
		case 'closing':
			if (c === '>') {
				const tag = this.tag.toLowerCase();
				if (this.raw === tag) this.raw = '';
				if (this.empty === tag) this.empty = '';
				this.state = 'text';
				this.tag = '';
			} else if (c !== '/') this.tag += c.trim();
			break;
		case 'name':
			if (c === '>') this.endTag();
			else if (/[\s/]/.test(c)) { this.tag = this.tag.toLowerCase(); this.state = 'tag'; }
			else this.tag += c.toLowerCase();
			break;
		case 'tag':
			if (c === '>') this.endTag();
			else if (!/[\s/]/.test(c)) {
				if (!/[a-zA-Z]/.test(c)) this.fail(`unexpected ${JSON.stringify(c)} in <${this.tag}>`);
				this.attr = c.toLowerCase();
				this.state = 'attr';
			}
			break;
		case 'attr':
			if (c === '=') { this.beginAttribute(); this.state = 'value-start'; }
			else if (/[\s/>]/.test(c)) { this.beginAttribute(); this.state = 'tag'; this.attr = ''; if (c === '>') this.endTag(); }
			else this.attr += c.toLowerCase();
			break;
		case 'value-start':
			if (c !== '"' && c !== "'") this.fail(`the value of ${this.attr} must be quoted`);
			this.quote = c;
			this.url = '';
			this.state = 'value';
			if (this.tag === 'script' && this.attr === 'src') this.hasSrc = true;
			break;
		case 'value':
			if (c === this.quote) {
				this.endUrl();
				this.quote = '';
				this.url = '';
				this.attr = '';
				this.state = 'tag';
			} else if (URL_ATTRIBUTES.has(this.attr)) this.url += c;
			break;
		}
	}

	// How an expression of this kind is written here: a suffix of view_put_….
	expression(kind) {
		if (this.empty) this.fail('nothing may stand inside <script>');
		if (this.state === 'text') {
			return kind === 'url' ? 'text' : kind;
		}
		if (this.state !== 'value')
			this.fail('an expression may stand in text or inside a quoted attribute only');
		if (!URL_ATTRIBUTES.has(this.attr)) return kind === 'url' ? 'text' : kind;
		const start = this.url;
		this.url = this.url === '' ? '\0' : `${this.url}\0`;
		if (start === '') {
			if (kind !== 'url') this.fail(`${this.attr} needs a value of type url here, not ${kind}`);
			return 'url';
		}
		if (!start.startsWith('\0') && !URL_START.test(start)) this.fail(`${this.attr} must begin with "/" or another safe start before an expression`);
		if (kind === 'url') this.fail('a url cannot be part of another address');
		return kind === 'text' ? (start === 'tel:' ? 'tel' : 'component') : kind;
	}
}
