import { toolFailed } from '../../process/errors.ts';
import type { RunningProcess } from '../../process/start.ts';

/** Room for what pg_restore says of a hundred thousand objects: a failure that is cut off would be taken for none. */
export const saidBytes = 64 << 20;

/**
 * The entries that pg_restore passed over because the server refused them, by number, and why. @throws `tool-failed` where it ended
 * for another reason, with the first error that it named
 */
export async function refusedEntries(program: RunningProcess): Promise<ReadonlyMap<number, string>> {
  const { exitCode, stderrTail } = await program.completed([0, 1]);
  if (exitCode === 0) return new Map();
  const refused = refusedIn(stderrTail);
  if (refused !== undefined) return refused;
  const error = /(?:ERROR|FATAL|error):.*/.exec(stderrTail)?.[0] ?? stderrTail.trim();
  throw toolFailed({ tool: program.tool, how: `exit code ${exitCode}`, said: error });
}

/**
 * What pg_restore said of entries that it passed over; undefined where it did not come to its end. With several jobs each writes its
 * lines in pieces, between those of the others: which entries they were is in one piece, why need not stand behind it.
 */
export function refusedIn(said: string): ReadonlyMap<number, string> | undefined {
  const isAll = Buffer.byteLength(said) < saidBytes / 2;
  if (!isAll || !/errors ignored on restore: \d+\s*$/.test(said)) return undefined;
  const reasons = said.matchAll(
    /^pg_restore: from TOC entry (\d+);.*\n(?:pg_restore: )?(?:error: )?(?:could not execute query: )?(.*)/gm,
  );
  const why = new Map([...reasons].map(([, id, text = '']) => [Number(id), text.replace(/^ERROR: +/, '')]));
  const ids = said.matchAll(/from TOC entry (\d+); \d+ \d+ /g).map(([, id]) => Number(id));
  const refused = new Map(ids.map((id) => [id, why.get(id) ?? '']));
  return refused.size > 0 ? refused : undefined;
}
