import type { BytePath } from '../../core/paths.ts';
import type { FirstEntry } from '../format/manifest.ts';

/** The text of the body on its way to be cut, and where in it the entries begin that were not cut yet. */
export interface BodyText {
  /** Bytes that were added and not taken. */
  readonly waitingBytes: number;
  /** `lines` of one entry, each byte one character. */
  add(path: BytePath, lines: string): void;
  /** What was added since the last call, in a buffer of its own. */
  take(): ArrayBuffer;
  /** The first entry that begins in the next chunk, which has `length` bytes. Chunks come in order. */
  firstIn(length: number): FirstEntry | undefined;
}

export function bodyText(): BodyText {
  let parts: string[] = [];
  let waitingBytes = 0;
  let addedBytes = 0;
  let cutBytes = 0;
  let begins: FirstEntry[] = [];
  let next = 0;
  return {
    get waitingBytes() {
      return waitingBytes;
    },
    add(path, lines) {
      begins.push({ at: addedBytes, path });
      parts.push(lines);
      waitingBytes += lines.length;
      addedBytes += lines.length;
    },
    take() {
      const bytes = Buffer.from(parts.join(''), 'latin1');
      parts = [];
      waitingBytes = 0;
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
    firstIn(length) {
      const start = cutBytes;
      cutBytes += length;
      const first = begins[next];
      while (next < begins.length && begins[next]!.at < cutBytes) next++;
      if (next > 4096) {
        begins = begins.slice(next);
        next = 0;
      }
      return first !== undefined && first.at < cutBytes ? { at: first.at - start, path: first.path } : undefined;
    },
  };
}
