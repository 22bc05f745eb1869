type Core = typeof import('@tensorflow/tfjs-core');
type Kernels = typeof import('@tensorflow/tfjs-backend-wasm');

/** The part of the WebAssembly namespace that is used; not every place that runs this names its types. */
interface Assembly {
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

interface Loaded {
  cwrap(name: string, result: string | null, parameters: readonly string[]): unknown;
}

type Load = (configuration: {
  readonly instantiateWasm: (imports: object, receive: (instance: object, module: object) => void) => object;
}) => Promise<Loaded>;

/** Functions of the binary that tfjs calls by itself, with the numbers they take. */
const ownFunctions: { readonly [name: string]: readonly [symbol: string, result: string | null, parameters: number] } =
  {
    init: ['init', null, 0],
    initWithThreadsCount: ['init_with_threads_count', null, 1],
    getThreadsCount: ['get_threads_count', 'number', 0],
    registerTensor: ['register_tensor', null, 3],
    disposeData: ['dispose_data', null, 1],
    dispose: ['dispose', null, 0],
  };

/**
 * Starts tfjs's kernels on a binary that was compiled by somebody else: where code may not be made from bytes (edge workers), the
 * platform compiles what is imported, and tfjs, which fetches and compiles, finds nothing to do it with.
 */
export async function startModule(core: Core, kernels: Kernels, module: object): Promise<boolean> {
  const loader = await import('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js');
  const load = loader.default as unknown as Load;
  const { Instance } = (globalThis as unknown as { readonly WebAssembly: Assembly }).WebAssembly;
  const start = async (): Promise<InstanceType<Kernels['BackendWasm']>> => {
    const loaded = await load({
      instantiateWasm: (imports, receive) => {
        const instance = new Instance(module, imports);
        receive(instance, module);
        return instance.exports;
      },
    });
    return new kernels.BackendWasm(Object.assign(loaded, { tfjs: functionsOf(loaded) }) as never);
  };
  core.removeBackend('wasm');
  core.registerBackend('wasm', start, 2);
  return core.setBackend('wasm');
}

function functionsOf(loaded: Loaded): { readonly [name: string]: unknown } {
  return Object.fromEntries(
    Object.entries(ownFunctions).map(([name, [symbol, result, parameters]]) => [
      name,
      loaded.cwrap(
        symbol,
        result,
        Array.from({ length: parameters }, () => 'number'),
      ),
    ]),
  );
}
