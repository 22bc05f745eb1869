import { tensor } from '@modelwright/core';
import type { TensorTypes } from '../program/batch-signature.js';
import { StatefulBuilder } from '../program/stateful-builder.js';
import { AppliedModels } from './applied-models.js';
import { feedName, type JointProgram, resultName } from './joint-program.js';
import type { Models } from './joint-step.js';

interface PredictionRequest {
  readonly models: Models;
  readonly name: string;
  /** Types of the model's inputs. */
  readonly inputs: TensorTypes;
}

/** The outputs of one model, with its weights as state that other programs may share. */
export function predictionProgram({ models, name, inputs }: PredictionRequest): JointProgram {
  const stateful = new StatefulBuilder(`${name}.predict`);
  const { builder } = stateful;
  const counter = builder.constant(tensor(0n, { dtype: 'int64', shape: [] }));
  const applied = new AppliedModels({ stateful, models, trains: [], counter, seed: 0 });
  const given = Object.fromEntries(
    Object.entries(inputs).map(([input, { dtype, shape }]) => [input, builder.input(feedName(input), dtype, shape)]),
  );
  const outputs = applied.apply(name, given, { training: false });
  for (const [output, value] of Object.entries(outputs)) builder.output(resultName(output), value);
  return { ...stateful.program(), outputs: Object.keys(outputs) };
}
