import { randomBytes } from 'node:crypto';
import { dayMs, hourMs, minuteMs } from '../../src/core/duration.ts';
import { newUlid } from '../../src/core/ulid.ts';
import { ledgerKey, VAULT_KEY } from '../../src/vault/format/keys.ts';
import { recordBytes, recordHash, recordKey, signRecord } from '../../src/vault/format/record.ts';
import { encodeVaultFile } from '../../src/vault/format/vault-file.ts';
import { evidence } from '../support/plant-vault.ts';
import { forgedRecord } from './forgeries.ts';
import { add, addEntry, addGeneration, addRecord, dataset, keysOf, objects, type Plant } from './hostile-attack.ts';
import { keyAdditions, keyDestructions } from './hostile-keys.ts';

function drill(startedMs: number): object {
  const id = newUlid(startedMs, randomBytes);
  const told = { verdict: 'proved', datasets: [dataset], rtoMs: 1, left: [] } as const;
  return evidence('harbor', { id, started: new Date(startedMs).toISOString(), ...told });
}

/** What anybody can leave who may add objects, and what thieves of keys can sign. */
const additions = {
  ...keyAdditions,
  async 'a stranger’s record'(attack) {
    const { random, points, keys } = attack;
    const newest = points.at(-1)!;
    const timeMs = Date.now() + random.pick([-40, -3, 0, 2, 4000]) * dayMs + random.below(1000);
    const after = random.pick([null, points[0]!, newest]);
    const record = forgedRecord(newest, keys.stranger, { timeMs, after, replay: random.below(2) === 0 });
    return addRecord(attack, record, record.time > newest.time);
  },
  async 'H3: a stranger’s record that names the newest manifest first'(attack) {
    const newest = attack.points.at(-1)!;
    const firstMs = Date.parse(attack.points[0]!.time);
    const timeMs = firstMs - 30_000;
    const record = forgedRecord(newest, attack.keys.stranger, { timeMs, replay: true });
    return addRecord(attack, record, false, timeMs);
  },
  async 'a record ahead of its time, by the host’s stolen key'(attack) {
    const newest = attack.points.at(-1)!;
    const timeMs = Date.now() + attack.random.pick([1, 40, 4000]) * dayMs;
    return addRecord(attack, forgedRecord(newest, attack.keys.host, { timeMs, after: newest }), true);
  },
  async 'a record beside the chain, by the host’s stolen key'(attack) {
    const { points, keys } = attack;
    return addRecord(attack, forgedRecord(points[0]!, keys.host, { timeMs: Date.now(), after: points[0]! }), true);
  },
  async 'H4: a record by another system’s writer'(attack) {
    const newest = attack.points.at(-1)!;
    return addRecord(attack, forgedRecord(newest, attack.keys.blog, { timeMs: Date.now() }), true);
  },
  async 'H10: a stranger’s proof'(attack) {
    return addEntry(attack, 'stranger', 'drill', drill(Date.now()), Date.now());
  },
  async 'H10: a proof by another system’s writer'(attack) {
    return addEntry(attack, 'blog', 'drill', drill(Date.now()), Date.now());
  },
  async 'H10: a proof from the future, by the host’s stolen key'(attack) {
    const startedMs = Date.now() + attack.random.pick([1, 300]) * dayMs;
    return addEntry(attack, 'host', 'drill', drill(startedMs), attack.random.pick([Date.now(), startedMs]));
  },
  async 'M1: evidence without a shape'(attack) {
    const body = attack.random.pick([{ drill: { id: 1 } }, { drill: {}, scope: null }, { restores: [null] }]);
    return addEntry(attack, attack.random.pick(['stranger', 'host']), 'drill', body, Date.now());
  },
  async 'M1: sixty strangers’ proofs, and one of the year 2121'(attack) {
    for (let n = 0; n < 60; n++) await addEntry(attack, 'stranger', 'drill', drill(Date.now() + n), Date.now() + n);
    return addEntry(attack, 'stranger', 'drill', drill(Date.now()), Date.parse('2121-01-01T00:00:00Z'));
  },
  async 'M2: a stranger’s pin, erasure and prune'(attack) {
    const points = attack.points.map(({ id }) => id);
    await addEntry(attack, 'stranger', 'erase', { points }, Date.now());
    await addEntry(attack, 'stranger', 'prune', { removed: attack.points.map(recordHash), retired: [] }, Date.now());
    await addEntry(attack, 'stranger', 'pin', { action: 'pin', point: points[0]!, reason: 'mine' }, Date.now());
    return {};
  },
  async 'H2: a stranger’s prune'(attack) {
    await addGeneration(attack, 'stranger', 1 + attack.random.below(5));
    return {};
  },
  async 'H2: a prune with a number that nothing follows'(attack) {
    await addGeneration(attack, attack.random.pick(['host', 'stranger']), 999_999_999_999_999);
    return {};
  },
  async 'noise under names of ours'(attack) {
    const id = newUlid(Date.now(), randomBytes);
    const hash = randomBytes(32).toString('hex');
    const record = recordKey({ ...attack.points[0]!, id });
    const hashed = `${hash.slice(0, 2)}/${hash}`;
    const names = [record, ledgerKey(id), 'gc/3.json', `packs/${hashed}.age`, `lists/${hashed}`];
    const key = attack.random.pick(names);
    const seen = await add(attack, key, randomBytes(attack.random.below(5000)));
    if (key !== record) return {};
    return { [seen ? 'told' : 'toldThere']: [id] };
  },
} satisfies Record<string, Plant>;

