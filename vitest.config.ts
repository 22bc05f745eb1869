import { defineConfig } from 'vitest/config';

// Tests run from the sources, without a build. In vitest's node environment `resolve.conditions` alone would silently
// pick `dist`: the condition has to stand in `ssr.resolve` as well.
const conditions = ['@modelwright/source', 'module', 'node', 'development|production'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@modelwright/source', 'node'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'scripts/**/*.test.mjs',
      'bench/**/*.test.ts',
      'examples/browser/test/**/*.test.ts',
    ],
    environment: 'node',
    pool: 'forks',
    maxWorkers: '100%',
    // Tests of memory count what is reachable, not what awaits collection.
    execArgv: ['--expose-gc'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
