/** How one model is served: `config.json` beside it, or what is understood of a Triton `config.pbtxt`. */
export interface ModelConfiguration {
  /** Examples that run as one at most; 1 turns batching off, 0 says that the model has no batch axis. Default 32 where the first axis is open. */
  readonly maxBatchSize?: number;
  /** Wait for others and run together. On by default where the model has a batch axis. */
  readonly dynamicBatching?: {
    readonly isEnabled?: boolean;
    readonly preferredBatchSizes?: readonly number[];
    /** Default 500: how long the first of a batch may wait for others. */
    readonly maxQueueDelayMicroseconds?: number;
  };
  readonly queue?: {
    /** Requests that may wait; more get `queue-full`. Default 1024. */
    readonly maxSize?: number;
    /** How long a request may wait and run. Default for ever. */
    readonly defaultTimeoutMilliseconds?: number;
    readonly priorityLevels?: number;
  };
  /** Batches that run at once over one copy of the weights. Default 1 on two cores, else half the cores. */
  readonly concurrency?: number;
  /** Copies in worker threads, where the runtime cannot run off the event loop. */
  readonly workers?: number;
  /** Run it in a process of its own. */
  readonly isIsolated?: boolean;
  /** Runs before it is ready: batch sizes with made-up inputs. Default [1]. */
  readonly warmUpBatchSizes?: readonly number[];
  readonly versionPolicy?:
    | { readonly latest: number }
    | { readonly all: true }
    | { readonly specific: readonly string[] };
  /** Shares of the requests that name no version: `{ "1": 90, "2": 10 }`. Default all to the newest. */
  readonly routing?: Readonly<Record<string, number>>;
  readonly generation?: { readonly maxConcurrent?: number; readonly maxLength?: number; readonly maxTokens?: number };
  /** Anything else a part of the server reads. */
  readonly parameters?: Readonly<Record<string, string>>;
}
