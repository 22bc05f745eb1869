import type { Attributes, GraphBuilder, Node, OpAttributes, OpName, Shape, Tensor, Value } from '@modelwright/core';
import type { Held } from '../device/held.js';
import type { DeviceData, DeviceDType, KernelAttributes, KernelInputs, TensorInfo } from '../device/tfjs-core.js';

/** Memory of the device that a step reads and writes in place. */
export interface ScopeMemory {
  /** The elements themselves; only valid until the next tensor is made. */
  view(tensor: TensorInfo): DeviceData;
  /** A tensor whose elements are yet to be written; freed after the node unless it is a result. */
  allocate(shape: readonly number[], dtype?: DeviceDType): TensorInfo;
}

/** What one node sees while a program runs. All tensors made through it are freed after the node, except its results. */
export interface StepScope {
  readonly backendName: string;
  /** Absent where tensors lie out of JavaScript's reach. */
  readonly memory: ScopeMemory | undefined;
  readonly inputs: readonly (Held | undefined)[];
  /** The required input at `index` on the device. */
  device(index: number): TensorInfo;
  /** The required input at `index`. */
  held(index: number): Held;
  /** Runs a kernel that has one output. */
  run(kernel: string, inputs: KernelInputs, attributes?: KernelAttributes): TensorInfo;
  /** Runs a kernel that has several outputs. */
  runAll(kernel: string, inputs: KernelInputs, attributes?: KernelAttributes): readonly TensorInfo[];
  /** The same elements under another shape; no copy. */
  reshape(tensor: TensorInfo, shape: readonly number[]): TensorInfo;
  /** A scalar, uploaded once for all runs. */
  scalar(value: number, dtype?: 'float32' | 'int32' | 'bool'): TensorInfo;
  /** Frees a tensor of this node before its end. */
  free(tensor: TensorInfo): void;
  /** A tensor of the host, for the time of this node. */
  upload(tensor: Tensor): TensorInfo;
}

/** A result on the device, on the host, or one of the inputs as it is. */
export type StepResult = TensorInfo | Tensor | Held;

/** Computes the outputs of one node. */
export type Step = (scope: StepScope) => StepResult | readonly StepResult[];

/** A node of one op, its attributes typed. */
export type NodeOf<N extends OpName> = Omit<Node, 'attributes'> & { readonly attributes: OpAttributes[N] };

/** Made of kernels. `compile` returns undefined for dtypes or attributes that the kernels do not know. */
export interface KernelLowering<N extends OpName> {
  readonly kind: 'kernel';
  compile(node: NodeOf<N>): Step | undefined;
}

/** Computed on the host by core's reference, which is exact and slow. */
export interface HostLowering {
  readonly kind: 'host';
  readonly reason: string;
}

/** Refused when a program is compiled. */
export interface UnsupportedLowering {
  readonly kind: 'unsupported';
  readonly reason: string;
}

/** Runs graphs that are attributes of the node. */
export interface ControlFlowLowering {
  readonly kind: 'control-flow';
}

/** How one op reaches the kernels of tfjs. */
export type Lowering<N extends OpName> =
  | KernelLowering<N>
  | ImageLowering<N>
  | 'decompose'
  | HostLowering
  | ControlFlowLowering
  | UnsupportedLowering;

/** A part of the table. */
export type LoweringFamily<Names extends OpName> = { readonly [N in Names]: Lowering<N> };

/** An op that kernels compute. */
export function kernel<N extends OpName>(compile: (node: NodeOf<N>) => Step | undefined): KernelLowering<N> {
  return { kind: 'kernel', compile };
}

/** An op that the host computes, and why. */
export function host(reason: string): HostLowering {
  return { kind: 'host', reason };
}

/** An op that is refused, and why. */
export function unsupported(reason: string): UnsupportedLowering {
  return { kind: 'unsupported', reason };
}

/** Whether every input that is given has one of `dtypes`. */
export function takes(node: Pick<Node, 'inputs'>, ...dtypes: readonly string[]): boolean {
  return node.inputs.every((input) => input === undefined || dtypes.includes(input.dtype));
}

/** Whether input `index` has one of `dtypes`. */
export function takesAt(node: Pick<Node, 'inputs'>, index: number, ...dtypes: readonly string[]): boolean {
  const dtype = node.inputs[index]?.dtype;
  return dtype === undefined || dtypes.includes(dtype);
}

/** Number of elements of a shape. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Turned into channels-last nodes when layouts are assigned; undefined where kernels have no such form. */
export interface ImageLowering<N extends OpName> {
  readonly kind: 'image';
  lower(node: NodeOf<N>, images: ImageBuilder): Value | undefined;
}

/** Builds channels-last nodes; transposes that meet vanish. */
export interface ImageBuilder {
  readonly builder: GraphBuilder;
  /** The node's inputs in the new graph. */
  readonly inputs: readonly (Value | undefined)[];
  /** `value` with its axes in the order `perm`. */
  transpose(value: Value, perm: readonly number[]): Value;
  /** A node of {@link kernelDomain}. */
  kernelNode(node: {
    readonly op: string;
    readonly inputs: readonly (Value | undefined)[];
    readonly attributes: Attributes;
    readonly shape: Shape;
  }): Value;
}

/** Domain of nodes that stand for kernels directly, made while a graph is prepared. */
export const kernelDomain = 'modelwright.tfjs';

/** An op on images. */
export function image<N extends OpName>(lower: ImageLowering<N>['lower']): ImageLowering<N> {
  return { kind: 'image', lower };
}
