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

/** What the connection itself says of the other side; only the listener fills it, never a header. */
export interface Peer {
  /** A client certificate that the TLS layer has verified against its authorities; an unverified one must be left out. */
  readonly certificate?: {
    /** `CN=reporting,O=Example` */
    readonly subject: string;
    /** SHA-256 of the certificate; colons and case do not matter. */
    readonly fingerprint256: string;
  };
}

/** Says who asks, and whether they may. */
export interface AccessControl {
  /** False where everybody may do everything: such a server must not listen publicly. */
  readonly isAuthenticating: boolean;
  /**
   * @param header - Reads a request header by its lower-case name.
   * @throws {@link ModelwrightError} `unauthenticated` for a missing, unknown, expired or revoked credential.
   */
  authenticate(header: (name: string) => string | undefined, peer?: Peer): Promise<Principal>;
  /**
   * Whether `principal` may do `action` to `model`. Pure and quick: called for every model of a list.
   *
   * `*` as the model asks for the server as a whole: to `control` and `observe` it needs a permission for all models; to `infer` and
   * `read` one for any, since what such a request reaches is decided model by model.
   */
  isAllowed(principal: Principal, action: Action, model: string): boolean;
  /**
   * Counts a request against the limits of `principal`. With `requests: 0` it only counts, what was used after all (tokens of an
   * answer, say), and never refuses; the next request feels it.
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
