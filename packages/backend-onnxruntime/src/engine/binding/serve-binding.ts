import type { BindingApi, BindingInferenceSession, BindingMetadata, BindingTensor } from './binding-api.js';

/** A call to the worker. Each is answered by a {@link WorkerAnswer} of the same id. */
export type WorkerCall = { readonly id: number } & (
  | {
      readonly kind: 'create';
      readonly session: number;
      readonly model: Uint8Array | string;
      readonly options: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'run';
      readonly session: number;
      readonly feeds: Readonly<Record<string, BindingTensor>>;
      readonly fetches: readonly string[];
    }
  | { readonly kind: 'release'; readonly session: number }
  | { readonly kind: 'open' }
);

/** What the worker answers. */
export interface WorkerAnswer {
  readonly id: number;
  readonly failure?: string;
  readonly version?: string;
  readonly inputs?: readonly BindingMetadata[];
  readonly outputs?: readonly BindingMetadata[];
  readonly results?: Readonly<Record<string, BindingTensor>>;
}

/** What the worker has from its thread. */
export interface WorkerHost {
  readonly port: {
    on(event: 'message', listener: (call: WorkerCall) => void): void;
    postMessage(answer: WorkerAnswer, transfer: readonly ArrayBuffer[]): void;
  };
  readonly load: () => BindingApi;
}

/**
 * The worker's side. It is sent to the thread as text, so that no file has to be found there: it may use nothing from outside of itself.
 */
export function serveBinding(host: WorkerHost): void {
  const sessions = new Map<number, BindingInferenceSession>();
  const plain = ({ type, dims, data }: BindingTensor): BindingTensor => ({ type, dims, data });
  const answer = async (call: WorkerCall): Promise<Omit<WorkerAnswer, 'id'>> => {
    const api = host.load();
    if (call.kind === 'open') return { version: api.env.versions?.node ?? api.env.versions?.common ?? 'unknown' };
    if (call.kind === 'create') {
      const created = await api.InferenceSession.create(call.model, call.options);
      sessions.set(call.session, created);
      return { inputs: created.inputMetadata, outputs: created.outputMetadata };
    }
    const session = sessions.get(call.session) as BindingInferenceSession;
    if (call.kind === 'release') {
      sessions.delete(call.session);
      await session.release();
      return {};
    }
    const feeds = Object.fromEntries(
      Object.entries(call.feeds).map(([name, { type, data, dims }]) => [name, new api.Tensor(type, data, dims)]),
    );
    const fetches = Object.fromEntries(call.fetches.map((name) => [name, null]));
    const results = await session.run(feeds, fetches);
    return { results: Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, plain(tensor)])) };
  };
  host.port.on('message', (call) => {
    answer(call).then(
      (content) => {
        const tensors = Object.values(content.results ?? {});
        const buffers = tensors.flatMap(({ data }) => (ArrayBuffer.isView(data) ? [data.buffer as ArrayBuffer] : []));
        host.port.postMessage({ id: call.id, ...content }, [...new Set(buffers)]);
      },
      (error: Error) => host.port.postMessage({ id: call.id, failure: error.message }, []),
    );
  });
}
