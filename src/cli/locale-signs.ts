import type { ProgressStream } from './progress.ts';

/** Ours alone: what files are called is shown as it is. */
const inAscii: Readonly<Record<string, string>> = {
  '\u2713': '+',
  '\u2717': 'x',
  '\u2026': '...',
  '\u2192': '->',
  '\u2013': '-',
  '\u2014': '-',
  '\u2212': '-',
  '\u00b7': '-',
  '\u2019': "'",
};
const signs = new RegExp(`[${Object.keys(inAscii).join('')}]`, 'g');

/**
 * The stream for text, with signs that its reader can show. A locale that is named and is not of UTF-8 (`LANG=C`) cannot show ours;
 * where none is named, as in cron, mail programs can.
 */
export function inLocale(stream: ProgressStream, env: Readonly<Record<string, string | undefined>>): ProgressStream {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (!locale || /utf-?8/i.test(locale)) return stream;
  return {
    write: (text) => stream.write(text.replace(signs, (sign) => inAscii[sign] ?? sign)),
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns ?? 0;
    },
  };
}