/** What the owner of a place does with the copy there. */
const destructions = {
  ...keyDestructions,
  async 'H2: a prune by who may not, and everything gone that it names'(attack) {
    await addGeneration(attack, 'host', 1);
    const body = { step: 'mark', generation: 1, removed: attack.points.map(recordHash), retired: [] };
    await addEntry(attack, 'host', 'prune', body, Date.now());
    const gone = await keysOf(attack, 'pack', 'list', 'manifest');
    for (const key of gone) await attack.hostile.remove(key);
    return { toldThere: gone.filter((key) => key.startsWith('packs/')).slice(0, 1) };
  },
  async 'objects gone'(attack) {
    const keys = attack.random.some(await keysOf(attack, ...objects), 3);
    for (const key of keys) await attack.hostile.remove(key);
    return { toldThere: keys.filter((key) => /^(packs|lists|manifests|snapshots|keys\/.*age$)/.test(key)) };
  },
  async 'objects with other bytes'(attack) {
    const keys = attack.random.some(await keysOf(attack, ...objects), 3);
    for (const key of keys) {
      const bytes = await attack.hostile.get(key);
      const cut = attack.random.below(2) === 0;
      bytes[bytes.length >> 1]! ^= 4;
      await attack.hostile.put(key, cut ? bytes.subarray(0, bytes.length >> 1) : bytes);
    }
    return { toldThere: keys };
  },
  async 'a stranger’s record under a true one’s name'(attack) {
    const point = attack.random.pick(attack.points);
    const { writer: _, signature: __, ...unsigned } = point;
    const forged = signRecord({ ...unsigned, lists: [], manifest: ['0'.repeat(64), 10] }, attack.keys.stranger);
    await attack.hostile.put(recordKey(point), recordBytes(forged));
    return { toldThere: [recordKey(point)] };
  },
  async 'M3: vault.json of a later format, of another vault, of noise, or gone'(attack) {
    const { vault } = attack.points[0]!;
    const true_ = await attack.hostile.get(VAULT_KEY).catch(() => Buffer.alloc(0));
    const other = { format: 1, vault: newUlid(Date.now(), randomBytes), created: new Date().toISOString() } as const;
    const bytes = attack.random.pick([
      Buffer.from(true_.toString().replace('"format":1', '"format":2')),
      encodeVaultFile(other),
      Buffer.from('{'),
      encodeVaultFile({ ...other, vault: vault.toLowerCase() }),
      undefined,
    ]);
    if (bytes === undefined) await attack.hostile.remove(VAULT_KEY);
    else await attack.hostile.put(VAULT_KEY, bytes);
    return { toldThere: [VAULT_KEY], blinds: [''] };
  },
} satisfies Record<string, Plant>;

