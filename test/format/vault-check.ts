import { zstdDecompressSync } from 'node:zlib';
import { checkChunkIds, readFrames, readIndexDelta, readList, readPack, sha256, type Toc } from './binary-objects.ts';
import { filesChecksum, type Line, readBody, sizeCells } from './body-lines.ts';
import { type Manifest, type Place, readManifest } from './manifest-text.ts';
import {
  type Cover,
  folderOf,
  type Grant,
  idOf,
  type LedgerEntry,
  type Record,
  readAnnouncement,
  readCheckpoint,
  readCover,
  readEndorsement,
  readGeneration,
  readGrant,
  readLedgerEntry,
  readRecord,
  readVaultFile,
} from './signed-objects.ts';
import { Broken, broken, canonical, isRound } from './strict-json.ts';

/** Bytes by key. */
export type Objects = ReadonlyMap<string, Buffer>;

/** Opens age files. */
export interface Keys {
  /** Of an epoch, if this is its secret. */
  nameOf(secret: string): string;
  /** @throws `Broken` where none of the secrets opens it */
  open(bytes: Buffer, secrets: readonly string[]): Buffer;
}

interface Pack {
  readonly raw: Buffer;
  readonly toc: Toc;
  readonly table: Buffer;
}

const forms = {
  pack: /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.age$/,
  manifest: /^manifests\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.age$/,
  list: /^lists\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/,
  index: /^index\/([0-9a-f]{32})\/[0-7][0-9A-HJKMNP-TV-Z]{25}\.age$/,
  log: /^logs\/([^/]+\/[^/]+\/[0-9a-f]{32}\/[a-z0-9]{1,64}-[0-9]+)\/[0-9a-f]{16}-[0-9a-f]{16}-([0-9a-f]{64})\.age$/,
  key: /^keys\/([0-9a-f]{64})\/([0-9a-f]{64})\.age$/,
};

/**
 * All that a vault says against docs/vault-format.md: one sentence each, with the object's key.
 * @param identities secrets (`AGE-SECRET-KEY-1…`) that open all of it
 */
