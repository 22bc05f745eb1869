import {
  type Attributes,
  type Bindings,
  castTo,
  copyNode,
  type DType,
  type Graph,
  GraphBuilder,
  inlineGraph,
  isForeign,
  isModelwrightError,
  type Node,
  onnxDataType,
  removeDeadNodes,
  subgraphsOf,
  Tensor,
  type Value,
} from '@modelwright/core';
import { toHalf } from './half-tensor.js';

export interface HalfGraphOptions {
  /** Inputs and outputs stay float32. */
  readonly keepIO: boolean;
  /** Nodes that compute in float32, by name. */
  readonly kept: ReadonlySet<string>;
  /** Names of constants that are weights: too large a number keeps what uses them in float32, instead of being clipped. */
  readonly weights: ReadonlySet<string>;
  /** Names of constants that change from run to run: they stay as they are. */
  readonly states: ReadonlySet<string>;
}

/** A graph that computes in float16, and what was left or changed. */
export interface HalfGraph {
  readonly graph: Graph;
  /** Nodes that compute floats in float32 still, with the reason. */
  readonly left: ReadonlyMap<string, string>;
  /** Constants other than weights with numbers that were too large. */
  readonly clipped: readonly string[];
  /** Numbers of weights that became zero. */
  readonly underflows: number;
}

/** Computes a graph in float16: floats are rounded where they enter, and made float32 again for nodes that need it. */
export function halfGraph(graph: Graph, options: HalfGraphOptions): HalfGraph {
  // The first pass tells which constants are wanted in float16 alone: they then take the name of the float32 ones.
  const draft = new HalfWriter(graph, options).write();
  const remaining = new Set([...draft.graph.constants.keys()].map(({ name, dtype }) => `${name}:${dtype}`));
  const halved = [...graph.constants.keys()].filter(
    (value) => value.dtype === 'float32' && draft.halved.has(value) && !remaining.has(`${value.name}:float32`),
  );
  return new HalfWriter(graph, options, new Set(halved)).write();
}

class HalfWriter {
  readonly #source: Graph;
  readonly #options: HalfGraphOptions;
  readonly #renamed: ReadonlySet<Value>;
  readonly #builder: GraphBuilder;
  readonly #bindings: Bindings = new Map();
  /** By value of the new graph, what stands for it in the other precision. */
  readonly #others: Map<Value, Value> = new Map();
  readonly #origins: Map<Value, Value> = new Map();
  readonly #halved: Set<Value> = new Set();
  readonly #left: Map<string, string> = new Map();
  readonly #clipped: Set<string> = new Set();
  readonly #underflows: Map<string, number> = new Map();

  constructor(source: Graph, options: HalfGraphOptions, renamed: ReadonlySet<Value> = new Set()) {
    this.#source = source;
    this.#options = options;
    this.#renamed = renamed;
    this.#builder = new GraphBuilder(source.name);
  }

  write(): HalfGraph & { readonly halved: ReadonlySet<Value> } {
    const builder = this.#builder;
    for (const { name, dtype, shape } of this.#source.inputs) {
      const isHalf = !this.#options.keepIO && dtype === 'float32';
      const value = builder.input(name, isHalf ? 'float16' : dtype, shape);
      this.#bindings.set(this.#source.inputs.find((each) => each.name === name) as Value, value);
    }
    for (const [value, tensor] of this.#source.constants) {
      const isRenamed = this.#renamed.has(value);
      const constant = builder.constant(isRenamed ? this.#rounded(value, tensor) : tensor, { name: value.name });
      this.#bindings.set(value, constant);
      this.#origins.set(constant, value);
    }
    const outputs = inlineGraph(builder, this.#source, this.#bindings, {
      rewrite: (node, inputs, _, resolve) => this.#convert(node, inputs, resolve),
    });
    this.#source.outputs.forEach(({ name, value }, at) => {
      const result = outputs[at] as Value;
      builder.output(name, this.#options.keepIO ? this.#as(value.dtype, result) : result);
    });
    return {
      graph: removeDeadNodes.run(builder.build()),
      halved: this.#halved,
      left: this.#left,
      clipped: [...this.#clipped],
      underflows: [...this.#underflows.values()].reduce((sum, each) => sum + each, 0),
    };
  }

  #convert(
    node: Node,
    inputs: readonly (Value | undefined)[],
    resolve: (value: Value) => Value,
  ): readonly Value[] | undefined {
    const reason = this.#reasonToKeep(node, inputs);
    if (reason !== undefined) return this.#inFloat32(node, inputs, resolve, reason);
    const wanted = inputs.map((input, at) =>
      input?.dtype === 'float32' && !staysFloat32(node.op, at) ? this.#as('float16', input) : input,
    );
    const attributes = halfAttributes(node);
    const outputs = node.outputs.map(({ dtype, shape }) => ({
      dtype: dtype === 'float32' ? ('float16' as const) : dtype,
      shape,
    }));
    try {
      return this.#builder.anyNode({ ...node, inputs: wanted, attributes }, outputs, namesOf(node));
    } catch (error) {
      if (!isModelwrightError(error)) throw error;
      return this.#inFloat32(node, inputs, resolve, 'the op takes no float16');
    }
  }

