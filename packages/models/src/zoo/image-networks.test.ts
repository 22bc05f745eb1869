import type { Model } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { denseNet, inceptionV3, mobileNetV2, resnet } from '../index.js';

/** What PyTorch counts: running statistics are none of a network's parameters there. */
const trainableCount = (model: Model): number =>
  model.parameters
    .filter(({ trainable }) => trainable)
    .reduce(
      (sum, { value }) => sum + value.shape.reduce<number>((product, extent) => product * (extent as number), 1),
      0,
    );

describe('counts of parameters', () => {
  test.each([
    ['resnet18', resnet({ depth: 18 }), 11_689_512],
    ['resnet34', resnet({ depth: 34 }), 21_797_672],
    ['resnet50', resnet(), 25_557_032],
    ['resnet101', resnet({ depth: 101 }), 44_549_160],
    ['resnet152', resnet({ depth: 152 }), 60_192_808],
    ['densenet121', denseNet(), 7_978_856],
    ['densenet169', denseNet({ depth: 169 }), 14_149_480],
    ['densenet201', denseNet({ depth: 201 }), 20_013_928],
    ['mobilenet_v2', mobileNetV2(), 3_504_872],
  ])('%s has torchvision’s', (_, model, count) => {
    expect(trainableCount(model)).toBe(count);
  });

  test.each([
    ['ResNet50', resnet({ variant: 'keras' }), 25_636_712],
    ['ResNet101', resnet({ depth: 101, variant: 'keras' }), 44_707_176],
    ['ResNet152', resnet({ depth: 152, variant: 'keras' }), 60_419_944],
    ['ResNet50 without top', resnet({ variant: 'keras', includeTop: false }), 23_587_712],
    ['DenseNet121', denseNet(), 8_062_504],
    ['DenseNet169', denseNet({ depth: 169 }), 14_307_880],
    ['DenseNet201', denseNet({ depth: 201 }), 20_242_984],
    ['InceptionV3', inceptionV3(), 23_851_784],
    ['InceptionV3 without top', inceptionV3({ includeTop: false }), 21_802_784],
    ['MobileNetV2', mobileNetV2(), 3_538_984],
    ['MobileNetV2 0.35', mobileNetV2({ alpha: 0.35 }), 1_691_208],
    ['MobileNetV2 1.4', mobileNetV2({ alpha: 1.4 }), 6_156_712],
  ])('%s has that of keras.applications', (_, model, count) => {
    expect(model.parameterCount).toBe(count);
  });

  test.each([
    ['ResNet-20', resnet({ depth: 20 }), 0.27],
    ['ResNet-32', resnet({ depth: 32 }), 0.46],
    ['ResNet-44', resnet({ depth: 44 }), 0.66],
    ['ResNet-56', resnet({ depth: 56 }), 0.85],
    ['ResNet-110', resnet({ depth: 110 }), 1.7],
    ['DenseNet (40, 12)', denseNet({ depth: 40, bottleneck: false, reduction: 1 }), 1.0],
    ['DenseNet-BC (100, 12)', denseNet({ depth: 100 }), 0.8],
    ['DenseNet-BC (250, 24)', denseNet({ depth: 250, growthRate: 24 }), 15.3],
  ])('%s has its paper’s, in millions', (_, model, millions) => {
    const digits = String(millions).split('.')[1]?.length ?? 0;
    expect(Number((trainableCount(model) / 1e6).toFixed(Math.max(1, digits)))).toBe(millions);
  });
});

test('weights have the names that torchvision and Keras give them', () => {
  const names = (model: Model) => model.parameters.map(({ name }) => name);
  expect(names(resnet({ depth: 18 }))).toEqual(
    expect.arrayContaining(['conv1.kernel', 'layer2.0.downsample.1.movingMean', 'layer4.1.bn2.gamma', 'fc.bias']),
  );
  expect(names(resnet({ variant: 'keras' }))).toEqual(
    expect.arrayContaining([
      'conv1_bn.gamma',
      'conv2_block1_0_conv.bias',
      'conv5_block3_3_bn.beta',
      'predictions.kernel',
    ]),
  );
  expect(names(mobileNetV2())).toEqual(
    expect.arrayContaining(['bn_Conv1.gamma', 'expanded_conv_depthwise.depthwiseKernel', 'block_16_project_BN.beta']),
  );
});

test('data formats, tops and pooling', () => {
  const shapeOf = (model: Model) => model.graph.outputs[0]?.value.shape;
  const small = { inputShape: [64, 96, 3], depth: 18 } as const;
  expect(shapeOf(resnet({ ...small, classes: 7 }))).toEqual(['batch', 7]);
  expect(shapeOf(resnet({ ...small, includeTop: false }))).toEqual(['batch', 2, 3, 512]);
  expect(shapeOf(resnet({ ...small, includeTop: false, pooling: 'max' }))).toEqual(['batch', 512]);
  const first = { inputShape: [3, 64, 96], includeTop: false, dataFormat: 'channelsFirst' } as const;
  expect(shapeOf(resnet({ ...first, depth: 34 }))).toEqual(['batch', 512, 2, 3]);
  expect(shapeOf(resnet({ ...first, depth: 20, inputShape: [3, 32, 32], baseFilters: 8 }))).toEqual([
    'batch',
    32,
    8,
    8,
  ]);
  expect(shapeOf(denseNet(first))).toEqual(['batch', 1024, 2, 3]);
  expect(shapeOf(mobileNetV2({ ...first, alpha: 0.35 }))).toEqual(['batch', 1280, 2, 3]);
  expect(shapeOf(inceptionV3({ ...first, inputShape: [3, 75, 75] }))).toEqual(['batch', 2048, 1, 1]);
});

test('networks of any image size', () => {
  const any = mobileNetV2({ inputShape: [null, null, 3], includeTop: false });
  expect(any.graph.outputs[0]?.value.shape.slice(-1)).toEqual([1280]);
});

test('what there is not is refused with what there is', () => {
  expect(() => resnet({ depth: 19 as 18 })).toThrow('resnet: there is no ResNet of 19 layers; there are 18, 34, 50');
  expect(() => denseNet({ depth: 123 })).toThrow('denseNet: depth is 123; 121, 169, 201, 264 or, for CIFAR, 6n + 4');
  expect(() => inceptionV3({ inputShape: [40, 40, 3] })).toThrow('conv2d');
});
