import { configurationDataset } from '../../core/configuration-dataset.ts';
import type { Entry } from '../../core/entry.ts';
import type { Problem, Run } from '../../core/run.ts';
import type { Capture } from '../../sources/source.ts';
import { type WriterSession, type WrittenRestorePoint, writeRestorePoint } from '../../vault/write/index.ts';
import type { OpenSystem } from '../system.ts';
import { type Gathered, gather } from './gather.ts';
import { storedPath } from './layout.ts';

/** What a restore point of the configuration says about itself, in `facts.configuration`. */
export interface ConfigurationFacts {
  /** Its own file, as stored: `here/lifeboat.yaml`. */
  readonly file: string;
  /** The folder that it was in, absolute. */
  readonly folder: string;
  readonly left: Gathered['left'];
}

/** Of the index's facts: the digest of what was kept last, its record's key, and how many packs were known to be wrong then. */
const remembered = 'configuration';

/**
 * Keeps the configuration in the vault, when it changed since the newest restore point of it that every destination holds:
 * one for each change, not for each run. Undefined when there was nothing to do. `always`: also when nothing changed.
 */
export async function keepConfiguration(
  system: OpenSystem,
  session: WriterSession,
  always: boolean,
  run: Run,
): Promise<WrittenRestorePoint | undefined> {
  const { config, clock } = system;
  if (config.files.length === 0) return undefined;
  const timeMs = clock.now();
  const gathered = await gather(config);
  if (!always && (await isKept(session, gathered.digest))) return undefined;
  const facts: ConfigurationFacts = {
    file: storedPath(config.file, config.root),
    folder: config.root,
    left: gathered.left,
  };
  const request = {
    dataset: configurationDataset,
    kind: 'files',
    profile: 'files',
    capture: captureOf(gathered, facts),
    timeMs,
    versions: {},
    retention: { class: 'standard' },
  } as const;
  const written = await run.step(configurationDataset, (run) => writeRestorePoint(session, request, run));
  session.index.set(remembered, `${gathered.digest} ${written.key} ${session.wrongPacks.size}`);
  return written;
}

async function isKept({ index, copies, wrongPacks }: WriterSession, digest: string): Promise<boolean> {
  const [last, key, wrong] = index.get(remembered)?.split(' ') ?? [];
  // It may lie in one that was found since.
  if (last !== digest || key === undefined || Number(wrong) !== wrongPacks.size) return false;
  // Not only remembered: a destination may have been set back, or filled anew.
  const held = await Promise.all(
    copies.active.map((destination) =>
      destination.stat(key).then(
        () => true,
        () => false,
      ),
    ),
  );
  return held.every(Boolean);
}

function captureOf({ files, left }: Gathered, configuration: ConfigurationFacts): Capture {
  async function* entries(): AsyncGenerator<Entry> {
    for (const { bytes, ...metadata } of files) {
      yield { type: 'file', ...metadata, sizeBytes: bytes.length, content: { from: 'bytes', bytes } };
    }
  }
  const problems: Problem[] = left.map(({ file, why }) => ({
    code: 'configuration-file-left',
    message: `${file} is not kept with the configuration: ${why}.`,
  }));
  return {
    entries: entries(),
    finish: async () => ({
      facts: {
        // As a files dataset has it, so that every program that restores files restores this too.
        root: { type: 'folder', mode: 0o700, uid: 0, gid: 0, mtimeNs: '0' },
        path: configuration.folder,
        configuration,
        expectationsAbsent: 'every file of the configuration has its own SHA-256.',
      },
      problems,
    }),
    async [Symbol.asyncDispose]() {},
  };
}
