import { closeSync, fstatSync, readSync } from 'node:fs';
import type { BytePath } from '../../core/paths.ts';
import { cellOf, type Look, lookOf } from '../../core/sample.ts';
import { openRegular } from '../beneath.ts';

const blockBytes = 4096;

/** Size and content of a file, by three blocks of it; undefined where it cannot be read any more. */
export function cellsOfFile(file: BytePath): string | undefined {
  let fd: number | undefined;
  try {
    fd = openRegular(file);
    if (fd === undefined) return undefined;
    const { size } = fstatSync(fd);
    const last = Math.max(0, size - blockBytes);
    const places = [...new Set([0, Math.floor(last / 2), last])];
    const blocks = places.map((at) => {
      const block = Buffer.alloc(blockBytes);
      return block.subarray(0, readSync(fd!, block, 0, blockBytes, at));
    });
    const content = Buffer.concat(blocks);
    return cellOf(Buffer.from(String(size)), 'd', size) + cellOf(content, lookOfFile(blocks, content), size);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** How packed files begin, in hexadecimal, at which byte. What they hold looks like noise, and is none. */
const beginnings: ReadonlyArray<readonly [hex: string, at: number]> = [
  ...['ffd8ff', '89504e47', '47494638', '52494646', '25504446', '504b0304', '504b0506', '1f8b', '28b52ffd'].map(
    atStart,
  ),
  ...['425a68', 'fd377a585a', '377abcaf', '494433', 'fffb', 'fff3', '4f676753', '664c6143', '1a45dfa3'].map(atStart),
  ...['774f4646', '774f4632', '49492a00', '4d4d002a', '04224d18', '0000000c6a502020', 'ff0a', 'd0cf11e0'].map(atStart),
  ...(['66747970', '6d6f6f76', '6d646174'] as const).map((hex) => [hex, 4] as const),
];

function atStart(hex: string): readonly [string, number] {
  return [hex, 0];
}

function lookOfFile(blocks: readonly Uint8Array[], content: Buffer): Look {
  if (content.length === 0) return '-';
  const begins = content.subarray(0, 16).toString('hex');
  if (beginnings.some(([hex, at]) => begins.startsWith(hex, at * 2))) return 'k';
  if (content.some((byte) => byte < 9 || (byte > 13 && byte < 32) || byte === 127)) {
    return isNoise(content) ? 'z' : 'x';
  }
  // Text, or what wants to be taken for it.
  return blocks.some((block) => lookOf(block) === 'z') ? 'z' : lookOf(content) === 'd' ? 'd' : 'w';
}

/** Nearly as many different bytes, and as evenly, as so many bytes can have. */
function isNoise(content: Uint8Array): boolean {
  if (content.length < 32) return false;
  const counts = new Uint32Array(256);
  for (const byte of content) counts[byte]!++;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / content.length) * Math.log2(count / content.length);
  return bits > 0.9 * Math.min(8, Math.log2(content.length));
}
