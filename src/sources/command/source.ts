import { createReadStream } from 'node:fs';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { resolveProgram } from '../../process/start.ts';
import { exists } from '../file-system.ts';
import { markOf } from '../mark.ts';
import type { Capture, Measurement, Source } from '../source.ts';
import { outputHasNoPlace, outputNotWhole } from './errors.ts';
import { type CommandPlaces, printedNow, restoreOutput } from './restore.ts';
import { startCommand } from './run.ts';
import { openOutputSaboteur } from './sabotage.ts';
import { outputName, sameOutput, type Whole, watchOutput } from './whole.ts';

export interface CommandOptions extends CommandPlaces {
  readonly name: string;
}

/** Told while there is time: a recovery would stop at it. */
const hasNoPlace: Problem = {
  code: outputHasNoPlace.code,
  message: "Nothing says where it goes back to, so a recovery stops at it. Give it 'restore' or 'file'.",
};

export function commandSource(options: CommandOptions): Source {
  const { run: command, whole, file } = options;
  return {
    kind: 'command',
    profile: 'files',
    location: `output of ${command.shown}`,
    hostPaths: file === undefined ? [] : [file],
    // It may take long, and be felt where it runs: a look does not run it.
    async inspect() {
      await resolveProgram(command.words[0] ?? '');
      const isPlaced = file !== undefined || options.restore !== undefined;
      return { versions: {}, problems: isPlaced ? [] : [hasNoPlace] };
    },
    capture: (run) => captureOutput(options, run),
    restore: (contents, target, run) => restoreOutput(options, contents, target, run),
    async holdsOnly(contents, run) {
      if (file !== undefined) return false;
      return sameOutput(await printedNow(options, run), contents.expectations);
    },
    wasPlaced: async (mark) => file !== undefined && (await markOf(pathFromText(file))) === mark,
    isBare: async (_, run) =>
      file === undefined ? (await printedNow(options, run)) === undefined : !(await exists(pathFromText(file))),
    measure: (where) => measureOutput(where, whole),
    openSaboteur: openOutputSaboteur,
  };
}

async function captureOutput({ run: command, whole }: CommandOptions, run: Run): Promise<Capture> {
  const child = await startCommand(command, run.signal);
  const watched = watchOutput(whole);
  const output = child.output();
  // One that fails at once fails here, before anything is stored.
  const first = await output.next().catch(async (error: unknown) => {
    await child[Symbol.asyncDispose]();
    throw error;
  });
  async function* stream() {
    for (let next = first; !next.done; next = await output.next()) {
      watched.add(next.value);
      yield next.value;
    }
    // Before its end is stored: what is not whole is no restore point.
    const why = watched.lacks();
    if (why !== undefined) throw outputNotWhole({ command: command.shown, why });
  }
  const about = { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const mtimeNs = BigInt(run.clock.now()) * 1_000_000n;
  const path = pathFromText(outputName);
  return {
    entries: (async function* () {
      yield { type: 'file', path, ...about, mtimeNs, content: { from: 'stream', stream } } as const;
    })(),
    finish: async () => ({ facts: {}, expectations: watched.expectations(), problems: [] }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function measureOutput(where: string, whole: Whole): Promise<Measurement> {
  const watched = watchOutput(whole);
  for await (const chunk of createReadStream(where)) watched.add(chunk as Buffer);
  const lacks = watched.lacks();
  const detail = lacks === undefined ? '' : `what came back of ${outputName} is not whole: ${lacks}`;
  return {
    actual: watched.expectations(),
    integrity: [{ name: 'integrity', ok: lacks === undefined, looked: 1, detail }],
  };
}
