import { existsSync } from 'node:fs';
import { ModelwrightError } from '@modelwright/core';

/** What the driver makes on Linux; the last one is that of Windows, seen from its Linux. */
const traces = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'];

/**
 * Without a driver all else is in vain, and what the runtime says of it names a library that would be of no use.
 *
 * @throws ModelwrightError `backend-unavailable` where there is surely none.
 */
export function requireNvidiaDriver(): void {
  if (process.platform !== 'linux' || traces.some((file) => existsSync(file))) return;
  throw new ModelwrightError('backend-unavailable', 'no CUDA-capable device: there is no NVIDIA driver');
}
