import { isModelwrightError, RunQueue } from '@modelwright/core';
import { createBindingEngine } from '../engine/binding/binding-engine.js';
import type { EngineKind } from '../engine/create-engine.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import { type NativeRuntime, openNativeRuntime } from '../engine/native/native-engine.js';
import { CStrings } from '../engine/native/native-plan.js';
import type { OrtApi } from '../engine/native/ort-api.js';
import { cudaTable } from '../lowering/cuda-table.js';
import { blockQuantizedOps } from '../lowering/passed-on.js';
import { type EngineName, type OnnxRuntimeBackend, OrtBackend } from '../ort-backend.js';
import type { Accelerator } from '../resident/accelerator.js';
import { compileResident } from '../resident/compile-resident.js';
import { EngineAccelerator } from '../resident/engine-accelerator.js';
import { NativeAccelerator, type NativeProvider } from '../resident/native-accelerator.js';
import { supportedOps } from './host-backend.js';

/** What a backend on an NVIDIA GPU is made of. */
export interface CudaBackendOptions {
  readonly engine: EngineKind;
  readonly worker: boolean;
  readonly deviceId: number;
  readonly cpuFallback: boolean;
  readonly sessionOptions: SessionOptions;
}

type DeviceOptions = Pick<CudaBackendOptions, 'cpuFallback' | 'sessionOptions'>;

/**
 * Makes a backend on an NVIDIA GPU. By the runtime's C API state stays in the GPU's memory, by IO binding. The stock API has none: there
 * `runMany` carries the state through many steps of one call.
 */
export async function createCudaBackend(options: CudaBackendOptions): Promise<OnnxRuntimeBackend> {
  const { engine, worker, deviceId } = options;
  if (engine !== 'binding') {
    const runtime = await openNativeRuntime().catch((error: unknown) => {
      if (engine === 'native' || !isModelwrightError(error, 'backend-unavailable')) throw error;
      return undefined;
    });
    if (runtime !== undefined) return createNativeDeviceBackend(cudaProvider(deviceId), options, runtime);
  }
  return createBindingDeviceBackend(await createBindingEngine({ worker, provider: { name: 'cuda', deviceId } }), {
    ...options,
    device: 'cuda',
  });
}

/** Makes a backend that keeps state in the memory of a provider. */
export async function createNativeDeviceBackend(
  provider: NativeProvider,
  options: DeviceOptions,
  runtime?: NativeRuntime,
): Promise<OnnxRuntimeBackend> {
  return createDeviceBackend(
    new NativeAccelerator(runtime ?? (await openNativeRuntime()), provider),
    'native',
    options,
  );
}

/** Makes a backend on a provider whose memory the stock API cannot reach. */
export function createBindingDeviceBackend(
  engine: Engine,
  { device, ...options }: DeviceOptions & { readonly device: string },
): OnnxRuntimeBackend {
  return createDeviceBackend(new EngineAccelerator(device, engine), 'binding', options);
}

/** How many steps a call is worth to be given: beyond it, the way to the device and back is a small part of it. */
const runsAtOnce = 32;

function createDeviceBackend(
  accelerator: Accelerator,
  engine: EngineName,
  { cpuFallback, sessionOptions }: DeviceOptions,
): OnnxRuntimeBackend {
  const turns = new RunQueue();
  const strict = cpuFallback ? {} : { 'session.disable_cpu_ep_fallback': '1' };
  const session = { ...sessionOptions, configuration: { ...strict, ...sessionOptions.configuration } };
  return new OrtBackend({
    device: accelerator.device,
    engine,
    runtimeVersion: accelerator.version,
    capabilities: {
      ops: new Set([...supportedOps(cudaTable), ...blockQuantizedOps]),
      dtypes: accelerator.types,
      threads: 1,
      residency: accelerator.keepsTensors ? 'device' : 'host',
      symbolicShapes: true,
      ...(accelerator.keepsTensors ? {} : { runsAtOnce }),
    },
    compile: (program, options, onClosed) =>
      compileResident(program, options, {
        ...{ accelerator, passes: [], table: cudaTable, cpuNodesOf: () => [] },
        ...{ sessionOptions: session, turns, onClosed },
      }),
    close: () => turns.add(() => accelerator.dispose()),
  });
}

/**
 * Options of the CUDA provider. The heuristic search keeps a first step short; NHWC and graphs are left to those who ask by measurement.
 *
 * @see onnxruntime/core/providers/cuda/cuda_execution_provider_info.cc
 */
export function cudaOptions(deviceId: number): Readonly<Record<string, string>> {
  return {
    device_id: String(deviceId),
    arena_extend_strategy: 'kNextPowerOfTwo',
    cudnn_conv_algo_search: 'HEURISTIC',
    do_copy_in_default_stream: '1',
    // Exact float32, as every other backend computes; TF32 has ten bits.
    use_tf32: '0',
  };
}

function cudaProvider(deviceId: number): NativeProvider {
  return {
    device: 'cuda',
    memoryName: 'Cuda',
    deviceId,
    append: (api, settings) => appendCuda(api, settings, cudaOptions(deviceId)),
  };
}

function appendCuda(api: OrtApi, settings: bigint, options: Readonly<Record<string, string>>): void {
  const keys = new CStrings(api, Object.keys(options));
  const values = new CStrings(api, Object.values(options));
  const handle = api.pointer('CreateCUDAProviderOptions');
  try {
    api.call('UpdateCUDAProviderOptions', handle, keys.address, values.address, Object.keys(options).length);
    api.call('SessionOptionsAppendExecutionProvider_CUDA_V2', settings, handle);
  } finally {
    api.functions.ReleaseCUDAProviderOptions(handle);
    api.hold(keys, values);
  }
}
