// Makes src/generated/*.generated.ts from proto/*.proto. Run it after changing those: node scripts/generate-proto.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Typed tensor data is declared as `bytes`: on the wire a packed list is one length-delimited field, so it then arrives as a view of the
// message and is decoded straight into a typed array, instead of as an array of JS numbers or bigints (32 bytes for one on the wire).
const typedData = /repeated (?:bool|u?int\d+|float|double) (\w+_contents) = (\d+);/g;

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'server-proto-'));
const names = readdirSync(join(root, 'proto')).map((file) => file.replace(/\.proto$/, ''));
mkdirSync(join(work, 'proto'));
for (const name of names) {
  const proto = readFileSync(join(root, `proto/${name}.proto`), 'utf8').replaceAll(
    typedData,
    'repeated bytes $1 = $2;',
  );
  writeFileSync(join(work, `proto/${name}.proto`), proto);
}
const template = {
  version: 'v2',
  inputs: [{ directory: join(work, 'proto') }],
  plugins: [{ local: 'protoc-gen-es', out: work, opt: ['target=ts', 'import_extension=js'] }],
};
const packages = ['--package=@bufbuild/buf@1.75.0', '--package=@bufbuild/protoc-gen-es@2.12.1'];
execFileSync('npx', ['--yes', ...packages, 'buf', 'generate', '--template', JSON.stringify(template)], {
  cwd: root,
  stdio: 'inherit',
});

// The compiler here accepts only syntax that can be erased, so each enum becomes a constant object and a union type.
mkdirSync(join(root, 'src/generated'), { recursive: true });
for (const name of names) {
  const source = readFileSync(join(work, `${name}_pb.ts`), 'utf8');
  const erasable = source.replaceAll(/^export enum (\w+) \{\n([\s\S]*?)^\}/gm, (_, type, body) => {
    const members = body.replaceAll(/^( {2}\w+) = /gm, '$1: ');
    return `export const ${type} = {\n${members}} as const;\nexport type ${type} = (typeof ${type})[keyof typeof ${type}];`;
  });
  writeFileSync(join(root, `src/generated/${name}.generated.ts`), erasable);
}
rmSync(work, { recursive: true });
