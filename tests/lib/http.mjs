// An HTTPS client as one person's browser without scripts: cookies kept,
// forms filled as they stand on the page, redirects followed when asked.
import http from 'node:http';
import https from 'node:https';
import { multipart } from './multipart.mjs';
import { elements, forms, links, visibleText } from './html.mjs';

const TIMEOUT_MS = 60_000;
const MAX_REDIRECTS = 8;

/** Cookies as RFC 6265 keeps them, as far as our own servers need it: by host (ports share), name and path. */
export class CookieJar {
	#cookies = new Map();

	take(url, headers) {
		for (const line of [headers ?? []].flat()) {
			const [pair, ...rest] = line.split(';').map((s) => s.trim());
			const eq = pair.indexOf('=');
			const at = Object.fromEntries(rest.map((a) => {
				const i = a.indexOf('=');
				return i < 0 ? [a.toLowerCase(), ''] : [a.slice(0, i).toLowerCase(), a.slice(i + 1)];
			}));
			const name = pair.slice(0, eq);
			const path = at.path ?? '/';
			const key = `${url.hostname}|${path}|${name}`;
			const gone = Number(at['max-age'] ?? 1) <= 0 || (at.expires && Date.parse(at.expires) <= Date.now());
			if (gone) this.#cookies.delete(key);
			else this.#cookies.set(key, { host: url.hostname, path, name, value: pair.slice(eq + 1), secure: 'secure' in at, attributes: at });
		}
	}

