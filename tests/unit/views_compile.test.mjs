// The compiler of templates: what it writes, and what it refuses.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { compileCatalogue, compileViews } from '../../fcgi-backend/views/compile.mjs';

function compile(files) {
	const root = mkdtempSync(join(tmpdir(), 'icert-views-'));
	try {
		for (const [name, text] of Object.entries(files)) {
			mkdirSync(dirname(join(root, name)), { recursive: true });
			writeFileSync(join(root, name), text);
		}
		const { header, source } = compileViews(root);
		return { header, source, catalogue: compileCatalogue(root) };
	} finally {
		rmSync(root, { recursive: true });
	}
}

const view = (schema, body, more = {}) => compile({ 'a/b.hbs': `{{!--\n${schema}\n--}}\n${body}`, ...more });
const refuses = (schema, body, pattern, more) => assert.throws(() => view(schema, body, more), pattern);

test('a struct and a function for a view', () => {
	const { header, source } = view('title: text\nrows: list\n  name: text\nwhen: moment', '<p>{{title}}</p>{{#each rows}}{{name}} {{../title}}{{/each}}{{day when}}');
	assert.match(header, /struct view_a_b_rows \{\n\tconst char \*name;\n\};/);
	assert.match(header, /const struct view_a_b_rows \*rows;\n\tsize_t nrows;\n\tint64_t when;/);
	assert.match(source, /view_put_text\(out, v->title\);/);
	assert.match(source, /view_put_text\(out, e1->name\);/);
	assert.match(source, /view_put_day\(out, v->when\);/);
});

