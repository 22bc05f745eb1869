/**
 * What the page may do, and nothing else: scripts and styles of its own files only, nothing inline, no connection elsewhere.
 * `'wasm-unsafe-eval'` lets WebAssembly be compiled and nothing more.
 */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob:",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** What is written into the page itself. */
export interface PageWords {
  /** Of this deployment. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

/** The page; what it shows is filled in by its script. */
export function pageHtml({ id, name, description }: PageWords): string {
  return `<!doctype html>
<html lang="en" data-deployment="${escapeHtml(id)}">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="referrer" content="no-referrer">
    <title>${escapeHtml(name)}</title>
    <link rel="icon" href="icon.svg">
    <link rel="stylesheet" href="style.css">
    <script type="module" src="app.js"></script>
  </head>
  <body data-state="loading">
    <main>
      <h1>${escapeHtml(name)}</h1>
      <p>${escapeHtml(description)}</p>
      <p id="status" role="status">Loading</p>
      <progress id="progress" value="0" max="1"></progress>
      <section id="try" hidden>
        <form id="inputs"></form>
        <div id="answer" aria-live="polite"></div>
      </section>
      <footer>
        <p id="proof"></p>
        <p id="facts"></p>
        <p>It runs in your browser: nothing that you enter leaves this page. <a href="manifest.json">Manifest</a></p>
      </footer>
      <noscript>The model runs in this page; it needs JavaScript and WebAssembly.</noscript>
    </main>
  </body>
</html>
`;
}

function escapeHtml(text: string): string {
  const entities: { readonly [sign: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (sign) => entities[sign] as string);
}

/** Looks of the page, light and dark. */
export const pageStyle: string = `:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 25%, transparent); --accent: #2f6fde; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { margin: 0 0 .25rem; font-size: 1.75rem; }
h3 { margin: 1rem 0 .25rem; font-size: 1rem; font-weight: 600; }
progress { width: 100%; accent-color: var(--accent); }
#status { min-height: 1.5em; }
body[data-state="refused"] #status, body[data-state="error"] #status { padding: .75rem 1rem; border: 1px solid #c33; border-radius: .5rem; }
#try { display: grid; grid-template-columns: repeat(auto-fit, minmax(17.5rem, 1fr)); gap: 1.5rem; }
#try[hidden] { display: none; }
form { display: grid; gap: .75rem; align-content: start; }
canvas, #preview { width: 100%; max-width: 17.5rem; aspect-ratio: 1; border: 1px solid var(--line); border-radius: .5rem; touch-action: none; }
#preview { object-fit: contain; }
canvas[hidden], #preview[hidden] { display: none; }
textarea { width: 100%; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .5rem; font: inherit; background: transparent; color: inherit; }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin-top: .5rem; }
button { padding: .4rem 1rem; border: 1px solid var(--line); border-radius: .5rem; font: inherit; background: transparent; color: inherit; cursor: pointer; }
.best { margin: 0; font-size: 3rem; font-weight: 700; line-height: 1.1; overflow-wrap: anywhere; }
.labels { padding: 0; list-style: none; }
.labels li { display: grid; grid-template-columns: minmax(3rem, auto) 1fr 4rem; gap: .75rem; align-items: center; }
.labels li span:last-child { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
meter { width: 100%; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; opacity: .8; }
footer p { margin: .25rem 0; }
`;

/** A mark for the tab. */
export const pageIcon: string = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="none" stroke="#2f6fde" stroke-width="1.5" d="M3 3l5 5m0 0l5-5M3 13l5-5m0 0l5 5"/><g fill="#2f6fde"><circle cx="3" cy="3" r="2"/><circle cx="13" cy="3" r="2"/><circle cx="8" cy="8" r="2.5"/><circle cx="3" cy="13" r="2"/><circle cx="13" cy="13" r="2"/></g></svg>
`;

/**
 * Headers for hosts that read a `_headers` file; others take the same by their own means. A page that is isolated from other
 * origins may have memory that threads share.
 */
export const pageHeaders: string = `/*
  Content-Security-Policy: ${contentSecurityPolicy}; frame-ancestors 'none'
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
`;
