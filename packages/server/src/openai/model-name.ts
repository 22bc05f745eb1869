import { invalidField, type RequestFields } from './request-fields.js';

/** The model that a request names: `digits`, or `digits@3` for one version. */
export interface NamedModel {
  /** As the client wrote it: what answers repeat. */
  readonly given: string;
  readonly model: string;
  readonly version?: string;
}

/** Reads which model a request is for. @throws {@link ModelwrightError} `invalid-argument` if it does not say. */
export function namedModel(fields: RequestFields): NamedModel {
  const given = fields.text('model') ?? '';
  if (given === '') throw invalidField('model', 'is missing');
  const [, model, version] = /^(.+)@([1-9]\d{0,17})$/.exec(given) ?? [];
  return model === undefined || version === undefined ? { given, model: given } : { given, model, version };
}
