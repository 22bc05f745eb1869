import { ModelwrightError } from './errors.js';
import type { Graph, Value } from './graph/graph.js';
import type { Program } from './program.js';
import { sameShape } from './tensor/shape.js';
import { castTensor, type Tensor, type TensorMap } from './tensor/tensor.js';

/** Penalty on a weight that training adds to the loss: `l1·Σ|w| + l2·Σw²`, or an orthogonality term. */
export interface Regularizer {
  readonly l1?: number;
  readonly l2?: number;
  readonly orthogonal?: number;
}

/** What a weight is held to after each update; axes as in Keras, on the stored layout. */
export type Constraint =
  | { readonly kind: 'nonNeg' }
  | { readonly kind: 'maxNorm'; readonly maxValue: number; readonly axes: readonly number[] }
  | { readonly kind: 'unitNorm'; readonly axes: readonly number[] }
  | {
      readonly kind: 'minMaxNorm';
      readonly minValue: number;
      readonly maxValue: number;
      readonly rate: number;
      readonly axes: readonly number[];
    };

/** A named constant of a model's graph that training may change. */
export interface Parameter {
  /** Layer path and weight: `stem.conv.kernel`. */
  readonly name: string;
  /** Key into the graph's constants. */
  readonly value: Value;
  readonly trainable: boolean;
  /** `statistic`: running mean or variance, updated by the forward pass of training, never by gradients. */
  readonly role: 'weight' | 'statistic';
  readonly regularizer?: Regularizer;
  readonly constraint?: Constraint;
}

/** One row of a model's summary. */
export interface LayerInfo {
  readonly name: string;
  /** `conv2d` */
  readonly kind: string;
  readonly outputShape: readonly (number | string)[];
  /** Names of the parameters it owns. */
  readonly parameters: readonly string[];
  /** Names of the layers (or inputs) it reads. */
  readonly inputs: readonly string[];
}

/** Something a model remembers from run to run: the last state of a `stateful` recurrent layer. */
export interface ModelState {
  /** Layer path and state: `lstm.state_0`. */
  readonly name: string;
  /** Key into the graph's constants: the state before the first run, and after a reset. */
  readonly value: Value;
  /** The value of the graph that becomes the state of the next run. */
  readonly next: Value;
}

/** What a model itself adds to the loss that it is trained for: a KL divergence, say. */
export interface ModelLoss {
  /** Layer path and loss: `latent.klDivergence`; the name in logs. */
  readonly name: string;
  /** A floating value of the model's graph. Its mean counts: one number, or one for each example `[batch, …]`. */
  readonly value: Value;
}

export interface ModelParts {
  readonly name: string;
  readonly graph: Graph;
  readonly parameters: readonly Parameter[];
  readonly layers?: readonly LayerInfo[];
  /** What the model remembers from run to run. Default nothing. */
  readonly states?: readonly ModelState[];
  /**
   * By output name: the bool value `[batch, steps]` of the graph that says which steps of the output count. Training and
   * evaluation weigh losses and metrics by it. Default all count.
   */
  readonly outputMasks?: ReadonlyMap<string, Value>;
  /** Terms that training and evaluation add to the loss. Default none. */
  readonly losses?: readonly ModelLoss[];
  readonly metadata?: { readonly [key: string]: string };
}

/**
 * A network as data: a forward graph whose weights are named constants. The graph is in its authored form: `Dropout` and
 * `BatchNormalization` stand once, the passes `toTraining` and `toInference` give each mode its own.
 */
export class Model {
  readonly name: string;
  readonly metadata: { readonly [key: string]: string };
  readonly layers: readonly LayerInfo[];
  readonly states: readonly ModelState[];
  readonly outputMasks: ReadonlyMap<string, Value>;
  readonly losses: readonly ModelLoss[];
  #graph: Graph;
  #parameters: readonly Parameter[];

  constructor(parts: ModelParts) {
    this.name = parts.name;
    this.#graph = parts.graph;
    this.#parameters = parts.parameters;
    this.layers = parts.layers ?? [];
    this.metadata = parts.metadata ?? {};
    this.states = parts.states ?? [];
    this.outputMasks = parts.outputMasks ?? new Map();
    this.losses = parts.losses ?? [];
    for (const { name, value } of parts.parameters) requireConstant(parts, `parameter '${name}'`, value);
    for (const { name, value } of this.states) requireConstant(parts, `state '${name}'`, value);
  }

