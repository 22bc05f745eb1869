// Run as a process of its own by the lifecycle test: leaves in the way its argument names.

import { createBackend } from '@modelwright/backend-onnxruntime';
import { fullTensor, GraphBuilder } from '@modelwright/core';

const [, , way, engine] = process.argv;
const side = 1024;
const builder = new GraphBuilder('long');
const state = builder.input('state', 'float32', [side, side]);
let value = state;
for (let step = 0; step < 4; step++) value = builder.op('MatMul', [value, state]);
builder.output('next', value);
const initial = fullTensor('float32', [side, side], 1e-3);
const backend = await createBackend({ engine });
const executable = await backend.compile({
  graph: builder.build(),
  state: [{ name: 'state', input: 'state', output: 'next', initial }],
});

const run = executable.run({});
if (way === 'finish') {
  await run;
  console.log('finished');
}
if (way === 'leave-running') run.then(() => console.log('finished'));
if (way === 'dispose-running') {
  await backend.dispose();
  await run;
  console.log('finished');
}
if (way === 'exit-running') setTimeout(() => process.exit(7), 1);
if (way === 'throw-running')
  setTimeout(() => {
    throw new Error('thrown');
  }, 1);