test('every value is escaped', () => {
	refuses('x: text', '{{{x}}}', /\{\{\{/);
	refuses('x: text', '{{&x}}', /not allowed/);
	assert.match(view('x: text', '<a title="{{x}}">').source, /view_put_text\(out, v->x\)/);
});

test('what a content security policy would have to allow is refused', () => {
	refuses('', '<p onclick="x()">', /event attribute/);
	refuses('', '<p style="color:red">', /style/);
	refuses('', '<style>p{}</style>', /inline <style>/);
	refuses('', '<script>x()</script>', /inline <script>/);
	refuses('', '<script src="/x.js">x()</script>', /must be empty/);
	refuses('', '<iframe srcdoc="x"></iframe>', /srcdoc|iframe/);
	refuses('', '<base href="/">', /<base>/);
	view('', '<script src="/x.js"></script>');
});

test('attributes are quoted, expressions stand where they can be escaped', () => {
	refuses('x: text', '<p class=a>', /quoted/);
	refuses('x: text', '<p class={{x}}>', /quoted|text or inside/);
	refuses('x: text', '<p {{x}}>', /text or inside/);
	refuses('x: text', '<{{x}}>', /bare "<"|text or inside/);
	refuses('x: text', '<!-- {{x}} -->', /text or inside/);
});

test('an address is a type', () => {
	refuses('x: text', '<a href="{{x}}">', /type url/);
	refuses('x: text', '<a href="x{{x}}">', /begin with/);
	refuses('', '<a href="javascript:x()">', /an address begins/);
	refuses('', '<a href="//other.example/">', /an address begins/);
	refuses('x: url', '<a href="/a/{{x}}">', /part of another/);
	const { source } = view('x: text\ny: url\nt: text', '<a href="/a/{{x}}"></a><a href="{{y}}"></a><a href="tel:{{t}}"></a>');
	assert.match(source, /view_put_component\(out, v->x\)/);
	const form = { 'parts/f.hbs': '{{!--\nto: url\n--}}\n<form action="{{to}}"></form>' };
	assert.match(view('x: text', '{{> f to=(concat "/a/" x)}}', form).source, /"<form action=\\"\/a\/"[^]*view_put_component\(out, v->x\)/);
	refuses('x: text', '{{> f to=(concat x "/a/")}}', /must be url/, form);
	refuses('x: text', '{{> f to=(concat "javascript:" x)}}', /must begin/, form);
	assert.match(source, /view_put_url\(out, v->y\)/);
	assert.match(source, /view_put_tel\(out, v->t\)/);
});

test('names must be in the schema', () => {
	refuses('x: text', '{{y}}', /not in the schema/);
	refuses('x: text', '{{x.y}}', /of a text/);
	refuses('x: text', '{{#each x}}{{/each}}', /needs a list/);
	refuses('x: nothing', '', /no type/);
	refuses('x: text\nx: text', '', /twice/);
	refuses('x: flag', '{{x}}', /cannot be written/);
	refuses('x: text', '{{> none}}', /no partial/);
});

test('both ways through a block end in the same place', () => {
	refuses('x: flag', '<p{{#if x}}>{{/if}}', /same place/);
	refuses('x: flag', '{{#if x}}<a href="/">{{else}}<a href="{{/if}}', /same place/);
	view('x: flag', '<input type="radio"{{#if x}} checked{{/if}}>');
	view('x: flag', '<p class="a{{#if x}} b{{/if}}">');
	refuses('', '<p class="a', /ends inside/);
});

test('partials: parameters, defaults, blocks; constants are decided here', () => {
	const more = {
		'parts/box.hbs': '{{!--\ntitle: text\nhint: text = ""\n--}}\n<b>{{title}}</b>{{#if hint}}<i>{{hint}}</i>{{/if}}{{> @partial-block}}',
	};
	const { source } = view('x: text', '{{#> box title="A & <b>"}}{{x}}{{/box}}', more);
	assert.match(source, /A &#38; &#60;b&#62;/);
	assert.doesNotMatch(source, /<i>/);
	assert.match(source, /view_put_text\(out, v->x\)/);
	refuses('x: text', '{{#> box}}{{/box}}', /needs title/, more);
	refuses('x: text', '{{#> box title=x other=x}}{{/box}}', /no parameter other/, more);
	refuses('x: text', '{{#> box title=x}}{{title}}{{/box}}', /not in the schema/, more);
});

test('a partial that calls itself is refused', () => {
	refuses('', '{{> loop}}', /without end/, { 'parts/loop.hbs': '{{> loop}}' });
});

test('text views do not escape, mails are found by name', () => {
	const { source, header } = compile({
		'mail/m.txt.hbs': '{{!--\nname: text\nn: number\n--}}\nHola {{name}} {{n}}\n',
		'mail/m.hbs': '{{!-- like mail/m.txt --}}\n<p>{{name}}</p>',
	});
	assert.match(source, /view_put_plain\(out, v->name\)/);
	assert.match(source, /\{ "mail\/m.txt", named_view_mail_m_txt \}/);
	assert.match(header, /struct view_mail_m \{\n\tconst char \*name;\n\tint64_t n;/);
});

test('the catalogue is one table, each code once', () => {
	const { catalogue } = compile({ 'catalogue/a.json': '{"b": "B \\"x\\"", "a": "A"}' });
	assert.match(catalogue, /\{ "a", "A" \},\n\t\{ "b", "B \\"x\\"" \}/);
	assert.match(catalogue, /catalogue_size = 2/);
	assert.throws(() => compile({ 'catalogue/a.json': '{"a": "A"}', 'catalogue/b.json': '{"a": "B"}' }), /is also in/);
});

test('forms that send files are made by the one partial that shows how far they are', () => {
	const views = new URL('../../fcgi-backend/views/', import.meta.url);
	const all = readdirSync(views, { recursive: true }).filter((name) => name.endsWith('.hbs'));
	const raw = all.filter((name) => readFileSync(new URL(name, views), 'utf8').includes('multipart/form-data'));
	assert.deepEqual(raw, [join('parts', 'form.hbs')]);
	for (const name of all.filter((one) => readFileSync(new URL(one, views), 'utf8').includes('{{> file')))
		assert.match(readFileSync(new URL(name, views), 'utf8'), /\{\{#> form [^]*files=true\}\}[^]*\{\{> file /, name);
});
