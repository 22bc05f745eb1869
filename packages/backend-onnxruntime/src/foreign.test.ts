import {
  GraphBuilder,
  isModelwrightError,
  statelessProgram,
  type Tensor,
  toNumbers,
  type Value,
  zeros,
} from '@modelwright/core';
import { afterAll, expect, test } from 'vitest';
import { createBackend } from './backend.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

function graphWith(op: string, domain: string) {
  const builder = new GraphBuilder('foreign');
  const x = builder.input('x', 'float32', [3, 4]);
  const w = builder.constant(zeros('float32', [5, 4]));
  const [y] = builder.foreign({
    op,
    domain,
    inputs: [x, w],
    attributes: { transB: 1 },
    attributeKinds: { transB: 'int' },
    outputs: [{ dtype: 'float32', shape: [3, 5] }],
  });
  builder.output('y', y as Value);
  return builder.build();
}

test('an op that core lacks and the runtime has runs as it stands', async () => {
  const executable = await (await opened).compile(statelessProgram(graphWith('FusedMatMul', 'com.microsoft')));
  const { y } = await executable.run({ x: zeros('float32', [3, 4]) });
  expect([...toNumbers(y as Tensor)].every((value) => value === 0)).toBe(true);
  await executable.dispose();
});

test('an op that nobody has is refused by its name', async () => {
  const failure = await (await opened)
    .compile(statelessProgram(graphWith('Teleport', 'com.example')))
    .catch((error) => error);
  expect(isModelwrightError(failure)).toBe(true);
  expect(failure.message).toContain('Teleport');
});
