import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { comparePaths, isSafePath } from '../../src/core/paths.ts';
import { startRun } from '../../src/core/run.ts';
import type { Contents, Source } from '../../src/sources/source.ts';
import { contentsOf } from '../support/contents.ts';

/** One live system that a source looks at, made for one test and gone when it ends. */
export interface SourceFixture {
  readonly source: Source;
  /** A new place that a restore can go to: a path, or a connection URL. */
  newTarget(): Promise<string>;
  /** Everything that must be the same after a restore, as a value for `toEqual`. */
  look(where: string): Promise<unknown>;
  /** The same for the live system. */
  lookHome(): Promise<unknown>;
  /** Changes the live system, so that `lookHome` differs. */
  change(): Promise<void>;
  /** Takes the live system away. */
  vanish(): Promise<void>;
  /** Names of temporary things that captures and restores left anywhere. */
  remains(): Promise<readonly string[]>;
}

export const everything = { force: false, only: [] } as const;

export function newRun(signal?: AbortSignal) {
  return startRun({ clock: systemClock, ...(signal && { signal }) });
}

/** What src/sources/source.ts promises, for every source. */
export function sourceSuite(open: () => Promise<SourceFixture>): void {
  test('inspect finds it usable and changes nothing', async () => {
    const { source, lookHome } = await open();
    const before = await lookHome();
    const found = await source.inspect(newRun());
    for (const version of Object.values(found.versions)) expect(version).not.toBe('');
    expect(await lookHome()).toEqual(before);
  });

  test('entries come in order, each once, with paths that can be restored', async () => {
    const { source } = await open();
    const { stored } = await contentsOf(await source.capture(newRun()));
    const paths = stored.map((entry) => entry.path);
    expect(paths).toEqual([...new Set(paths)].sort(comparePaths));
    expect(paths.every(isSafePath)).toBe(true);
  });

  test('facts survive JSON and expectations count something', async () => {
    const { source } = await open();
    const { captured } = await contentsOf(await source.capture(newRun()));
    expect(JSON.parse(JSON.stringify(captured.facts))).toEqual(captured.facts);
    expect(captured.expectations?.tables.reduce((sum, table) => sum + table.rows, 0)).toBeGreaterThan(0);
  });

  test('what is restored is what was there, and measures as was expected', async () => {
    const { source, newTarget, look, lookHome, remains } = await open();
    const before = await lookHome();
    const contents = await contentsOf(await source.capture(newRun()));
    const into = await newTarget();
    const restored = await source.restore(contents, { ...everything, into }, newRun());
    expect(restored.problems).toEqual([]);
    expect(await look(restored.where)).toEqual(before);
    const measured = await source.measure(restored.where, contents.expectations!, newRun());
    expect(measured.actual).toEqual(contents.expectations);
    expect(measured.integrity.filter(({ ok }) => !ok)).toEqual([]);
    expect(await remains()).toEqual([]);
  });

  test('what changed after the capture is not in it', async () => {
    const { source, newTarget, change, look, lookHome } = await open();
    const before = await lookHome();
    const contents = await contentsOf(await source.capture(newRun()));
    await change();
    const restored = await source.restore(contents, { ...everything, into: await newTarget() }, newRun());
    expect(await look(restored.where)).toEqual(before);
  });

  test('the same capture twice measures the same, and a change is seen', async () => {
    const { source, change } = await open();
    const first = await contentsOf(await source.capture(newRun()));
    const second = await contentsOf(await source.capture(newRun()));
    expect(second.expectations).toEqual(first.expectations);
    await change();
    const third = await contentsOf(await source.capture(newRun()));
    expect(third.expectations).not.toEqual(first.expectations);
  });

  test('a target that is not empty is refused and stays as it is; force replaces it', async () => {
    const { source, newTarget, change, look, lookHome, remains } = await open();
    const into = await newTarget();
    const old = await lookHome();
    const older = await contentsOf(await source.capture(newRun()));
    await source.restore(older, { ...everything, into }, newRun());
    await change();
    const fresh = await lookHome();
    const newer = await contentsOf(await source.capture(newRun()));
    await expect(source.restore(newer, { ...everything, into }, newRun())).rejects.toMatchObject({
      code: 'target-not-empty',
    });
    expect(await look(into)).toEqual(old);
    const restored = await source.restore(newer, { into, force: true, only: [] }, newRun());
    expect(await look(restored.where)).toEqual(fresh);
    expect(await remains()).toEqual([]);
  });

  test('what a restore put at its place is known there again, whatever the application did since; another thing is not', async () => {
    const { source, change, vanish } = await open();
    const contents = await contentsOf(await source.capture(newRun()));
    const restored = async () => {
      let mark = '';
      const beforePlacing = (told: string) => {
        mark = told;
      };
      await source.restore(contents, { force: true, only: [], beforePlacing }, newRun());
      return mark;
    };
    const isThere = (mark: string) => source.wasPlaced(mark, contents, newRun());
    const [first, second] = [await restored(), await restored()];
    expect([await isThere(first), await isThere(second)]).toEqual([false, true]);
    await change();
    expect(await isThere(second)).toBe(true);
    expect(await source.isBare(contents, newRun())).toBe(false);
    await vanish();
    expect(await isThere(second)).toBe(false);
    expect(await source.isBare(contents, newRun())).toBe(true);
  });

  test('a restore that fails half-way leaves what was there, and nothing else', async () => {
    const { source, newTarget, change, look, lookHome, remains } = await open();
    const into = await newTarget();
    const old = await lookHome();
    const older = await contentsOf(await source.capture(newRun()));
    await source.restore(older, { ...everything, into }, newRun());
    await change();
    const newer = breaking(await contentsOf(await source.capture(newRun())));
    await expect(source.restore(newer, { into, force: true, only: [] }, newRun())).rejects.toThrow('broke half-way');
    expect(await look(into)).toEqual(old);
    expect(await remains()).toEqual([]);
  });

  test('an abandoned capture leaves nothing behind, however often it is disposed of', async () => {
    const { source, remains } = await open();
    const capture = await source.capture(newRun());
    for await (const _ of capture.entries) break;
    await capture[Symbol.asyncDispose]();
    await capture[Symbol.asyncDispose]();
    expect(await remains()).toEqual([]);
  });

  test('an aborted run captures nothing', async () => {
    const { source, remains } = await open();
    const aborted = newRun(AbortSignal.abort(new Error('interrupted')));
    const attempt = (async () => contentsOf(await source.capture(aborted)))();
    await expect(attempt).rejects.toThrow(/interrupted|abort/i);
    expect(await remains()).toEqual([]);
  });

  test('a dataset that is gone is an error with a hint, never an empty backup', async () => {
    const { source, vanish } = await open();
    await vanish();
    for (const attempt of [() => source.inspect(newRun()), () => source.capture(newRun())]) {
      const error = await attempt().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ exit: 2, code: expect.any(String), hint: expect.stringMatching(/\w/) });
    }
  });
}

/** Contents whose bytes fail after everything was begun. */
function breaking(contents: Contents): Contents {
  const fail = () => Promise.reject(new Error('broke half-way'));
  return {
    ...contents,
    async *read(path) {
      for await (const piece of contents.read(path)) {
        yield piece.subarray(0, piece.length / 2);
        await fail();
      }
    },
    async extract(folder, options) {
      await contents.extract(folder, options);
      return fail();
    },
  };
}
