import {
  type Backend,
  type CompileOptions,
  type DType,
  dtypes,
  type Executable,
  ModelwrightError,
  type Node,
  opNames,
  type Program,
} from '@modelwright/core';
import { DirectKernels } from './device/direct-kernels.js';
import { EngineKernels } from './device/engine-kernels.js';
import type { Kernels } from './device/kernels.js';
import type { TfjsCore } from './device/tfjs-core.js';
import { loweringTable } from './lowering/lowering-table.js';
import { prepareGraph } from './prepare/prepare-graph.js';
import { compilePlan } from './run/compile-plan.js';
import { ScalarCache } from './run/node-scope.js';
import { Pace } from './run/pace.js';
import type { RunContext } from './run/run-plan.js';
import { StateStore } from './run/state-store.js';
import { TfjsExecutable } from './tfjs-executable.js';

export interface TfjsBackendOptions {
  /** Which backend of tfjs computes; it must have been initialised. Default the active one. */
  readonly backend?: string;
  /** Name of the Modelwright backend. Default `tfjs`. */
  readonly name?: string;
  /** Default the name of tfjs's backend, or `cpu` where that computes in WebAssembly. */
  readonly device?: string;
  /** Threads that tfjs's backend uses. Default 1. */
  readonly threads?: number;
  /**
   * How kernels are called: `direct` by their functions, past tfjs's engine (backends `cpu` and `wasm`), or by the `engine`.
   * Default the first where it is known to work.
   */
  readonly calls?: 'direct' | 'engine';
  /** Told how long each node took: for profiles. */
  readonly onNode?: (node: Node, milliseconds: number) => void;
  /** Clock for {@link onNode}, in milliseconds. */
  readonly now?: () => number;
}

/** A backend on the kernels of TensorFlow.js. */
export interface TfjsBackend extends Backend {
  /** What computes: `tfjs`, its kernels called directly; or `tfjs engine`. */
  readonly engine: string;
  /** Version of tfjs-core. */
  readonly runtimeVersion: string;
  /** Tensors that tfjs's backend holds now, those of others included; for leak checks. */
  tensorCount(): number;
}

const directBackends: ReadonlySet<string> = new Set(['cpu', 'wasm']);

/**
 * Runs programs on the kernels of TensorFlow.js.
 *
 * @param core - The namespace of `@tensorflow/tfjs-core`, as imported. The kernels of a backend must be imported as well, and
 *   that backend must be initialised (`await tf.setBackend('cpu')`).
 * @throws {@link ModelwrightError} `backend-unavailable` if tfjs has no such backend or it is not initialised.
 * @example
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 *
 * await tf.setBackend('cpu');
 * const backend = createTfjsBackend(tf);
 */
export function createTfjsBackend(core: TfjsCore, options: TfjsBackendOptions = {}): TfjsBackend {
  const backendName = options.backend ?? core.getBackend();
  const calls = options.calls ?? (directBackends.has(backendName) ? 'direct' : 'engine');
  const kernels = openKernels(core, backendName, calls);
  const context: RunContext = {
    kernels,
    scalars: new ScalarCache(kernels),
    pace: new Pace(),
    onNode: options.onNode,
    now: options.onNode === undefined ? undefined : options.now,
  };
  const executables = new Set<Executable>();
  let isDisposed = false;
  return {
    specificationVersion: 'v1',
    name: options.name ?? 'tfjs',
    device: options.device ?? (backendName === 'wasm' ? 'cpu' : backendName),
    capabilities: {
      ops: supportedOps,
      dtypes: new Set<DType>(dtypes),
      dtypesOnHost: new Set(dtypes.filter((dtype) => !computedTypes.has(dtype))),
      threads: options.threads ?? 1,
      residency: 'device',
      symbolicShapes: true,
      blocksCaller: ['cpu', 'wasm', 'tensorflow'].includes(backendName),
    },
    engine: calls === 'direct' ? 'tfjs' : 'tfjs engine',
    runtimeVersion: core.version_core,
    tensorCount: () => kernels.tensorCount(),
    async compile(program: Program, compileOptions: CompileOptions = {}): Promise<Executable> {
      if (isDisposed) throw new ModelwrightError('resource-disposed', 'the backend was disposed');
      const store = sharedStoreOf(compileOptions) ?? new StateStore(kernels);
      const plan = compilePlan(prepareGraph(program.graph, compileOptions), kernels);
      const executable: Executable = new TfjsExecutable({
        program,
        plan,
        store,
        context,
        onClosed: () => executables.delete(executable),
      });
      executables.add(executable);
      return executable;
    },
    async dispose(): Promise<void> {
      isDisposed = true;
      await Promise.all([...executables].map((executable) => executable.dispose()));
      context.scalars.dispose();
    },
  };
}

/** Types that tfjs has arithmetic for, and text, which is only moved. */
const computedTypes: ReadonlySet<DType> = new Set(['float32', 'int32', 'bool', 'string']);

const supportedOps: ReadonlySet<string> = new Set(
  opNames.filter((name) => {
    const lowering = loweringTable[name];
    return lowering === 'decompose' || lowering.kind !== 'unsupported';
  }),
);

function openKernels(core: TfjsCore, backendName: string, calls: 'direct' | 'engine'): Kernels {
  const backend = backendName ? core.findBackend(backendName) : null;
  if (!backend) {
    throw new ModelwrightError(
      'backend-unavailable',
      `TensorFlow.js has no initialised backend '${backendName || '(none)'}'`,
      { given: backendName, hint: `import its package and await tf.setBackend('${backendName || 'cpu'}') first` },
    );
  }
  if (calls === 'engine') return new EngineKernels(core, backendName);
  return new DirectKernels(core, backendName, backend);
}

function sharedStoreOf({ shareState }: CompileOptions): StateStore | undefined {
  if (shareState === undefined) return undefined;
  if (shareState instanceof TfjsExecutable) return shareState.store;
  throw new ModelwrightError('invalid-argument', 'state can be shared only with an executable of the same backend');
}
