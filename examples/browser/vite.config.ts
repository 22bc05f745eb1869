import { defineConfig } from 'vite';
import { digits } from './digits-plugin.js';
import { tfjsThreads } from './tfjs-threads-plugin.js';

// WebAssembly threads need shared memory, which browsers give only to pages that are isolated from other origins.
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  base: './',
  plugins: [digits(), tfjsThreads()],
  server: { headers: isolated },
  preview: { headers: isolated },
  build: {
    target: 'es2022',
    manifest: true,
    chunkSizeWarningLimit: 2_000,
    rollupOptions: { input: ['index.html', 'compare.html'] },
  },
});
