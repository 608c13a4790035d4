import { describe, expect, test } from 'vitest';
import type { Destination, History, Version } from '../../src/destinations/destination.ts';
import fc from '../support/fast-check.ts';
import { listAll } from './destination.suite.ts';

const bytes = (text: string) => Buffer.from(text);
const missing = { code: 'object-missing' };
/** Stores count locks in whole seconds. */
const toleranceMs = 2000;

interface HistoryTraits {
  /** What every object is locked with when it is stored; absent where the place has no locks. */
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly forMs: number };
  /** Stores other bytes under a key that exists, as a hostile writer would, past every guard; absent where nobody can. */
  readonly overwrite?: (destination: Destination, key: string, body: Uint8Array) => Promise<void>;
}

/** What every destination promises that keeps versions. `make` gives a new, empty one; it is called inside a test. */
export function historySuite(name: string, make: () => Promise<Destination>, traits: HistoryTraits = {}): void {
  const { lock, overwrite } = traits;

  describe(`history of ${name}`, () => {
    test('says that it keeps versions, and what locks it has', async () => {
      const { capabilities, history } = await make();
      expect(history).toBeDefined();
      expect(capabilities).toMatchObject({ versions: true, objectLock: lock?.mode ?? 'none' });
    });

    test('what is stored is a version; the same bytes again are the same version', async () => {
      const { destination, history } = await made(make);
      const first = await destination.put('a/1', bytes('first'));
      expect(first.version).toEqual(expect.any(String));
      expect(await destination.put('a/1', bytes('first'))).toMatchObject({ existed: true, version: first.version });
      const versions = await history.versionsOf('a/1');
      expect(versions).toMatchObject([
        { key: 'a/1', version: first.version, sizeBytes: 5, isLatest: true, isDeleteMarker: false },
      ]);
      expect(Math.abs(versions[0]!.modifiedMs - Date.now())).toBeLessThan(60_000);
      expect(await history.versionsOf('a/2')).toEqual([]);
      // Of this very key: not of those that begin like it.
      await destination.put('a/10', bytes('x'));
      expect(await history.versionsOf('a/1')).toHaveLength(1);
    });

    test('removing hides: the object is missing, its version is still there and still read', async () => {
      const { destination, history } = await made(make);
      const { version = '' } = await destination.put('a/1', bytes('first'));
      await destination.delete('a/1');
      await expect(destination.get('a/1')).rejects.toMatchObject(missing);
      await expect(destination.stat('a/1')).rejects.toMatchObject(missing);
      expect(await listAll(destination)).toEqual([]);
      expect(await history.versionsOf('a/1')).toMatchObject([
        { isLatest: true, isDeleteMarker: true, sizeBytes: 0 },
        { isLatest: false, isDeleteMarker: false, version },
      ]);
      expect(Buffer.from(await history.getVersion('a/1', version)).toString()).toBe('first');
      // Hidden once is hidden, and what was never there needs no marker.
      await destination.delete('a/1');
      await destination.delete('never');
      expect(await history.versionsOf('never')).toEqual([]);
    });

    test('a version is read by ranges, exactly', async () => {
      const { destination, history } = await made(make);
      const { version = '' } = await destination.put('a', bytes('0123456789'));
      await destination.delete('a');
      const read = async (offset: number, length: number) =>
        Buffer.from(await history.getVersion('a', version, { offset, length })).toString();
      expect([await read(0, 10), await read(3, 4), await read(9, 1)]).toEqual(['0123456789', '3456', '9']);
      for (const [offset, length] of [
        [0, 11],
        [10, 1],
        [0, Number.MAX_SAFE_INTEGER],
      ] as const) {
        await expect(read(offset, length)).rejects.toMatchObject({ code: 'object-damaged' });
      }
      const signal = AbortSignal.abort(new Error('the user said stop'));
      await expect(history.getVersion('a', version, undefined, { signal })).rejects.toThrow('the user said stop');
    });

    test('a name that was hidden is free again, and both versions are read', async () => {
      const { destination, history } = await made(make);
      const { version: first = '' } = await destination.put('a', bytes('first'));
      await destination.delete('a');
      const { version: second = '', existed } = await destination.put('a', bytes('second'));
      expect(existed).toBe(false);
      expect(second).not.toBe(first);
      expect(shape(await history.versionsOf('a'))).toEqual(['6 latest', 'marker', '5']);
      expect(Buffer.from(await destination.get('a')).toString()).toBe('second');
      expect(Buffer.from(await history.getVersion('a', first)).toString()).toBe('first');
      expect(Buffer.from(await history.getVersion('a', second)).toString()).toBe('second');
    });

    test('removing the marker brings the object back', async () => {
      const { destination, history } = await made(make);
      await destination.put('a', bytes('first'));
      await destination.delete('a');
      const [marker] = await history.versionsOf('a');
      await destination.delete('a', marker!.version);
      expect(Buffer.from(await destination.get('a')).toString()).toBe('first');
      expect(shape(await history.versionsOf('a'))).toEqual(['5 latest']);
      expect((await listAll(destination)).map(({ key }) => key)).toEqual(['a']);
      // A marker is nothing to read.
      await expect(history.getVersion('a', marker!.version)).rejects.toMatchObject(missing);
      await destination.delete('a', marker!.version);
    });

    test('all versions and markers below a prefix are listed, those of one key together, newest first', async () => {
      const { destination, history } = await made(make);
      for (const key of ['packs/1', 'packs/2', 'packs/sub/3', 'packs-old/4', 'vault.json']) {
        await destination.put(key, bytes(key));
      }
      for (const key of ['packs/1', 'packs/sub/3']) await destination.delete(key);
      await destination.put('packs/1', bytes('again'));
      const all = await versionsBelow(history, '');
      const keys = all.map(({ key }) => key);
      expect(keys.filter((key, at) => keys.indexOf(key) !== at && keys[at - 1] !== key)).toEqual([]);
      expect(new Set(keys).size).toBe(5);
      for (const key of new Set(keys)) {
        expect(all.filter((one) => one.key === key)).toEqual(await history.versionsOf(key));
      }
      expect(all.filter(({ isLatest }) => isLatest)).toHaveLength(5);
      const below = await versionsBelow(history, 'packs/');
      expect([...new Set(below.map(({ key }) => key))].sort()).toEqual(['packs/1', 'packs/2', 'packs/sub/3']);
      expect(shape(below.filter(({ key }) => key === 'packs/1'))).toEqual(['5 latest', 'marker', '7']);
      expect(await versionsBelow(history, 'nothing/')).toEqual([]);
    });

    test('what is no key is refused by every verb', async () => {
      const { destination, history } = await made(make);
      const { version = '' } = await destination.put('a', bytes('x'));
      const refusal = { code: 'object-key-invalid' };
      for (const key of ['', '../a', 'a/', '.a', 'a b']) {
        await expect(history.versionsOf(key)).rejects.toMatchObject(refusal);
        await expect(history.getVersion(key, version)).rejects.toMatchObject(refusal);
        await expect(history.lockOf(key, version)).rejects.toMatchObject(refusal);
        await expect(history.extendLock(key, version, 0)).rejects.toMatchObject(refusal);
        await expect(destination.delete(key, version)).rejects.toMatchObject(refusal);
      }
      await expect(versionsBelow(history, 'a')).rejects.toMatchObject(refusal);
    });

    if (lock === undefined) withoutLocks(make);
    else withLocks(make, lock);
    if (overwrite !== undefined) withHostileWriters(make, overwrite);
  });
}

