import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { opNames } from '@modelwright/core';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  StringStringEntryProtoSchema,
  type TensorProto,
} from '../src/generated/onnx.generated.js';

/** Numbers from a seed: mulberry32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer in `[0, bound)`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, bound);
  }

  /** One of the items; undefined if there is none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}

const hostileIntegers: readonly bigint[] = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  64n,
  255n,
  65536n,
  2n ** 31n - 1n,
  2n ** 31n,
  -(2n ** 31n),
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const hostileNames = ['', 'x', 'y', '__proto__', 'constructor', 'toString', '\0', '../x', 'a/b', 'é', 'n'.repeat(300)];
const hostileBytes = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x3a];

/**
 * A damaged version of one of the seeds: its bytes changed blindly, or its messages with care, so that damage gets past
 * the protobuf layer.
 */
export function mutate(seeds: readonly Uint8Array[], dice: Dice): Uint8Array {
  const seed = dice.pick(seeds) ?? new Uint8Array();
  if (dice.below(3) === 0) return mutateBytes(seed, seeds, dice);
  const model = fromBinary(ModelProtoSchema, seed);
  for (let count = 1 + dice.below(4); count > 0; count--) mutateModel(model, dice);
  const bytes = toBinary(ModelProtoSchema, model);
  return dice.below(8) === 0 ? mutateBytes(bytes, seeds, dice) : bytes;
}

function mutateBytes(seed: Uint8Array, seeds: readonly Uint8Array[], dice: Dice): Uint8Array {
  let bytes = Array.from(seed);
  for (let count = 1 + dice.below(8); count > 0; count--) {
    const at = dice.below(bytes.length);
    const length = dice.below(40);
    const other = dice.pick(seeds) ?? seed;
    const changes = [
      () => bytes.splice(at, 1, (bytes[at] ?? 0) ^ (1 << dice.below(8))),
      () => bytes.splice(at, 1, dice.pick(hostileBytes) ?? 0),
      () => bytes.splice(at, length),
      () => bytes.splice(at, 0, ...bytes.slice(at, at + length)),
      () => bytes.splice(at, length, ...other.subarray(dice.below(other.length)).subarray(0, length)),
      () => bytes.splice(at, 0, ...Array.from({ length }, () => dice.below(256))),
      () => {
        if (dice.below(4) === 0) bytes = bytes.slice(0, at);
      },
    ];
    dice.pick(changes)?.();
  }
  return Uint8Array.from(bytes);
}

function mutateModel(model: ModelProto, dice: Dice): void {
  const graphs = [...graphsOf(model)];
  const graph = dice.pick(graphs);
  if (graph === undefined) return;
  const node = dice.pick(graph.node);
  const changes: (() => void)[] = [
    () => mutateGraph(graph, dice),
    () => node && mutateNode(node, graph, dice),
    () => node && mutateNode(node, graph, dice),
    () => node && mutateAttribute(dice.pick(node.attribute), graphs, dice),
    () => node && mutateAttribute(dice.pick(node.attribute), graphs, dice),
    () => mutateTensor(dice.pick(graph.initializer), dice),
    () => mutateTypes(graph, dice),
    () => {
      const opset = dice.pick(model.opsetImport);
      if (opset !== undefined) opset.version = BigInt(dice.below(32));
    },
    () => {
      const definition = dice.pick(model.functions);
      if (definition?.node[0] === undefined) return;
      mutateNode(definition.node[0], { ...graph, node: definition.node }, dice);
    },
    () => {
      model.irVersion = BigInt(dice.below(16));
    },
  ];
  dice.pick(changes)?.();
}

function* graphsOf(model: ModelProto): Generator<GraphProto> {
  const pending = model.graph === undefined ? [] : [model.graph];
  for (let graph = pending.pop(); graph !== undefined; graph = pending.pop()) {
    yield graph;
    for (const { attribute } of graph.node) for (const { g } of attribute) if (g !== undefined) pending.push(g);
  }
}

function namesOf(graph: GraphProto): readonly string[] {
  const computed = graph.node.flatMap(({ output }) => output);
  return [...computed, ...[...graph.input, ...graph.initializer].map(({ name }) => name), ...hostileNames];
}

function mutateGraph(graph: GraphProto, dice: Dice): void {
  const at = dice.below(graph.node.length);
  const copied = graph.node[at];
  const changes: (() => void)[] = [
    () => graph.node.splice(at, 1),
    () => copied && graph.node.splice(at, 0, copied),
    () => graph.node.reverse(),
    () => graph.initializer.splice(dice.below(graph.initializer.length), 1),
    () => graph.initializer.push(...graph.initializer.slice(0, 1)),
    () => graph.output.push(...graph.input.slice(0, 1)),
    () => graph.input.push(...graph.output.slice(0, 1)),
  ];
  dice.pick(changes)?.();
}

