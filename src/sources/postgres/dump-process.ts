import { LifeboatError } from '../../core/errors.ts';
import { toolFailed } from '../../process/errors.ts';
import { startProcess } from '../../process/start.ts';
import { DumpBroken } from './dump-reader.ts';
import { DumpUnknown } from './dump-toc.ts';
import { dumpBroken, dumpFailed, rowTooLarge } from './errors.ts';
import type { DumpContents } from './expectations.ts';
import { type ServerAddress, toolEnvironment } from './url.ts';

export interface DumpOptions {
  readonly program: string;
  /** As a session of ours found it (`Connection`). */
  readonly direct: boolean;
  /** Of the database: names in the dump are in it, and rows, whatever the role has set. */
  readonly encoding: string;
  readonly args: readonly string[];
  readonly contents: DumpContents;
  readonly signal: AbortSignal;
  /** What pg_dump said although it succeeded, line by line. */
  readonly onWarning: (line: string) => void;
}

/** A value, or a row as COPY writes it, that PostgreSQL cannot hold in its memory. */
const tooLarge =
  /(?:invalid memory alloc request size|[Cc]annot enlarge string buffer|string buffer exceeds)[\s\S]*?COPY (.+?) (?:\(|TO )/;

/** Runs pg_dump and hands out its bytes, read along by `contents`. Ends only if the dump is whole and pg_dump is content. */
export async function* dumpStream(
  address: ServerAddress,
  options: DumpOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { contents, signal } = options;
  const { database } = address;
  // -Z0: the vault compresses, and finds what it already has only in bytes that are not compressed.
  const args = ['--format=custom', '--compress=0', '--no-password', `--encoding=${options.encoding}`, ...options.args];
  await using dump = await startProcess(options.program, args, {
    ...toolEnvironment(address, options),
    signal,
  });
  try {
    for await (const bytes of dump.output()) {
      contents.reader.push(bytes);
      yield bytes;
    }
    contents.reader.end();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DumpBroken || error instanceof DumpUnknown) {
      throw dumpBroken({ database, why: error.message }, { cause: error });
    }
    const table = toolFailed.is(error) ? tooLarge.exec(error.facts.said)?.[1] : undefined;
    if (table !== undefined) throw rowTooLarge({ database, table }, { cause: error });
    if (error instanceof LifeboatError) throw dumpFailed({ database, why: error.message }, { cause: error });
    throw error;
  }
  const lines = dump.tail().split('\n');
  for (const line of lines)
    if (line.trim() !== '') options.onWarning(line.trim().replace(/^pg_dump: (warning: )?/, ''));
}
