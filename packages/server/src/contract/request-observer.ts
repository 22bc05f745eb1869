/** A request as it arrives, before anything of it is known to be right. */
export interface ObservedRequest {
  readonly requestId: string;
  readonly protocol: 'http' | 'grpc';
  /** `POST` */
  readonly method: string;
  /** The pattern, never the path itself, which may hold anything: `/v2/models/:model/infer`. */
  readonly route: string;
  /** Reads a request header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
}

/** A request that goes on. */
export interface RequestObservation {
  /** Calls `handle` where what it begins belongs to this request. */
  run<Result>(handle: () => Result): Result;
  /** Once, when the answer is there: the status of HTTP or of gRPC. */
  end(outcome: { readonly status: number; readonly errorCode?: string }): void;
}

/** Told of every request from its beginning to its end: traces, metrics of HTTP. Must not throw. */
export interface RequestObserver {
  begin(request: ObservedRequest): RequestObservation;
}
