/** What an edge platform takes, as its documentation says. */
export interface EdgePlatform {
  readonly label: string;
  /** Of a worker with all that is embedded, compressed. */
  readonly mostCompressedBytes: number;
  /** Before compression, where that is bounded, too. */
  readonly mostBytes?: number;
  /** What a worker may hold while it runs. */
  readonly memoryBytes: number;
}

const [kilo, mega] = [1024, 1024 * 1024];

/**
 * By what `--platform` takes.
 *
 * @see https://developers.cloudflare.com/workers/platform/limits/, https://vercel.com/docs/functions/limitations,
 *   https://docs.netlify.com/edge-functions/limits/.
 */
export const edgePlatforms: { readonly [name: string]: EdgePlatform } = {
  'cloudflare-free': {
    label: 'Cloudflare Workers, free plan',
    mostCompressedBytes: 3 * mega,
    mostBytes: 64 * mega,
    memoryBytes: 128 * mega,
  },
  cloudflare: {
    label: 'Cloudflare Workers, paid plan',
    mostCompressedBytes: 10 * mega,
    mostBytes: 64 * mega,
    memoryBytes: 128 * mega,
  },
  vercel: { label: 'Vercel Edge Functions, Pro', mostCompressedBytes: 2 * mega, memoryBytes: 128 * mega },
  netlify: { label: 'Netlify Edge Functions', mostCompressedBytes: 20 * mega, memoryBytes: 512 * mega },
  none: {
    label: 'no limits',
    mostCompressedBytes: Number.POSITIVE_INFINITY,
    memoryBytes: Number.POSITIVE_INFINITY,
  },
};

/** `1.4 MiB` */
export function formatSize(bytes: number): string {
  return bytes < mega ? `${(bytes / kilo).toFixed(0)} KiB` : `${(bytes / mega).toFixed(2)} MiB`;
}
