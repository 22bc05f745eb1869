import { readFileSync } from 'node:fs';
import { type AttributeSpecification, type OpDefinition, opNames, ops } from '@modelwright/core';
import { describe, expect, it } from 'vitest';

interface Schema {
  readonly since: number;
  readonly attributes: Readonly<
    Record<string, { readonly type: string; readonly required: boolean; readonly default?: unknown }>
  >;
}

const schemas = JSON.parse(
  readFileSync(new URL('../fixtures/op-attributes.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Schema>>;

const kinds: Readonly<Record<string, string>> = {
  INT: 'int',
  FLOAT: 'float',
  STRING: 'string',
  TENSOR: 'tensor',
  GRAPH: 'graph',
  INTS: 'ints',
  FLOATS: 'floats',
  STRINGS: 'strings',
};

const standardOps = opNames.filter((name) => ((ops[name] as OpDefinition | undefined)?.domain ?? '') === '');

/** Attributes that came with opset 25, which the schemas here do not know. */
const younger: ReadonlySet<string> = new Set(['Attention.left_window_size', 'Attention.right_window_size']);

// The writer leaves out what equals the default, so core's defaults have to be ONNX's own.
describe.each(standardOps)('%s', (name) => {
  const schema = schemas[name];
  const specifications = Object.entries(ops[name].attributes) as [string, AttributeSpecification][];

  it('is an operator of ONNX', () => {
    expect(schema).toBeDefined();
  });

  it.runIf(specifications.length > 0).each(specifications)('has %s as ONNX does', (attribute, specification) => {
    const wanted = schema?.attributes[attribute];
    if (younger.has(`${name}.${attribute}`)) return expect(wanted).toBeUndefined();
    expect(wanted, attribute).toBeDefined();
    expect(specification.kind).toBe(kinds[wanted?.type ?? '']);
    const { default: value } = specification;
    // ONNX keeps float32.
    const stored = typeof value === 'number' ? Math.fround(value) : value;
    if (stored !== undefined && wanted?.default !== undefined) expect(stored).toEqual(wanted.default);
  });
});