function withoutLocks(make: () => Promise<Destination>): void {
  test('a version is removed for good, that one only; and it is not locked', async () => {
    const { destination, history } = await made(make);
    const { version: first = '' } = await destination.put('a', bytes('first'));
    await destination.delete('a');
    const { version: second = '' } = await destination.put('a', bytes('second'));
    expect(await history.lockOf('a', second)).toBeUndefined();
    await destination.delete('a', first);
    await expect(history.getVersion('a', first)).rejects.toMatchObject(missing);
    expect(shape(await history.versionsOf('a'))).toEqual(['6 latest', 'marker']);
    await destination.delete('a', first);
    await destination.delete('a', second);
    await expect(destination.get('a')).rejects.toMatchObject(missing);
  });

  test('any sequence of storing, hiding and removing does what it would do to stacks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), fc.nat(3)), { maxLength: 10 }), async (steps) => {
        const { destination, history } = await made(make);
        const model: [string[], string[]] = [[], []];
        for (const [which, what] of steps) {
          const key = `k/${which}`;
          const stack = model[which]!;
          const newest = stack[0];
          if (what <= 1 && (newest === undefined || newest === 'marker')) {
            await destination.put(key, bytes(`${what}`.repeat(what + 1)));
            stack.unshift(`${what + 1}`);
          } else if (what === 2) {
            await destination.delete(key);
            if (newest !== undefined && newest !== 'marker') stack.unshift('marker');
          } else if (what === 3 && newest !== undefined) {
            await destination.delete(key, (await history.versionsOf(key))[0]!.version);
            stack.shift();
          }
        }
        for (const [which, stack] of model.entries()) {
          const found = shape(await history.versionsOf(`k/${which}`));
          expect(found).toEqual(stack.map((one, at) => (at === 0 && one !== 'marker' ? `${one} latest` : one)));
        }
        const visible = model.flatMap(([newest], which) => (newest && newest !== 'marker' ? [`k/${which}`] : []));
        expect((await listAll(destination)).map(({ key }) => key)).toEqual(visible);
      }),
      { numRuns: 15 },
    );
  });
}

