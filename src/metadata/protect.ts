import type { BytePath } from '../core/paths.ts';
import { flagsName } from './program.ts';
import { metadataPerl, packed, runProgram } from './run-program.ts';
import { notSet } from './set.ts';

/** An entry that nobody shall change or remove. */
export interface Protected {
  /** Below the folder; empty for the folder itself. */
  readonly path: BytePath;
  /** Letters of `chattr`. */
  readonly flags: string;
}

const BATCH = 1000;

/** Sets the flags of what lies below `folder`, once all of it is in its place. Links are not followed. */
export async function protect(
  folder: BytePath,
  entries: AsyncIterable<Protected>,
  signal: AbortSignal,
): Promise<ReturnType<typeof notSet>> {
  const perl = await metadataPerl();
  const why = new Map<BytePath, string>();
  let batch: Protected[] = [];
  const flush = async () => {
    if (perl === undefined || batch.length === 0) return;
    const words = batch.flatMap(({ path, flags }) => [packed(path), packed(flags)]);
    const { answers } = await runProgram(perl, [Buffer.from('p'), packed(folder), ...words], signal);
    // What is not there was named when it could not be made.
    for (const { at, code = '' } of answers) if (code !== 'ENOENT') why.set(batch[at]!.path, code);
    batch = [];
  };
  for await (const entry of entries) {
    batch.push(entry);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return notSet(`xattr ${flagsName}`, why);
}
