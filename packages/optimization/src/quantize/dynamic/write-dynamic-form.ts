import {
  type AttributeKind,
  type Graph,
  type GraphBuilder,
  type Node,
  type NodeOptions,
  onnxDataType,
  type Value,
} from '@modelwright/core';
import { replaceNodes } from '../replace-nodes.js';
import type { QuantizationScheme } from '../scheme.js';
import { IntegerWeights } from './integer-weights.js';
import type { DynamicPlan, WeightUse } from './plan.js';

export interface DynamicFormOptions {
  readonly scheme: Pick<QuantizationScheme, 'weight' | 'reduceRange' | 'perChannel'>;
  readonly weightRange: 'max' | 'mse';
  /** `runtime`: LSTMs as ONNX Runtime's own `DynamicQuantizeLSTM`; `standard`: float ops behind integer weights, which any runtime knows. */
  readonly recurrent: 'runtime' | 'standard';
}

/** Writes a plan into the graph: weights as integers under their names, and around them what computes with those. */
export function writeDynamicForm(graph: Graph, plan: DynamicPlan, options: DynamicFormOptions): Graph {
  return replaceNodes(graph, plan.values, (builder) => {
    const writer = new DynamicFormWriter(builder, options);
    return (node, inputs) => {
      const uses = plan.uses.get(node);
      return uses && builder.scoped({ name: node.name }, () => writer.write(node, uses, inputs));
    };
  });
}

type Inputs = readonly (Value | undefined)[];

/** A value rounded when it is known. */
interface DynamicValue {
  readonly q: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

class DynamicFormWriter {
  readonly #builder: GraphBuilder;
  readonly #options: DynamicFormOptions;
  readonly #weights: IntegerWeights;
  readonly #rounded: Map<Value, DynamicValue> = new Map();

  constructor(builder: GraphBuilder, options: DynamicFormOptions) {
    this.#builder = builder;
    this.#options = options;
    this.#weights = new IntegerWeights(builder, options.scheme, options.weightRange);
  }

  write(node: Node, uses: readonly WeightUse[], inputs: Inputs): Inputs {
    const [use] = uses as readonly [WeightUse];
    if (node.op === 'Gather') return [this.#gathered(use, inputs)];
    if (node.op === 'MatMul') return [this.#product(use, inputs[0] as Value, { named: namedLike(node) })];
    if (node.op === 'Gemm') return [this.#affine(use, inputs)];
    return this.#recurrent(node, uses, inputs);
  }

  #round(x: Value): DynamicValue {
    const known = this.#rounded.get(x);
    if (known !== undefined) return known;
    const [q, scale, zeroPoint] = this.#builder.node('DynamicQuantizeLinear', [x], {}, { outputs: 3 }) as readonly [
      Value,
      Value,
      Value,
    ];
    const rounded = { q, scale, zeroPoint };
    this.#rounded.set(x, rounded);
    return rounded;
  }

  // y = float(x_q·w_q)·(scale_x·scale_w): the form that ONNX Runtime makes one DynamicQuantizeMatMul of
  #product(
    { value, weight, axis, isTransposed, node }: WeightUse,
    x: Value,
    { factor = 1, named = {} }: { factor?: number; named?: NodeOptions },
  ): Value {
    const builder = this.#builder;
    const integer = this.#weights.of(value, weight, axis);
    const swapped = isTransposed || (node.op === 'Gemm' && node.attributes['transB'] === 1);
    const w = swapped ? builder.op('Transpose', [integer.q], { perm: [1, 0] }) : integer.q;
    const rounded = this.#round(x);
    const zeroPoints =
      integer.parameters.zeroPoint !== 0 ? [rounded.zeroPoint, integer.zeroPoint] : [rounded.zeroPoint];
    const sums = builder.op('MatMulInteger', [rounded.q, w, ...zeroPoints]);
    const float = builder.op('Cast', [sums], { to: onnxDataType('float32') });
    const scale = builder.op('Mul', [rounded.scale, integer.scale]);
    if (factor === 1) return builder.op('Mul', [float, scale], {}, named);
    return builder.op('Mul', [builder.op('Mul', [float, scale]), builder.scalar(factor, 'float32')], {}, named);
  }

  // y = alpha·x·w + beta·c
  #affine(use: WeightUse, [x, , c]: Inputs): Value {
    const { alpha = 1, beta = 1 } = use.node.attributes as { alpha?: number; beta?: number };
    const named = namedLike(use.node);
    if (c === undefined || beta === 0) return this.#product(use, x as Value, { factor: alpha, named });
    const y = this.#product(use, x as Value, { factor: alpha });
    const bias = beta === 1 ? c : this.#builder.op('Mul', [c, this.#builder.scalar(beta, c.dtype)]);
    return this.#builder.op('Add', [y, bias], {}, named);
  }

