import { isModelwrightError, ModelwrightError } from '../errors.js';
import type { OpDefinition } from '../ops/definition.js';
import type { OpAttributes } from '../ops/families.js';
import { domainOf, isOpName, type OpName, ops } from '../ops/registry.js';
import type { DType } from '../tensor/dtype.js';
import { isUnknownShape, type Shape } from '../tensor/shape.js';
import { fullTensor, type NestedNumbers, Tensor, tensor } from '../tensor/tensor.js';
import { foreignTypes } from './foreign-types.js';
import type { Attributes, AttributeValue, Graph, GraphOutput, Node, Value, ValueType } from './graph.js';
import { inferContext } from './infer-context.js';
import { KnownDimensions } from './known-dimensions.js';

/** Where nodes are being built: shown in error messages and put in front of node names. */
export interface Scope {
  /** Path of the layer: `stem.conv`. */
  readonly name: string;
  /** Kind of the layer: `conv2d`. */
  readonly kind?: string;
}

export interface NodeOptions {
  /** Number of outputs, where the op leaves it open. */
  readonly outputs?: number;
  /** Name of the first output value; default derives from the node. */
  readonly name?: string;
  /** Names of all output values, where they are wanted exactly; they go before {@link name}. */
  readonly outputNames?: readonly string[];
  /** Exact name of the node; default derives from scope and op. */
  readonly nodeName?: string;
}

/** A node core does not define, as {@link GraphBuilder.foreign} takes it. */
export type ForeignNode = Pick<Node, 'op' | 'domain' | 'inputs' | 'attributes' | 'attributeKinds'> & {
  readonly outputs: readonly ValueType[];
  readonly nodeName?: string;
  readonly outputNames?: readonly string[];
};

/**
 * Builds a graph node by node; shapes and dtypes are checked and inferred as each node is added.
 *
 * @example
 * const builder = new GraphBuilder('double');
 * const x = builder.input('x', 'float32', ['batch', 3]);
 * builder.output('y', builder.op('Add', [x, x]));
 * const graph = builder.build();
 */
export class GraphBuilder {
  readonly name: string;
  /** What is known at build time of integer vectors that carry shapes. */
  readonly known: KnownDimensions;
  readonly #parent: GraphBuilder | undefined;
  readonly #inputs: Value[] = [];
  readonly #outputs: GraphOutput[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants: Map<Value, Tensor> = new Map();
  readonly #names: Map<string, number>;
  // Nodes have a namespace of their own: many exporters name a node like its output.
  readonly #nodeNames: Map<string, number>;
  readonly #scopes: Scope[] = [];
  readonly #scalars: Map<string, Value> = new Map();

  constructor(name = 'graph', parent?: GraphBuilder) {
    this.name = name;
    this.#parent = parent;
    // Names are unique across nested graphs: ONNX forbids a subgraph to shadow an outer name.
    this.#names = parent === undefined ? new Map() : parent.#names;
    this.#nodeNames = parent === undefined ? new Map() : parent.#nodeNames;
    this.known = new KnownDimensions(parent?.known);
    if (parent !== undefined) this.#scopes.push(...parent.#scopes);
  }

  /** Declares an input of the graph. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value: Value = { name: this.#claim(name), dtype, shape };
    this.#inputs.push(value);
    return value;
  }

  /** Adds a constant; nested arrays become a tensor of `dtype` (default float32). */
  constant(data: Tensor | NestedNumbers, options: { readonly name?: string; readonly dtype?: DType } = {}): Value {
    const held = data instanceof Tensor ? data : tensor(data, { dtype: options.dtype ?? 'float32' });
    const value: Value = {
      name: this.#claim(options.name ?? this.#path('constant')),
      dtype: held.dtype,
      shape: held.shape,
    };
    this.#constants.set(value, held);
    this.known.addConstant(value, held);
    return value;
  }

  /** A constant scalar of `dtype`; equal scalars are shared. */
  scalar(number: number, dtype: DType): Value {
    const key = `${dtype}:${Object.is(number, -0) ? '-0' : number}`;
    let value = this.#scalars.get(key);
    if (value === undefined) {
      value = this.constant(fullTensor(dtype, [], number), { name: 'scalar' });
      this.#scalars.set(key, value);
    }
    return value;
  }

