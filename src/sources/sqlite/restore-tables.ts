import { constants, copyFile, open, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { sentenceOf } from '../../core/errors.ts';
import { pathFromText, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { chosenMissing, targetNotEmpty } from '../errors.ts';
import { openWorkFolder } from '../exchange.ts';
import { exists, nameOf, onDisk, parentOf } from '../file-system.ts';
import { makeFolders } from '../make-folders.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import type { CopiedTables, TableCopy } from './copy-tables.ts';
import { databaseBusy, tableNotSeparable, tablesNotRestored } from './errors.ts';
import { errcodeOf, openCopy } from './open.ts';
import { databaseOf, placeOf, refuseTooLarge } from './restore.ts';
import { inThread } from './thread.ts';
import { makeWorkFolder } from './work-folder.ts';

/**
 * Restores chosen tables. With force they replace those in the target, in one transaction, also while an application has it
 * open. Without, they come into a new file of their own: `into`, or one beside the database.
 */
export async function restoreTables(
  contents: Contents,
  target: RestoreTarget,
  { home, workFolder }: { readonly home: string; readonly workFolder: string },
  run: Run,
): Promise<Restored> {
  const entry = await databaseOf(contents);
  const asked = await placeOf(target.into ?? home, showPath(entry.path));
  const taken = await exists(pathFromText(asked));
  if (taken && !target.force && target.into !== undefined) throw targetNotEmpty({ target: asked });
  const into = taken && !target.force ? await freeNameBeside(asked) : asked;
  const to = pathFromText(into);
  await makeFolders(dirname(into));
  await using work = await openWorkFolder(parentOf(to), nameOf(to));
  await refuseTooLarge(entry.sizeBytes, into);
  const extracted = await contents.extract(work.fresh, { run });
  const from = showPath(`${work.fresh}/${entry.path}`);
  const tables = chosenTables(from, target.only);
  const replaces = taken && target.force;
  // SQLite finds the real path of what it opens: a new database is written where nobody else can put a link on the way.
  const privately = await makeWorkFolder(workFolder, replaces ? 0 : entry.sizeBytes);
  await using _privately = { [Symbol.asyncDispose]: () => rm(privately, { recursive: true, force: true }) };
  const made = join(privately, 'tables.db');
  const { dangling } = await copy({ from, into: replaces ? into : made, tables }, run);
  const problems = [...extracted.problems];
  if (!replaces) {
    const placed = `${work.fresh}/tables.db`;
    await copyFile(made, onDisk(placed), constants.COPYFILE_EXCL);
    await using file = await open(onDisk(placed), 'r');
    // The owner first, and the mode last: nobody reads it before who may.
    if (process.getuid?.() === 0) await file.chown(entry.uid, entry.gid);
    await file.chmod(entry.mode);
    await file.sync();
    problems.push(...(await work.exchange([{ from: placed, to }])));
  }
  if (replaces && dangling > 0) {
    const message = `${countOf(dangling, 'row')} of ${tables.join(', ')} ${dangling === 1 ? 'refers' : 'refer'} to rows that are not there (PRAGMA foreign_key_check).`;
    problems.push({ code: 'sqlite-references-dangling', message });
  }
  return { where: into, files: 0, bytes: extracted.bytes, problems };
}

/** What was asked for, as the database spells it. */
function chosenTables(path: string, only: readonly string[]): string[] {
  using database = openCopy(path);
  const find = database.prepare(
    "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
  );
  return only.map((text) => {
    const name = /^".*"$/s.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text;
    const found = find.get(name);
    if (found === undefined) throw chosenMissing({ chosen: text, what: 'table' });
    if (found.rootpage === 0 || name.startsWith('sqlite_')) throw tableNotSeparable({ table: text });
    return String(found.name);
  });
}

async function copy(work: TableCopy, run: Run): Promise<CopiedTables> {
  try {
    return await inThread<CopiedTables>(new URL('./copy-tables.worker.ts', import.meta.url), work, run.signal);
  } catch (error) {
    run.signal.throwIfAborted();
    if ((errcodeOf(error) & 0xff) === 5) throw databaseBusy({ path: work.into, waitedMs: 60_000 }, { cause: error });
    throw tablesNotRestored({ target: work.into, why: sentenceOf(error) }, { cause: error });
  }
}

/** `app.db` → `app-tables-1.db`, or the next number that is free. */
async function freeNameBeside(path: string): Promise<string> {
  const ending = extname(path);
  for (let number = 1; ; number++) {
    const name = `${basename(path, ending)}-tables-${number}${ending}`;
    const candidate = join(dirname(path), name);
    if (!(await exists(pathFromText(candidate)))) return candidate;
  }
}
