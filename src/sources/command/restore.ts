import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Expectations } from '../../core/expectations.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { toolFailed } from '../../process/errors.ts';
import { targetNotEmpty, targetUnsuitable } from '../errors.ts';
import { openWorkFolder } from '../exchange.ts';
import { exists, nameOf, onDisk, parentOf } from '../file-system.ts';
import { makeFolders } from '../make-folders.ts';
import { markOf } from '../mark.ts';
import { realPlace } from '../real-place.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import { outputHasNoPlace, outputStillThere } from './errors.ts';
import { type Command, startCommand } from './run.ts';
import { outputName, sameOutput, type Whole, watchOutput } from './whole.ts';

/** What prints it, and where it goes back to: through `restore`, or into `file`; where neither is, a restore names a place. */
export interface CommandPlaces {
  readonly run: Command;
  readonly whole: Whole;
  readonly restore?: Command;
  /** Absolute. */
  readonly file?: string;
  readonly workFolder?: string;
}

/** What the command prints now; undefined where that is nothing whole: the system is gone, or empty. */
export async function printedNow({ run: command, whole }: CommandPlaces, run: Run): Promise<Expectations | undefined> {
  const watched = watchOutput(whole);
  await using child = await startCommand(command, run.signal);
  try {
    for await (const chunk of child.output()) watched.add(chunk);
  } catch (error) {
    if (toolFailed.is(error)) return undefined;
    throw error;
  }
  return watched.lacks() === undefined ? watched.expectations() : undefined;
}

/** To a file, or through a command, which gets nothing before every byte was compared with what was recorded. */
export async function restoreOutput(
  places: CommandPlaces,
  contents: Contents,
  target: RestoreTarget,
  run: Run,
): Promise<Restored> {
  const into = target.into ?? places.file;
  if (into !== undefined) return restoreToFile(into, contents, target, run);
  const { restore } = places;
  if (restore === undefined) throw outputHasNoPlace({});
  if (!target.force) await refuseWhatIsThere(places, restore, contents, run);
  return restoreThrough(restore, places.workFolder ?? tmpdir(), contents, run);
}

/** @throws `output-still-there`: the system that would take it in has something of its own */
async function refuseWhatIsThere(places: CommandPlaces, restore: Command, contents: Contents, run: Run): Promise<void> {
  const now = await printedNow(places, run);
  if (now === undefined || sameOutput(now, contents.expectations)) return;
  throw outputStillThere({ command: places.run.shown, restore: restore.shown });
}

async function restoreThrough(restore: Command, folder: string, contents: Contents, run: Run): Promise<Restored> {
  const work = await mkdtemp(join(folder, 'output-'));
  try {
    const { bytes, problems } = await contents.extract(pathFromText(work), { run });
    await using child = await startCommand(restore, run.signal, createReadStream(join(work, outputName)));
    await child.completed();
    return { where: `the other side of '${restore.shown}'`, files: 1, bytes, problems };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function restoreToFile(path: string, contents: Contents, target: RestoreTarget, run: Run): Promise<Restored> {
  const into = await realPlace(path);
  const found = await stat(into).catch(() => undefined);
  if (found !== undefined && !found.isFile()) throw targetUnsuitable({ target: into, why: 'it is no file' });
  const to = pathFromText(into);
  await makeFolders(dirname(into));
  await using work = await openWorkFolder(parentOf(to), nameOf(to));
  if ((await exists(to)) && !target.force) throw targetNotEmpty({ target: into });
  const { bytes, problems } = await contents.extract(work.fresh, { run });
  const fresh = pathFromText(`${work.fresh}/${outputName}`);
  await using file = await open(onDisk(fresh), 'r');
  await file.sync();
  const mark = await markOf(fresh);
  if (mark !== undefined) target.beforePlacing?.(mark);
  return { where: into, files: 1, bytes, problems: [...problems, ...(await work.exchange([{ from: fresh, to }]))] };
}
