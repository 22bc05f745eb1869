import type { GraphOutput, Program, StateSlot, Value } from '@modelwright/core';
import type { ResidencyPlan } from './residency-plan.js';

/**
 * What a device does in one step as a program of its own: slots that it reads or changes are its state, numbers of the host and slots that the
 * host steps on are inputs.
 */
export function steppedProgram(program: Program, { graph, carried, copiedSlots, numberSlots }: ResidencyPlan): Program {
  const slotInput = (slot: StateSlot): Value => program.graph.inputs.find(({ name }) => name === slot.input) as Value;
  const changing = new Set([...carried, ...copiedSlots].map(({ slot }) => slot));
  const stepped = new Set(numberSlots.map(({ slot }) => slot));
  const { constants } = program.graph;
  const copied = copiedSlots.map(({ value }) => value);
  const inputs = new Set([
    ...graph.inputs,
    ...[...changing].map(slotInput),
    ...copied.filter((value) => !constants.has(value)),
  ]);
  const outputs: readonly GraphOutput[] = [
    ...graph.outputs,
    ...copiedSlots.map(({ slot, value }) => ({ name: slot.output as string, value })),
  ];
  const isInput = (slot: StateSlot): boolean => inputs.has(slotInput(slot));
  const state = program.state
    .filter((slot) => isInput(slot) && !stepped.has(slot))
    .map((slot) => (changing.has(slot) ? slot : withoutOutput(slot)));
  const held = copied.flatMap((value) => {
    const constant = constants.get(value);
    return constant === undefined ? [] : [[value, constant] as const];
  });
  return {
    graph: { ...graph, inputs: [...inputs], outputs, constants: new Map([...graph.constants, ...held]) },
    state,
  };
}

function withoutOutput({ name, input, initial }: StateSlot): StateSlot {
  return { name, input, initial };
}
