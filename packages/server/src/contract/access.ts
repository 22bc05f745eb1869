/** What somebody may do with a model, or with the server (`*` as the model). */
export type Action =
  /** Run it: tensors, texts, embeddings. */
  | 'infer'
  /** See that it exists, its metadata, configuration and readiness. */
  | 'read'
  /** Load, unload, reload it. */
  | 'control'
  /** Statistics, metrics. */
  | 'observe';

/** Who asks: a key, a token's subject, or the anonymous of a server without authentication. */
export interface Principal {
  /** Stands in logs and in the audit log; never a secret. */
  readonly id: string;
  readonly kind: 'anonymous' | 'key' | 'token' | 'certificate';
  readonly roles: readonly string[];
}

/** Says who asks, and whether they may. */
export interface AccessControl {
  /**
   * @param header - Reads a request header by its lower-case name.
   * @throws {@link ModelwrightError} `unauthenticated` for a missing, unknown, expired or revoked credential.
   */
  authenticate(header: (name: string) => string | undefined): Promise<Principal>;
  /** Whether `principal` may do `action` to `model`; `*` is the server as a whole. Pure and quick: called for every model of a list. */
  isAllowed(principal: Principal, action: Action, model: string): boolean;
  /**
   * Counts a request against the limits of `principal`.
   *
   * @returns headers that tell the client where it stands (`x-ratelimit-…`).
   * @throws {@link ModelwrightError} `rate-limited` with `details.retryAfterSeconds`.
   */
  consume(
    principal: Principal,
    model: string,
    amount: { readonly requests: number; readonly tokens?: number },
  ): Promise<Readonly<Record<string, string>>>;
}
