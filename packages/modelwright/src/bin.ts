import { CommanderError } from 'commander';
import { createProgram, everyCommand } from './cli/create-program.js';
import { exitCodes } from './cli/exit-codes.js';

// A reader that has seen enough (`modelwright … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.success);
  throw error;
});

const program = createProgram();
for (const command of everyCommand(program)) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
}
