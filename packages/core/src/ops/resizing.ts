import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the pad, Resize and their kin, by op. */
export interface ResizingAttributes {
  /** `(data, pads, constant_value?, axes?)` */
  Pad: { mode: 'constant' | 'reflect' | 'edge' | 'wrap' };
  /** `(x, roi?, scales?, sizes?)` */
  Resize: {
    antialias: number;
    axes?: readonly number[];
    coordinate_transformation_mode:
      | 'half_pixel'
      | 'half_pixel_symmetric'
      | 'pytorch_half_pixel'
      | 'align_corners'
      | 'asymmetric'
      | 'tf_crop_and_resize';
    cubic_coeff_a: number;
    exclude_outside: number;
    extrapolation_value: number;
    keep_aspect_ratio_policy: 'stretch' | 'not_larger' | 'not_smaller';
    mode: 'nearest' | 'linear' | 'cubic';
    nearest_mode: 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';
  };
  /** Own domain: `(dy)` → gradient of `Resize` (nearest or linear) of an input of `input_shape`; `scales` as the forward pass used them. */
  ResizeGradient: {
    input_shape: readonly number[];
    scales: readonly number[];
    coordinate_transformation_mode: string;
    mode: 'nearest' | 'linear' | 'cubic';
    nearest_mode: string;
    cubic_coeff_a: number;
  };
}

/** Pad, Resize and their kin. */
export const resizing: OpFamily<ResizingAttributes> = pending<ResizingAttributes>();