export function complaints(objects: Objects, identities: readonly string[], keys: Keys): string[] {
  const told: string[] = [];
  const each = <T>(prefix: string, read: (key: string, bytes: Buffer) => T): Map<string, T> => {
    const found = new Map<string, T>();
    for (const [key, bytes] of objects) {
      if (key.startsWith(prefix)) tell(key, () => found.set(key, read(key, bytes)));
    }
    return found;
  };
  const tell = (key: string, look: () => unknown) => {
    try {
      look();
    } catch (error) {
      if (error instanceof Broken || error instanceof RangeError) told.push(`${key}: ${error.message}`);
      else throw error;
    }
  };

  const named = (form: keyof typeof forms) => (key: string, bytes: Buffer) => {
    const [, , id] = forms[form].exec(key) ?? broken('it has no such name');
    if (id !== sha256(bytes)) broken('its name is not its hash');
    return bytes;
  };
  const ofVault = (vault: string) => {
    if (vault !== vaultId) broken('it is of another vault');
  };

  let vaultId = '';
  tell('vault.json', () => {
    vaultId = readVaultFile(objects.get('vault.json') ?? broken('it is missing'));
  });
  tell('rescue.sh', () => checkRescue(objects.get('rescue.sh') ?? broken('it is missing')));

  const secrets = new Map<string, string>();
  const keyObjects = each('keys/', (key, bytes) => {
    if (key.endsWith('.json')) {
      const grant = readGrant(bytes, key);
      ofVault(grant.vault);
      return grant;
    }
    named('key')(key, bytes);
    if (bytes.length > 64 * 1024) broken('it is too long');
    const epoch = key.split('/')[1]!;
    const secret = opened(() => keys.open(bytes, identities));
    if (secret !== undefined) {
      const text = secret.toString('latin1');
      if (!/^AGE-SECRET-KEY-1[0-9A-Z]+\n$/.test(text)) broken('it holds no secret');
      if (keys.nameOf(text.trim()) !== epoch) broken('it holds the secret of another epoch');
      secrets.set(epoch, text.trim());
    }
    return undefined;
  });
  const grants = [...keyObjects.values()].filter((one) => one !== undefined);
  checkGrants(grants, objects, tell);
  const all = [...secrets.values()];

  const packs = each('packs/', (key, bytes): Pack => readPack(keys.open(named('pack')(key, bytes), all)));
  const lists = each('lists/', (key, bytes) => readList(named('list')(key, bytes)));
  const manifests = each('manifests/', (key, bytes) =>
    readManifest(readFrames(keys.open(named('manifest')(key, bytes), all))),
  );
  each('index/', (key, bytes) => {
    const [, writer] = forms.index.exec(key) ?? broken('it has no such name');
    const plain = keys.open(bytes, all);
    const delta = readIndexDelta(readFrames(plain), vaultId, writer!);
    if (!secrets.has(delta.epoch)) broken('it names no epoch of this vault');
    for (const { id, size, table } of delta.packs) {
      const pack = packs.get(packKey(id));
      if (pack !== undefined && !pack.table.equals(table)) broken(`it says other chunks of pack ${id}`);
      if (pack !== undefined && objects.get(packKey(id))!.length !== size) broken(`it says another size of pack ${id}`);
    }
  });
  const generations = each('gc/', (key, bytes) => readGeneration(bytes, key));
  const newest = [...generations.values()].sort((a, b) => a.generation - b.generation).at(-1);
  each('logs/', (key, bytes) => {
    const plain = readFrames(keys.open(named('log')(key, bytes), all));
    if (plain.length === 0 || plain.length > 64 * 1024 * 1024) broken('it holds nothing, or too much');
  });
  const covers = each('covers/', (key, bytes) => {
    const cover = readCover(bytes, key);
    ofVault(cover.vault);
    checkPieces(cover, newest?.logs ?? [], objects);
    checkKeys(cover, objects);
    return cover;
  });
  const chains = Map.groupBy(covers, ([, cover]) => folderOf(cover));
  for (const [folder, chain] of chains) {
    const links = chain.map(([key, cover]) => ({ ...cover, hash: sha256(objects.get(key)!) }));
    tell(`covers/${folder}/`, () => checkChain(links));
    for (const { previous, after, id } of links) {
      const before = links.find(({ hash }) => hash === previous);
      tell(`covers/${folder}/`, () => {
        if (before !== undefined && before.last !== after) broken(`${id} goes on from elsewhere`);
      });
    }
  }
  each('endorsements/', (key, bytes) => readEndorsement(bytes, key));
  each('format/', (key, bytes) => readAnnouncement(bytes, key));
  const ledger = each('ledger/', (key, bytes) => {
    const entry = readLedgerEntry(bytes, key);
    ofVault(entry.vault);
    checkSealed(entry, (sealed) => keys.open(sealed, [...identities, ...all]));
    return entry;
  });
  tell('ledger/', () => checkChain([...ledger].map(([key, entry]) => ({ ...entry, hash: sha256(objects.get(key)!) }))));

  for (const [key, { kind, body }] of ledger) {
    if (kind !== 'checkpoint') continue;
    tell(key, () => {
      const hashes = new Set([...ledger.keys()].map((one) => sha256(objects.get(one)!)));
      for (const { writer, through, last, kept } of readCheckpoint(body).chains) {
        if (kept.some(([, hash]) => !hashes.has(hash))) broken('an entry that it keeps is not there');
        const next = [...ledger.values()].find((one) => one.writer === writer && one.sequence === through + 1);
        if (next?.previous !== last) broken('another entry follows it, or none');
      }
    });
  }

  const records = each('snapshots/', (key, bytes) => {
    const record = readRecord(bytes, key);
    ofVault(record.vault);
    return record;
  });
  tell('snapshots/', () => checkChain([...records].map(([key, one]) => ({ ...one, hash: sha256(objects.get(key)!) }))));
  for (const [key, record] of records) {
    tell(key, () => {
      checkKeys(record, objects);
      const manifest = manifests.get(`manifests/${record.manifest[0].slice(0, 2)}/${record.manifest[0]}.age`);
      if (manifest === undefined) broken('its manifest is not there, or cannot be read');
      checkPoint(record, manifest, { objects, packs, lists });
    });
  }
  return told;
}

