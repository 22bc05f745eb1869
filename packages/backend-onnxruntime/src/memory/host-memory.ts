import { allocateData, type DType, dtypeFacts, type NumericDType, Tensor, viewData } from '@modelwright/core';
import type { Engine, EngineValue } from '../engine/engine.js';
import { createWasmMemory, maximumPages, pageBytes, type WasmMemory } from '../wasm/web-assembly.js';

/** A cache line; SIMD wants 16. */
const alignmentBytes = 64;

/** Element type and shape of what lies in a region. */
export interface RegionType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** @returns bytes that a region of this type takes. */
export function regionBytes({ dtype, shape }: RegionType): number {
  const bytes = shape.reduce((product, extent) => product * extent, 1) * dtypeFacts[dtype].bytes;
  return Math.ceil(bytes / alignmentBytes) * alignmentBytes;
}

/**
 * Memory that ONNX Runtime and the WebAssembly passes of a program both work on in place. Where WebAssembly has none left, regions lie in
 * memory of their own, which no pass can reach.
 */
export class HostMemory {
  readonly wasm: WasmMemory | undefined;
  readonly isShared: boolean;
  readonly #engine: Engine;
  readonly #limitBytes: number;
  readonly #regions = new Set<Region>();
  readonly #scratch = new Map<number, number[]>();
  // Address 0 stays free: a null pointer in C.
  #usedBytes = alignmentBytes;

  /**
   * @param limitBytes - how much WebAssembly memory may be taken; 0 for none.
   * @param isShared - whether threads help with the passes over it.
   */
  constructor(engine: Engine, limitBytes: number, isShared = false) {
    this.#engine = engine;
    this.#limitBytes = Math.min(limitBytes, maximumPages * pageBytes);
    this.isShared = isShared;
    this.wasm = limitBytes > 0 ? createWasmMemory(isShared) : undefined;
  }

  /** @returns whether `sizeBytes` more would fit into WebAssembly memory. */
  hasRoom(sizeBytes: number): boolean {
    return this.wasm !== undefined && this.#usedBytes + sizeBytes <= this.#limitBytes;
  }

  /** Grows at once for what is allocated next: each growth makes every view anew. */
  reserve(sizeBytes: number): void {
    if (this.wasm === undefined || !this.hasRoom(sizeBytes)) return;
    const missingBytes = this.#usedBytes + sizeBytes - this.wasm.buffer.byteLength;
    if (missingBytes <= 0) return;
    this.wasm.grow(Math.ceil(missingBytes / pageBytes));
    for (const region of this.#regions) region.refresh();
  }

  /** @returns zeroed memory that lives as long as this object. */
  allocate(type: RegionType): Region {
    return this.#place(type, () => this.#advance(regionBytes(type)));
  }

  /**
   * Memory whose content lives for one run only, shared by the executables that work on this memory one at a time.
   *
   * @param taken - counts what this executable has taken already, by size.
   */
  allocateScratch(type: RegionType, taken: Map<number, number>): Region {
    const sizeBytes = regionBytes(type);
    return this.#place(type, () => {
      const offsets = this.#scratch.get(sizeBytes) ?? [];
      this.#scratch.set(sizeBytes, offsets);
      const index = taken.get(sizeBytes) ?? 0;
      taken.set(sizeBytes, index + 1);
      while (offsets.length <= index) offsets.push(this.#advance(sizeBytes));
      return offsets[index] as number;
    });
  }

  dispose(): void {
    for (const region of this.#regions) region.release();
    this.#regions.clear();
  }

  #place(type: RegionType, place: () => number): Region {
    const isInside = this.wasm !== undefined && type.dtype !== 'string' && this.hasRoom(regionBytes(type));
    const region = new Region(this.#engine, type, isInside ? { memory: this.wasm, offset: place() } : undefined);
    this.#regions.add(region);
    return region;
  }

  #advance(sizeBytes: number): number {
    this.reserve(sizeBytes);
    const offset = this.#usedBytes;
    this.#usedBytes += sizeBytes;
    return offset;
  }
}

/** A tensor in host memory that the runtime knows. */
export class Region {
  readonly type: RegionType;
  /** Byte address in WebAssembly memory, −1 outside of it. */
  readonly offset: number;
  readonly #engine: Engine;
  readonly #memory: WasmMemory | undefined;
  #tensor: Tensor;
  #value: EngineValue | undefined;

  constructor(engine: Engine, type: RegionType, place: { memory: WasmMemory; offset: number } | undefined) {
    this.#engine = engine;
    this.type = type;
    this.offset = place?.offset ?? -1;
    this.#memory = place?.memory;
    this.#tensor = this.#view();
  }

  get tensor(): Tensor {
    return this.#tensor;
  }

  /** Made when first asked for: not every region meets the runtime. Strings are copied, so theirs is made anew each time. */
  get value(): EngineValue {
    if (this.type.dtype === 'string') this.release();
    this.#value ??= this.#engine.createValue(this.#tensor);
    return this.#value;
  }

  /** Copies elements in. */
  write(source: Tensor): void {
    if (this.type.dtype === 'string')
      (this.#tensor.data as string[]).splice(0, source.elementCount, ...(source.data as string[]));
    else (this.#tensor.data as Float32Array).set(source.data as Float32Array);
  }

  /** @returns a copy in memory of its own. */
  read(): Tensor {
    return new Tensor(this.type.dtype, this.type.shape, this.#tensor.data.slice() as Tensor['data']);
  }

  /** Called when the memory has grown and old views are detached. */
  refresh(): void {
    if (this.#memory === undefined) return;
    this.release();
    this.#tensor = this.#view();
  }

  release(): void {
    this.#value?.dispose();
    this.#value = undefined;
  }

  #view(): Tensor {
    const { dtype, shape } = this.type;
    const count = shape.reduce((product, extent) => product * extent, 1);
    if (this.#memory === undefined) return new Tensor(dtype, shape, allocateData(dtype, count));
    return new Tensor(dtype, shape, viewData(dtype as NumericDType, this.#memory.buffer, this.offset, count));
  }
}
