/** The part of the WebAssembly API in use; the standard library types it only together with the DOM. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Functions of a module compiled here: numbers in, nothing out. */
export type WasmExports = Readonly<Record<string, (...parameters: number[]) => void>>;

interface WebAssemblyApi {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  instantiate(
    bytes: Uint8Array,
    imports: { readonly memory: { readonly memory: WasmMemory } },
  ): Promise<{ readonly instance: { readonly exports: WasmExports } }>;
}

const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** 64 KiB, the unit in which WebAssembly memory grows. */
export const pageBytes = 65_536;
/** 32-bit addresses: 4 GiB. */
export const maximumPages = 65_536;

/** @returns empty memory that may grow to 4 GiB, `undefined` where the process has no address space left. */
export function createWasmMemory(): WasmMemory | undefined {
  try {
    return new api.Memory({ initial: 1, maximum: maximumPages });
  } catch {
    return undefined;
  }
}

/** Compiles a module and binds it to a memory. */
export async function instantiate(bytes: Uint8Array, memory: WasmMemory): Promise<WasmExports> {
  const { instance } = await api.instantiate(bytes, { memory: { memory } });
  return instance.exports;
}
