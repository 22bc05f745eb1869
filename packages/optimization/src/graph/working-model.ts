import {
  type Graph,
  type GraphOutput,
  type LayerInfo,
  Model,
  type ModelState,
  ModelwrightError,
  type Parameter,
  type Pass,
  removeDeadNodes,
  substituteValues,
  type Tensor,
  type Value,
} from '@modelwright/core';
import { GraphEditor } from './graph-editor.js';

/** A parameter as a rewrite finds or makes it: the constant of the graph may be another one by the end. */
type Origin = Omit<Parameter, 'value'> & { readonly place: number };

/**
 * A model under rewriting. Its states stand as inputs, and whatever a model reads off its graph besides the outputs is an output,
 * so that no pass can lose it; constants remember the parameter that they were made of.
 */
export class WorkingModel {
  readonly #model: Model;
  readonly #origins: Map<Value, Origin> = new Map();
  /** What a constant that replaces another was called at first. */
  readonly #firstNames: Map<Value, string> = new Map();
  #graph: Graph;
  #outputCount: number;
  /** Layers that have been given a weight: the new one by the one it stands next to. */
  readonly #added: Map<string, string[]> = new Map();

  constructor(model: Model) {
    this.#model = model;
    model.parameters.forEach(({ value, ...rest }, place) => {
      this.#origins.set(value, { ...rest, place });
    });
    this.#graph = pinned(model);
    this.#outputCount = model.graph.outputs.length;
  }

  get graph(): Graph {
    return this.#graph;
  }

  /** The parameter that a constant stands for. */
  originOf(value: Value): Origin | undefined {
    return this.#origins.get(value);
  }

