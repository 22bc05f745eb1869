import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Measured } from './verdict.js';
import type { WorkloadKind } from './workload.js';

const subject = fileURLToPath(new URL('./node-subject.js', import.meta.url));
// Where Chromium keeps a Vulkan driver that needs no GPU.
const softwareDrivers = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/opt/google/chrome/vk_swiftshader_icd.json'];

/** Runs a backend of Node in windows, in a process of its own. */
export async function measureInNode(
  backend: string,
  kind: WorkloadKind,
  { runs, windows }: { readonly runs: number; readonly windows: number },
): Promise<Measured> {
  const driver = process.env['VK_ICD_FILENAMES'] ?? softwareDrivers.find((file) => existsSync(file));
  const child = spawn(process.execPath, ['--expose-gc', subject, backend, kind, String(runs), String(windows)], {
    env: { ...process.env, ...(driver !== undefined && { VK_ICD_FILENAMES: driver }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  const line = output.trim().split('\n').at(-1) ?? '';
  if (status !== 0 || !line.startsWith('{')) throw new TypeError(`${backend}, ${kind} ended with ${status}`);
  return JSON.parse(line) as Measured;
}