  /** A constant int64 vector, as shapes, axes and pads are given. */
  integers(values: readonly number[]): Value {
    return this.constant(tensor(values, { dtype: 'int64', shape: [values.length] }), { name: this.#path('integers') });
  }

  /**
   * Adds a node with one wanted output and returns it.
   *
   * @throws {@link ModelwrightError} `shape-mismatch`, `dtype-mismatch`, `invalid-attribute` as the op's rule finds.
   */
  op<N extends OpName>(
    op: N,
    inputs: readonly (Value | undefined)[],
    attributes?: Partial<OpAttributes[N]>,
    options?: NodeOptions,
  ): Value {
    return this.node(op, inputs, attributes, options)[0] as Value;
  }

  /** Adds a node and returns all its outputs. */
  node<N extends OpName>(
    op: N,
    inputs: readonly (Value | undefined)[],
    attributes?: Partial<OpAttributes[N]>,
    options: NodeOptions = {},
  ): readonly Value[] {
    const definition = ops[op as OpName] as unknown as OpDefinition;
    const trimmed = trimOptional(inputs);
    const outputCount = options.outputs ?? Math.max(1, definition.outputs.min);
    const context = inferContext({
      builder: this,
      op,
      definition,
      inputs: trimmed,
      attributes: (attributes ?? {}) as Attributes,
      outputCount,
    });
    const types = definition.infer(context as never);
    const wanted = definition.outputs.max === Number.POSITIVE_INFINITY ? types : types.slice(0, outputCount);
    return this.#add(
      { op, domain: domainOf(op), inputs: trimmed, attributes: context.attributes as Attributes },
      wanted,
      options,
    );
  }

  /** Adds a node core does not define; the caller vouches for its output types. */
  foreign(node: ForeignNode): readonly Value[] {
    const { outputs, nodeName, outputNames, ...rest } = node;
    return this.#add(rest, outputs, {
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(outputNames === undefined ? {} : { outputNames }),
    });
  }

  /** Adds any node by name: core's op or a foreign one (which then needs `outputTypes`). For passes and readers. */
  anyNode(
    node: Pick<Node, 'op' | 'domain' | 'inputs' | 'attributes' | 'attributeKinds'>,
    outputTypes: readonly ValueType[],
    options: NodeOptions = {},
  ): readonly Value[] {
    const isChecked = [...node.inputs, ...outputTypes].every(
      (type) => type === undefined || !isUnknownShape(type.shape),
    );
    if (isOpName(node.op, node.domain) && isChecked) {
      try {
        return this.node(node.op, node.inputs, node.attributes as never, { outputs: outputTypes.length, ...options });
      } catch (error) {
        // The rank depends on what is computed: the types that are given stand.
        if (!isModelwrightError(error, 'unsupported-shape')) throw error;
      }
    }
    const { name, nodeName } = options;
    const outputNames = options.outputNames ?? (name === undefined ? undefined : [name]);
    return this.foreign({
      ...node,
      outputs: foreignTypes(node, outputTypes),
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(outputNames === undefined ? {} : { outputNames }),
    });
  }

  /** Names `value` as a result of the graph. */
  output(name: string, value: Value): void {
    if (this.#outputs.some((output) => output.name === name)) {
      throw new ModelwrightError('invalid-graph', `graph '${this.name}' already has an output '${name}'`, {
        given: name,
      });
    }
    this.#outputs.push({ name, value });
  }

  /** Runs `build` with `scope` in front of node names and error messages. */
  scoped<T>(scope: Scope, build: () => T): T {
    this.#scopes.push(scope);
    try {
      return build();
    } finally {
      this.#scopes.pop();
    }
  }

  /** Builds a subgraph that may capture values of this builder. */
  subgraph(name: string, build: (inner: GraphBuilder) => void): Graph {
    const inner = new GraphBuilder(name, this);
    build(inner);
    return inner.build();
  }

  /** The innermost scope, if any. */
  get scope(): Scope | undefined {
    return this.#scopes.at(-1);
  }

  /** The tensor behind `value` if it is a constant of this graph or of one around it. */
  constantOf(value: Value): Tensor | undefined {
    return this.#constants.get(value) ?? this.#parent?.constantOf(value);
  }

  /** The graph so far. The builder stays usable. */
  build(): Graph {
    return {
      name: this.name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      constants: new Map(this.#constants),
    };
  }

  #add(node: Omit<Node, 'name' | 'outputs'>, types: readonly ValueType[], options: NodeOptions): readonly Value[] {
    const name = claim(this.#nodeNames, options.nodeName ?? this.#path(node.op));
    const outputs = types.map((type, index): Value => {
      const wanted = options.outputNames?.[index] ?? (index === 0 ? options.name : undefined);
      return { name: this.#claim(wanted || `${name}:${index}`), dtype: type.dtype, shape: type.shape };
    });
    const added: Node = { ...node, attributes: withoutUndefined(node.attributes), name, outputs };
    this.#nodes.push(added);
    this.known.addNode(added);
    return outputs;
  }

  #path(hint: string): string {
    const scope = this.scope;
    return scope === undefined ? hint : `${scope.name}/${hint}`;
  }

  #claim(wanted: string): string {
    return claim(this.#names, wanted);
  }
}

/** `wanted`, or with a number behind it if that is taken. */
function claim(names: Map<string, number>, wanted: string): string {
  let name = wanted;
  for (let count = names.get(wanted) ?? 0; names.has(name); count++) {
    name = `${wanted}_${count + 1}`;
    names.set(wanted, count + 1);
  }
  names.set(name, 0);
  return name;
}

function trimOptional(inputs: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  let length = inputs.length;
  while (length > 0 && inputs[length - 1] === undefined) length--;
  return inputs.slice(0, length);
}

function withoutUndefined(attributes: Attributes): Attributes {
  const entries = Object.entries(attributes).filter(
    (entry): entry is [string, AttributeValue] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
