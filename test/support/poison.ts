import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { newUlid } from '../../src/core/ulid.ts';
import { newHeader } from '../../src/vault/age/header.ts';
import { generateIdentity, recipientOf } from '../../src/vault/age/identity.ts';
import { sealSmall } from '../../src/vault/age/small-objects.ts';
import { sealAll } from '../../src/vault/age/stream.ts';
import { encodeIndexDelta } from '../../src/vault/format/index-delta.ts';
import { indexKey, packKey } from '../../src/vault/format/keys.ts';
import { publicKeyOf, writerId } from '../../src/vault/format/signing.ts';
import { packPlain } from './build-vault.ts';

export interface Poisoned {
  /** The id of the pack. */
  readonly pack: string;
}

export interface PoisonRequest {
  readonly stateDir: string;
  /** Folder of a destination. */
  readonly vaultFolder: string;
  /** What the host will back up next: one chunk. */
  readonly content: Uint8Array;
  /**
   * `chunk`: other bytes under the right id. `table`: a sound pack of other bytes, which the index alone gives another name. `shut`: sealed
   * to nobody who is asked.
   */
  readonly way: 'chunk' | 'table' | 'shut';
}

/** Does what somebody can who has all keys of a host that writes, and has it take its index from the vault anew. */
export async function poison({ stateDir, vaultFolder, content, way }: PoisonRequest): Promise<Poisoned> {
  const keys = JSON.parse(readFileSync(join(stateDir, 'writer.json'), 'utf8')) as Record<string, string>;
  const { vault = '', signingKey = '', indexIdentity = '' } = keys;
  const chunkKey = Buffer.from(keys.chunkKey!, 'hex');
  const idOf = (bytes: Uint8Array) => {
    const digest = createHash('sha256').update(bytes).digest();
    return createHmac('sha256', chunkKey).update(digest).digest('hex').slice(0, 40);
  };
  const wrong = randomBytes(content.length);
  const { epochs } = JSON.parse(readFileSync(join(stateDir, 'epochs.json'), 'utf8'));
  const last = epochs.at(-1) as { readonly epoch: string; readonly recipient: string };
  const readers = [way === 'shut' ? generateIdentity().recipient : last.recipient];
  const { plain, toc } = packPlain([{ id: way === 'table' ? idOf(wrong) : idOf(content), bytes: wrong }], 1 << 20);
  const { header, fileKey } = newHeader(readers);
  const object = sealAll(header, fileKey, randomBytes(16), plain);
  const pack = createHash('sha256').update(object).digest('hex');
  const named = { ...toc, chunks: { ...toc.chunks, ids: Buffer.from(idOf(content), 'hex') } };
  const one = { id: pack, sizeBytes: object.length, kind: 'data', toc: named } as const;
  const delta = encodeIndexDelta({ vault, packs: [one], epoch: last.epoch }, signingKey);
  const writer = writerId(publicKeyOf(signingKey));
  const put = (key: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(vaultFolder, key)), { recursive: true });
    writeFileSync(join(vaultFolder, key), bytes);
  };
  put(packKey(pack), object);
  const index = sealSmall(delta, [last.recipient, recipientOf(indexIdentity)]);
  put(indexKey(writer, newUlid(Date.now(), randomBytes)), index);
  forgetIndex(stateDir);
  return { pack };
}

/** As after the loss of a disk: the next backup reads its index from the vault. */
export function forgetIndex(stateDir: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(join(stateDir, `index.sqlite${end}`), { force: true });
}
