// Those that the sender's program wrote. The others tell on their way to which mailbox a mail was collected.
const tellingHeaders = ['subject', 'from', 'content-type', 'x-mailer'];

/** What the sender of a mail wrote: subject, address, program, and the texts of its parts, markup taken off. */
export function readableText(mail: string): string {
  const { headers, body } = splitMail(mail.replace(/^From .*\n/, ''));
  return [...tellingHeaders.map((name) => headers.get(name) ?? ''), textOf(headers, body)].join('\n');
}

type Headers = ReadonlyMap<string, string>;

function splitMail(mail: string): { readonly headers: Headers; readonly body: string } {
  const end = /\r?\n\r?\n/.exec(mail);
  const head = end === null ? mail : mail.slice(0, end.index);
  const lines = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const fields = lines.map((line) => /^([\w-]+):\s*(.*)$/.exec(line)).filter((field) => field !== null);
  const headers = new Map(fields.map(([, name = '', value = '']) => [name.toLowerCase(), value]));
  return { headers, body: end === null ? '' : mail.slice(end.index + end[0].length) };
}

function textOf(headers: Headers, body: string): string {
  const type = headers.get('content-type') ?? 'text/plain';
  if (/^multipart\//i.test(type)) return partsOf(type, body);
  if (!/^(text\/|message\/)/i.test(type) && type.includes('/')) return '';
  const text = decode(body, headers.get('content-transfer-encoding') ?? '');
  return /html/i.test(type) || /<html/i.test(text) ? withoutMarkup(text) : text;
}

function partsOf(type: string, body: string): string {
  const boundary = /boundary="?([^";\s]+)/i.exec(type)?.[1];
  if (boundary === undefined) return body;
  const parts = body.split(`--${boundary}`).slice(1);
  return parts
    .filter((part) => !part.startsWith('--'))
    .map((part) => {
      const { headers, body: inner } = splitMail(part.replace(/^\r?\n/, '\n'));
      return textOf(headers, inner);
    })
    .join('\n');
}

function decode(body: string, encoding: string): string {
  if (/base64/i.test(encoding)) return Buffer.from(body, 'base64').toString('latin1');
  if (!/quoted-printable/i.test(encoding)) return body;
  return body
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

const entities: { readonly [name: string]: string } = { nbsp: ' ', lt: '<', gt: '>', quot: '"', amp: '&', copy: '©' };

function withoutMarkup(html: string): string {
  return html
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replace(/&(\w+);/g, (whole, name: string) => entities[name.toLowerCase()] ?? whole);
}
