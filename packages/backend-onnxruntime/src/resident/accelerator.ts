import type { DType, Shape, Tensor } from '@modelwright/core';
import type { SessionOptions } from '../engine/engine.js';

/** A tensor in the memory of a device. */
export interface DeviceTensor {
  readonly location: 'device';
  readonly dtype: Tensor['dtype'];
  readonly shape: readonly number[];
  /** Frees the memory. Idempotent. */
  dispose(): void;
}

/** What a run takes and gives: host memory or device memory. */
export type Placed = Tensor | DeviceTensor;

/** Tells the two kinds of {@link Placed} apart. */
export function isOnDevice(value: Placed): value is DeviceTensor {
  return (value as Partial<DeviceTensor>).location === 'device';
}

/** A model loaded on a device. */
export interface AcceleratorSession {
  /** Inputs the loaded model still has. */
  readonly inputNames: readonly string[];
  /** Runs once; gives all outputs, each where it was asked to lie. */
  run(feeds: ReadonlyMap<string, Placed>): Promise<ReadonlyMap<string, Placed>>;
  dispose(): Promise<void>;
}

/** Options of {@link Accelerator.createSession}. */
export interface AcceleratorSessionOptions {
  /** Outputs that stay on the device; all others come to the host. */
  readonly onDevice: ReadonlySet<string>;
  /** Names of nodes that the device must leave to the CPU. */
  readonly cpuNodes: readonly string[];
  readonly session: SessionOptions;
}

/** A device that ONNX Runtime can leave tensors on between runs. */
export interface Accelerator {
  readonly device: string;
  readonly version: string;
  /** Element types of inputs and outputs. */
  readonly types: ReadonlySet<DType>;
  /** Whether it can leave tensors on the device at all; where it cannot, many steps become one run. */
  readonly keepsTensors: boolean;
  /** Whether tensors of the type can stay on the device. */
  canHold(type: { readonly dtype: Tensor['dtype']; readonly shape: Shape }): boolean;
  createSession(model: Uint8Array, options: AcceleratorSessionOptions): Promise<AcceleratorSession>;
  /** @returns a copy on the device. */
  upload(tensor: Tensor): Promise<DeviceTensor>;
  /** @returns a copy in host memory; the one on the device stays. */
  download(tensor: DeviceTensor): Promise<Tensor>;
  dispose(): Promise<void>;
}
