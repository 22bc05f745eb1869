// Says whether proto/open-inference.proto has every call, message and field of a published interface under the same name, number and type:
// node scripts/compare-proto.mjs open_inference_grpc.proto
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';

/** One line a call or field. */
export function factsOf(file) {
  const facts = [];
  for (const [name, entry] of Object.entries(loadSync(file, { keepCase: true }))) {
    if (entry.format === 'Protocol Buffer 3 DescriptorProto') facts.push(...fieldsOf(name, entry.type));
    else if (entry.format === undefined) for (const call of Object.values(entry)) facts.push(callFact(call));
  }
  return facts;
}

function callFact({ path, requestStream, responseStream, requestType, responseType }) {
  const side = (isStream, { type }) => `${isStream ? 'stream ' : ''}${type.name}`;
  return `${path}: ${side(requestStream, requestType)} to ${side(responseStream, responseType)}`;
}

function fieldsOf(path, { field, nestedType }) {
  return [
    ...field.map(
      ({ name, number, type, label, typeName, oneofIndex }) =>
        `${path}.${name} = ${number}: ${label} ${type} ${typeName.split('.').at(-1)} ${oneofIndex ?? ''}`,
    ),
    ...nestedType.flatMap((nested) => fieldsOf(`${path}.${nested.name}`, nested)),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ours = new Set(factsOf(fileURLToPath(new URL('../proto/open-inference.proto', import.meta.url))));
  const published = factsOf(process.argv[2]);
  const missing = published.filter((fact) => !ours.has(fact));
  for (const fact of missing) console.error(`missing or different: ${fact}`);
  console.log(`${published.length - missing.length} of ${published.length} calls and fields are alike`);
  process.exitCode = missing.length > 0 || published.length === 0 ? 1 : 0;
}
