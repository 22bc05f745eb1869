/** The part of the WebAssembly API in use; the standard library types it only together with the DOM. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Functions of a module compiled here: numbers in, nothing out. */
export type WasmExports = Readonly<Record<string, (...parameters: number[]) => void>>;

/** Compiled code, which threads may share. */
export type WasmModule = object;

interface WebAssemblyApi {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: boolean;
  }) => WasmMemory;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(
    module: WasmModule,
    imports: { readonly memory: { readonly memory: WasmMemory } },
  ): Promise<{ readonly exports: WasmExports }>;
}

const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** 64 KiB, the unit in which WebAssembly memory grows. */
export const pageBytes = 65_536;
/** 32-bit addresses: 4 GiB. */
export const maximumPages = 65_536;

/**
 * @param isShared - whether several threads will work on it.
 * @returns empty memory that may grow to 4 GiB, `undefined` where the process has no address space left.
 */
export function createWasmMemory(isShared = false): WasmMemory | undefined {
  try {
    return new api.Memory({ initial: 1, maximum: maximumPages, shared: isShared });
  } catch {
    return undefined;
  }
}

/** Compiles the bytes of a module. */
export function compileModule(bytes: Uint8Array): Promise<WasmModule> {
  return api.compile(bytes);
}

/** Binds a module, or the bytes of one, to a memory. */
export async function instantiate(module: WasmModule | Uint8Array, memory: WasmMemory): Promise<WasmExports> {
  const compiled = module instanceof Uint8Array ? await compileModule(module) : module;
  const { exports } = await api.instantiate(compiled, { memory: { memory } });
  return exports;
}
