/** Pixels as floats in 0…255, interleaved: `[height, width, channels]`. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pixels: Float32Array;
}
