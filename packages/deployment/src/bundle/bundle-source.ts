/** Where the files of a bundle come from: a folder, a web server, or memory. */
export interface BundleSource {
  /** Shown in errors. */
  readonly name: string;
  /**
   * @param path - Relative to the bundle, with `/`.
   * @param onProgress - Told how many bytes have come, and of how many where that is known.
   * @param maxBytes - A larger file is not read. Default no limit.
   * @throws {@link ModelwrightError} `file-unreadable` if there is no such file, `limit-exceeded` if it is larger than `maxBytes`.
   */
  read(path: string, onProgress?: ReadProgress, maxBytes?: number): Promise<Uint8Array>;
}

/** How far the reading of one file is. */
export type ReadProgress = (receivedBytes: number, totalBytes?: number) => void;
