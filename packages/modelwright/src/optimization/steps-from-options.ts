import {
  clusterWeights,
  float16,
  type OptimizationStep,
  pruneChannels,
  pruneWeights,
  quantize,
  quantizeWeights,
  type Train,
  tidy,
} from '@modelwright/optimization';
import { importFunction } from '../files/import-module.js';
import { fineTune } from './fine-tune.js';

/** What `--quantize` takes. */
export const quantizations = ['static', 'dynamic', 'float16', 'int8', 'int4'] as const;

/** The options of `modelwright optimize` that are steps. */
export interface StepOptions {
  readonly tidy: boolean;
  readonly pruneChannels?: number;
  readonly pruneWeights?: number;
  readonly fineTune?: string;
  readonly cluster?: number;
  readonly quantize?: (typeof quantizations)[number];
  readonly maxLoss?: number;
}

/** The steps that were asked for, in the order in which they keep what the earlier ones did. */
export async function stepsFrom(options: StepOptions): Promise<readonly OptimizationStep[]> {
  const steps: OptimizationStep[] = [];
  if (options.pruneChannels !== undefined) steps.push(pruneChannels({ ratio: options.pruneChannels }));
  if (options.pruneWeights !== undefined) steps.push(pruneWeights({ ratio: options.pruneWeights }));
  if (options.fineTune !== undefined) {
    steps.push(fineTune((await importFunction(options.fineTune, '--fine-tune')) as Train));
  }
  // Training wants normalization as it was written; clusters want to be the last to change the weights.
  if (options.tidy) steps.push(tidy());
  if (options.cluster !== undefined) steps.push(clusterWeights({ clusters: options.cluster }));
  if (options.quantize !== undefined) steps.push(quantization(options.quantize, options.maxLoss));
  return steps;
}

function quantization(mode: (typeof quantizations)[number], maxLoss: number | undefined): OptimizationStep {
  const limit = maxLoss === undefined ? {} : { maxLoss };
  switch (mode) {
    case 'static':
      return quantize({ mode: 'static', ...limit });
    case 'dynamic':
      return quantize({ mode: 'dynamic', ...limit });
    case 'float16':
      return float16();
    case 'int8':
      return quantizeWeights({ bits: 8 });
    default:
      return quantizeWeights({ bits: 4 });
  }
}
