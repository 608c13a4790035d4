import { countOf } from './size.ts';

/** One copy of the data, and what it could be lost with. What is absent is not known. */
export interface CopyFacts {
  /** `production`, or a destination's name. */
  readonly name: string;
  readonly isProduction: boolean;
  /** What kind of thing it lies on. */
  readonly medium: 'disk' | 'memory' | 'server' | 'object storage';
  /** Whole disks, as `/dev/vda`; a volume of several disks has several. */
  readonly disks: readonly string[];
  /** `this machine`, or a host's name. */
  readonly machine?: string;
  readonly provider?: string;
  readonly region?: string;
  readonly account?: string;
  readonly bucket?: string;
  /** A building. */
  readonly site?: string;
  readonly immutable: Immutability;
}

/** `compliance`, `governance`: locked against deletion; `versions`: what is deleted or overwritten can be brought back, until somebody deletes that. */
export type Immutability = 'compliance' | 'governance' | 'versions' | 'none' | 'unknown';

export const thisMachine = 'this machine';

export interface ThreeTwoOne {
  /** Three copies on two media, one of them elsewhere, and nothing single that takes every backup. */
  readonly ok: boolean;
  /** Production counts as one. */
  readonly copies: number;
  /** Distinct things that they lie on. */
  readonly media: readonly string[];
  /** Destinations that are not on this machine nor in its building. */
  readonly elsewhere: readonly string[];
  /** Destinations whose objects are locked. */
  readonly locked: readonly string[];
  readonly providers: readonly string[];
  readonly regions: readonly string[];
  readonly accounts: readonly string[];
  readonly sites: readonly string[];
  /** Worst first. */
  readonly findings: readonly PlacementFinding[];
}

export interface PlacementFinding {
  /** `bad`: the rule is broken; `warning`: one event takes several copies, but a backup remains. */
  readonly severity: 'bad' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly advice: string;
  readonly copies: readonly string[];
}

/** Whether one event takes several of the copies that it names. */
export function isBond({ code }: PlacementFinding): boolean {
  return bonds.some((bond) => bond.code === code);
}

/** What the copies could be lost together with, from the least likely to part them to the most. */
const bonds: readonly Bond[] = [
  {
    code: 'same-disk',
    keys: ({ disks, machine }) => disks.map((disk) => `${whose(machine)} disk ${disk}`),
    say: (where, both) => `lie on ${where}: one broken disk takes ${both}`,
    advice: 'Put one of them on another machine, or at a provider.',
  },
  {
    code: 'same-bucket',
    keys: ({ provider, bucket }) => (bucket === undefined ? [] : [`the bucket ${bucket}${at(provider)}`]),
    say: (where, both) => `lie in ${where}: one deletion takes ${both}`,
    advice: 'Use a bucket of another account, better at another provider.',
  },
  {
    code: 'same-machine',
    keys: ({ machine }) => (machine === undefined ? [] : [machine]),
    say: (where, both) => `are on ${where}: a fire, a thief or whoever is root there takes ${both}`,
    advice: 'Put one of them on another machine, or at a provider.',
  },
  {
    code: 'same-account',
    keys: ({ provider, account }) => (account === undefined ? [] : [`one account${at(provider)} (${account})`]),
    say: (where, both) => `belong to ${where}: who takes it over, or closes it, has ${both}`,
    advice: 'Use another account, with other people and another card, better at another provider.',
  },
  {
    code: 'same-site',
    keys: ({ site }) => (site === undefined ? [] : [`one building (${site})`]),
    say: (where, both) => `are in ${where}: a fire or a flood takes ${both}`,
    advice: 'Keep one copy in another building, better in another town.',
  },
  {
    code: 'same-region',
    keys: ({ provider, region }) =>
      provider === undefined || region === undefined ? [] : [`one region (${provider} ${region})`],
    say: (where, both) => `are in ${where}: when it is down, ${both} are out of reach`,
    advice: 'Choose another region for one of them, better another provider.',
  },
];

interface Bond {
  readonly code: string;
  /** What ties a copy: copies that share one are lost together. */
  readonly keys: (copy: CopyFacts) => readonly string[];
  /** The rest of the sentence after `2 of 3 copies`. */
  readonly say: (where: string, both: string) => string;
  readonly advice: string;
}

/** Judges where the copies lie. `copies` begins with production. */
export function judgePlacement(copies: readonly CopyFacts[]): ThreeTwoOne {
  const destinations = copies.filter(({ isProduction }) => !isProduction);
  const home = copies.find(({ isProduction }) => isProduction);
  const elsewhere = destinations.filter((copy) => isElsewhere(copy, home));
  const locked = destinations.filter(({ immutable }) => immutable === 'compliance' || immutable === 'governance');
  const media = distinct(copies.flatMap(mediaOf));
  const findings = [
    ...counted(copies.length, media, elsewhere.length, destinations),
    ...inMemory(destinations),
    ...together(copies),
    ...unlocked(destinations, locked.length),
  ].sort((a, b) => Number(b.severity === 'bad') - Number(a.severity === 'bad'));
  return {
    ok: findings.every(({ severity }) => severity !== 'bad'),
    copies: copies.length,
    media,
    elsewhere: elsewhere.map(({ name }) => name),
    locked: locked.map(({ name }) => name),
    providers: distinct(copies.flatMap(({ provider }) => provider ?? [])),
    regions: distinct(copies.flatMap(({ region }) => region ?? [])),
    accounts: distinct(copies.flatMap(({ account }) => account ?? [])),
    sites: distinct(copies.flatMap(({ site }) => site ?? [])),
    findings,
  };
}