/** Only where a file system is theirs. */
const disks = {
  async 'H9: a clock that shows true records before they were made'(attack) {
    const some = attack.points.filter((_, at) => at === attack.points.length - 1 || attack.random.below(2) === 0);
    const earlierMs = attack.random.pick([20 * hourMs, 6 * hourMs, 20 * minuteMs, 50 * dayMs]);
    let dated = 0;
    for (const point of some) {
      // What was planted under its name stays there.
      const there = await attack.hostile.get(recordKey(point)).catch(() => undefined);
      if (there !== undefined && Buffer.compare(there, recordBytes(point)) !== 0) continue;
      if (there === undefined) await attack.hostile.put(recordKey(point), recordBytes(point));
      attack.hostile.disk?.date(recordKey(point), Date.parse(point.time) - earlierMs);
      dated++;
    }
    return { toldThere: dated === 0 ? [] : ['the clocks of hostile and honest disagree'] };
  },
  async 'a clock of any time'(attack) {
    const storedMs = attack.random.pick([0, Date.now() + 300 * dayMs, Date.now() + hourMs, Date.now() - 90 * dayMs]);
    for (const key of await attack.hostile.keys()) attack.hostile.disk?.date(key, storedMs);
    return {};
  },
  async 'M3: giants'(attack) {
    const keys = await keysOf(attack, 'vault', ...objects);
    const chosen = attack.random.some(keys, 2);
    for (const key of chosen) attack.hostile.disk?.grow(key, attack.random.pick([1.5e9, 3 * 2 ** 30, 40e9]));
    return { toldThere: chosen };
  },
  async 'M3: giants in the place of vault.json and of every record'(attack) {
    for (const key of await keysOf(attack, 'vault', 'snapshot')) attack.hostile.disk?.grow(key, 1.5e9);
    return { toldThere: [VAULT_KEY], blinds: [''] };
  },
  async 'H1: .incoming is a link'(attack) {
    attack.hostile.disk?.link('.incoming', attack.victim);
    return {};
  },
  async 'H1: what a killed writer left, and what is none of ours beside it'(attack) {
    const longAgo = Date.now() - 20 * dayMs;
    await attack.hostile.put('.incoming/0123456789ab-8-1-0123456789abcdef', randomBytes(10), longAgo);
    await attack.hostile.put('.incoming/family.jpg', randomBytes(10), longAgo);
    return { stays: ['.incoming/family.jpg'] };
  },
  async 'H1: a folder of the vault is a link'(attack) {
    const folder = attack.random.pick([
      'snapshots',
      'packs',
      'lists',
      'keys',
      'ledger',
      'index',
      'manifests',
      `snapshots/harbor/${dataset}`,
    ]);
    const beside = attack.random.below(2) === 0;
    attack.hostile.disk?.link(folder, beside ? `${folder.split('/').at(-1)}.moved` : attack.victim);
    return { toldThere: [folder], blinds: [folder] };
  },
  async 'H1: objects are links, pipes or folders'(attack) {
    const keys = attack.random.some(await keysOf(attack, 'vault', ...objects), 3);
    for (const key of keys) {
      const how = attack.random.below(4);
      if (how === 0) attack.hostile.disk?.fifo(key);
      else if (how === 1) attack.hostile.disk?.folder(key);
      else attack.hostile.disk?.link(key, `${attack.victim}/${how === 2 ? 'letter' : 'absent'}`);
    }
    return { toldThere: keys, blinds: keys };
  },
} satisfies Record<string, Plant>;

/** Only where a server is theirs. */
const servers = {
  async 'H9: a clock of a bucket that shows true records before they were made'(attack) {
    const newest = attack.points.at(-1)!;
    const beforeMs = attack.random.pick([20 * hourMs, 6 * hourMs, 20 * minuteMs, 50 * dayMs]);
    // It was stored there a moment ago.
    const earlierMs = Date.now() - Date.parse(newest.time) + beforeMs;
    attack.hostile.lies?.tell({ kind: 'clock', keys: new RegExp(`${newest.id}`), earlierMs });
    return { toldThere: ['the clocks of hostile and honest disagree'] };
  },
  async 'a clock of a bucket of any time'(attack) {
    const earlierMs = attack.random.pick([-300 * dayMs, -hourMs, 90 * dayMs]);
    attack.hostile.lies?.tell({ kind: 'clock', keys: /./, earlierMs });
    return {};
  },
  async 'M3: a listing that comes again and again'(attack) {
    attack.hostile.lies?.tell({
      kind: 'endless',
      prefix: attack.random.pick([/snapshots\/$/, /ledger\/$/, /\/$/]),
      again: true,
    });
    return { toldThere: ['hostile'], blinds: [''] };
  },
  async 'M3: an object without end'(attack) {
    const keys = attack.random.pick([
      /vault\.json$/,
      /\/snapshots\//,
      /\/packs\//,
      /\/ledger\//,
      /\/manifests\//,
      /\/lists\//,
      /\/keys\//,
    ]);
    const size = attack.random.pick([{}, { sizeBytes: 1.2e9 }]);
    attack.hostile.lies?.tell({ kind: 'giant', keys, ...size });
    return { toldThere: ['hostile'], blinds: [''] };
  },
  async 'M3: a page of a listing without end'(attack) {
    const prefix = attack.random.pick([/snapshots\/$/, /ledger\/$/, /\/$/]);
    attack.hostile.lies?.tell({ kind: 'page', prefix, sizeBytes: attack.random.pick([7e6, 64e6]) });
    return { toldThere: ['hostile'], blinds: [''] };
  },
} satisfies Record<string, Plant>;

/** Heard out up to the bound: minutes of work. */
const patient = {
  async 'M3: a listing without end'(attack) {
    const prefix = attack.random.pick([/snapshots\/$/, /ledger\/$/, /gc\/$/]);
    attack.hostile.lies?.tell({ kind: 'endless', prefix });
    return { toldThere: ['hostile'], blinds: [''] };
  },
} satisfies Record<string, Plant>;

export const plants = { additions, destructions, disks, servers, patient } as const;

export type PlantName =
  | keyof typeof additions
  | keyof typeof destructions
  | keyof typeof disks
  | keyof typeof servers
  | keyof typeof patient;

export function plantOf(name: PlantName): Plant {
  return { ...additions, ...destructions, ...disks, ...servers, ...patient }[name];
}