  /** The forward graph with the current weights. */
  get graph(): Graph {
    return this.#graph;
  }

  get parameters(): readonly Parameter[] {
    return this.#parameters;
  }

  /** Number of elements of all parameters. */
  get parameterCount(): number {
    return this.#parameters.reduce((sum, parameter) => sum + this.weightOf(parameter).elementCount, 0);
  }

  /** The current value of a parameter. Do not write into it; use {@link setWeights}. */
  weightOf(parameter: Parameter): Tensor {
    return this.#graph.constants.get(parameter.value) as Tensor;
  }

  /** All weights by name, in layer order. */
  getWeights(): TensorMap {
    return Object.fromEntries(this.#parameters.map((parameter) => [parameter.name, this.weightOf(parameter)]));
  }

  /**
   * Replaces weights by name; those not named stay.
   *
   * @throws {@link ModelwrightError} `invalid-argument` for an unknown name, `shape-mismatch` for a wrong shape; then nothing is changed.
   */
  setWeights(weights: TensorMap): void {
    const constants = new Map(this.#graph.constants);
    for (const [name, weight] of Object.entries(weights)) {
      const parameter = this.#parameter(name);
      if (!sameShape(weight.shape, parameter.value.shape)) {
        throw new ModelwrightError(
          'shape-mismatch',
          `weight '${name}' has shape [${parameter.value.shape}], [${weight.shape}] was given`,
          {
            given: weight.shape,
            allowed: parameter.value.shape,
          },
        );
      }
      constants.set(parameter.value, castTensor(weight, parameter.value.dtype));
    }
    this.#graph = { ...this.#graph, constants };
  }

  /** Marks parameters (all whose name equals or lies under `path`) as trainable or frozen. */
  setTrainable(path: string, trainable: boolean): void {
    const matches = (name: string): boolean => path === '' || name === path || name.startsWith(`${path}.`);
    if (!this.#parameters.some(({ name }) => matches(name))) this.#parameter(path);
    this.#parameters = this.#parameters.map((parameter) =>
      matches(parameter.name) ? { ...parameter, trainable } : parameter,
    );
  }

  #parameter(name: string): Parameter {
    const found = this.#parameters.find((parameter) => parameter.name === name);
    if (found !== undefined) return found;
    const allowed = this.#parameters.map((parameter) => parameter.name);
    throw new ModelwrightError(
      'invalid-argument',
      `model '${this.name}' has no weight '${name}'; it has: ${allowed.join(', ') || 'none'}`,
      {
        given: name,
        allowed,
      },
    );
  }
}

function requireConstant({ name, graph }: ModelParts, what: string, value: Value): void {
  if (graph.constants.has(value)) return;
  throw new ModelwrightError('invalid-model', `${what} of model '${name}' is no constant of its graph`, {
    given: value.name,
  });
}

/** The values that a model's states begin with, by name. */
export function initialStates(model: Model): TensorMap {
  return Object.fromEntries(model.states.map(({ name, value }) => [name, model.graph.constants.get(value) as Tensor]));
}

/** Name of the output that gives a state's next value, where states are exposed. */
export const nextStateName = (state: string): string => `${state}.next`;

/**
 * The model without a memory: its states become inputs, named after them, and their next values outputs, `<state>.next`. So a
 * file of it can be stepped by any runtime, which feeds back what it got; {@link initialStates} are what to begin with.
 *
 * @example
 * const { bytes } = writeOnnx(exposeStates(model)); // lstm.state_0 → lstm.state_0.next
 */
export function exposeStates(model: Model): Model {
  const { name, graph, states, parameters, layers, outputMasks, losses, metadata } = model;
  if (states.length === 0) return model;
  const constants = new Map(graph.constants);
  for (const { value } of states) constants.delete(value);
  return new Model({
    name,
    parameters,
    layers,
    outputMasks,
    losses,
    metadata,
    graph: {
      ...graph,
      inputs: [...graph.inputs, ...states.map(({ value }) => value)],
      outputs: [...graph.outputs, ...states.map((state) => ({ name: nextStateName(state.name), value: state.next }))],
      constants,
    },
  });
}

/** A graph that runs as it stands, without state. */
export function statelessProgram(graph: Graph): Program {
  return { graph, state: [] };
}
