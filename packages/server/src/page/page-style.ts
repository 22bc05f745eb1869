/** The page's style: readable in light and dark, from a phone up. */
export const pageStyle = `:root {
  color-scheme: light dark;
  font: 16px/1.5 system-ui, sans-serif;
  --line: color-mix(in srgb, currentColor 25%, transparent);
}
body { margin: 0 auto; max-width: 46rem; padding: 1rem; }
header { align-items: baseline; display: flex; flex-wrap: wrap; gap: 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
header form { align-items: baseline; display: flex; gap: .5rem; margin-left: auto; }
[hidden] { display: none !important; }
label { display: block; font-weight: 600; margin-top: 1rem; }
header label { margin: 0; }
textarea, select, input { border: 1px solid var(--line); border-radius: .3rem; box-sizing: border-box; font: inherit; padding: .4rem; }
textarea { font-family: ui-monospace, monospace; font-size: .9rem; min-height: 5rem; width: 100%; }
button { border: 1px solid var(--line); border-radius: .3rem; cursor: pointer; font: inherit; padding: .4rem .9rem; }
button.run { font-weight: 600; margin-top: 1rem; }
canvas { border: 1px solid var(--line); border-radius: .3rem; cursor: crosshair; display: block; image-rendering: pixelated; max-width: 100%; touch-action: none; }
.row { align-items: center; display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .5rem; }
table { border-collapse: collapse; margin-top: .5rem; width: 100%; }
td { padding: .15rem .5rem .15rem 0; }
td:last-child { font-variant-numeric: tabular-nums; text-align: right; width: 5rem; }
progress { width: 100%; }
pre { border: 1px solid var(--line); border-radius: .3rem; max-height: 24rem; overflow: auto; padding: .6rem; white-space: pre-wrap; word-break: break-all; }
.wrong { color: light-dark(#b00020, #ff8a95); }
#facts { font-size: .85rem; opacity: .75; word-break: break-all; }
`;
