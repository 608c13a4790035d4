import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import type { SnapshotRecord } from '../../src/vault/format/record.ts';
import { signedBytes } from '../../src/vault/format/signed-json.ts';
import { sign } from '../../src/vault/format/signing.ts';
import { buildVault, type NewEntry, writeObjects } from '../support/build-vault.ts';
import { temporaryFolder } from '../support/temp.ts';

const SCRIPT = join(import.meta.dirname, '../../rescue/rescue.sh');
// All that the script may call: bash, age, zstd, awk and what coreutils has; openssl and setfattr where they are.
const PROGRAMS =
  'openssl setfattr bash age age-keygen zstd awk cat cut dd dirname id ln mkdir mkfifo mknod mktemp nproc od paste rm sha256sum sort tac tail head touch tr truncate wc chmod chown';

/** A vault to be filled, and rescue.sh with nothing but the programs that it may call. */
export async function stage() {
  const folder = await temporaryFolder();
  const pair = generateIdentity();
  const bin = join(folder, 'bin');
  fs.mkdirSync(bin);
  for (const name of PROGRAMS.split(' ')) {
    fs.symlinkSync(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(bin, name));
  }
  fs.writeFileSync(join(folder, 'key'), `# offline key\n${pair.identity}\n`);
  fs.mkdirSync(join(folder, 'tmp'));
  const builder = buildVault({
    recipients: [generateIdentity().recipient, pair.recipient],
    random: randomBytes,
    chunkSize: 20_000,
    frameSize: 60_000,
    packSize: 200_000,
  });
  const vault = join(folder, 'vault');
  const rescue = (...args: string[]) =>
    spawnSync(join(bin, 'bash'), [SCRIPT, ...args], {
      encoding: 'latin1',
      env: { PATH: bin, TMPDIR: join(folder, 'tmp') },
    });
  return {
    folder,
    vault,
    builder,
    target: join(folder, 'target'),
    list: (...more: string[]) => rescue('list', vault, ...more),
    restore: (point: string, target = join(folder, 'target'), ...more: string[]) =>
      rescue('restore', vault, join(folder, 'key'), point, target, ...more),
    without: (program: string) => fs.rmSync(join(bin, program)),
    save: () => writeObjects(builder.objects, vault),
  };
}

export const metadata = { mode: 0o644, uid: 1000, gid: 1001, mtimeNs: 1_700_000_000_123_456_789n };

export function file(path: string, ...parts: (Uint8Array | number)[]): NewEntry {
  return { type: 'file', path, ...metadata, parts };
}

/** With the signature that it would have by this key, whether a reader takes it or not. */
export function signed(record: SnapshotRecord, privateKey: string): SnapshotRecord {
  return { ...record, signature: sign(signedBytes('record', record), privateKey) };
}
