import { type Backend, GraphBuilder, ModelwrightError, statelessProgram, tensor, toNumbers } from '@modelwright/core';

/**
 * Computes one small program, so that a device which cannot work says so when it is opened.
 *
 * @throws what the device throws, `backend-failure` for a wrong answer.
 */
export async function probeDevice<B extends Backend>(backend: B): Promise<B> {
  try {
    const builder = new GraphBuilder('probe');
    const x = builder.input('x', 'float32', [2]);
    builder.output('y', builder.op('Mul', [x, x]));
    const executable = await backend.compile(statelessProgram(builder.build()));
    const { y } = await executable.run({ x: tensor([3, -4]) });
    await executable.dispose();
    const answer = y === undefined ? [] : [...toNumbers(y)];
    if (answer[0] === 9 && answer[1] === 16) return backend;
    throw new ModelwrightError('backend-failure', `${backend.device} computed [${answer}] where [9,16] is right`);
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}
