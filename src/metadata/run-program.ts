import { getSystemErrorName } from 'node:util';
import type { BytePath } from '../core/paths.ts';
import { findOnPath } from '../process/programs.ts';
import { runCommand } from '../process/run.ts';
import { END, MAX_XATTR_BYTES, metadataProgram } from './program.ts';

/** What the program says of one entry: an attribute, or what failed there and why. */
export interface Answer {
  /** Which of those asked for. */
  readonly at: number;
  /** `EPERM`; undefined where nothing failed. */
  readonly code?: string;
  readonly name: string;
  readonly value: string;
}

/** Undefined where the program cannot run. */
export async function metadataPerl(): Promise<string | undefined> {
  return metadataProgram(process.arch) === undefined ? undefined : findOnPath('perl');
}

/** @returns the answers, and how many entries they are about: `read` may stop before the last, and is then asked again */
export async function runProgram(
  perl: string,
  input: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<{ answers: Answer[]; done: number }> {
  const { stdout } = await runCommand(perl, ['-e', metadataProgram(process.arch)!], {
    input: Buffer.concat(input),
    // One entry beyond what it stops at, with names and records.
    maxStdoutBytes: 3 * MAX_XATTR_BYTES,
    ...(signal !== undefined && { signal }),
    dieWithUs: false,
    debianPackage: 'perl-base',
  });
  const answers: Answer[] = [];
  let from = 0;
  const number = () => {
    from += 4;
    return stdout.readUInt32BE(from - 4);
  };
  const text = () => {
    const size = number();
    from += size;
    return stdout.toString('latin1', from - size, from);
  };
  for (;;) {
    const at = number();
    const errno = number();
    if (at === END) return { answers, done: errno };
    const code = errno === 0 ? {} : { code: getSystemErrorName(-errno) };
    answers.push({ at, ...code, name: text(), value: text() });
  }
}

/** A text as the program reads it. */
export function packed(text: BytePath): Buffer {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32BE(text.length);
  bytes.write(text, 4, 'latin1');
  return bytes;
}
