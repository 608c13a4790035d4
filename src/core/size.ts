import { sizeInvalid } from './mistakes.ts';

const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const decimalPowers: Readonly<Record<string, number>> = { kb: 1, mb: 2, gb: 3, tb: 4, pb: 5 };
const binaryPowers: Readonly<Record<string, number>> = { b: 0, kib: 1, mib: 2, gib: 3, tib: 4, pib: 5 };

/** `2 GiB`, `500 MB`, `64KiB`, `1024` → bytes. @throws `size-invalid` */
export function parseSize(text: string): number {
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  if (!parts) throw sizeInvalid({ text });
  const unit = (parts[2] || 'b').toLowerCase();
  const factor =
    unit in binaryPowers
      ? 1024 ** binaryPowers[unit]!
      : unit in decimalPowers
        ? 1000 ** decimalPowers[unit]!
        : undefined;
  if (factor === undefined) throw sizeInvalid({ text });
  const bytes = Math.round(Number(parts[1]) * factor);
  if (!Number.isSafeInteger(bytes)) throw sizeInvalid({ text });
  return bytes;
}

/** For people: `812 B`, `1.4 GiB`, `230 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let power = 0;
  // 1023.95 would round to "1024 KiB".
  while (value >= 1023.5 && power < names.length - 1) {
    value /= 1024;
    power++;
  }
  const digits = power > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${names[power]}`;
}

/** For people: `1,204`. */
export function formatCount(count: number | bigint): string {
  // Not toLocaleString: loading a locale takes 12 ms, of a command that takes 150.
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `2,000 files` */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
