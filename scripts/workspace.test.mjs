import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pinnedPnpmVersion, root, workspaceFolders } from './workspace.mjs';

test('every workspace folder has a manifest', () => {
  expect(workspaceFolders()).toContain('packages/core');
  expect(workspaceFolders().every((folder) => existsSync(join(root, folder, 'package.json')))).toBe(true);
});

test('pnpm is pinned to an exact version', () => {
  expect(pinnedPnpmVersion()).toMatch(/^\d+\.\d+\.\d+$/);
});
