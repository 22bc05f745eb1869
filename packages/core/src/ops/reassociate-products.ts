import { type Graph, type Node, type Value, valuesReadBy } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { type Bindings, inlineGraph } from '../graph/inline.js';

/**
 * `(d·k₁)·k₂` as `d·(k₁·k₂)` where only `d` depends on the incoming gradients: the product of the others is then known before
 * the loop. Where `k₂` is the slope of a sigmoid or a tanh `y` and the forward run has made `k₁·y`, that shortens the product.
 *
 * @param step - One backward step.
 * @param carried - Its values that depend on the incoming gradients.
 * @returns the new graph, and what stands in it for the values of the old one.
 */
export function reassociateProducts(
  builder: GraphBuilder,
  step: Graph,
  carried: ReadonlySet<Value>,
): { readonly graph: Graph; readonly bindings: ReadonlyMap<Value, Value> } {
  const bindings: Bindings = new Map();
  const graph = builder.subgraph(step.name, (inner) => {
    for (const input of step.inputs) bindings.set(input, inner.input(input.name, input.dtype, input.shape));
    const products = new Products(inner, step, { carried, bindings });
    const outputs = inlineGraph(inner, step, bindings, {
      keepNames: false,
      rewrite: (node, _inputs, target) => (target === inner ? products.rewrite(node) : undefined),
    });
    for (const [index, { name }] of step.outputs.entries()) inner.output(name, outputs[index] as Value);
  });
  return { graph, bindings };
}

/** A carried value times what is known. */
interface Product {
  /** In the new graph. */
  readonly gradient: Value;
  /** In the new graph. */
  readonly factor: Value;
  /** The factor in the old graph; absent once it is a product itself. */
  readonly original?: Value;
}

interface Context {
  readonly carried: ReadonlySet<Value>;
  readonly bindings: ReadonlyMap<Value, Value>;
}

class Products {
  readonly #inner: GraphBuilder;
  readonly #step: Graph;
  readonly #context: Context;
  readonly #uses: ReadonlyMap<Value, number>;
  readonly #makers: ReadonlyMap<Value, Node>;
  /** By the value of the old graph that a product stands for. */
  readonly #products: Map<Value, Product> = new Map();

  constructor(inner: GraphBuilder, step: Graph, context: Context) {
    this.#inner = inner;
    this.#step = step;
    this.#context = context;
    this.#uses = usesOf(step);
    this.#makers = new Map(step.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  }

  rewrite(node: Node): readonly Value[] | undefined {
    const { carried } = this.#context;
    if (!isOp(node, 'Mul')) return undefined;
    const [left, right] = node.inputs as readonly [Value, Value];
    if (carried.has(left) === carried.has(right)) return undefined;
    const [gradient, factor] = carried.has(left) ? [left, right] : [right, left];
    const before = this.#uses.get(gradient) === 1 ? this.#products.get(gradient) : undefined;
    const product: Product =
      before === undefined
        ? { gradient: this.#mapped(gradient), factor: this.#mapped(factor), original: factor }
        : { gradient: before.gradient, factor: this.#times(before, factor) };
    this.#products.set(node.outputs[0] as Value, product);
    return [this.#inner.op('Mul', [product.gradient, product.factor])];
  }

  /** `k·y·(1 − y)` as `p − p·y` and `k·(1 − y²)` as `k − p·y`, where there is a `p = k·y`. */
  #times({ factor, original }: Product, slope: Value): Value {
    const found = this.#slopeOf(slope);
    const made = found === undefined || original === undefined ? undefined : this.#productOf(original, found.of);
    if (found === undefined || made === undefined) return this.#inner.op('Mul', [factor, this.#mapped(slope)]);
    const p = this.#mapped(made);
    const less = this.#inner.op('Mul', [p, this.#mapped(found.of)]);
    return this.#inner.op('Sub', [found.kind === 'sigmoid' ? p : factor, less]);
  }

  /** The forward value that is the product of two, if there is one. */
  #productOf(a: Value, b: Value): Value | undefined {
    const isIt = (node: Node): boolean => isOp(node, 'Mul') && node.inputs.includes(a) && node.inputs.includes(b);
    return this.#step.nodes.find((node) => isIt(node) && !this.#context.carried.has(node.outputs[0] as Value))
      ?.outputs[0];
  }

  /** Recognizes `y·(1 − y)` and `1 − y·y`. */
  #slopeOf(value: Value): { readonly kind: 'sigmoid' | 'tanh'; readonly of: Value } | undefined {
    const node = this.#makers.get(value);
    if (node === undefined) return undefined;
    if (isOp(node, 'Mul')) {
      const [a, b] = node.inputs as readonly [Value, Value];
      if (this.#complementOf(b) === a) return { kind: 'sigmoid', of: a };
      return this.#complementOf(a) === b ? { kind: 'sigmoid', of: b } : undefined;
    }
    const square = this.#complementOf(value);
    const squaring = square === undefined ? undefined : this.#makers.get(square);
    if (squaring === undefined || !isOp(squaring, 'Mul') || squaring.inputs[0] !== squaring.inputs[1]) return undefined;
    return { kind: 'tanh', of: squaring.inputs[0] as Value };
  }

  /** `x` of `1 − x`. */
  #complementOf(value: Value): Value | undefined {
    const node = this.#makers.get(value);
    if (node === undefined || !isOp(node, 'Sub')) return undefined;
    const one = this.#step.constants.get(node.inputs[0] as Value);
    return one?.elementCount === 1 && one.data[0] === 1 ? node.inputs[1] : undefined;
  }

  #mapped(value: Value): Value {
    const held = this.#step.constants.get(value);
    return this.#context.bindings.get(value) ?? (held === undefined ? value : this.#inner.constant(held));
  }
}

function isOp(node: Node, op: string): boolean {
  return node.op === op && node.domain === '';
}

function usesOf(graph: Graph): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => void uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const node of graph.nodes) valuesReadBy(node).forEach(use);
  for (const { value } of graph.outputs) use(value);
  return uses;
}
