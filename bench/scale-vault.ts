import { randomBytes } from 'node:crypto';
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { loadSystem } from '../src/config/load.ts';
import { hourMs, minuteMs } from '../src/core/duration.ts';
import { newUlid } from '../src/core/ulid.ts';
import { inState } from '../src/host/state-names.ts';
import { generateIdentity } from '../src/vault/age/identity.ts';
import { listKey, manifestKey, packKey, VAULT_KEY } from '../src/vault/format/keys.ts';
import { encodePackList, type ListName } from '../src/vault/format/pack-list.ts';
import { recordBytes, recordHash, recordKey, signRecord } from '../src/vault/format/record.ts';
import { encodeVaultFile } from '../src/vault/format/vault-file.ts';
import { sha256Hex } from '../src/vault/hash.ts';
import { openIndexCache, packText, sealOf } from '../src/vault/index/cache.ts';
import { noteRecord } from '../src/vault/write/last-record.ts';
import { cutIntoLists, type SizedPack } from '../src/vault/write/list-packs.ts';
import { writerKeys } from '../src/vault/writer/keys.ts';
import { unsignedRecord } from '../test/support/records.ts';

/** A long history: restore points of datasets that take turns, an hour apart. */
export interface History {
  readonly points: number;
  readonly datasets: number;
  /** That each restore point needs. */
  readonly packs: number;
  /** Of them, those that the one before it has not, in the place of as many. */
  readonly fresh: number;
  readonly packBytes: number;
}

/** Of each 9,999 packs one holds what its name says, so that `verify --part 1/9999` reads something sound; the others are holes. */
export const soundPart = 9999;

/** A ninth of the restore points is more than the retention keeps. */
const keptShare = 0.9;

/**
 * Plants the vault below `folder`, with the configuration and the state of the host that wrote it, as if it had: what reads no contents
 * cannot tell it from a stored one. The index of the host names the packs and no chunk.
 */
export async function plantHistory(folder: string, history: History): Promise<void> {
  const store = join(folder, 'store');
  mkdirSync(join(store, '.incoming'), { recursive: true });
  const names = Array.from({ length: history.datasets }, (_, at) => `data-${at}`);
  writeConfiguration(folder, names, Math.ceil((history.points / history.datasets) * keptShare));
  const { stateDir } = await loadSystem(join(folder, 'lifeboat.yaml'), stateOf(folder));
  const vault = newUlid(0, randomBytes);
  const keys = await writerKeys(inState(stateDir, 'writerKeys'), vault, randomBytes);
  const index = openIndexCache(inState(stateDir, 'index'), `${vault} ${keys.writer}`);
  const made = new Set<string>();
  const put = (key: string, bytes: Uint8Array, timeMs: number, sizeBytes = bytes.length) => {
    const file = join(store, key);
    makeFolder(made, dirname(file));
    writeFileSync(file, bytes);
    if (sizeBytes !== bytes.length) truncateSync(file, sizeBytes);
    utimesSync(file, timeMs / 1000, timeMs / 1000);
  };
  const startMs = Date.now() - hourMs - (history.points / history.datasets) * hourMs;
  put(VAULT_KEY, encodeVaultFile({ format: 1, vault, created: new Date(startMs).toISOString() }), startMs);

  using db = new DatabaseSync(inState(stateDir, 'index'));
  const enter = enterInto(db);
  db.exec('BEGIN');
  const windows = names.map((): SizedPack[] => []);
  /** By the first pack and how many: each restore point has most of its lists from the one before it. */
  const known = new Map<string, ListName>();
  let previous: string | null = null;
  for (let at = 0; at < history.points; at++) {
    const dataset = names[at % names.length]!;
    const packs = windows[at % names.length]!;
    const turn = Math.floor(at / names.length);
    const timeMs = startMs + turn * hourMs + (at % names.length) * (minuteMs / 2);
    packs.splice(0, turn === 0 ? 0 : history.fresh);
    const from = turn === 0 ? 0 : history.packs + (turn - 1) * history.fresh;
    for (let number = from; packs.length < history.packs; number++) {
      const bytes = Buffer.from(`${dataset} ${number}`);
      const id = sha256Hex(bytes);
      const isSound = Number.parseInt(id.slice(0, 8), 16) % soundPart === 0;
      const sizeBytes = isSound ? bytes.length : history.packBytes;
      put(packKey(id), isSound ? bytes : new Uint8Array(), timeMs, sizeBytes);
      enter(id, sizeBytes, 'file');
      packs.push([id, sizeBytes]);
    }
    const lists = cutIntoLists(packs).map((part) => {
      const what = `${part[0]![0]} ${part.length}`;
      const before = known.get(what);
      if (before !== undefined) return before;
      const bytes = encodePackList(part, Buffer.alloc(8));
      const list = [sha256Hex(bytes), part.length, part.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0)] as const;
      put(listKey(list[0]), bytes, timeMs);
      enter(list[0], bytes.length, 'list');
      known.set(what, list);
      return list;
    });
    const manifest = Buffer.from(`manifest ${dataset} ${turn}`);
    put(manifestKey(sha256Hex(manifest)), manifest, timeMs);
    const unsigned = unsignedRecord(vault, timeMs, {
      ...{ system: 'scale', dataset, lists, previous, sequence: at + 1 },
      sizes: { logical: 4096, added: 1024, stored: 512, entries: 3 },
      manifest: [sha256Hex(manifest), manifest.length],
    });
    const record = signRecord(unsigned, keys.signingKey);
    put(recordKey(record), recordBytes(record), timeMs);
    previous = recordHash(record);
    if (at === history.points - 1) {
      db.exec('COMMIT');
      noteRecord(index, { key: recordKey(record), sha256: previous, sequence: record.sequence });
    }
  }
  index.set('loaded', 'yes');
  index.set('known store', store);
  index.close();
}

export function stateOf(folder: string): { readonly LIFEBOAT_STATE_DIR: string } {
  return { LIFEBOAT_STATE_DIR: join(folder, 'state') };
}

function writeConfiguration(folder: string, datasets: readonly string[], hourly: number): void {
  const recipients = [generateIdentity(), generateIdentity()].map(({ recipient }) => recipient);
  const lines = datasets.map((name) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
    return `  ${name}: { type: files, path: ${name}, rpo: 1h, rto: 1h, retention: { hourly: ${hourly} } }`;
  });
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1\nsystem: scale\nvault: { recipients: [${recipients}] }\ndestinations: { store: { type: local, path: store } }\ndatasets:\n${lines.join('\n')}\n`,
  );
}

/** One transaction for all of them: a million of their own would take minutes. */
function enterInto(db: DatabaseSync): (id: string, size: number, kind: string) => void {
  const pack = db.prepare('INSERT INTO packs (number, id, size, kind, epoch, seal) VALUES (?, ?, ?, ?, ?, ?)');
  const holder = db.prepare('INSERT INTO holders (destination, pack, seal) VALUES (?, ?, ?)');
  const epoch = '';
  let number = 0;
  return (id, size, kind) => {
    number++;
    pack.run(number, id, size, kind, epoch, sealOf(packText({ number, id, size, kind, epoch })));
    holder.run('store', number, sealOf(`store ${number}`));
  };
}

function makeFolder(made: Set<string>, folder: string): void {
  if (made.has(folder)) return;
  mkdirSync(folder, { recursive: true });
  made.add(folder);
}
