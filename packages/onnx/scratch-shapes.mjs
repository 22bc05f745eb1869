import { readFileSync } from 'node:fs';
import { print } from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';

for (const file of process.argv.slice(2)) {
  try {
    const m = readOnnx(readFileSync(file));
    let unknown = 0,
      total = 0;
    const by = {};
    let first;
    const inputsOf = new Map();
    for (const n of m.graph.nodes)
      for (const o of n.outputs) {
        total++;
        const u = o.shape.filter((d) => typeof d === 'string' && d.includes('?'));
        if (u.length) {
          unknown++;
          const inUnknown = n.inputs.some((i) => i?.shape.some((d) => typeof d === 'string' && d.includes('?')));
          if (!inUnknown) {
            by[n.op] = (by[n.op] ?? 0) + 1;
            first ??= `${n.op} ${n.name} in ${n.inputs.map((i) => i && `${i.dtype}[${i.shape}]`)} -> [${o.shape}]`;
          }
        }
      }
    console.log(
      file.split('/').pop(),
      'nodes',
      m.graph.nodes.length,
      'unknown',
      unknown,
      JSON.stringify(by),
      first ?? '',
      'in:',
      m.graph.inputs.map((i) => `${i.name}[${i.shape}]`).join(' '),
    );
  } catch (e) {
    console.log(file.split('/').pop(), 'ERR', e.message.slice(0, 300));
  }
}
