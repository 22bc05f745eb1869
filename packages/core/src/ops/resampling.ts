import type { AxisTaps } from './axis-taps.js';

/** What decides how one axis is resampled. */
export interface Resampling {
  readonly from: number;
  readonly to: number;
  /** `to / from` as it was asked for, before `to` was rounded. */
  readonly scale: number;
  readonly coordinate_transformation_mode: string;
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly nearest_mode: string;
  readonly cubic_coeff_a: number;
  readonly exclude_outside: number;
  readonly antialias: number;
  /** Start and end of the region of interest, as parts of the axis. */
  readonly roi?: readonly [start: number, end: number];
}

/** Taps of a resampled axis, and which of its places lie outside of the source (`tf_crop_and_resize` alone). */
export interface ResampledAxis extends AxisTaps {
  readonly outside?: readonly boolean[];
}

/**
 * The place in the source, in elements, that place `x` of the result shows.
 *
 * @see ONNX operator `Resize`, attribute `coordinate_transformation_mode`.
 */
function sourceCoordinate(x: number, r: Resampling): number {
  const { from, to, scale } = r;
  switch (r.coordinate_transformation_mode) {
    case 'asymmetric':
      return x / scale;
    case 'align_corners':
      return to === 1 ? 0 : (x * (from - 1)) / (to - 1);
    case 'pytorch_half_pixel':
      return to > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const offset = (from / 2) * (1 - to / (scale * from));
      return offset + (x + 0.5) / scale - 0.5;
    }
    case 'tf_crop_and_resize': {
      const [start, end] = r.roi ?? [0, 1];
      if (to === 1) return 0.5 * (start + end) * (from - 1);
      return start * (from - 1) + (x * (end - start) * (from - 1)) / (to - 1);
    }
    default:
      return (x + 0.5) / scale - 0.5;
  }
}

function nearestPlace(x: number, mode: string): number {
  if (mode === 'floor') return Math.floor(x);
  if (mode === 'ceil') return Math.ceil(x);
  return mode === 'round_prefer_ceil' ? Math.floor(x + 0.5) : Math.ceil(x - 0.5);
}

/** Triangle of half-width 1. */
const triangle = (distance: number): number => Math.max(0, 1 - Math.abs(distance));

/** Keys' cubic convolution kernel with parameter `a`, half-width 2. */
function cubic(distance: number, a: number): number {
  const t = Math.abs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

interface Neighbour {
  readonly place: number;
  readonly weight: number;
}

// When shrinking with antialiasing the kernel is stretched to cover all that one place of the result stands for.
function neighbours(x: number, r: Resampling): readonly Neighbour[] {
  if (r.mode === 'nearest') return [{ place: nearestPlace(x, r.nearest_mode), weight: 1 }];
  const stretch = r.antialias ? Math.min(r.scale, 1) : 1;
  const halfWidth = (r.mode === 'linear' ? 1 : 2) / stretch;
  const kernel = (distance: number): number =>
    r.mode === 'linear' ? triangle(distance * stretch) : cubic(distance * stretch, r.cubic_coeff_a);
  const base = Math.floor(x);
  const first = base + Math.floor(-halfWidth) + 1;
  const last = base + Math.ceil(halfWidth);
  const found = Array.from({ length: last - first + 1 }, (_, at) => ({
    place: first + at,
    weight: kernel(first + at - x),
  }));
  const inside = r.exclude_outside
    ? found.map((each) => (isInside(each.place, r) ? each : { ...each, weight: 0 }))
    : found;
  const total = inside.reduce((sum, { weight }) => sum + weight, 0);
  return r.antialias || r.exclude_outside
    ? inside.map(({ place, weight }) => ({ place, weight: weight / total }))
    : inside;
}

const isInside = (place: number, { from }: Resampling): boolean => place >= 0 && place < from;

/** The linear map of one resampled axis; places beyond the ends take the element at the end. */
export function resampledAxis(r: Resampling): ResampledAxis {
  const crops = r.coordinate_transformation_mode === 'tf_crop_and_resize';
  const coordinates = Array.from({ length: r.to }, (_, x) => sourceCoordinate(x, r));
  const rows = coordinates.map((x) => neighbours(x, r));
  const taps = Math.max(1, ...rows.map((row) => row.length));
  const indices = new Int32Array(r.to * taps);
  const weights = new Float64Array(r.to * taps);
  const outside = coordinates.map((x) => crops && (x < 0 || x > r.from - 1));
  rows.forEach((row, o) => {
    row.forEach(({ place, weight }, t) => {
      indices[o * taps + t] = Math.max(0, Math.min(r.from - 1, place));
      // Places outside have a value of their own.
      weights[o * taps + t] = outside[o] ? 0 : weight;
    });
  });
  return { taps, from: r.from, to: r.to, indices, weights, ...(crops ? { outside } : {}) };
}
