/** A minimal ONNX writer, so that the engines are tested on bytes that no other package had a hand in. */

type Field = readonly [number, number | string | Uint8Array | readonly Field[]];

export interface TestValue {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly (number | string)[];
}

export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly domain?: string;
  /** Integer attributes only. */
  readonly attributes?: Readonly<Record<string, number>>;
}

export interface TestInitializer extends TestValue {
  readonly data: Uint8Array;
}

export interface TestModel {
  readonly inputs: readonly TestValue[];
  readonly outputs: readonly TestValue[];
  readonly nodes: readonly TestNode[];
  readonly initializers?: readonly TestInitializer[];
}

export function encodeModel(model: TestModel): Uint8Array {
  const graph: Field[] = [
    ...model.nodes.map((node): Field => [1, nodeFields(node)]),
    [2, 'test'],
    ...(model.initializers ?? []).map((one): Field => [5, initializerFields(one)]),
    ...model.inputs.map((value): Field => [11, valueFields(value)]),
    ...model.outputs.map((value): Field => [12, valueFields(value)]),
  ];
  return encode([
    [1, 10],
    [7, graph],
    [8, [[2, 21]]],
    [
      8,
      [
        [1, 'com.microsoft'],
        [2, 1],
      ],
    ],
  ]);
}

function nodeFields(node: TestNode): Field[] {
  return [
    ...node.inputs.map((name): Field => [1, name]),
    ...node.outputs.map((name): Field => [2, name]),
    [4, node.op],
    ...(node.domain === undefined ? [] : [[7, node.domain] as Field]),
    ...Object.entries(node.attributes ?? {}).map(
      ([name, value]): Field => [
        5,
        [
          [1, name],
          [3, value],
          [20, 2],
        ],
      ],
    ),
  ];
}

function initializerFields(one: TestInitializer): Field[] {
  return [...one.dims.map((dim): Field => [1, Number(dim)]), [2, one.type], [8, one.name], [9, one.data]];
}

function valueFields({ name, type, dims }: TestValue): Field[] {
  const shape = dims.map((dim): Field => [1, [typeof dim === 'number' ? [1, dim] : [2, dim]]]);
  return [
    [1, name],
    [
      2,
      [
        [
          1,
          [
            [1, type],
            [2, shape],
          ],
        ],
      ],
    ],
  ];
}

function encode(fields: readonly Field[]): Uint8Array {
  const parts: number[] = [];
  for (const [number, content] of fields) {
    if (typeof content === 'number') {
      varint(parts, number * 8);
      varint(parts, content);
      continue;
    }
    const bytes =
      typeof content === 'string'
        ? new TextEncoder().encode(content)
        : content instanceof Uint8Array
          ? content
          : encode(content);
    varint(parts, number * 8 + 2);
    varint(parts, bytes.length);
    for (const byte of bytes) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

function varint(parts: number[], value: number): void {
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    parts.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  parts.push(Number(rest));
}
