/** What the server says of itself over REST and gRPC. */
export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  /** As Triton names them. */
  readonly extensions: readonly string[];
}

/** Name, version of this package, and the extensions of the protocol that are spoken. */
export const serverMetadata: ServerMetadata = {
  name: 'modelwright',
  version: '0.0.0',
  extensions: [
    'binary_tensor_data',
    'classification',
    'model_configuration',
    'model_repository',
    'schedule_policy',
    'statistics',
  ],
};
