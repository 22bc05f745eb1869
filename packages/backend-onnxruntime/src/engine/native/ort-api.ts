import { installCommands, ModelwrightError } from '@modelwright/core';
import { toRuntimeError } from '../runtime-error.js';
import type { Koffi, KoffiLibrary, NativeArgument, NativeFunction } from './koffi.js';
import { type OrtFunction, ortApiVersion, ortSlots, ortTableLength } from './ort-slots.js';

const kinds: Readonly<Record<string, string>> = {
  p: 'void *',
  s: 'void *',
  z: 'size_t',
  i: 'int',
  l: 'int64_t',
  t: 'const char *',
  v: 'void',
};

/** Memory of 16 pointers that synchronous calls write their results to. Only the main thread touches it, between calls. */
const scratchLength = 16;

/**
 * The C API of one loaded library: its functions by name, status checks and the reading of C memory.
 */
export class OrtApi {
  readonly version: string;
  readonly functions: { readonly [F in OrtFunction]: NativeFunction };
  readonly scratch: BigUint64Array = new BigUint64Array(scratchLength);
  readonly scratchAddress: bigint;
  readonly #koffi: Koffi;
  readonly #shape: BigInt64Array = new BigInt64Array(64);
  readonly #shapeAddress: bigint;
  /** koffi unloads a library that nothing refers to, and with it the code behind {@link functions}. */
  readonly library: KoffiLibrary;
  held: readonly unknown[] = [];

  constructor(koffi: Koffi, libraryPath: string) {
    this.#koffi = koffi;
    this.scratchAddress = koffi.address(this.scratch);
    this.#shapeAddress = koffi.address(this.#shape);
    this.library = koffi.load(libraryPath);
    const { table, version } = readTable(koffi, this.library);
    this.version = version;
    this.functions = Object.fromEntries(
      Object.entries(ortSlots).map(([name, [position, result, parameters]]) => {
        const prototype = koffi.proto(
          kinds[result] ?? 'void',
          [...parameters].map((kind) => kinds[kind] ?? 'void *'),
        );
        return [name, koffi.decode(table[position] as bigint, prototype)];
      }),
    ) as { readonly [F in OrtFunction]: NativeFunction };
  }

  /** Calls a function that answers with a status. */
  call(name: OrtFunction, ...parameters: NativeArgument[]): void {
    this.check(this.functions[name](...parameters));
  }

  /** Calls a function whose last parameter is where it writes a pointer, and returns what it wrote. */
  pointer(name: OrtFunction, ...parameters: NativeArgument[]): bigint {
    this.call(name, ...parameters, this.scratchAddress);
    return this.scratch[0] as bigint;
  }

  /** As {@link pointer} for an `int`. */
  integer(name: OrtFunction, ...parameters: NativeArgument[]): number {
    this.scratch[0] = 0n;
    return Number(this.pointer(name, ...parameters));
  }

  /** Runs a function that answers with a status on another thread. */
  callAsync(name: OrtFunction, ...parameters: NativeArgument[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.functions[name].async(...parameters, (error, status) => {
        if (error) return reject(new ModelwrightError('backend-failure', error.message, { cause: error }));
        try {
          resolve(this.check(status));
        } catch (failure) {
          reject(failure as Error);
        }
      });
    });
  }

  /** Runs a function without result on another thread. */
  releaseAsync(name: OrtFunction, pointer: bigint): Promise<void> {
    return new Promise((resolve) => this.functions[name].async(pointer, () => resolve()));
  }

  /** @throws ModelwrightError with the runtime's own message when `status` is not null. */
  check(status: NativeArgument): void {
    if (status === null || status === 0n || status === 0) return;
    const code = Number(this.functions.GetErrorCode(status));
    const message = String(this.functions.GetErrorMessage(status));
    this.functions.ReleaseStatus(status);
    throw toRuntimeError(message, code);
  }

  /** Writes a shape as `int64_t[]` where the next call may read it. */
  shapeAddress(shape: readonly number[]): bigint {
    if (shape.length > this.#shape.length)
      throw new ModelwrightError('unsupported-shape', `ONNX Runtime takes at most ${this.#shape.length} axes.`, {
        given: shape,
      });
    for (let axis = 0; axis < shape.length; axis++) this.#shape[axis] = BigInt(shape[axis] as number);
    return this.#shapeAddress;
  }

  /** @returns where `memory` begins; see {@link hold} for how long that is true. */
  address(memory: ArrayBuffer | ArrayBufferView): bigint {
    // An empty array has no address, but the runtime wants a pointer that is not null.
    return memory.byteLength === 0 ? this.scratchAddress : this.#koffi.address(memory);
  }

  /** Called after a native call with the memory it used, so that none of it is collected while the call runs. */
  hold(...memory: unknown[]): void {
    this.held = memory;
  }

  /** @returns a copy of C memory. */
  copy(pointer: bigint, sizeBytes: number): ArrayBuffer {
    return sizeBytes === 0 ? new ArrayBuffer(0) : this.#koffi.view(pointer, sizeBytes).slice(0);
  }

  /** @returns the C string at a pointer. */
  text(pointer: bigint): string {
    const text = this.#koffi.decode as unknown as { string(pointer: bigint): string };
    return text.string(pointer);
  }
}

function readTable(koffi: Koffi, library: KoffiLibrary): { table: BigUint64Array; version: string } {
  const base = library.func('OrtGetApiBase', 'void *', [])() as bigint;
  const [getApi, getVersion] = new BigUint64Array(koffi.view(base, 16)) as unknown as [bigint, bigint];
  const version = String(koffi.decode(getVersion, koffi.proto('const char *', []))());
  const api = koffi.decode(getApi, koffi.proto('void *', ['uint32_t']))(ortApiVersion);
  if (api === null || api === 0n)
    throw new ModelwrightError(
      'backend-unavailable',
      `ONNX Runtime ${version} does not serve version ${ortApiVersion} of its C API.`,
      { hint: installCommands('onnxruntime-node@1.30') },
    );
  return { table: new BigUint64Array(koffi.view(api as bigint, ortTableLength * 8)), version };
}
