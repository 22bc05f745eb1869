import type { Model } from '@modelwright/core';
import { dcgan, denseNet, inceptionV3, mlp, mobileNetV2, resnet } from '@modelwright/models';

const small = [16, 16, 3] as const;
/** Networks of the zoo that normalize batches, made small. */
export const zoo: readonly (readonly [string, () => Model])[] = [
  ['resnet 20', () => resnet({ depth: 20, inputShape: small, classifierActivation: 'linear' })],
  [
    'resnet 18',
    () => resnet({ depth: 18, baseFilters: 4, inputShape: [32, 32, 3], classes: 3, classifierActivation: 'linear' }),
  ],
  [
    'resnet 50 of keras',
    () =>
      resnet({ variant: 'keras', baseFilters: 4, inputShape: [32, 32, 3], classes: 3, classifierActivation: 'linear' }),
  ],
  [
    'mobileNetV2',
    () => mobileNetV2({ inputShape: [32, 32, 3], alpha: 0.1, classes: 3, classifierActivation: 'linear' }),
  ],
  [
    'inceptionV3',
    () => inceptionV3({ inputShape: [75, 75, 3], alpha: 0.1, classes: 3, classifierActivation: 'linear' }),
  ],
  ['denseNet', () => denseNet({ depth: 22, growthRate: 4, inputShape: small, classifierActivation: 'linear' })],
  [
    'denseNet without bottlenecks',
    () => denseNet({ depth: 10, growthRate: 4, bottleneck: false, inputShape: small, classifierActivation: 'linear' }),
  ],
  ['dcgan generator', () => dcgan({ imageShape: [16, 16, 1], filters: 4, latentSize: 5 }).generator],
  ['dcgan discriminator', () => dcgan({ imageShape: [16, 16, 1], filters: 4 }).discriminator],
  ['mlp', () => mlp({ inputShape: [20], hiddenUnits: [16, 8], batchNormalization: true })],
];
