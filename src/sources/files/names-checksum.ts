import { hash } from 'node:crypto';
import type { Entry } from '../../core/entry.ts';
import type { Expectations } from '../../core/expectations.ts';
import type { BytePath } from '../../core/paths.ts';
import { startSample } from '../../core/sample.ts';
import { cellsOfFile } from './file-sample.ts';

/**
 * `files-1`: what a restored folder must hold. One table, `files`: its rows are the files (each name of a hard link counts),
 * its checksum is the sum, over files, folders, symbolic links and fifos, of the SHA-256 of `<kind><path>\0<link's target>`,
 * in four lanes of 32 bits.
 *
 * Contents are not in it: only the vault knows what it really read of a file that changed meanwhile, and it compares every
 * file's SHA-256 when it writes it. The sample of contents is for other restore points, and a drill does not compare it with its own. Nor are sockets and devices, which a restore may not be able to make, nor owners and
 * times, which need root. The path of a dataset that is a single file counts as empty: it may be restored under another name. So a good backup never fails this, and a missing, renamed or additional entry always does.
 */
export interface NamesChecksum {
  add(entry: Pick<Entry, 'type' | 'path'> & { readonly target?: BytePath }): void;
  /** Takes a file back out, which was listed but could not be read. */
  remove(path: BytePath): void;
  /** `root`: the folder that the files lie in, where their contents are sampled. */
  expectations(root?: BytePath): Expectations;
}

/** Each is opened once more, and read at three places. */
const sampledFiles = 256;

const kinds: Readonly<Record<Entry['type'], string | undefined>> = {
  file: 'f',
  // A hard link is a file: which of its names comes first is no promise.
  hardlink: 'f',
  folder: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: undefined,
  'character-device': undefined,
  'block-device': undefined,
};

export function startNamesChecksum(): NamesChecksum {
  const lanes = new Uint32Array(4);
  let files = 0;
  const sampling = startSample<BytePath>(sampledFiles);
  const digest = (text: string) => hash('sha256', Buffer.from(text, 'latin1'), 'buffer');
  return {
    add(entry) {
      const kind = kinds[entry.type];
      if (kind === undefined) return;
      if (kind === 'f') files++;
      const sum = digest(kind === 'l' ? `l${entry.path}\0${entry.target}` : kind + entry.path);
      for (let lane = 0; lane < 4; lane++) lanes[lane]! += sum.readUInt32LE(lane * 4);
      const key = sum.readUInt32BE(0);
      if (kind === 'f' && sampling.wants(key)) sampling.add(key, entry.path);
    },
    remove(path) {
      files--;
      const sum = digest(`f${path}`);
      sampling.remove(sum.readUInt32BE(0));
      for (let lane = 0; lane < 4; lane++) lanes[lane]! -= sum.readUInt32LE(lane * 4);
    },
    expectations(root) {
      const checksum = Array.from(lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
      const sampled =
        root === undefined || files === 0
          ? undefined
          : sampling.sample(['path'], ['size', 'content'], (path) =>
              cellsOfFile(path === '' ? root : `${root}/${path}`),
            );
      const table = { table: 'files', rows: files, checksum, ...(sampled && { sample: sampled }) };
      return { algorithm: 'files-1', tables: [table] };
    },
  };
}
