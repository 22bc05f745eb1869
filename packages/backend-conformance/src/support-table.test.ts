import { expect, test } from 'vitest';
import { supportTable } from './support-table.js';

test('counts cases by family and lists reasons once', () => {
  const table = supportTable([
    {
      name: 'mine',
      backend: 'mine',
      device: 'cpu',
      outcomes: { 'a/Add/one': 'passed', 'a/Add/two': 'known failure', 'b/Sub/one': 'refused' },
      knownFailures: { 'a/Add/two': 'it rounds' },
    },
  ]);
  expect(table.split('\n')).toEqual([
    '| ops | mine |',
    '| --- | --- |',
    '| a | 1/2 (1 known failure) |',
    '| b | 0/1 (1 refused) |',
    '| **all** | 1/3 (1 known failure, 1 refused) |',
    '',
    'Known failures of mine:',
    '',
    '- it rounds: `a/Add/two`',
  ]);
});
