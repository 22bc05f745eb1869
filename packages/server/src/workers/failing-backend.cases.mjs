/** A backend whose runs do what their first input says: 13 ends the process, 21 never ends, 34 fails; else it negates. */
export function createBackend() {
  return {
    specificationVersion: 'v1',
    name: 'failing',
    device: 'cpu',
    capabilities: { ops: new Set(), dtypes: new Set(), threads: 2, residency: 'host', symbolicShapes: true },
    async compile() {
      return {
        async run({ x }) {
          if (x.data[0] === 13) process.exit(13);
          if (x.data[0] === 21) await new Promise(() => setInterval(() => undefined, 1000));
          if (x.data[0] === 34) throw new RangeError('34 is too much');
          if (x.data[0] === 55)
            return { y: { ...x, data: new Float32Array(4).fill(process.env.A_SECRET_KEY ? 1 : 0) } };
          return { y: { ...x, data: x.data.map((value) => -value) } };
        },
        async dispose() {},
      };
    },
    async dispose() {},
  };
}
