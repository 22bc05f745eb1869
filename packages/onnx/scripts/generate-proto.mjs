// Makes src/generated/onnx.generated.ts from proto/onnx.proto (ONNX IR 14, Apache-2.0, taken unchanged from the ONNX
// project). Run it after replacing that file: node scripts/generate-proto.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Typed tensor data is declared as `bytes`: on the wire a packed list is one length-delimited field, so each chunk then
// arrives as a view of the file that is decoded straight into a typed array, instead of as an array of JS numbers or
// bigints (32 bytes an element).
const typedData = /repeated \w+ (\w+_data) = (\d+) \[packed = true\];/g;

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'onnx-proto-'));
const proto = readFileSync(join(root, 'proto/onnx.proto'), 'utf8').replaceAll(typedData, 'repeated bytes $1 = $2;');
mkdirSync(join(work, 'proto'));
writeFileSync(join(work, 'proto/onnx.proto'), proto);
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
const source = readFileSync(join(work, 'onnx_pb.ts'), 'utf8');
const erasable = source.replaceAll(/^export enum (\w+) \{\n([\s\S]*?)^\}/gm, (_, name, body) => {
  const members = body.replaceAll(/^( {2}\w+) = /gm, '$1: ');
  return `export const ${name} = {\n${members}} as const;\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];`;
});
writeFileSync(join(root, 'src/generated/onnx.generated.ts'), erasable);
rmSync(work, { recursive: true });