function counted(
  copies: number,
  media: readonly string[],
  elsewhere: number,
  destinations: readonly CopyFacts[],
): PlacementFinding[] {
  const names = destinations.map(({ name }) => name);
  const found: PlacementFinding[] = [];
  if (copies < 3) {
    const message = `There are ${copies} copies, production among them; the rule is three.`;
    found.push({ severity: 'bad', code: 'too-few-copies', message, advice: 'Add a destination.', copies: names });
  }
  if (media.length < 2) {
    const message = `All ${copies} copies lie on one medium (${media.join('')}); the rule is two.`;
    const advice = 'Add a destination of another kind: a provider, a server, a disk that is taken away.';
    found.push({ severity: 'bad', code: 'one-medium', message, advice, copies: names });
  }
  if (elsewhere === 0) {
    const message = 'No copy is elsewhere: what happens to this machine or its building happens to all of them.';
    const advice = 'Add a destination at a provider or in another building.';
    found.push({ severity: 'bad', code: 'nothing-elsewhere', message, advice, copies: names });
  }
  return found;
}

function inMemory(destinations: readonly CopyFacts[]): PlacementFinding[] {
  const copies = destinations.filter(({ medium }) => medium === 'memory').map(({ name }) => name);
  if (copies.length === 0) return [];
  const message = `${copies.join(' and ')} ${copies.length === 1 ? 'lies' : 'lie'} in memory: gone at the next restart.`;
  return [{ severity: 'bad', code: 'in-memory', message, advice: 'Choose a folder on a disk.', copies }];
}

/** Copies that one event takes together. A tie that binds no more than a stronger one did says nothing new. */
function together(copies: readonly CopyFacts[]): PlacementFinding[] {
  const found: PlacementFinding[] = [];
  const destinations = copies.filter(({ isProduction }) => !isProduction).length;
  for (const { code, keys, say, advice } of bonds) {
    const groups = new Map<string, CopyFacts[]>();
    for (const copy of copies) {
      for (const key of distinct(keys(copy))) groups.set(key, [...(groups.get(key) ?? []), copy]);
    }
    for (const [where, group] of groups) {
      const names = group.map(({ name }) => name);
      if (group.length < 2 || found.some((one) => names.every((name) => one.copies.includes(name)))) continue;
      const left = destinations - group.filter(({ isProduction }) => !isProduction).length;
      const both = group.length === 2 ? 'both' : `all ${group.length}`;
      const message = `${group.length} of ${countOf(copies.length, 'copy', 'copies')} (${names.join(', ')}) ${say(where, both)}.`;
      found.push({ severity: left === 0 ? 'bad' : 'warning', code, message, advice, copies: names });
    }
  }
  return found;
}

function unlocked(destinations: readonly CopyFacts[], locked: number): PlacementFinding[] {
  // One that does not answer may be locked: nothing is claimed of it.
  if (locked > 0 || destinations.some(({ immutable }) => immutable === 'unknown')) return [];
  const message = 'No copy is locked: whoever has the credentials of this machine can delete every backup.';
  const advice = 'Use a bucket with object lock (lock: in lifeboat.yaml) for one of them.';
  return [{ severity: 'warning', code: 'none-locked', message, advice, copies: destinations.map(({ name }) => name) }];
}

function isElsewhere(copy: CopyFacts, home: CopyFacts | undefined): boolean {
  if (copy.machine !== undefined && (copy.machine === thisMachine || copy.machine === home?.machine)) return false;
  if (copy.site !== undefined && home?.site !== undefined) return copy.site !== home.site;
  if (copy.provider !== undefined && copy.provider === home?.provider) return copy.region !== home.region;
  return true;
}

function mediaOf({ disks, machine, medium, provider, bucket }: CopyFacts): string[] {
  if (medium === 'object storage') return [provider ?? machine ?? `bucket ${bucket}`];
  if (medium === 'server' || disks.length === 0) return [machine ?? medium];
  return disks.map((disk) => `${whose(machine)} disk ${disk}`);
}

function whose(machine: string | undefined): string {
  return machine === undefined ? 'the' : machine === thisMachine ? "this machine's" : `${machine}'s`;
}

function at(provider: string | undefined): string {
  return provider === undefined ? '' : ` at ${provider}`;
}

function distinct<T>(all: readonly T[]): T[] {
  return [...new Set(all)];
}
