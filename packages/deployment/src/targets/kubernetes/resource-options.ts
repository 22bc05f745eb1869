import { countOption, textOption, wrongOption } from '../options.js';
import type { Target, TargetContext } from '../target.js';

/** What a container may use. */
export interface Resources {
  readonly requests: { readonly cpu: string; readonly memory: string };
  readonly limits: { readonly cpu: string; readonly memory: string };
}

/** Options that say how much a service may use. */
export const scalingOptions: Target['options'] = {
  'min-replicas': 'fewest copies (default 2)',
  'max-replicas': 'most copies (default 8)',
  cpu: 'processors of a copy (default 1)',
  memory: 'memory of a copy (default by the size of the model)',
};

/** How many copies there are. */
export function replicasFrom(options: TargetContext['options'], least: number): { least: number; most: number } {
  const min = countOption(options, 'min-replicas', { least: 0, most: 1000 }) ?? least;
  const most = countOption(options, 'max-replicas', { least: 1, most: 1000 }) ?? Math.max(8, min);
  if (most < min) throw wrongOption('max-replicas', most, `a number from min-replicas (${min})`);
  return { least: min, most };
}

const quantity = /^\d+(\.\d+)?(m|[KMGT]i?)?$/;

/** Requests and limits of a container: memory for the runtime and three times the model, unless said otherwise. */
export function resourcesFrom(options: TargetContext['options'], modelBytes: number): Resources {
  const cpu = quantityOption(options, 'cpu') ?? '1';
  const mebibytes = Math.ceil((256 + (3 * modelBytes) / 2 ** 20) / 64) * 64;
  const memory = quantityOption(options, 'memory') ?? `${mebibytes}Mi`;
  return { requests: { cpu, memory }, limits: { cpu, memory } };
}

function quantityOption(options: TargetContext['options'], name: string): string | undefined {
  const value = textOption(options, name);
  if (value === undefined || quantity.test(value)) return value;
  throw wrongOption(name, value, "a quantity as Kubernetes has them: '500m', '2', '512Mi'");
}
