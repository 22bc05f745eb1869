import type { Plugin } from 'vite';

/**
 * tfjs starts its threads from the text of one of its own functions. That function asks for a variable outside of it, safely
 * (`typeof _scriptDir`); a minifier, which sees the variable declared, drops the question, and the text fails in the thread.
 * Without the variable there is nothing to ask for.
 */
export function tfjsThreads(): Plugin {
  return {
    name: 'tfjs-threads',
    transform(code, id) {
      if (!/tfjs-backend-wasm-threaded-simd\.js$/.test(id)) return undefined;
      return {
        code: code
          .replace('typeof _scriptDir !== "undefined" && _scriptDir', 'false')
          .replace('Module["mainScriptUrlOrBlob"]||_scriptDir', 'Module["mainScriptUrlOrBlob"]'),
        map: null,
      };
    },
  };
}
