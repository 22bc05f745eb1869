import {
  type ExtendedUpdate,
  type ExtendedWeight,
  extensionSlots,
  type Graph,
  type GraphBuilder,
  type Model,
  type Parameter,
  type Tensor,
  type TrainingExtension,
  type Value,
} from '@modelwright/core';
import type { Arithmetic } from '../symbolic/arithmetic.js';
import { watchedName } from './forward-graph.js';
import type { StatefulBuilder } from './stateful-builder.js';
import type { TrainingRecipe } from './training-program.js';

/** Name of an extension's slot among the program's. */
export const extensionSlot = (extension: string, slot: string): string => `extension.${extension}.${slot}`;

/** Something that the optimizer changes. */
export interface TrainedValue {
  readonly parameter: Parameter;
  readonly value: Value;
  readonly initial: Tensor;
}

/** A weight before and after the optimizer's update. */
export interface UpdatedWeight extends Pick<ExtendedUpdate, 'parameter' | 'previous' | 'gradient'> {
  readonly next: Value;
}

type Values = { readonly [name: string]: Value };

/** The extensions of one program with their slots in it. */
export class ProgramExtensions {
  readonly #extensions: readonly { readonly extension: TrainingExtension; readonly slots: Values }[];
  readonly #builder: GraphBuilder;
  readonly #stateful: StatefulBuilder;
  /** Slots that are trained as weights are. */
  readonly trainable: readonly TrainedValue[];

  constructor({ extensions, model }: Pick<TrainingRecipe, 'extensions' | 'model'>, stateful: StatefulBuilder) {
    this.#builder = stateful.builder;
    this.#stateful = stateful;
    this.#extensions = extensions.map((extension) => {
      const slots = extensionSlots(extension, model).map(
        ({ name, initial }) => [name, stateful.slot(extensionSlot(extension.name, name), initial)] as const,
      );
      return { extension, slots: Object.fromEntries(slots) };
    });
    this.trainable = this.#extensions.flatMap(({ extension, slots }) =>
      extensionSlots(extension, model).flatMap(({ name, initial, trainable = false }) => {
        const value = slots[name] as Value;
        const full = extensionSlot(extension.name, name);
        return trainable
          ? [{ parameter: { name: full, value, trainable, role: 'weight' as const }, value, initial }]
          : [];
      }),
    );
  }

  watched(model: Model): ReadonlyMap<string, Value> {
    return new Map(
      this.#extensions.flatMap(({ extension }) =>
        Object.entries(extension.watch?.(model) ?? {}).map(([name, value]): [string, Value] => [
          watchedName(extension.name, name),
          value,
        ]),
      ),
    );
  }

  /** The loss for the targets, as far as extensions leave it in its place. */
  weigh(arithmetic: Arithmetic, loss: Value | undefined): readonly Value[] {
    const weight = this.#extensions.reduce((product, { extension }) => product * (extension.lossWeight ?? 1), 1);
    if (loss === undefined || weight === 0) return [];
    return [weight === 1 ? loss : arithmetic.multiply(loss, weight)];
  }

  reviseForward(graph: Graph): Graph {
    return this.#extensions.reduce((current, { extension }) => extension.transformForward?.(current) ?? current, graph);
  }

  reviseWeight(parameter: Parameter, value: Value): Value {
    return this.#revise(parameter, value, (extension, weight) => extension.transformWeight?.(weight));
  }

  reviseUpdate({ parameter, previous, gradient, next }: UpdatedWeight): Value {
    return this.#revise(parameter, next, (extension, weight) => {
      const setSlot = (name: string, value: Value): void =>
        this.#stateful.next(extensionSlot(extension.name, name), value);
      return extension.transformUpdate?.({ ...weight, previous, gradient, setSlot });
    });
  }

  reviseAverage(parameter: Parameter, value: Value): Value {
    return this.#revise(parameter, value, (extension, weight) => extension.transformAverage?.(weight));
  }

  extraLosses(context: {
    readonly inputs: Values;
    readonly outputs: Values;
    readonly targets: Values;
    /** By forward output. */
    readonly watched: ReadonlyMap<string, Value>;
  }): readonly Value[] {
    return this.#extensions.flatMap(({ extension, slots }) => {
      const prefix = watchedName(extension.name, '');
      const named = [...context.watched].filter(([name]) => name.startsWith(prefix));
      const watched = Object.fromEntries(named.map(([name, value]) => [name.slice(prefix.length), value]));
      const extra = extension.extraLoss?.({ builder: this.#builder, slots, ...context, watched });
      return extra === undefined ? [] : [extra];
    });
  }

  #revise(
    parameter: Parameter,
    value: Value,
    revise: (extension: TrainingExtension, weight: ExtendedWeight) => Value | undefined,
  ): Value {
    const builder = this.#builder;
    return this.#extensions.reduce(
      (current, { extension, slots }) => revise(extension, { builder, parameter, value: current, slots }) ?? current,
      value,
    );
  }
}
