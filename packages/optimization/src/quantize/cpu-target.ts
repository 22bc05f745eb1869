/** How the CPU that a model is meant for multiplies 8-bit integers. */
export interface CpuTarget {
  /**
   * Whether it sums products of 8-bit integers exactly: AVX-512 VNNI, AVX-VNNI, AMX, ARM's dot product. Others sum two products in 16 bits,
   * which saturate when weights take all 8 bits.
   */
  readonly vnni: boolean;
}

/** What was found out about the CPU of this machine, and how. */
export interface DetectedTarget extends CpuTarget {
  readonly reason: string;
}

// As Linux lists them; `asimddp` is ARM's dot product, and ARM's older kernels widen before they add.
const exactFeatures: readonly string[] = ['avx512_vnni', 'avx_vnni', 'avx_vnni_int8', 'amx_int8', 'asimddp', 'asimd'];
const cpuInfoPath = '/proc/cpuinfo';

/**
 * Looks up whether the CPU of this machine sums 8-bit products exactly. Where that cannot be known (not Linux, a browser) the answer is no,
 * which is always correct and sometimes slower.
 *
 * @param readText - Reads a text file; default Node's, where there is one.
 */
export async function detectTarget(
  readText: (path: string) => Promise<string> = readFromDisk,
): Promise<DetectedTarget> {
  let text: string;
  try {
    text = await readText(cpuInfoPath);
  } catch {
    return { vnni: false, reason: 'the CPU is not known, so it counts as one without VNNI' };
  }
  const line = text.split('\n').find((each) => /^(flags|Features)\s*:/i.test(each)) ?? '';
  const features = new Set(
    line
      .slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/),
  );
  const found = exactFeatures.find((feature) => features.has(feature));
  return found === undefined
    ? { vnni: false, reason: 'the CPU has no VNNI' }
    : { vnni: true, reason: `the CPU has ${found}` };
}

async function readFromDisk(path: string): Promise<string> {
  // Held in a variable, so that bundlers for browsers do not look for it.
  const moduleName = 'node:fs/promises';
  const { readFile } = (await import(moduleName)) as { readFile(path: string, encoding: 'utf8'): Promise<string> };
  return readFile(path, 'utf8');
}
