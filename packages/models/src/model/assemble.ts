import {
  castTensor,
  type DType,
  deferredTensor,
  fromNumbers,
  GraphBuilder,
  type LayerInfo,
  type ModelLoss,
  type ModelState,
  ModelwrightError,
  type Parameter,
  sameShape,
  Tensor,
  type Value,
  zeros,
} from '@modelwright/core';
import { fansOf, initializerOf } from '../initializers/initializer.js';
import { createRandom } from '../initializers/random.js';
import type { Layer, LayerContext, LayerState, StateRequest, WeightRequest } from '../layer.js';
import type { Application, SymbolicTensor } from '../symbolic-tensor.js';
import { constraintOf } from '../weights/constraints.js';
import { type KerasLayout, storedAxes, toStored } from '../weights/keras-layout.js';
import { regularizerOf } from '../weights/regularizers.js';
import { layerContext } from './layer-context.js';
import { orderLayers } from './layer-order.js';
import { buildLayer, buildMasks } from './trace.js';
import { UniqueNames } from './unique-names.js';

/** A symbolic tensor and the name it has in the model. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: SymbolicTensor;
}

export interface AssemblyRequest {
  readonly name: string;
  readonly seed: number;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}

/** Everything a model is made of. */
export interface Assembly {
  readonly graph: ReturnType<GraphBuilder['build']>;
  readonly parameters: readonly Parameter[];
  readonly layouts: ReadonlyMap<string, KerasLayout>;
  readonly layers: readonly LayerInfo[];
  readonly states: readonly ModelState[];
  readonly outputMasks: ReadonlyMap<string, Value>;
  readonly losses: readonly ModelLoss[];
}

/** Builds the graph of all layers between inputs and outputs, in Keras's order of layers and weights. */
export function assemble(request: AssemblyRequest): Assembly {
  const order = orderLayers(request.outputs.map(({ tensor }) => tensor));
  const assembler = new Assembler(request, order.layers);
  for (const application of order.applications) assembler.add(application);
  return assembler.finish(request.outputs);
}

interface BuiltLayer {
  readonly path: string;
  readonly weights: Map<string, Value>;
  readonly parameters: Parameter[];
  readonly states: Map<string, ModelState>;
  readonly info: {
    readonly name: string;
    readonly kind: string;
    readonly outputShape: Value['shape'];
    readonly parameters: string[];
    readonly inputs: string[];
  };
}

class Assembler {
  readonly #builder: GraphBuilder;
  readonly #seed: number;
  readonly #values: Map<SymbolicTensor, Value> = new Map();
  /** Layer or input that a tensor comes from, for the summary. */
  readonly #sources: Map<SymbolicTensor, string> = new Map();
  readonly #layers: Map<Layer, BuiltLayer> = new Map();
  /** What each application was built with: masks are made later, and only where something reads them. */
  readonly #contexts: Map<Application, { readonly context: LayerContext; readonly inputs: readonly Value[] }> =
    new Map();
  readonly #names: UniqueNames;
  readonly #order: readonly Layer[];
  readonly #layouts: Map<string, KerasLayout> = new Map();
  readonly #inputInfos: LayerInfo[] = [];
  readonly #losses: ModelLoss[] = [];

  constructor({ name, seed, inputs }: AssemblyRequest, layers: readonly Layer[]) {
    this.#builder = new GraphBuilder(name);
    this.#seed = seed;
    for (const input of inputs) {
      const { dtype, shape } = input.tensor;
      const value = this.#builder.input(input.name, dtype, shape);
      this.#values.set(input.tensor, value);
      this.#sources.set(input.tensor, input.name);
      this.#inputInfos.push({ name: input.name, kind: 'input', outputShape: shape, parameters: [], inputs: [] });
    }
    this.#order = layers;
    this.#names = new UniqueNames(layers);
  }

