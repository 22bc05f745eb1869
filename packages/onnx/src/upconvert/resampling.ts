import { type Conversion, firstInputs, type UpConversion, type UpConversionContext, withAttribute } from './rule.js';

// Upsample became Resize with opset 10.
const upsampleToResize: Conversion = (node) => [{ ...node, op: 'Resize' }];

// Resize of opset 10 knew one coordinate rule, `x_in = x_out / scale`, and rounded down.
const firstResize: Conversion = (node) => {
  const [data, scales] = firstInputs(node, 2);
  const asymmetric = withAttribute(node, 'coordinate_transformation_mode', 'string', 'asymmetric');
  return [{ ...withAttribute(asymmetric, 'nearest_mode', 'string', 'floor'), inputs: [data ?? '', '', scales ?? ''] }];
};

// Up to opset 12 unused inputs had to be given as empty tensors, and writers still do; they mean that there is none.
const emptyInputs: Conversion = (node, context) => {
  const usesRegion = node.attributes['coordinate_transformation_mode'] === 'tf_crop_and_resize';
  const inputs = node.inputs.map((name, index) => {
    const isUnused = index === 1 && !usesRegion;
    return index > 0 && (isUnused || isEmpty(name, context)) ? '' : name;
  });
  return [{ ...node, inputs }];
};

function isEmpty(name: string, context: UpConversionContext): boolean {
  return name !== '' && context.typeOf(name).shape.includes(0);
}

// GridSample: two modes were renamed.
const gridSampleModes: Conversion = (node) => {
  const renamed = new Map<unknown, string>([
    ['bilinear', 'linear'],
    ['bicubic', 'cubic'],
  ]);
  const mode = renamed.get(node.attributes['mode']);
  return [mode === undefined ? node : withAttribute(node, 'mode', 'string', mode)];
};

// RoiAlign: the default gained the shift by half a pixel.
const roiAlignWithoutShift: Conversion = (node) => [
  withAttribute(node, 'coordinate_transformation_mode', 'string', 'output_half_pixel'),
];

/** Upsample, Resize, GridSample, RoiAlign. */
export const resampling: readonly UpConversion[] = [
  { op: 'Upsample', before: 10, convert: upsampleToResize },
  { op: 'Resize', before: 11, convert: firstResize },
  { op: 'Resize', before: Number.POSITIVE_INFINITY, convert: emptyInputs },
  { op: 'GridSample', before: 20, convert: gridSampleModes },
  { op: 'RoiAlign', before: 16, convert: roiAlignWithoutShift },
];