function mutateNode(node: NodeProto, graph: GraphProto, dice: Dice): void {
  const name = () => dice.pick(namesOf(graph)) ?? '';
  const changes: (() => void)[] = [
    () => node.input.splice(dice.below(node.input.length + 1), dice.below(2), name()),
    () => node.output.splice(dice.below(node.output.length + 1), dice.below(2), name()),
    () => node.input.splice(dice.below(node.input.length), 1),
    () => node.output.splice(dice.below(node.output.length), 1),
    () => {
      node.opType = dice.pick(opNames) ?? '';
    },
    () => {
      node.domain = dice.pick(['', 'ai.onnx', 'com.microsoft', 'ai.modelwright', 'local']) ?? '';
    },
    () => {
      node.name = dice.pick(hostileNames) ?? '';
    },
    () => node.attribute.push(...graph.node.flatMap(({ attribute }) => attribute).slice(0, 1)),
  ];
  dice.pick(changes)?.();
}

function mutateAttribute(attribute: AttributeProto | undefined, graphs: readonly GraphProto[], dice: Dice): void {
  if (attribute === undefined) return;
  const integer = () => dice.pick(hostileIntegers) ?? 0n;
  const changes: (() => void)[] = [
    () => {
      attribute.i = integer();
    },
    () => {
      attribute.f = dice.pick([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e30]) ?? 0;
    },
    () => attribute.ints.splice(dice.below(attribute.ints.length + 1), dice.below(2), integer()),
    () => {
      attribute.ints = Array.from({ length: dice.below(9) }, integer);
    },
    () => {
      attribute.s = new TextEncoder().encode(
        dice.pick(['', 'SAME_UPPER', 'VALID', 'max', 'ij,jk->ik', '...ii->', 'zzz']),
      );
    },
    () => {
      attribute.type = (dice.below(15) as AttributeProto['type']) ?? 0;
    },
    () => {
      attribute.name = dice.pick([...hostileNames, 'axis', 'axes', 'perm', 'to', 'shape', 'body']) ?? '';
    },
    () => mutateTensor(attribute.t, dice),
    () => {
      const graph = dice.pick(graphs);
      if (attribute.g !== undefined && graph !== undefined && !holds(graph, attribute)) attribute.g = graph;
    },
  ];
  dice.pick(changes)?.();
}

/** Whether the attribute is somewhere in the graph: then putting the graph into it would never end. */
function holds(graph: GraphProto, attribute: AttributeProto): boolean {
  return graph.node.some((node) =>
    node.attribute.some((each) => each === attribute || (each.g !== undefined && holds(each.g, attribute))),
  );
}

function mutateTensor(tensor: TensorProto | undefined, dice: Dice): void {
  if (tensor === undefined) return;
  const integer = () => dice.pick(hostileIntegers) ?? 0n;
  const changes: (() => void)[] = [
    () => tensor.dims.splice(dice.below(tensor.dims.length + 1), dice.below(2), integer()),
    () => {
      tensor.dims = Array.from({ length: dice.below(6) }, integer);
    },
    () => {
      tensor.dataType = dice.below(28);
    },
    () => {
      tensor.rawData = tensor.rawData.slice(0, dice.below(tensor.rawData.length));
    },
    () => {
      // Contents matter where they are shapes, axes or indices.
      const bytes = tensor.rawData.slice();
      const view = new DataView(bytes.buffer);
      if (bytes.length >= 8) view.setBigInt64(8 * dice.below(bytes.length >> 3), integer(), true);
      tensor.rawData = bytes;
    },
    () => {
      tensor.dataLocation = 1;
      const location = dice.pick(['../../etc/passwd', '/etc/passwd', 'w.bin', '', 'a\\..\\b']) ?? '';
      const entries = { location, offset: String(integer()), length: String(integer()) };
      tensor.externalData = Object.entries(entries).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      );
    },
    () => {
      tensor.name = dice.pick(hostileNames) ?? '';
    },
    () => {
      tensor.int64Data = [Uint8Array.from({ length: dice.below(20) }, () => dice.below(256))];
    },
  ];
  dice.pick(changes)?.();
}

function mutateTypes(graph: GraphProto, dice: Dice): void {
  const info = dice.pick([...graph.input, ...graph.output, ...graph.valueInfo]);
  const type = info?.type?.value;
  if (type?.case !== 'tensorType') return;
  const dims = type.value.shape?.dim ?? [];
  const dimension = dice.pick(dims);
  const changes: (() => void)[] = [
    () => {
      type.value.elemType = dice.below(28);
    },
    () => {
      if (dimension !== undefined) dimension.value = { case: 'dimValue', value: dice.pick(hostileIntegers) ?? 0n };
    },
    () => {
      if (dimension !== undefined)
        dimension.value = { case: 'dimParam', value: dice.pick(['n', 'm*n', '?x', '0', '-1', '(']) ?? '' };
    },
    () => dims.splice(dice.below(dims.length), 1),
    () => dims.push(...dims.slice(0, 1)),
    () => {
      delete type.value.shape;
    },
  ];
  dice.pick(changes)?.();
}
