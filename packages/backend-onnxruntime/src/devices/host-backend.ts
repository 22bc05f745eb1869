import { type BackendCapabilities, dtypes, type OpName, opNames } from '@modelwright/core';
import { compileProgram } from '../compile-program.js';
import { isExchanged } from '../engine/element-type.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import type { LoweringTable } from '../lowering/lowering.js';
import { loweringTable } from '../lowering/lowering-table.js';
import { passedOnOps } from '../lowering/passed-on.js';
import { type OnnxRuntimeBackend, OrtBackend } from '../ort-backend.js';

/** What a backend whose memory is the host's is made of. */
export interface HostBackendOptions {
  readonly device: string;
  readonly engine: Engine;
  /** Threads a single op may use, as the backend reports them. */
  readonly threads: number;
  readonly sessionOptions: SessionOptions;
  readonly hostMemoryBytes: number | undefined;
  /** Whether a run holds the thread that called it. */
  readonly blocksCaller: boolean;
}

/** All the memory that 32-bit addresses reach. */
const mostHostMemoryBytes = 2 ** 32;

/** Makes a backend that keeps state in host memory: the CPU's, and that of a browser's WebAssembly. */
export function createHostBackend(options: HostBackendOptions): OnnxRuntimeBackend {
  const { device, engine, threads, sessionOptions, hostMemoryBytes } = options;
  return new OrtBackend({
    device,
    engine: engine.kind,
    runtimeVersion: engine.version,
    capabilities: {
      ops: new Set([...supportedOps(loweringTable), ...passedOnOps]),
      dtypes: new Set(dtypes.filter((dtype) => isExchanged(dtype, engine.kind))),
      threads,
      residency: 'host',
      symbolicShapes: true,
      blocksCaller: options.blocksCaller,
    },
    compile: (program, compileOptions, onClosed) =>
      compileProgram(program, compileOptions, {
        ...{ engine, sessionOptions, threads, onClosed },
        hostMemoryBytes: hostMemoryBytes ?? mostHostMemoryBytes,
      }),
    close: () => engine.dispose(),
  });
}

/** The ops that a table does not refuse. */
export function supportedOps(table: LoweringTable): BackendCapabilities['ops'] {
  return new Set(opNames.filter((name: OpName) => !('reason' in Object(table[name]))));
}
