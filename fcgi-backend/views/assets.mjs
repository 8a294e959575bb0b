// Writes the style sheet, the scripts and the pictures that nginx serves under /static.
// usage: node assets.mjs --out DIR
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as sass from 'sass';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[process.argv.indexOf('--out') + 1];
const LIMIT = 90 * 1024;	// a first page with its CSS and script stays under 100 KB

mkdirSync(out, { recursive: true });
const { css } = sass.compile(join(here, 'static', 'icert.scss'), {
	style: 'compressed',
	loadPaths: [join(here, '..', '..', 'node_modules', 'govuk-frontend', 'dist')],
	quietDeps: true,
	charset: false,
	logger: sass.Logger.silent,
});
writeFileSync(join(out, 'icert.css'), css);
for (const name of readdirSync(join(here, 'static')))
	if (/\.(js|svg|png)$/.test(name)) copyFileSync(join(here, 'static', name), join(out, name));
const total = ['icert.css', 'icert.js'].reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
if (total > LIMIT) {
	process.stderr.write(`assets: ${total} bytes of style and script, at most ${LIMIT}\n`);
	process.exit(1);
}
