import { RunQueue, unrollScans } from '@modelwright/core';
import type { SessionOptions } from '../engine/engine.js';
import { blockQuantizedOps } from '../lowering/passed-on.js';
import { nodesForCpu } from '../lowering/webgpu/cpu-nodes.js';
import { narrowIntegers } from '../lowering/webgpu/narrow-integers.js';
import { webgpuTable } from '../lowering/webgpu/webgpu-table.js';
import { type EngineName, type OnnxRuntimeBackend, OrtBackend } from '../ort-backend.js';
import { compileResident } from '../resident/compile-resident.js';
import type { JavaScriptApi } from '../resident/javascript-api.js';
import { WebGpuAccelerator } from '../resident/webgpu-accelerator.js';
import { supportedOps } from './host-backend.js';

/** What a backend on a GPU through WebGPU is made of. */
export interface WebGpuBackendOptions {
  readonly api: JavaScriptApi;
  readonly engine: EngineName;
  readonly cpuFallback: boolean;
  readonly sessionOptions: SessionOptions;
}

/** Runs of two threads at once end the process, and a browser has one device: all backends stand in one line. */
const turns = new RunQueue();

/** Longer scans stay as they are: the graph would take longer to load than the copies to the CPU cost. */
const mostSteps = 64;

/** Makes a backend that keeps state in the memory of a GPU. */
export async function createWebGpuBackend({
  api,
  engine,
  cpuFallback,
  sessionOptions,
}: WebGpuBackendOptions): Promise<OnnxRuntimeBackend> {
  const accelerator = await turns.add(() => WebGpuAccelerator.open(api, { cpuFallback }));
  return new OrtBackend({
    device: accelerator.device,
    engine,
    runtimeVersion: accelerator.version,
    capabilities: {
      ops: new Set([...supportedOps(webgpuTable), ...blockQuantizedOps]),
      dtypes: accelerator.types,
      threads: 1,
      residency: 'device',
      symbolicShapes: true,
    },
    compile: (program, options, onClosed) =>
      compileResident(program, options, {
        ...{
          accelerator,
          passes: [unrollScans(mostSteps)],
          table: webgpuTable,
          narrow: narrowIntegers,
          cpuNodesOf: (graph) => nodesForCpu(graph, accelerator.hasHalves),
        },
        ...{ sessionOptions, turns, onClosed },
      }),
    close: () => turns.add(() => accelerator.dispose()),
  });
}
