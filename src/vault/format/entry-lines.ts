import {
  beginEntry,
  continueEntry,
  endEntry,
  isFurther,
  type LocatedEntry,
  MAX_LINE_SIZE,
  type ReadingEntry,
} from './entries.ts';
import { entryDamaged } from './errors.ts';

/** Reads the body of a restore point as it streams by: feed it bytes in any pieces, take whole entries. */
export interface EntryReader {
  /** The entries that these bytes complete. Error: `entry-damaged`. */
  push(bytes: Uint8Array): ReadEntry[];
  /** The last entry, if any. Throws when the text ends within a line. */
  end(): ReadEntry[];
}

/** An entry, and how many bytes came before its first line. */
export interface ReadEntry extends LocatedEntry {
  readonly at: number;
}

/** `at`: bytes of the body that come before. */
export function newEntryReader(at = 0): EntryReader {
  const splitter = newLineSplitter();
  let reading: ReadingEntry | undefined;
  let [begun, done] = [at, at];
  const ended = (entry: ReadingEntry): ReadEntry => ({ ...endEntry(entry), at: begun });
  return {
    push(bytes) {
      const entries: ReadEntry[] = [];
      for (const line of splitter.push(bytes)) {
        if (isFurther(line)) {
          if (reading === undefined) throw entryDamaged({ field: 'a further line' });
          continueEntry(reading, line);
        } else {
          if (reading !== undefined) entries.push(ended(reading));
          reading = beginEntry(line);
          begun = done;
        }
        done += line.length + 1;
      }
      return entries;
    },
    end() {
      splitter.end();
      return reading === undefined ? [] : [ended(reading)];
    },
  };
}

export interface LineSplitter {
  /** Whole lines, without their newlines, each byte one character. */
  push(bytes: Uint8Array): string[];
  /** Throws `entry-damaged` when bytes are left that no newline ends. */
  end(): void;
}

/** Splits at newlines and holds at most one line of `maxLineSize` bytes, newline included; a longer one is `entry-damaged`. */
export function newLineSplitter(maxLineSize: number = MAX_LINE_SIZE): LineSplitter {
  // Pieces of the line under way: joined once, so that a line that comes byte by byte does not cost its square.
  let held: string[] = [];
  let heldSize = 0;
  return {
    push(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      const lines = text.split('\n');
      const rest = lines.pop() ?? '';
      const [first] = lines;
      if (first !== undefined) {
        check(heldSize + first.length, maxLineSize);
        lines[0] = held.join('') + first;
        held = [];
        heldSize = 0;
      }
      for (const line of lines) check(line.length, maxLineSize);
      if (rest !== '') {
        held.push(rest);
        heldSize += rest.length;
        check(heldSize, maxLineSize);
      }
      return lines;
    },
    end() {
      if (heldSize > 0) throw entryDamaged({ field: 'its end, which is cut off' });
    },
  };
}

function check(size: number, maxLineSize: number): void {
  if (size >= maxLineSize) throw entryDamaged({ field: `a line longer than ${maxLineSize} bytes` });
}
