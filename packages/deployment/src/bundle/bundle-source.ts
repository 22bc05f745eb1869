/** Where the files of a bundle come from: a folder, a web server, or memory. */
export interface BundleSource {
  /** Shown in errors. */
  readonly name: string;
  /**
   * @param path - Relative to the bundle, with `/`.
   * @param onProgress - Told how many bytes have come, and of how many where that is known.
   * @throws {@link ModelwrightError} `file-unreadable` if there is no such file.
   */
  read(path: string, onProgress?: (receivedBytes: number, totalBytes?: number) => void): Promise<Uint8Array>;
}
