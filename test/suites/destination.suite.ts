import { describe, expect, test } from 'vitest';
import type { Destination, Listed } from '../../src/destinations/destination.ts';
import fc from '../support/fast-check.ts';

const bytes = (text: string) => Buffer.from(text);
const someBytes = fc.uint8Array({ maxLength: 3000 });
const component = fc.stringMatching(/^[A-Za-z0-9_:+-][A-Za-z0-9._:+-]{0,20}$/);

/** Keys whose folders are never objects: those end in `.d`. */
const someKey = fc
  .tuple(fc.array(component, { maxLength: 3 }), component)
  .map(([folders, name]) => [...folders.map((folder) => `${folder}.d`), `${name}.o`].join('/'));

export async function listAll(destination: Destination, prefix = ''): Promise<Listed[]> {
  const found: Listed[] = [];
  for await (const item of destination.list(prefix)) found.push(item);
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

const keysOf = async (destination: Destination, prefix = '') =>
  (await listAll(destination, prefix)).map((item) => item.key);

/** What every destination promises. `make` gives a new, empty one; it is called inside a test. */
export function destinationSuite(name: string, make: () => Promise<Destination>): void {
  describe(`destination ${name}`, () => {
    test('gives back what was put, with its size and a time', async () => {
      const destination = await make();
      for (const body of [bytes('hello'), bytes(''), Buffer.alloc(3 << 20, 'x')]) {
        const key = `packs/${body.length}.age`;
        expect(await destination.put(key, body)).toMatchObject({ sizeBytes: body.length, existed: false });
        expect(Buffer.compare(await destination.get(key), body)).toBe(0);
        const found = await destination.stat(key);
        expect(found).toMatchObject({ key, sizeBytes: body.length });
        expect(Math.abs(found.modifiedMs - Date.now())).toBeLessThan(60_000);
      }
    });

    test('the same bytes again succeed, other bytes are refused and the first object stays', async () => {
      const destination = await make();
      await destination.put('a/1', bytes('first'));
      expect(await destination.put('a/1', bytes('first'))).toMatchObject({ existed: true, sizeBytes: 5 });
      for (const other of ['other', 'firs', 'first!', '']) {
        await expect(destination.put('a/1', bytes(other))).rejects.toMatchObject({ code: 'object-exists' });
      }
      expect(Buffer.from(await destination.get('a/1')).toString()).toBe('first');
      expect(await keysOf(destination)).toEqual(['a/1']);
    });

    test('what is absent is object-missing, and removing it succeeds', async () => {
      const destination = await make();
      await destination.put('a/1', bytes('x'));
      for (const key of ['a/2', 'b', 'b/c/d', 'a', 'a/1/b']) {
        await expect(destination.get(key)).rejects.toMatchObject({ code: 'object-missing' });
        await expect(destination.get(key, { offset: 0, length: 1 })).rejects.toMatchObject({ code: 'object-missing' });
        await expect(destination.stat(key)).rejects.toMatchObject({ code: 'object-missing' });
        await destination.delete(key);
      }
      expect(await keysOf(destination)).toEqual(['a/1']);
    });

    test('removed is removed, and the name is free again', async () => {
      const destination = await make();
      await destination.put('a/1', bytes('first'));
      await destination.delete('a/1');
      await expect(destination.stat('a/1')).rejects.toMatchObject({ code: 'object-missing' });
      expect(await keysOf(destination)).toEqual([]);
      await destination.put('a/1', bytes('second'));
      expect(Buffer.from(await destination.get('a/1')).toString()).toBe('second');
    });

    test('a range gives exactly its bytes, or object-damaged when it reaches past the end', async () => {
      const destination = await make();
      let count = 0;
      await fc.assert(
        fc.asyncProperty(someBytes, fc.nat(3200), fc.nat(3200), async (body, offset, length) => {
          const key = `ranges/${count++}`;
          await destination.put(key, body);
          const reading = destination.get(key, { offset, length });
          if (offset + length > body.length) await expect(reading).rejects.toMatchObject({ code: 'object-damaged' });
          else expect(Buffer.compare(await reading, body.subarray(offset, offset + length))).toBe(0);
        }),
        { numRuns: 60 },
      );
      await destination.put('one', bytes('1'));
      for (const length of [2, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
        await expect(destination.get('one', { offset: 0, length })).rejects.toMatchObject({ code: 'object-damaged' });
      }
      await expect(destination.get('one', { offset: -1, length: 1 })).rejects.toThrow(RangeError);
    });

    test('any sequence of verbs does what it would do to a map', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(someKey, { minLength: 1, maxLength: 4 }),
          fc.infiniteStream(fc.nat()),
          async (keys, draws) => {
            const destination = await make();
            const model = new Map<string, Buffer>();
            const draw = (below: number) => (draws.next().value as number) % below;
            for (let step = 0; step < 12; step++) {
              const key = keys[draw(keys.length)] as string;
              const body = Buffer.alloc(draw(5), draw(3));
              const known = model.get(key);
              if (draw(3) === 0) {
                await destination.delete(key);
                model.delete(key);
              } else if (known === undefined || known.equals(body)) {
                const stored = await destination.put(key, body);
                expect(stored).toMatchObject({ existed: known !== undefined, sizeBytes: body.length });
                model.set(key, body);
              } else {
                await expect(destination.put(key, body)).rejects.toMatchObject({ code: 'object-exists' });
              }
            }
            expect(await keysOf(destination)).toEqual([...model.keys()].sort());
            for (const [key, body] of model) expect(Buffer.compare(await destination.get(key), body)).toBe(0);
          },
        ),
        { numRuns: 15 },
      );
    });

    test('a key that could climb out, hide or be mistaken is refused by every verb', async () => {
      const destination = await make();
      const refusal = { code: 'object-key-invalid' };
      const long = 'x'.repeat(256);
      const keys = [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '..',
        'a/../b',
        './a',
        '.a',
        'a/.b',
        'a b',
        'a\\b',
        'ä',
        'a\0',
        'a\n',
        long,
      ];
      for (const key of [...keys, Array(200).fill('abc').join('/')]) {
        await expect(destination.put(key, bytes('x'))).rejects.toMatchObject(refusal);
        await expect(destination.get(key)).rejects.toMatchObject(refusal);
        await expect(destination.stat(key)).rejects.toMatchObject(refusal);
        await expect(destination.delete(key)).rejects.toMatchObject(refusal);
      }
      for (const prefix of ['/', 'a', '../', '.incoming/', 'a//']) {
        await expect(listAll(destination, prefix)).rejects.toMatchObject(refusal);
      }
      expect(await keysOf(destination)).toEqual([]);
    });

    test('a listing gives the keys below a prefix, and none where there are none', async () => {
      const destination = await make();
      const keys = [
        'vault.json',
        'packs/aa/1.age',
        'packs/aa/2.age',
        'packs/ab/3.age',
        'packs-old/4',
        'snapshots/db/5.json',
      ];
      for (const key of keys) await destination.put(key, bytes(key));
      expect(await keysOf(destination)).toEqual([...keys].sort());
      expect(await keysOf(destination, 'packs/')).toEqual(['packs/aa/1.age', 'packs/aa/2.age', 'packs/ab/3.age']);
      expect(await keysOf(destination, 'packs/aa/')).toEqual(['packs/aa/1.age', 'packs/aa/2.age']);
      expect(await keysOf(destination, 'nothing/here/')).toEqual([]);
      expect(await listAll(destination, 'snapshots/')).toMatchObject([{ key: 'snapshots/db/5.json', sizeBytes: 19 }]);
    });

    test('a listing that is left early holds nothing up', async () => {
      const destination = await make();
      for (let n = 0; n < 5; n++) await destination.put(`a/${n}`, bytes('x'));
      for (let n = 0; n < 40; n++) for await (const _ of destination.list('')) break;
      expect(await keysOf(destination)).toHaveLength(5);
    });

    test('what was stored before a listing is listed once, also while others write and remove', async () => {
      const destination = await make();
      const before = Array.from({ length: 150 }, (_, n) => `packs/${n % 4}/${n}`);
      await Promise.all(before.map((key) => destination.put(key, bytes(key))));
      let writing = true;
      const writer = (async () => {
        for (let n = 0; writing; n++) {
          await destination.put(`packs/${n % 6}/new${n}`, bytes('new'));
          if (n % 2 === 1) await destination.delete(`packs/${(n - 1) % 6}/new${n - 1}`);
        }
      })();
      for (let n = 0; n < 3; n++) {
        const keys = await keysOf(destination, 'packs/');
        expect(new Set(keys).size).toBe(keys.length);
        expect(keys).toEqual(expect.arrayContaining(before));
      }
      writing = false;
      await writer;
    });

    test('of many writers of one key with different bytes exactly one wins', async () => {
      const destination = await make();
      for (let round = 0; round < 10; round++) {
        const key = `race/${round}`;
        const bodies = Array.from({ length: 12 }, (_, n) => Buffer.alloc(1000 + round, n));
        const results = await Promise.allSettled(bodies.map((body) => destination.put(key, body)));
        const won = results.flatMap((result, n) => (result.status === 'fulfilled' ? [n] : []));
        expect(won).toHaveLength(1);
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'object-exists' });
        }
        expect(Buffer.compare(await destination.get(key), bodies[won[0] as number] as Buffer)).toBe(0);
      }
    });

    test('many writers of the same bytes all succeed, and one of them stored them', async () => {
      const destination = await make();
      const body = Buffer.alloc(50_000, 'same');
      const stored = await Promise.all(Array.from({ length: 12 }, () => destination.put('race/same', body)));
      expect(stored.filter((one) => !one.existed)).toHaveLength(1);
      expect(await keysOf(destination)).toEqual(['race/same']);
    });

    test('bytes that are given or handed out are nobody else’s', async () => {
      const destination = await make();
      const body = bytes('first');
      await destination.put('a', body);
      body.fill(0);
      (await destination.get('a')).fill(0);
      expect(Buffer.from(await destination.get('a')).toString()).toBe('first');
    });

    test('an aborted call stops with the reason and leaves nothing', async () => {
      const destination = await make();
      const signal = AbortSignal.abort(new Error('the user said stop'));
      await expect(destination.put('a', bytes('x'), { signal })).rejects.toThrow('the user said stop');
      expect(await keysOf(destination)).toEqual([]);
      await destination.put('a', bytes('x'));
      await expect(destination.get('a', undefined, { signal })).rejects.toThrow('the user said stop');
    });

    test('tells how much can still be written, or that it cannot tell', async () => {
      const free = await (await make()).freeBytes();
      if (free !== undefined) expect(free).toBeGreaterThan(0);
    });
  });
}
