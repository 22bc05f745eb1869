/** Whether kernels use several threads, and if not why. */
export interface ThreadFacts {
  readonly threads: number;
  /** What would be needed for more; undefined where several are used. */
  readonly note: string | undefined;
}

interface Surroundings {
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly crossOriginIsolated?: boolean;
}

/** Explains the number of threads that tfjs settled on. */
export function describeThreads(threads: number, surroundings: Surroundings = globalThis as Surroundings): ThreadFacts {
  return { threads, note: threads > 1 ? undefined : noteFor(surroundings) };
}

function noteFor({ process, crossOriginIsolated }: Surroundings): string {
  if (process?.versions?.node !== undefined) {
    return "one thread: tfjs has no threads in Node; the backend 'onnxruntime' uses all cores there";
  }
  if (crossOriginIsolated !== true) {
    return 'one thread: the page is not cross-origin isolated; serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
  }
  return 'one thread: the browser offers no more';
}