  add(application: Application): void {
    const { layer } = application;
    const built = this.#layers.get(layer) ?? this.#begin(layer, application);
    const inputs = application.inputs.map((tensor) => this.#valueOf(tensor, built.path));
    const context = layerContext({
      definition: layer.definition,
      path: built.path,
      builder: this.#builder,
      masks: () => application.inputs.map(({ mask }) => (mask === undefined ? mask : this.#valueOf(mask, built.path))),
      weight: (request, layout) => this.#weight(layer, built, { request, layout }),
      state: (request) => this.#state(built, request),
      loss: (name, value) => this.#addLoss(`${built.path}.${name}`, value),
    });
    this.#contexts.set(application, { context, inputs });
    const outputs = buildLayer(layer.definition, context, inputs);
    application.outputs.forEach((tensor, index) => {
      this.#values.set(tensor, outputs[index] as Value);
      this.#sources.set(tensor, built.path);
    });
    built.info.inputs.push(...application.inputs.map((tensor) => this.#sources.get(tensor) as string));
  }

  finish(outputs: readonly NamedTensor[]): Assembly {
    const outputMasks = new Map<string, Value>();
    for (const { name, tensor } of outputs) {
      this.#builder.output(name, this.#valueOf(tensor, name));
      if (tensor.mask !== undefined) outputMasks.set(name, this.#valueOf(tensor.mask, name));
    }
    const built = this.#order.map((layer) => this.#layers.get(layer) as BuiltLayer);
    return {
      graph: this.#builder.build(),
      parameters: built.flatMap(({ parameters }) => parameters),
      layouts: this.#layouts,
      layers: [...this.#inputInfos, ...built.map(({ info }) => info)],
      states: built.flatMap(({ states }) => [...states.values()]),
      outputMasks,
      losses: this.#losses,
    };
  }

  #begin(layer: Layer, application: Application): BuiltLayer {
    const path = this.#names.of(layer);
    const [first] = application.outputs;
    const info = {
      name: path,
      kind: layer.definition.kind,
      outputShape: first?.shape ?? [],
      parameters: [],
      inputs: [],
    };
    const built: BuiltLayer = { path, weights: new Map(), parameters: [], states: new Map(), info };
    this.#layers.set(layer, built);
    return built;
  }

  #valueOf(tensor: SymbolicTensor, where: string): Value {
    const value = this.#values.get(tensor) ?? this.#maskOf(tensor);
    if (value !== undefined) return value;
    throw new ModelwrightError(
      'invalid-argument',
      `'${where}' depends on an input that is not among the model's inputs (shape [${tensor.shape.join(',')}])`,
      { layer: where },
    );
  }

  #maskOf(tensor: SymbolicTensor): Value | undefined {
    if (!('application' in tensor.origin)) return undefined;
    const { application, index } = tensor.origin;
    const built = this.#contexts.get(application);
    if (built === undefined) return undefined;
    const masks = buildMasks(application.layer.definition, built.context, built.inputs);
    application.outputs.forEach(({ mask }, output) => {
      const value = masks[output];
      if (mask !== undefined && value !== undefined) this.#values.set(mask, value);
    });
    return masks[index - application.outputs.length];
  }

  #state({ path, states }: BuiltLayer, { name, dtype, shape, initial }: StateRequest): LayerState {
    // What a shared layer leaves behind in one place is what it begins with in the next.
    const before = states.get(name);
    const fullName = `${path}.${name}`;
    const value = before?.value ?? this.#builder.constant(initial ?? zeros(dtype, shape), { name: fullName });
    return {
      value: before?.next ?? value,
      update: (next) => states.set(name, { name: fullName, value, next }),
    };
  }

  // A layer that is applied several times adds its loss each time.
  #addLoss(name: string, value: Value): void {
    const taken = new Set(this.#losses.map((loss) => loss.name));
    let unique = name;
    for (let count = 1; taken.has(unique); count++) unique = `${name}_${count}`;
    this.#losses.push({ name: unique, value });
  }

  #weight(
    layer: Layer,
    built: BuiltLayer,
    { request, layout }: { request: WeightRequest; layout: KerasLayout },
  ): Value {
    const existing = built.weights.get(request.name);
    if (existing !== undefined) return this.#shared(existing, built, layout);
    const name = `${built.path}.${request.name}`;
    const value = this.#builder.constant(this.#initialValue(name, request, layout), { name });
    built.weights.set(request.name, value);
    built.info.parameters.push(name);
    this.#layouts.set(name, layout);
    const trainable =
      (layer.definition.options.trainable ?? true) && (request.trainable ?? true) && request.role !== 'statistic';
    built.parameters.push({ name, value, trainable, role: request.role ?? 'weight', ...extrasOf(request, layout) });
    return value;
  }

  #shared(existing: Value, { path, info }: BuiltLayer, layout: KerasLayout): Value {
    if (sameShape(existing.shape, layout.stored)) return existing;
    throw new ModelwrightError(
      'shape-mismatch',
      `${info.kind} '${path}' is shared, but its uses need weights of different shapes: [${existing.shape}] and [${layout.stored}]`,
      { layer: path, given: layout.stored, allowed: existing.shape },
    );
  }

  #initialValue(name: string, request: WeightRequest, layout: KerasLayout): Tensor {
    const { shape, dtype = 'float32' } = request;
    const seed = this.#seed;
    const initializer = initializerOf(request.initializer);
    const draw = (): ArrayLike<number> | Tensor =>
      initializer(shape, { random: createRandom(seed, name), ...fansOf(shape) });
    if (initializer.deferred) return deferredWeight({ draw, dtype, layout });
    const given = draw();
    const tensor = given instanceof Tensor ? castTensor(given, dtype) : fromNumbers(dtype, shape, given);
    if (sameShape(tensor.shape, shape)) return toStored(tensor, layout);
    throw new ModelwrightError(
      'shape-mismatch',
      `the initializer of '${name}' gave [${tensor.shape}], [${shape}] is needed`,
      {
        given: tensor.shape,
        allowed: shape,
      },
    );
  }
}

function deferredWeight(request: {
  readonly draw: () => ArrayLike<number> | Tensor;
  readonly dtype: DType;
  readonly layout: KerasLayout;
}): Tensor {
  const { draw, dtype, layout } = request;
  return deferredTensor(dtype, layout.stored, () => {
    const given = draw();
    const tensor = given instanceof Tensor ? castTensor(given, dtype) : fromNumbers(dtype, layout.keras, given);
    return toStored(tensor, layout).data;
  });
}

function extrasOf({ regularizer, constraint }: WeightRequest, layout: KerasLayout): Partial<Parameter> {
  const held = constraint === undefined ? undefined : constraintOf(constraint);
  return {
    ...(regularizer === undefined ? {} : { regularizer: regularizerOf(regularizer) }),
    ...(held === undefined
      ? {}
      : { constraint: 'axes' in held ? { ...held, axes: storedAxes(held.axes, layout) } : held }),
  };
}
