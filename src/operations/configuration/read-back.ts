import { z } from 'zod';
import { toBytes } from '../../core/paths.ts';
import type { Contents } from '../../sources/source.ts';
import { configurationUnusable } from './errors.ts';

/** What a restore point of the configuration holds, as keep.ts made it. */
export interface StoredConfiguration {
  /** Its own file, among `files`: `here/lifeboat.yaml`. */
  readonly file: string;
  /** The folder that it was in, absolute. */
  readonly folder: string;
  readonly files: readonly StoredFile[];
  readonly left: ReadonlyArray<{ readonly file: string; readonly why: string }>;
}

export interface StoredFile {
  /** As stored: `here/…` or `host/…`. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const factsShape = z.object({
  configuration: z.object({
    file: z.string(),
    folder: z.string(),
    left: z.array(z.object({ file: z.string(), why: z.string() })),
  }),
});

/** What `gather` makes is far below: more is no configuration. */
const mostFiles = 1000;
const mostFileBytes = 1024 * 1024;
const mostBytes = 64 * 1024 * 1024;

/** All of it, every byte compared with its recorded hash. @throws `configuration-unusable`, and what `Contents` throws */
export async function readConfiguration(contents: Contents): Promise<StoredConfiguration> {
  const facts = factsShape.safeParse(contents.facts);
  if (!facts.success) throw configurationUnusable({ why: 'it does not say what it consists of' });
  const files: StoredFile[] = [];
  let totalBytes = 0;
  for await (const entry of contents.entries()) {
    if (entry.type !== 'file') continue;
    totalBytes += entry.sizeBytes;
    if (files.length >= mostFiles || entry.sizeBytes > mostFileBytes || totalBytes > mostBytes) {
      throw configurationUnusable({ why: 'it is larger than any configuration' });
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of contents.read(entry.path)) pieces.push(piece);
    const { mode, uid, gid } = entry;
    files.push({
      path: toBytes(entry.path).toString('utf8'),
      bytes: Buffer.concat(pieces),
      mode: mode & 0o777,
      uid,
      gid,
    });
  }
  const { configuration } = facts.data;
  if (!files.some(({ path }) => path === configuration.file))
    throw configurationUnusable({ why: 'it lacks its own file' });
  return { ...configuration, files };
}
