import { existsSync, writeFileSync } from 'node:fs';
import { createReferenceBackend } from '@modelwright/core';

/** The reference, which ends its process at the token `deadly`, and at `dangerous` until a file remembers that it did. */
export function createBackend({ deadly, dangerous, memory }) {
  const backend = createReferenceBackend();
  return {
    ...backend,
    async compile(program, options) {
      const executable = await backend.compile(program, options);
      const run = executable.run.bind(executable);
      executable.run = async (inputs, ...rest) => {
        const tokens = [...inputs.tokens.data];
        const isFirst = tokens.includes(dangerous) && !existsSync(memory);
        if (!isFirst && !tokens.includes(deadly)) return run(inputs, ...rest);
        if (isFirst) writeFileSync(memory, '');
        process.exit(13);
      };
      return executable;
    },
  };
}
