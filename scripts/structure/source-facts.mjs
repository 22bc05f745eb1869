/** What a source file imports, throws, declares and how long it is, read from its syntax tree. */
import { parseSync } from 'oxc-parser';

/** Names that a host provides; `core` runs on any of them and so uses none. */
const platformGlobals = new Set([
  'process',
  'Buffer',
  'console',
  'window',
  'document',
  'navigator',
  'self',
  'fetch',
  'performance',
  'crypto',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  'requestAnimationFrame',
  'localStorage',
  'XMLHttpRequest',
  'WebSocket',
  'Worker',
  'require',
  '__dirname',
  '__filename',
  'global',
  'Deno',
  'Bun',
]);

/**
 * @returns `imports`: `{ specifier, line }` of every import, export-from, dynamic and type import;
 *   `violations`: `{ line, rule }` of what no source file may contain; `globals`: `{ name, line }` of host names used;
 *   `functions`: `{ name, line, lines }` of every function; `undocumented`: `{ name, line }` of every exported function,
 *   class and constant without a doc comment.
 */
export function readSourceFacts(path, text) {
  const { program, comments, errors } = parseSync(path, text);
  const lineOf = lineCounter(text);
  const facts = { imports: [], violations: [], globals: [], functions: [], lines: text.split('\n').length };
  if (errors.length > 0) facts.violations.push({ line: 1, rule: `does not parse: ${errors[0].message}` });
  const declared = new Set();
  const references = [];
  walk(program, undefined, undefined, (node, parent, key) => {
    const line = lineOf(node.start);
    const specifier = importedSpecifier(node);
    if (specifier !== undefined) facts.imports.push({ specifier, line });
    const rule = brokenRule(node);
    if (rule) facts.violations.push({ line, rule });
    const lines = lineOf(node.end) - line + 1;
    if (isFunction(node)) facts.functions.push({ name: functionName(node, parent), line, lines });
    for (const name of boundNames(node)) declared.add(name);
    if (node.type === 'Identifier' && platformGlobals.has(node.name)) {
      if (isReference(node, parent, key)) references.push({ name: node.name, line });
      else if (isDeclaration(parent, key)) declared.add(node.name);
    }
  });
  facts.undocumented = undocumentedExports(program, comments, text).map(({ name, start }) => ({
    name,
    line: lineOf(start),
  }));
  facts.globals = references.filter(({ name }) => !declared.has(name));
  return facts;
}

/** An export right below a documented one, without an empty line, belongs to its group (or is its overload). */
function undocumentedExports(program, comments, text) {
  const documented = new Set(
    comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*')).map(({ end }) => end),
  );
  const found = [];
  let groupEnd = -1;
  for (const node of program.body) {
    const { declaration } = node;
    if (node.type !== 'ExportNamedDeclaration' || !declaration || /^TS(Interface|TypeAlias)/.test(declaration.type))
      continue;
    const before = text.slice(0, node.start).trimEnd().length;
    const inGroup = before === groupEnd && !/\n\s*\n/.test(text.slice(before, node.start));
    if (documented.has(before) || inGroup) groupEnd = node.end;
    else found.push({ name: declaration.id?.name ?? declaration.declarations?.[0]?.id?.name, start: node.start });
  }
  return found;
}

function importedSpecifier(node) {
  const importing = [
    'ImportDeclaration',
    'ExportNamedDeclaration',
    'ExportAllDeclaration',
    'ImportExpression',
    'TSImportType',
  ];
  return importing.includes(node.type) && typeof node.source?.value === 'string' ? node.source.value : undefined;
}

function brokenRule(node) {
  if (node.type === 'NewExpression' || node.type === 'CallExpression') {
    const name = node.callee.name ?? '';
    if (/^(Error|TypeError|RangeError)$/.test(name)) return `makes a plain ${name}, not a ModelwrightError`;
  }
  if (node.type === 'TSEnumDeclaration') return 'declares an enum';
  if (node.type === 'TSModuleDeclaration' && node.kind === 'namespace') return 'declares a namespace';
  if (node.type === 'ExportDefaultDeclaration') return 'has a default export';
  return undefined;
}

const isFunction = ({ type, body }) =>
  (type === 'FunctionDeclaration' || type === 'FunctionExpression' || type === 'ArrowFunctionExpression') && body;

function functionName(node, parent) {
  return node.id?.name ?? parent?.id?.name ?? parent?.key?.name ?? parent?.key?.value ?? '(anonymous)';
}

/** Whether an identifier is read as a variable: not a property, a key, a label, a type or a declaration. */
function isReference(_node, parent, key) {
  if (!parent) return false;
  if (parent.type === 'MemberExpression') return key === 'object' || parent.computed;
  if (parent.type === 'Property') return key === 'value' || parent.computed;
  if (/^(TS(?!NonNull|As|Satisfies)|Import|Export|Label)/.test(parent.type)) return false;
  if (/^(PropertyDefinition|MethodDefinition|AccessorProperty)$/.test(parent.type))
    return key !== 'key' || parent.computed;
  return !isDeclaration(parent, key);
}

function isDeclaration(parent, key) {
  if (!parent) return false;
  return key === 'id' || key === 'params' || key === 'param' || key === 'local';
}

/** Names that a destructuring pattern binds. */
function boundNames(node) {
  const targets = {
    ObjectPattern: () => node.properties.map((property) => property.value ?? property.argument),
    ArrayPattern: () => node.elements,
    AssignmentPattern: () => [node.left],
  }[node.type]?.();
  return (targets ?? []).map((target) => target?.left?.name ?? target?.name).filter(Boolean);
}

function walk(node, parent, key, visit) {
  visit(node, parent, key);
  for (const [childKey, child] of Object.entries(node)) {
    if (Array.isArray(child)) {
      for (const item of child) if (typeof item?.type === 'string') walk(item, node, childKey, visit);
    } else if (typeof child?.type === 'string') walk(child, node, childKey, visit);
  }
}

function lineCounter(text) {
  const starts = [0];
  for (let i = 0; i < text.length; i++) if (text[i] === '\n') starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