  /**
   * Gives up all outputs but those named.
   *
   * @throws {@link ModelwrightError} `invalid-argument` for a name that is no output's.
   */
  keepOutputs(names: readonly string[]): void {
    const declared = this.#graph.outputs.slice(0, this.#outputCount);
    const allowed = declared.map(({ name }) => name);
    const unknown = names.find((name) => !allowed.includes(name));
    if (unknown !== undefined || names.length === 0) {
      throw new ModelwrightError(
        'invalid-argument',
        `model '${this.#model.name}' has no output '${unknown ?? ''}'; it has: ${allowed.join(', ')}`,
        { given: unknown, allowed },
      );
    }
    const kept = declared.filter(({ name }) => names.includes(name));
    this.#graph = removeDeadNodes.run({
      ...this.#graph,
      outputs: [...kept, ...this.#graph.outputs.slice(this.#outputCount)],
    });
    this.#outputCount = kept.length;
  }

  /** Runs a pass that knows no parameters: to it they are inputs, which it can neither fold nor merge. */
  run(pass: Pass, hides: (value: Value, tensor: Tensor) => boolean = () => false): void {
    const graph = this.#graph;
    const hidden = [...graph.constants].filter(([value, tensor]) => this.#origins.has(value) || hides(value, tensor));
    const constants = new Map(graph.constants);
    for (const [value] of hidden) constants.delete(value);
    const inputs = [...graph.inputs, ...hidden.map(([value]) => value)];
    const result = pass.run({ ...graph, inputs, constants });
    const shown = new Map(result.constants);
    hidden.forEach(([value, tensor], index) => {
      const now = result.inputs[graph.inputs.length + index] as Value;
      shown.set(now, tensor);
      const origin = this.#origins.get(value);
      if (origin !== undefined) this.#origins.set(now, origin);
      const first = this.#firstNames.get(value);
      if (first !== undefined) this.#firstNames.set(now, first);
    });
    this.#graph = { ...result, inputs: result.inputs.slice(0, graph.inputs.length), constants: shown };
  }

  /** Lets `edit` change the graph and the bodies in it. @returns how many changes it made. */
  edit(edit: (editor: GraphEditor) => void): number {
    const editor = new GraphEditor(this.#graph);
    editor.editAll(edit);
    if (editor.changes > 0) this.#graph = removeDeadNodes.run(editor.build());
    return editor.changes;
  }

  /** A constant in the place of another: the parameter it was, with new numbers or in another form. */
  derive(editor: GraphEditor, from: Value, tensor: Tensor): Value {
    const name = this.#firstNames.get(from) ?? from.name;
    const value = editor.addConstant(name, tensor);
    this.#firstNames.set(value, name);
    const origin = this.#origins.get(from);
    if (origin === undefined) return value;
    // What a constraint says of axes and norms holds for the weight as it was.
    const { constraint: _, ...rest } = origin;
    this.#origins.set(value, rest);
    return value;
  }

  /** A new weight next to one there is: the bias of a layer that had none. */
  addBeside(
    editor: GraphEditor,
    sibling: Value,
    { name, tensor }: { readonly name: string; readonly tensor: Tensor },
  ): Value {
    const wanted = siblingName(this.#firstNames.get(sibling) ?? sibling.name, name);
    const value = editor.addConstant(wanted, tensor);
    this.#firstNames.set(value, wanted);
    const origin = this.#origins.get(sibling);
    if (origin === undefined) return value;
    const full = siblingName(origin.name, name);
    this.#origins.set(value, {
      name: full,
      trainable: origin.trainable,
      role: 'weight',
      place: origin.place + 0.5,
    });
    this.#added.set(origin.name, [...(this.#added.get(origin.name) ?? []), full]);
    return value;
  }

  /** The model as it is now. */
  finish(): Model {
    const { graph, parameters } = this.#named();
    const { name, metadata } = this.#model;
    const states = this.#model.states;
    const masks = [...this.#model.outputMasks.keys()];
    const count = this.#outputCount;
    const extra = graph.outputs.slice(count).map(({ value }) => value);
    const begins = graph.inputs.slice(this.#model.graph.inputs.length);
    const constants = new Map(graph.constants);
    begins.forEach((value, index) => {
      constants.set(value, this.#model.graph.constants.get((states[index] as ModelState).value) as Tensor);
    });
    return new Model({
      name,
      metadata,
      graph: {
        ...graph,
        constants,
        inputs: graph.inputs.slice(0, this.#model.graph.inputs.length),
        outputs: graph.outputs.slice(0, count),
      },
      parameters,
      layers: this.#layers(new Set(parameters.map((parameter) => parameter.name))),
      states: states.map((state, index) => ({
        name: state.name,
        value: begins[index] as Value,
        next: extra[index] as Value,
      })),
      outputMasks: new Map(masks.map((mask, index) => [mask, extra[states.length + index] as Value])),
      losses: this.#model.losses.map((loss, index) => ({
        name: loss.name,
        value: extra[states.length + masks.length + index] as Value,
      })),
    });
  }

  /** The live graph and its parameters; each parameter's constant has the name that it had at first. */
  #named(): { readonly graph: Graph; readonly parameters: readonly Parameter[] } {
    const graph = removeDeadNodes.run(this.#graph);
    const live = [...graph.constants.keys()].flatMap((value) => {
      const origin = this.#origins.get(value);
      return origin === undefined ? [] : [{ value, origin }];
    });
    live.sort((a, b) => a.origin.place - b.origin.place);
    const names = new Set<string>();
    const parameters = live.map(({ value, origin: { place: _, ...rest } }): Parameter => {
      const name = free(rest.name, names);
      return { ...rest, name, value };
    });
    return this.#renamed(graph, parameters);
  }

  #renamed(
    graph: Graph,
    parameters: readonly Parameter[],
  ): { readonly graph: Graph; readonly parameters: readonly Parameter[] } {
    const taken = new Set([...graph.inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)].map(({ name }) => name));
    const own = new Set(parameters.map(({ value }) => value));
    for (const value of graph.constants.keys()) if (!own.has(value)) taken.add(value.name);
    const firstNames = new Map(this.#model.parameters.map(({ name, value }) => [name, value.name]));
    const replacements = new Map<Value, Value>();
    const named = parameters.map((parameter) => {
      const first = firstNames.get(parameter.name) ?? this.#firstNames.get(parameter.value);
      const name = free(first ?? parameter.value.name, taken);
      if (name === parameter.value.name) return parameter;
      const value = { ...parameter.value, name };
      replacements.set(parameter.value, value);
      return { ...parameter, value };
    });
    if (replacements.size === 0) return { graph, parameters: named };
    const constants = [...graph.constants].map(([value, tensor]): [Value, Tensor] => [
      replacements.get(value) ?? value,
      tensor,
    ]);
    return { graph: { ...substituteValues(graph, replacements), constants: new Map(constants) }, parameters: named };
  }

  /** Layers of which nothing is left are gone; who read them reads what they read. */
  #layers(parameters: ReadonlySet<string>): readonly LayerInfo[] {
    const gone = new Map<string, readonly string[]>();
    const kept: LayerInfo[] = [];
    const through = (name: string): readonly string[] => gone.get(name)?.flatMap(through) ?? [name];
    for (const layer of this.#model.layers) {
      const left = layer.parameters.flatMap((each) => [each, ...(this.#added.get(each) ?? [])]);
      const now = left.filter((each) => parameters.has(each));
      if (layer.parameters.length > 0 && now.length === 0) gone.set(layer.name, layer.inputs);
      else kept.push({ ...layer, parameters: now, inputs: layer.inputs.flatMap(through) });
    }
    return kept;
  }
}

function pinned(model: Model): Graph {
  const { graph, states, outputMasks, losses } = model;
  const values = [...states.map(({ next }) => next), ...outputMasks.values(), ...losses.map(({ value }) => value)];
  const names = new Set(graph.outputs.map(({ name }) => name));
  const extra = values.map((value): GraphOutput => ({ name: free(`kept:${value.name}`, names), value }));
  const constants = new Map(graph.constants);
  for (const { value } of states) constants.delete(value);
  return {
    ...graph,
    inputs: [...graph.inputs, ...states.map(({ value }) => value)],
    outputs: [...graph.outputs, ...extra],
    constants,
  };
}

function free(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`;
  taken.add(name);
  return name;
}

/** `a.kernel` → `a.bias`, `a/w` → `a/w.bias`. */
function siblingName(name: string, sibling: string): string {
  const stem = name.replace(/[._/](?:\w*[kK]ernel|weight|W|w)$/, '');
  return `${stem}.${sibling}`;
}