  #reasonToKeep(node: Node, inputs: readonly (Value | undefined)[]): string | undefined {
    if (this.#options.kept.has(node.name)) return 'excluded';
    if (subgraphsOf(node).length > 0) return 'loops and branches compute in float32';
    if (isForeign(node)) return 'not known in float16';
    for (const [at, input] of inputs.entries()) {
      const origin = input?.dtype === 'float32' && !staysFloat32(node.op, at) ? this.#origins.get(input) : undefined;
      if (origin === undefined) continue;
      const { overflows, underflows } = toHalf(this.#source.constants.get(origin) as Tensor);
      if (overflows > 0 && this.#options.weights.has(origin.name)) return `'${origin.name}' is too large for float16`;
      // An epsilon that becomes zero divides by zero.
      if (underflows > 0 && origin.shape.length === 0) return `'${origin.name}' is too small for float16`;
    }
    return undefined;
  }

  #inFloat32(
    node: Node,
    inputs: readonly (Value | undefined)[],
    resolve: (value: Value) => Value,
    reason: string,
  ): readonly Value[] {
    const isFloat = [...node.inputs, ...node.outputs].some((value) => value?.dtype === 'float32');
    if (isFloat) this.#left.set(node.name, reason);
    const wanted = inputs.map((input, at) => {
      const dtype = node.inputs[at]?.dtype;
      return input === undefined || dtype === undefined ? input : this.#as(dtype, input);
    });
    const captured = (value: Value): Value => this.#as(value.dtype, resolve(value));
    return copyNode(this.#builder, node, wanted, captured);
  }

  /** The value in float16 or float32, rounded once for all that want it. */
  #as(dtype: DType, value: Value): Value {
    if (value.dtype === dtype || (value.dtype !== 'float16' && value.dtype !== 'float32')) return value;
    const known = this.#others.get(value);
    if (known !== undefined) return known;
    const origin = this.#origins.get(value);
    const isConstant = origin !== undefined && dtype === 'float16' && !this.#options.states.has(origin.name);
    const other = isConstant
      ? this.#builder.constant(this.#rounded(origin, this.#builder.constantOf(value) as Tensor), {
          name: `${value.name}.half`,
        })
      : castTo(this.#builder, value, dtype);
    this.#others.set(value, other);
    this.#others.set(other, value);
    return other;
  }

  #rounded(origin: Value, tensor: Tensor): Tensor {
    const { tensor: half, overflows, underflows } = toHalf(tensor);
    this.#halved.add(origin);
    if (overflows > 0) this.#clipped.add(origin.name);
    if (underflows > 0 && this.#options.weights.has(origin.name)) this.#underflows.set(origin.name, underflows);
    return half;
  }
}

/** Inputs that ONNX has in float32 whatever the data are. */
function staysFloat32(op: string, input: number): boolean {
  return op === 'Resize' && (input === 1 || input === 2);
}

const float32 = onnxDataType('float32');
const dtypeAttributes: readonly string[] = ['to', 'dtype', 'stash_dtype'];

/** Attributes that say float32, of casts and of what makes tensors, in float16. */
function halfAttributes({ attributes }: Node): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => {
      if (dtypeAttributes.includes(name) && value === float32) return [name, onnxDataType('float16')];
      if (value instanceof Tensor && value.dtype === 'float32') return [name, toHalf(value).tensor];
      return [name, value];
    }),
  );
}

function namesOf({ name, outputs }: Node): { readonly nodeName: string; readonly name?: string } {
  const [first] = outputs;
  return { nodeName: name, ...(first === undefined ? {} : { name: first.name }) };
}
