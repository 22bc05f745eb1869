/** One of the models, a sample to ask it about, and what it has to say. */
export interface ExampleModel {
  readonly name: string;
  /** Content type of the sample. */
  readonly type: string;
  /** File of the sample. */
  readonly sample: string;
  readonly label: string;
}

/** A label, and how sure the model is of it. */
export interface BestLabel {
  readonly label: string;
  readonly score?: number;
}

/** Asks about one sample. */
export type Ask = (model: ExampleModel, sample: Buffer) => Promise<BestLabel>;

/** The models of every deployment example. */
export const models: readonly ExampleModel[];

/** Asks about every sample and prints the answers; a wrong one makes the process fail. */
export function checkAnswers(ask: Ask): Promise<void>;

/** Asks a server, by `POST /v2/models/<name>/predict`. */
export function askOverHttp(
  urlOf: (model: string) => string,
  fetchFrom?: (
    url: string,
    request: { method: string; headers: Record<string, string>; body: Buffer },
  ) => Promise<Response>,
): Ask;
