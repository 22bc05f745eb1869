import type * as tensorflow from '@tensorflow/tfjs-core';

/** The part of the `@tensorflow/tfjs-core` namespace that is used; hand in the namespace as it is imported. */
export type TfjsCore = Pick<
  typeof tensorflow,
  'engine' | 'findBackend' | 'getBackend' | 'getKernel' | 'setBackend' | 'version_core'
>;

/** A tensor of tfjs: a handle of the backend's memory, and how to read it. */
export type TensorInfo = tensorflow.TensorInfo;

/** Element types that live on the device. */
export type DeviceDType = 'float32' | 'int32' | 'bool';

/** Elements as tfjs takes and gives them. */
export type DeviceData = Float32Array | Int32Array | Uint8Array;

/** Inputs of a kernel by the kernel's own names; some kernels take a list. */
export type KernelInputs = { readonly [name: string]: TensorInfo | undefined } | readonly TensorInfo[];

/** Attributes of a kernel by the kernel's own names. */
export type KernelAttributes = { readonly [name: string]: unknown };