function withLocks(make: () => Promise<Destination>, { mode, forMs }: NonNullable<HistoryTraits['lock']>): void {
  test('what is stored is locked: its version cannot be removed, and says until when', async () => {
    const { destination, history } = await made(make);
    const before = Date.now();
    const { version = '' } = await destination.put('a', bytes('first'));
    const held = await history.lockOf('a', version);
    expect(held?.mode).toBe(mode);
    expect(held?.untilMs).toBeGreaterThan(before + forMs - toleranceMs);
    expect(held?.untilMs).toBeLessThan(Date.now() + forMs + 60_000);
    await expect(destination.delete('a', version)).rejects.toMatchObject({ code: 'object-locked' });
    expect(Buffer.from(await destination.get('a')).toString()).toBe('first');
    // Hiding is allowed, and takes nothing away.
    await destination.delete('a');
    await expect(destination.delete('a', version)).rejects.toMatchObject({ code: 'object-locked' });
    expect(Buffer.from(await history.getVersion('a', version)).toString()).toBe('first');
    const [marker] = await history.versionsOf('a');
    await destination.delete('a', marker!.version);
    expect(Buffer.from(await destination.get('a')).toString()).toBe('first');
  });

  test('a lock is extended and never shortened, whatever is asked', async () => {
    const { destination, history } = await made(make);
    const { version = '' } = await destination.put('a', bytes('first'));
    const born = (await history.lockOf('a', version))!;
    const later = born.untilMs + 3_600_000;
    const extended = await history.extendLock('a', version, later);
    expect(extended.mode).toBe(mode);
    expect(Math.abs(extended.untilMs - later)).toBeLessThan(toleranceMs);
    for (const earlier of [born.untilMs, later - 60_000, Date.now(), 0]) {
      expect((await history.extendLock('a', version, earlier)).untilMs).toBe(extended.untilMs);
      expect(await history.lockOf('a', version)).toEqual(extended);
    }
    await expect(destination.delete('a', version)).rejects.toMatchObject({ code: 'object-locked' });
  });

  test('each version has its own lock', async () => {
    const { destination, history } = await made(make);
    const { version: first = '' } = await destination.put('a', bytes('first'));
    await destination.delete('a');
    const { version: second = '' } = await destination.put('a', bytes('second'));
    const before = await history.lockOf('a', second);
    await history.extendLock('a', first, Date.now() + forMs + 7_200_000);
    expect(await history.lockOf('a', second)).toEqual(before);
  });
}

function withHostileWriters(
  make: () => Promise<Destination>,
  overwrite: NonNullable<HistoryTraits['overwrite']>,
): void {
  test('what a hostile writer stores over an object hides it, and takes nothing away: the first version is the true one', async () => {
    const { destination, history } = await made(make);
    const { version: first = '' } = await destination.put('a', bytes('true'));
    await overwrite(destination, 'a', bytes('false!'));
    await overwrite(destination, 'a', bytes('false again'));
    expect(shape(await history.versionsOf('a'))).toEqual(['11 latest', '6', '4']);
    expect((await history.versionsOf('a')).at(-1)!.version).toBe(first);
    expect(Buffer.from(await history.getVersion('a', first)).toString()).toBe('true');
  });
}

async function made(make: () => Promise<Destination>): Promise<{ destination: Destination; history: History }> {
  const destination = await make();
  if (destination.history === undefined) throw new Error(`${destination.name} has no history`);
  return { destination, history: destination.history };
}

async function versionsBelow(history: History, prefix: string): Promise<Version[]> {
  const found: Version[] = [];
  for await (const version of history.listVersions(prefix)) found.push(version);
  return found;
}

/** `5 latest`, `marker`, `5`: a size, or that it hides. */
function shape(versions: readonly Version[]): string[] {
  return versions.map(({ sizeBytes, isLatest, isDeleteMarker }) =>
    isDeleteMarker ? 'marker' : `${sizeBytes}${isLatest ? ' latest' : ''}`,
  );
}
