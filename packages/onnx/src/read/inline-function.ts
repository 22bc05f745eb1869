import type { FunctionProto, OperatorSetIdProto } from '../generated/onnx.generated.js';
import { type FileContext, invalidModel } from './file-context.js';
import type { NameScope } from './name-scope.js';
import { decodeAttribute } from './source-attributes.js';
import type { SourceNode } from './source-node.js';

/** Identifies a model-local function. */
export function functionKey(domain: string, name: string, overload: string): string {
  return `${domain}\0${name}\0${overload}`;
}

/** Versions by domain; `ai.onnx` counts as `''`. */
export function opsetsOf(imports: readonly OperatorSetIdProto[]): ReadonlyMap<string, number> {
  return new Map(imports.map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain, Number(version)]));
}

/**
 * The scope of a function's body where `call` stands: formal inputs and outputs go by the caller's names, all others get
 * the name of the call in front.
 *
 * @throws {@link ModelwrightError} `invalid-model` if the function is being inlined already.
 */
export function functionScope(
  definition: FunctionProto,
  key: string,
  call: SourceNode,
  caller: NameScope,
  file: FileContext,
): NameScope {
  if (caller.callStack.includes(key)) {
    throw invalidModel(`function '${definition.name}' calls itself`, { layer: call.name, op: call.op });
  }
  if (caller.callStack.length >= file.limits.maxDepth) throw invalidModel('functions call each other too deeply');
  const prefixed = (name: string): string => {
    file.budget.addCharacters(call.name.length + name.length);
    return `${call.name}/${name}`;
  };
  const formal = new Map(definition.input.map((name, index) => [name, call.inputs[index] ?? '']));
  definition.output.forEach((name, index) => {
    const actual = call.outputs[index] ?? '';
    if (formal.has(name)) throw invalidModel(`function '${definition.name}' hands its input '${name}' through`);
    if (actual !== '') formal.set(name, actual);
  });
  const defaults = new Map(definition.attributeProto.map((attribute) => [attribute.name, attribute]));
  const own = opsetsOf(definition.opsetImport);
  return {
    opsets: own.size > 0 ? own : caller.opsets,
    callStack: [...caller.callStack, key],
    valueName: (name) => (name === '' ? '' : (formal.get(name) ?? prefixed(name))),
    nodeName: prefixed,
    attribute: (name) => {
      const value = call.attributes[name];
      const kind = call.attributeKinds[name];
      if (value !== undefined && kind !== undefined) return { value, kind };
      const fallback = defaults.get(name);
      return fallback === undefined ? undefined : decodeAttribute(fallback, caller, file);
    },
  };
}