	header(url) {
		return [...this.#cookies.values()]
			.filter((c) => c.host === url.hostname && url.pathname.startsWith(c.path) && (!c.secure || url.protocol === 'https:'))
			.map((c) => `${c.name}=${c.value}`).join('; ');
	}

	get(name) { return [...this.#cookies.values()].find((c) => c.name === name); }
	all() { return [...this.#cookies.values()]; }
	drop(name) { for (const [key, c] of this.#cookies) if (c.name === name) this.#cookies.delete(key); }
	clear() { this.#cookies.clear(); }
}

/** One answer, and the page in it. */
export class Page {
	constructor(client, url, status, headers, body) {
		Object.assign(this, { client, url, status, headers, body });
	}

	get html() { return this.body.toString('utf8'); }
	get text() { return visibleText(this.html); }
	/** Text of the main part of the page, without header and footer. */
	get main() { return visibleText(elements(this.html, 'main')[0]?.inner ?? this.html); }
	get title() { return visibleText(elements(this.html, 'title')[0]?.inner ?? ''); }
	get heading() { return visibleText(elements(this.html, 'h1')[0]?.inner ?? ''); }
	get path() { return this.url.pathname + this.url.search; }
	get json() { return JSON.parse(this.html); }

	/** The sentences of the error summary. */
	get errors() {
		const start = this.html.search(/class="[^"]*govuk-error-summary\b/);
		if (start < 0) return [];
		return elements(this.html.slice(start), 'ul')[0]?.inner.split(/<\/li>/i).map(visibleText).filter(Boolean) ?? [];
	}

	get forms() { return forms(this.html).map((form) => new Form(this, form)); }
	get links() { return links(this.html); }

	/** The one form whose action, button or text matches; throws with what there is instead. */
	form(wanted) {
		const match = (form) => (wanted instanceof RegExp
			? wanted.test(form.action) || form.buttons.some((b) => wanted.test(b.text))
			: form.action === wanted || form.buttons.some((b) => b.text === wanted));
		const found = wanted === undefined ? this.forms.filter((f) => f.method === 'post') : this.forms.filter(match);
		if (found.length === 0)
			throw new Error(`no form ${wanted} on ${this.path} (${this.status} "${this.title}"): ${this.forms.map((f) => `${f.method} ${f.action} [${f.buttons.map((b) => b.text)}]`).join(', ')}\n${this.main.slice(0, 600)}`);
		return found[0];
	}

	/** Address of the first link whose text or target matches. */
	link(wanted) {
		const found = this.links.find((a) => (wanted instanceof RegExp ? wanted.test(a.text) || wanted.test(a.href) : a.text === wanted));
		if (!found) throw new Error(`no link ${wanted} on ${this.path}: ${this.links.map((a) => `${a.text} -> ${a.href}`).join(', ')}`);
		return new URL(found.href, this.url).href;
	}

	/** Follows this answer's redirect, and those after it. */
	async follow() {
		let page = this;
		for (let i = 0; page.headers.location && page.status >= 300 && page.status < 400; i++) {
			if (i === MAX_REDIRECTS) throw new Error(`too many redirects at ${page.url}`);
			page = await page.client.get(new URL(page.headers.location, page.url).href);
		}
		return page;
	}

	click(wanted, options) { return this.client.visit(this.link(wanted), options); }
}

/** A form on a page. */
export class Form {
	constructor(page, form) {
		Object.assign(this, form);
		this.page = page;
	}

	has(name) { return this.fields.some(([n]) => n === name) || name in this.choices || this.files.some((f) => f.name === name); }
	value(name) { return this.fields.find(([n]) => n === name)?.[1]; }

	/**
	 * What a browser would send after a person filled in `values`: an array is
	 * a group of check boxes, null takes a field away, an object with `data`
	 * is a file.  `button` names the button pressed by its text or name.
	 */
	entries(values = {}, { button } = {}) {
		const out = this.fields.filter(([name]) => !(name in values));
		for (const [name, value] of Object.entries(values)) {
			if (value === null || value === undefined) continue;
			for (const one of Array.isArray(value) ? value : [value]) out.push([name, one]);
		}
		const pressed = button === undefined ? this.buttons[0]
			: this.buttons.find((b) => (button instanceof RegExp ? button.test(b.text) : b.text === button || b.name === button || b.value === button));
		if (button !== undefined && !pressed)
			throw new Error(`no button ${button}: ${this.buttons.map((b) => b.text)}`);
		if (pressed?.name) out.push([pressed.name, pressed.value ?? '']);
		return { entries: out, action: pressed?.formaction ?? this.action };
	}

	/** Sends the form once; the answer may be a redirect. */
	async send(values, options = {}) {
		const { entries, action } = this.entries(values, options);
		const url = new URL(action || this.page.url.href, this.page.url);
		if (this.method === 'get') {
			url.search = new URLSearchParams(entries).toString();
			return this.page.client.get(url.href, options);
		}
		if (this.enctype === 'multipart/form-data') {
			const parts = entries.map(([name, value]) => (typeof value === 'object'
				? { name, filename: value.filename, type: value.type, data: value.data } : { name, value }));
			for (const file of this.files)
				if (!(file.name in (values ?? {}))) parts.push({ name: file.name, filename: '', data: Buffer.alloc(0) });
			const { contentType, body } = multipart(parts, options.broken);
			return this.page.client.post(url.href, body, { ...options, headers: { 'Content-Type': contentType, ...options.headers } });
		}
		const body = new URLSearchParams(entries).toString();
		return this.page.client.post(url.href, body, { ...options, headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...options.headers } });
	}

	/** Sends the form and follows where it leads. */
	async submit(values, options) { return (await this.send(values, options)).follow(); }
}

/** A person at a browser. */
export class Client {
	/** `base` is the origin; `ca` a PEM the server's certificate must chain to (without it, any is taken). */
	constructor({ base, ca, headers = {}, localAddress } = {}) {
		this.base = base;
		this.jar = new CookieJar();
		this.headers = headers;
		this.localAddress = localAddress;
		this.tls = ca ? { ca } : { rejectUnauthorized: false };
		this.agent = new https.Agent({ keepAlive: true, maxSockets: 4, ...this.tls });
		this.plain = new http.Agent({ keepAlive: true, maxSockets: 4 });
	}

	close() { this.agent.destroy(); this.plain.destroy(); }

	/** One request, one answer, no redirect followed. */
	async request(method, target, options = {}) {
		try {
			return await this.once(method, target, options);
		} catch (error) {
			// The server closed an idle connection as we took it up: browsers open another, and no second idle one.
			if (!error.idle) throw error;
			return this.once(method, target, { ...options, fresh: true });
		}
	}

	once(method, target, { body, headers = {}, origin = true, fresh = false } = {}) {
		const url = new URL(target, this.base);
		const secure = url.protocol === 'https:';
		const cookie = this.jar.header(url);
		const unsafe = method !== 'GET' && method !== 'HEAD';
		const sent = {
			Accept: 'text/html,*/*;q=0.8', 'Accept-Language': 'es-EC,es;q=0.9', 'User-Agent': 'icert-tests',
			...(cookie ? { Cookie: cookie } : {}),
			...(unsafe && origin ? { Origin: url.origin } : {}),
			...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
			...this.headers, ...headers,
		};
		return new Promise((resolve, reject) => {
			const req = (secure ? https : http).request(url, {
				method, headers: sent, agent: fresh ? false : secure ? this.agent : this.plain, localAddress: this.localAddress, ...(this.localAddress ? { family: 4 } : {}), ...(secure ? this.tls : {}),
			}, (res) => {
				const chunks = [];
				res.on('data', (c) => chunks.push(c));
				res.on('error', reject);
				res.on('end', () => {
					this.jar.take(url, res.headers['set-cookie']);
					resolve(new Page(this, url, res.statusCode, res.headers, Buffer.concat(chunks)));
				});
			});
			let answered = false;
			const began = Date.now();
			req.on('response', () => { answered = true; });
			req.setTimeout(TIMEOUT_MS, () => req.destroy(new Error(`no answer in ${TIMEOUT_MS} ms: ${method} ${url.pathname}`)));
			// A server that refuses early may close while we still write; its answer counts.
			req.on('error', (e) => { if (!answered) reject(Object.assign(e, { idle: req.reusedSocket && e.code === 'ECONNRESET' && Date.now() - began < 50 })); });
			req.end(body);
		});
	}

	get(target, options) { return this.request('GET', target, options); }
	head(target, options) { return this.request('HEAD', target, options); }
	post(target, body, options) { return this.request('POST', target, { ...options, body }); }

	/** GET, and follow redirects to the page a person would see. */
	async visit(target, options) { return (await this.get(target, options)).follow(); }
}

/** Repeats `probe` until it returns something true; its last error or value is told when time is up. */
export async function until(probe, { timeout = 60_000, every = 150, what = 'condition' } = {}) {
	const end = Date.now() + timeout;
	let last;
	for (;;) {
		try {
			last = await probe();
			if (last) return last;
		} catch (error) {
			last = error;
		}
		if (Date.now() > end) throw new Error(`${what} not reached in ${timeout} ms; last: ${last?.message ?? last}`);
		await new Promise((resolve) => setTimeout(resolve, every));
	}
}