function checkKeys({ keys }: Pick<Record, 'keys'>, objects: Objects): void {
  if (keys.length === 0) broken('it names no keys');
  for (const [epoch, id, size] of keys) {
    if (objects.get(`keys/${epoch}/${id}.age`)?.length !== size) broken(`the key of epoch ${epoch} is not there`);
  }
}

/** What the newest prune lets go of need not be there. */
function checkPieces(
  cover: Cover,
  floors: ReadonlyArray<readonly [string, string, string, string]>,
  objects: Objects,
): void {
  const history = cover.timeline.split('-')[0];
  const floor =
    floors.find((row) => row[0] === cover.system && row[1] === cover.dataset && row[2] === history)?.[3] ?? '';
  for (const [start, end, id, size] of cover.pieces) {
    const piece = objects.get(`logs/${folderOf(cover)}/${start}-${end}-${id}.age`);
    if (end > floor && piece?.length !== size) broken(`the piece from ${start} is not there`);
  }
}

const packKey = (id: string) => `packs/${id.slice(0, 2)}/${id}.age`;

function opened<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof Broken) return undefined;
    throw error;
  }
}

function checkRescue(bytes: Buffer): void {
  const text = bytes.toString('latin1');
  const [, lines, digest] =
    /^(.*\n)# sha256 of the lines above: ([0-9a-f]{64})\n$/s.exec(text) ?? broken('it has no last line');
  if (sha256(Buffer.from(lines!, 'latin1')) !== digest) broken('its lines have another hash');
}

function checkGrants(
  grants: readonly Grant[],
  objects: Objects,
  tell: (key: string, look: () => unknown) => void,
): void {
  for (const { epoch, id, key, begins, writer } of grants) {
    tell(`keys/${epoch}/${id}.json`, () => {
      const object = objects.get(`keys/${epoch}/${key[0]}.age`);
      if (object?.length !== key[1]) broken('what it grants is not there');
      const speakers = grants.flatMap((one) => (one.begins === undefined ? [] : [one.begins.speaker]));
      if (begins === undefined && !speakers.includes(writer)) broken('it is signed by no epoch’s speaker');
    });
  }
}

function checkSealed({ sealed }: LedgerEntry, open: (sealed: Buffer) => Buffer): void {
  if (sealed === null) return;
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.toString('base64') !== sealed) broken('what it seals is no base64');
  JSON.parse(zstdDecompressSync(open(bytes)).toString());
}

interface Link {
  readonly id: string;
  readonly hash: string;
  readonly previous: string | null;
  readonly sequence: number;
  readonly writer: string;
}

/** What a prune has removed is a gap here: only what is there is judged. */
function checkChain(links: readonly Link[]): void {
  const byHash = new Map(links.map((link) => [link.hash, link]));
  const places = new Set<string>();
  for (const { id, previous, sequence, writer } of links) {
    const place = `${writer} ${sequence}`;
    if (places.has(place)) broken(`two of ${idOf(writer)} have the number ${sequence}`);
    places.add(place);
    const before = previous === null ? undefined : byHash.get(previous);
    if (before === undefined) continue;
    if (before.writer !== writer) broken(`${id} follows one of another writer`);
    if (before.sequence + 1 !== sequence) broken(`${id} has not the number after the one that it follows`);
  }
}

