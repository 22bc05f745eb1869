/** What every network of the zoo takes. */
export interface ZooOptions {
  /** Name of the model; default: that of the function. */
  readonly name?: string;
  /** Seed of the weights' initial values. Default 0. */
  readonly seed?: number;
}
