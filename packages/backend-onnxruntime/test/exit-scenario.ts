/** Run as a process of its own by the lifecycle test: leaves in the way its argument names. */
import { createBackend } from '../src/index.js';
import { mlpInputs, mlpProgram } from './training-program.js';

const size = { widths: [256, 1024, 1024, 10], batch: 256 };
const backend = await createBackend({ engine: process.argv[3] as 'native' });
const executable = await backend.compile(mlpProgram(size));
const run = executable.run(mlpInputs(size, 1));
switch (process.argv[2]) {
  case 'finish':
    await run;
    console.log('finished');
    break;
  case 'leave-running':
    run.then(() => console.log('finished'));
    break;
  case 'exit-running':
    setTimeout(() => {
      console.log('leaving');
      process.exit(7);
    }, 2);
    break;
  case 'throw-running':
    setTimeout(() => {
      throw new Error('thrown');
    }, 2);
    break;
}
