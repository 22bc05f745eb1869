import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test.each(['inspect', 'run', 'bench', 'optimize', 'doctor'])('%s --help shows options and examples', async (verb) => {
  const { exitCode, stdout } = await workplace.modelwright([verb, '--help']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('--json');
  expect(stdout).toContain(`$ modelwright ${verb}`);
});

test.each([
  ['no verb shows the help', [], 2, '', 'Usage: modelwright'],
  ['an unknown verb', ['inpsect'], 2, '', 'Did you mean inspect?'],
  ['a missing argument', ['inspect'], 2, '', "missing required argument 'file'"],
  ['--version', ['--version'], 0, '0.', ''],
])('%s', async (_what, args, status, out, problem) => {
  const { exitCode, stdout, stderr } = await workplace.modelwright(args);
  expect(exitCode).toBe(status);
  expect(stdout).toContain(out);
  expect(stderr).toContain(problem);
});
