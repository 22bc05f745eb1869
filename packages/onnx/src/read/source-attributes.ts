import { type AttributeKind, type AttributeValue, Tensor } from '@modelwright/core';
import { type AttributeProto, AttributeProto_AttributeType as Type } from '../generated/onnx.generated.js';
import { decodeTensor } from '../tensor/decode-tensor.js';
import { decodeText } from '../tensor/text.js';
import { type FileContext, invalidModel } from './file-context.js';
import type { NameScope } from './name-scope.js';
import type { SourceAttribute } from './source-node.js';

interface Decoded {
  readonly kind: AttributeKind;
  readonly value: SourceAttribute;
}

/** Decodes a node's attributes; references to attributes of an inlined function are replaced by what its caller gave. */
export function sourceAttributes(
  protos: readonly AttributeProto[],
  names: NameScope,
  file: FileContext,
): {
  readonly attributes: { [name: string]: SourceAttribute };
  readonly attributeKinds: { [name: string]: AttributeKind };
} {
  // Without prototype: a hostile file may name an attribute `__proto__`.
  const attributes: { [name: string]: SourceAttribute } = Object.create(null);
  const attributeKinds: { [name: string]: AttributeKind } = Object.create(null);
  for (const proto of protos) {
    if (proto.name === '' || proto.name === '__proto__')
      throw invalidModel(`an attribute has the name '${proto.name}'`);
    if (Object.hasOwn(attributes, proto.name)) throw invalidModel(`attribute '${proto.name}' is given twice`);
    const decoded = proto.refAttrName === '' ? decodeAttribute(proto, names, file) : names.attribute(proto.refAttrName);
    if (decoded === undefined) continue;
    attributes[proto.name] = decoded.value;
    attributeKinds[proto.name] = decoded.kind;
  }
  return { attributes, attributeKinds };
}

/** Decodes one attribute's value. */
export function decodeAttribute(proto: AttributeProto, names: NameScope, file: FileContext): Decoded {
  const what = `attribute '${proto.name}'`;
  switch (proto.type === Type.UNDEFINED ? guessType(proto) : proto.type) {
    case Type.FLOAT:
      return { kind: 'float', value: shortestFloat(proto.f) };
    case Type.INT:
      return { kind: 'int', value: decodeInteger(proto.i, what) };
    case Type.STRING:
      return { kind: 'string', value: textOrBytes(proto.s) };
    case Type.FLOATS:
      return { kind: 'floats', value: proto.floats.map(shortestFloat) };
    case Type.INTS:
      return { kind: 'ints', value: proto.ints.map((value) => decodeInteger(value, what)) };
    case Type.STRINGS:
      return { kind: 'strings', value: proto.strings.map(textOrBytes) as AttributeValue };
    case Type.TENSOR:
      if (proto.t === undefined) throw invalidModel(`${what} holds no tensor`);
      return { kind: 'tensor', value: decodeTensor(proto.t, what, file) };
    case Type.TENSORS:
      return { kind: 'tensors', value: proto.tensors.map((tensor) => decodeTensor(tensor, what, file)) };
    case Type.GRAPH:
      if (proto.g === undefined) throw invalidModel(`${what} holds no graph`);
      return { kind: 'graph', value: { proto: proto.g, names } };
    case Type.GRAPHS:
      return { kind: 'graphs', value: proto.graphs.map((graph) => ({ proto: graph, names })) };
    default:
      throw invalidModel(`${what} is of a kind (${proto.type}) that Modelwright does not have`);
  }
}

/** Text, or the bytes themselves as a tensor: unknown ops keep whatever they like in a string. */
function textOrBytes(bytes: Uint8Array): string | Tensor {
  return decodeText(bytes) ?? new Tensor('uint8', [bytes.length], bytes.slice());
}

// Files of the first IR versions leave the type out.
function guessType(proto: AttributeProto): number {
  if (proto.ints.length > 0) return Type.INTS;
  if (proto.floats.length > 0) return Type.FLOATS;
  if (proto.strings.length > 0) return Type.STRINGS;
  if (proto.t !== undefined) return Type.TENSOR;
  if (proto.g !== undefined) return Type.GRAPH;
  if (proto.s.length > 0) return Type.STRING;
  return proto.f !== 0 ? Type.FLOAT : Type.INT;
}

const largest = 2n ** 63n - 1n;

function decodeInteger(value: bigint, what: string): number {
  // The extremes mean "to the end" in slices, whatever the axis; no extent comes near the bound they are held to.
  if (value === largest) return Number.MAX_SAFE_INTEGER;
  if (value <= -largest) return Number.MIN_SAFE_INTEGER;
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw invalidModel(`${what} is ${value}, which is not exactly representable`, { given: String(value) });
}

/**
 * The number a writer most likely had in mind: the shortest decimal that rounds to this float32, so that an epsilon of
 * 0.001 is read as 0.001 again.
 */
export function shortestFloat(value: number): number {
  if (Number.isInteger(value) || !Number.isFinite(value)) return value;
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}