  // Not DequantizeLinear: ONNX Runtime carries it through what follows and mixes up int8 and uint8 there.
  #gathered({ value, weight, axis, node }: WeightUse, [, indices]: Inputs): Value {
    const builder = this.#builder;
    const { q, scale, parameters } = this.#weights.of(value, weight, axis);
    const rows = builder.op('Gather', [q, indices as Value], { axis: 0 });
    const float = builder.op('Cast', [rows], { to: onnxDataType('float32') });
    const { zeroPoint } = parameters;
    const centred = zeroPoint === 0 ? float : builder.op('Sub', [float, builder.scalar(zeroPoint, 'float32')]);
    return builder.op('Mul', [centred, this.#rowScales(scale, indices as Value)], {}, namedLike(node));
  }

  #rowScales(scale: Value, indices: Value): Value {
    if (scale.shape.length === 0) return scale;
    const scales = this.#builder.op('Gather', [scale, indices], { axis: 0 });
    return this.#builder.op('Unsqueeze', [scales, this.#builder.integers([-1])]);
  }

  #recurrent(node: Node, uses: readonly WeightUse[], inputs: Inputs): Inputs {
    const hasBoth = uses.some(({ input }) => input === 1) && uses.some(({ input }) => input === 2);
    const isFused =
      node.op === 'LSTM' && this.#options.recurrent === 'runtime' && hasBoth && (node.attributes['layout'] ?? 0) === 0;
    return isFused ? this.#fusedLstm(node, uses, inputs) : this.#standardRecurrent(node, uses, inputs);
  }

  /** The op itself on weights that are made float again: smaller, not faster. */
  #standardRecurrent(node: Node, uses: readonly WeightUse[], inputs: Inputs): Inputs {
    const restored = inputs.map((input, index) => {
      const use = uses.find((each) => each.input === index);
      if (use === undefined) return input;
      const { q, scale, zeroPoint, parameters } = this.#weights.of(use.value, use.weight, use.axis);
      const attributes = parameters.axis === undefined ? {} : { axis: parameters.axis };
      return this.#builder.op('DequantizeLinear', [q, scale, zeroPoint], attributes);
    });
    return this.#builder.anyNode({ ...node, inputs: restored }, node.outputs, { nodeName: node.name });
  }

  /** `(X, W, R, B, sequence_lens, h, c, P, scale_w, zero_w, scale_r, zero_r)`, weights `[directions, inputs, gates]`. */
  #fusedLstm(node: Node, uses: readonly WeightUse[], inputs: Inputs): Inputs {
    const builder = this.#builder;
    const parts = [1, 2].map((input) => {
      const { value, weight, axis } = uses.find((use) => use.input === input) as WeightUse;
      const { q, scale, zeroPoint, parameters } = this.#weights.of(value, weight, axis);
      const directions = weight.shape[0] as number;
      // Both directions share the scale of a gate's row.
      const spread = (each: Value): Value => {
        const shape = builder.integers(
          parameters.axis === undefined ? [directions] : [directions, weight.shape[axis] as number],
        );
        return builder.op('Expand', [each, shape]);
      };
      return {
        q: builder.op('Transpose', [q], { perm: [0, 2, 1] }),
        scale: spread(scale),
        zeroPoint: spread(zeroPoint),
      };
    });
    const [w, r] = parts as [(typeof parts)[number], (typeof parts)[number]];
    const rest = [3, 4, 5, 6, 7].map((index) => inputs[index]);
    const { layout: _, ...attributes } = node.attributes;
    const kinds = Object.fromEntries(Object.keys(attributes).map((name) => [name, lstmAttributes[name] ?? 'int']));
    return builder.foreign({
      op: 'DynamicQuantizeLSTM',
      domain: 'com.microsoft',
      inputs: [inputs[0], w.q, r.q, ...rest, w.scale, w.zeroPoint, r.scale, r.zeroPoint],
      attributes: {
        ...attributes,
        hidden_size: attributes['hidden_size'] ?? ((inputs[2] as Value).shape[2] as number),
      },
      attributeKinds: kinds,
      outputs: node.outputs,
      nodeName: node.name,
      outputNames: node.outputs.map(({ name }) => name),
    });
  }
}

/** Results keep the names by which a model may know them. */
function namedLike({ outputs: [output] }: Node): NodeOptions {
  return output === undefined ? {} : { name: output.name };
}

const lstmAttributes: { readonly [name: string]: AttributeKind } = {
  activations: 'strings',
  activation_alpha: 'floats',
  activation_beta: 'floats',
  clip: 'float',
  direction: 'string',
};
