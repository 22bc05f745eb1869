/** The first `ts` or `js` block of a README; it must run as it stands, so it is plain JavaScript in either dress. */
export function firstExample(markdown) {
  return /^```(?:ts|js|typescript|javascript|mjs)\s*\n([\s\S]*?)^```/m.exec(markdown)?.[1];
}
