import { RunQueue } from '@modelwright/core';
import type { SessionOptions } from '../engine/engine.js';
import { openNativeRuntime } from '../engine/native/native-engine.js';
import { CStrings } from '../engine/native/native-plan.js';
import type { OrtApi } from '../engine/native/ort-api.js';
import { cudaTable } from '../lowering/cuda-table.js';
import { type OnnxRuntimeBackend, OrtBackend } from '../ort-backend.js';
import { compileResident } from '../resident/compile-resident.js';
import { NativeAccelerator, type NativeProvider } from '../resident/native-accelerator.js';
import { supportedOps } from './host-backend.js';

/** What a backend on an NVIDIA GPU is made of. */
export interface CudaBackendOptions {
  readonly deviceId: number;
  readonly cpuFallback: boolean;
  readonly sessionOptions: SessionOptions;
}

/** Makes a backend that keeps state in the memory of an NVIDIA GPU, by the runtime's C API and IO binding. */
export async function createCudaBackend(options: CudaBackendOptions): Promise<OnnxRuntimeBackend> {
  return createNativeDeviceBackend(cudaProvider(options.deviceId), options);
}

/** Makes a backend that keeps state in the memory of a provider. */
export async function createNativeDeviceBackend(
  provider: NativeProvider,
  { cpuFallback, sessionOptions }: Pick<CudaBackendOptions, 'cpuFallback' | 'sessionOptions'>,
): Promise<OnnxRuntimeBackend> {
  const accelerator = new NativeAccelerator(await openNativeRuntime(), provider);
  const turns = new RunQueue();
  const strict = cpuFallback ? {} : { 'session.disable_cpu_ep_fallback': '1' };
  const session = { ...sessionOptions, configuration: { ...strict, ...sessionOptions.configuration } };
  return new OrtBackend({
    device: provider.device,
    engine: 'native',
    runtimeVersion: accelerator.version,
    capabilities: {
      ops: supportedOps(cudaTable),
      dtypes: accelerator.types,
      threads: 1,
      residency: 'device',
      symbolicShapes: true,
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