function checkPoint(
  record: Record,
  manifest: Manifest,
  {
    objects,
    packs,
    lists,
  }: { objects: Objects; packs: ReadonlyMap<string, Pack>; lists: ReadonlyMap<string, ReadonlyMap<string, number>> },
): void {
  for (const line of ['vault', 'system', 'dataset', 'kind', 'id', 'time', 'writer'] as const) {
    if (manifest.said.get(line) !== record[line]) broken(`its manifest says another ${line}`);
  }
  if (manifest.said.get('previous') !== (record.previous ?? '-')) broken('its manifest follows another record');
  if (canonical(Object.fromEntries(manifest.problems)) !== canonical(record.problems))
    broken('its manifest has other problems');
  const listed = new Map<string, number>();
  for (const [id, count, bytes] of record.lists) {
    const list = lists.get(`lists/${id.slice(0, 2)}/${id}`) ?? broken(`list ${id} is not there`);
    if (list.size !== count || [...list.values()].reduce((sum, one) => sum + one, 0) !== bytes) {
      broken(`list ${id} names other packs`);
    }
    for (const [pack, size] of list) {
      if (listed.has(pack)) broken(`pack ${pack} is listed twice`);
      listed.set(pack, size);
    }
  }
  const checked = new Set<string>();
  const read = ({ pack, offset, length }: Place): Buffer => {
    if (pack === '-') return Buffer.alloc(length);
    const size = listed.get(pack) ?? broken(`pack ${pack} is in none of its lists`);
    if (objects.get(packKey(pack))?.length !== size) broken(`pack ${pack} has another size`);
    const { raw, toc } = packs.get(packKey(pack)) ?? broken(`pack ${pack} cannot be read`);
    if (offset + length > raw.length) broken(`an extent reaches past the end of pack ${pack}`);
    if (!checked.has(pack)) checkChunkIds(raw, toc, manifest.chunkKey);
    checked.add(pack);
    return raw.subarray(offset, offset + length);
  };
  const body = Buffer.concat(manifest.extents.map(read));
  if (sha256(body) !== manifest.bodySha256) broken('its body has another hash');
  const lines = readBody(body);
  for (const { path, type, sha256: hash, extents } of lines) {
    if (type === 'f' && sha256(Buffer.concat(extents.map(read))) !== hash) broken(`${path} has another hash`);
  }
  checkFirsts(manifest, lines);
  checkCounts(record, manifest, lines);
}

/** Each piece of the body says which entry is the first that begins in it. */
function checkFirsts({ extents }: Manifest, lines: readonly Line[]): void {
  let [start, next] = [0, 0];
  for (const { length, first } of extents) {
    const found = lines[next];
    const begins =
      found !== undefined && found.at < start + length ? { at: found.at - start, path: found.path } : undefined;
    if (first?.at !== begins?.at || first?.path !== begins?.path)
      broken('an entry begins elsewhere than its manifest says');
    start += length;
    while (next < lines.length && lines[next]!.at < start) next++;
  }
}

function checkCounts(record: Record, { sizes, expectations, facts }: Manifest, lines: readonly Line[]): void {
  if (sizes.entries !== lines.length) broken('it counts other entries');
  if (sizes.logical !== lines.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)) broken('it counts other bytes');
  for (const amount of ['logical', 'added', 'entries'] as const) {
    // Rounded up, so what is round between the two would be another.
    const [exact, said] = [sizes[amount], record.sizes[amount]];
    let rounded = exact;
    while (!isRound(rounded)) rounded++;
    if (said !== rounded) broken(`its record says another ${amount}`);
  }
  if (expectations?.algorithm !== 'files-1') return;
  const isOne = (facts.root as { type?: string } | undefined)?.type === 'file';
  const { rows, checksum } = filesChecksum(lines, isOne);
  const [table, ...others] = expectations.tables;
  if (others.length > 0 || table?.table !== 'files' || table.rows !== rows || table.checksum !== checksum) {
    broken('it expects other files');
  }
  if (table.sample === undefined) return;
  const { until = 'ffffffff', rows: sampled, columns } = table.sample;
  if (columns.join() !== 'size,content') broken('it samples something else');
  const cells = sizeCells(lines, isOne);
  const keys = [...cells.keys()].filter((key) => key <= until && cells.get(key) !== undefined).sort();
  if (keys.join() !== sampled.map((row) => row.slice(0, 8)).join()) broken('it samples other files');
  if (sampled.some((row) => row.slice(8, 13) !== cells.get(row.slice(0, 8)))) broken('it samples other sizes');
}
